"""Return ratios: printed answers of papers and public libraries, closed forms, simulation."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.risk import ratios, significance

RNG = np.random.default_rng(11)
NOISE = RNG.normal(0.001, 0.01, 500)
EMPYRICAL_MIXED = np.array([1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0]) / 100
"""`mixed_returns` of the tests of empyrical, without its leading NaN."""


@pytest.fixture(scope="module")
def bacon(shared_data: Path) -> np.ndarray:
    path = shared_data / "risk/PerformanceAnalytics/portfolio_bacon.csv"
    rows = list(csv.reader(path.open()))
    return np.array([float(r[1]) for r in rows[1:]])


def test_sharpe_is_mean_over_deviation() -> None:
    found = ratios.sharpe(NOISE, risk_free=0.0002)
    assert found.value == pytest.approx((NOISE.mean() - 0.0002) / NOISE.std(ddof=1))
    assert found.n == 500


def test_error_of_sharpe_is_mertens_2002() -> None:
    found = ratios.sharpe(NOISE, lags=0)
    g3, g4 = ratios.moments(NOISE)
    assert found.se == pytest.approx(significance.sharpe_error(found.value or 0, 500, g3, g4))


def test_error_of_sharpe_for_normal_returns_is_lo_2002() -> None:
    assert significance.sharpe_error(0.5, 1001, 0.0, 3.0) == pytest.approx(
        significance.sharpe_error_iid(0.5, 1000)
    )


@pytest.mark.parametrize(("years", "expected"), [(1, 1.00), (3, 0.58), (5, 0.45)])
def test_error_of_an_annual_sharpe_of_two(years: int, expected: float) -> None:
    daily = 2 / math.sqrt(252)
    error = significance.sharpe_error_iid(daily, 252 * years) * math.sqrt(252)
    assert error == pytest.approx(expected, abs=0.005)


def test_error_of_sharpe_is_what_simulation_shows() -> None:
    rng = np.random.default_rng(5)
    series = rng.standard_t(6, (3000, 250)) * 0.01 + 0.001
    found = [ratios.sharpe(x, lags=0) for x in series]
    spread = np.std([e.value or 0 for e in found])
    assert np.mean([e.se or 0 for e in found]) == pytest.approx(spread, rel=0.05)


def test_errors_with_lags_cover_autocorrelated_returns() -> None:
    rng = np.random.default_rng(6)
    shocks = rng.normal(0.0, 0.01, (800, 2001))
    series = shocks[:, 1:] + 0.6 * shocks[:, :-1] + 0.0005
    spread = np.std([ratios.sharpe(x, lags=0).value or 0 for x in series])
    naive = np.mean([ratios.sharpe(x, lags=0).se or 0 for x in series])
    allowed = np.mean([ratios.sharpe(x, lags=20).se or 0 for x in series])
    assert naive < 0.85 * spread
    assert allowed == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.2, 0.5])
@pytest.mark.parametrize("q", [2, 12, 250])
def test_eta_of_lo_2002_for_an_autoregression(rho: float, q: int) -> None:
    """Lo 2002, eq. 21: the closed form for AR(1) returns."""
    eta = ratios.lo_eta(rho ** np.arange(1, q), q)
    inner = 1 + 2 * rho / (1 - rho) * (1 - (1 - rho**q) / (q * (1 - rho)))
    assert eta == pytest.approx(math.sqrt(q) / math.sqrt(inner))


def test_annual_sharpe_without_lags_is_the_square_root_rule() -> None:
    one, year = ratios.sharpe(NOISE, lags=0), ratios.sharpe_annual(NOISE, 252.0, lags=0)
    assert year.value == pytest.approx((one.value or 0) * math.sqrt(252))
    assert year.se == pytest.approx((one.se or 0) * math.sqrt(252))


def test_annual_sharpe_shrinks_under_positive_autocorrelation() -> None:
    rng = np.random.default_rng(8)
    shocks = rng.normal(0.0, 0.01, 5001)
    x = shocks[1:] + 0.6 * shocks[:-1] + 0.001
    plain = ratios.sharpe_annual(x, 252.0, lags=0).value or 0
    eta = ratios.lo_eta(np.array([0.6 / 1.36]), 252) / math.sqrt(252)
    assert ratios.sharpe_annual(x, 252.0, lags=25).value == pytest.approx(plain * eta, rel=0.06)


def test_sortino_and_omega_of_empyrical() -> None:
    """Expected by the tests of empyrical; both ratios are unchanged by repeating a series."""
    x = np.tile(EMPYRICAL_MIXED, 3)
    sortino = (ratios.sortino(x, lags=0).value or 0) * math.sqrt(252)
    assert sortino == pytest.approx(2.605531251673693)
    required = (1 + 10.0) ** (1 / 252) - 1
    assert ratios.omega(x, required).value == pytest.approx(0.83354263497557934)


def test_bacon_of_performance_analytics(bacon: np.ndarray) -> None:
    """Printed there: downside deviation .0255, Omega-Sharpe ratio .29, kurtosis -.41."""
    mar = 0.005
    excess = float(bacon.mean()) - mar
    assert excess / (ratios.sortino(bacon, mar).value or 0) == pytest.approx(0.0255, abs=5e-5)
    assert (ratios.omega(bacon, mar).value or 0) - 1 == pytest.approx(0.29, abs=5e-3)
    n = bacon.size
    _, g4 = ratios.moments(bacon)
    sample = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (g4 - 3) + 6)
    assert sample == pytest.approx(-0.41, abs=5e-3)


def test_information_ratio_is_sharpe_of_the_difference() -> None:
    other = RNG.normal(0.0, 0.01, 500)
    assert ratios.information_ratio(NOISE, other) == ratios.sharpe(NOISE - other)


@pytest.mark.parametrize("ratio", [ratios.sortino, ratios.omega])
def test_errors_of_sortino_and_omega_are_what_simulation_shows(ratio: object) -> None:
    rng = np.random.default_rng(9)
    found = [ratio(x, lags=0) for x in rng.normal(0.002, 0.01, (2000, 400))]  # type: ignore[operator]
    spread = np.std([e.value for e in found])
    assert np.mean([e.se for e in found]) == pytest.approx(spread, rel=0.06)


def test_too_few_or_constant_returns_have_a_reason() -> None:
    few, flat = np.full(5, 0.1), np.zeros(50)
    for ratio in (ratios.sharpe, ratios.sortino, ratios.omega):
        assert ratio(few).value is None
        assert ratio(few).reason == "needs 20 returns, the run has 5"
        assert ratio(flat).reason == "equity did not move"
    rising = np.linspace(0.001, 0.002, 40)
    assert ratios.sortino(rising).reason == "no return was below the target"
    assert ratios.omega(rising).reason == "no return was below the threshold"


@given(st.integers(0, 30), st.integers(25, 80), st.integers(0, 10**6))
def test_long_run_variance_is_never_negative(lags: int, n: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=n)
    assert ratios.long_run_variance(np.diff(x), lags) >= -1e-12


def test_psr_of_bailey_lopez_de_prado_2012() -> None:
    assert significance.psr(0.458, 24, -2.448, 10.164).value == pytest.approx(0.9134, abs=5e-5)


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.900397), (46, 0.950502)])
def test_dsr_of_bailey_lopez_de_prado_2014(trials: int, expected: float) -> None:
    daily, variance = 2.5 / math.sqrt(250), 0.5 / 250
    found = significance.dsr(daily, 1250, -3.0, 10.0, variance, trials)
    assert found.value == pytest.approx(expected, abs=5e-7)


def test_expected_maximum_of_bailey_lopez_de_prado_2014() -> None:
    assert significance.expected_max_sharpe(0.5 / 250, 100) == pytest.approx(0.113172, abs=5e-7)
    assert significance.expected_max_sharpe(0.5, 1) == 0.0


@pytest.mark.parametrize(("benchmark", "days"), [(0.0, 172.8), (1.0, 688.2)])
def test_minimum_track_record(benchmark: float, days: float) -> None:
    year = math.sqrt(252)
    found = significance.min_track_record(2 / year, 0.0, 3.0, benchmark=benchmark / year)
    assert found.value == pytest.approx(days, abs=0.05)
    assert significance.min_track_record(-0.1, 0.0, 3.0).value is None


def test_minimum_track_record_is_where_psr_reaches_confidence() -> None:
    periods = significance.min_track_record(0.1, -0.5, 5.0).value or 0
    before, after = (
        significance.psr(0.1, int(n), -0.5, 5.0).value or 0 for n in (periods - 1, periods + 2)
    )
    assert before < 0.95 < after
