"""Drawdown metrics: the worked example of domain 9.3, brute force, Bacon 2008 and limits."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.risk import drawdown as dd

V = np.array([100.0, 120.0, 90.0, 110.0, 80.0, 130.0])
SECONDS = np.arange(6, dtype=np.int64) * 10**9
values = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60).map(np.array)


def slow_drawdown(v: np.ndarray) -> list[float]:
    return [1.0 - v[t] / max(v[: t + 1]) for t in range(len(v))]


def test_series_of_chekhlov_uryasev_zabarankin() -> None:
    expected = [0, 0, 0.25, 0.083333333333, 0.333333333333, 0]
    assert dd.drawdown(V) == pytest.approx(expected, abs=1e-12)
    assert dd.max_drawdown(V).value == pytest.approx(1 / 3, abs=1e-15)


def test_cdar_ends_at_maximum_and_mean() -> None:
    assert dd.cdar(V, 1.0).value == dd.max_drawdown(V).value
    assert dd.cdar(V, 0.0).value == pytest.approx(np.mean(dd.drawdown(V)))
    assert dd.pain(V).value == dd.cdar(V, 0.0).value


def test_cdar_weighs_a_part_of_a_value() -> None:
    # the worst 25 % of 6 values are 1.5 of them: (1/3 + 0.25 / 2) / 1.5
    assert dd.cdar(V, 0.75).value == pytest.approx((1 / 3 + 0.125) / 1.5)


def test_money_duration_and_recovery() -> None:
    assert dd.max_drawdown_money(V).value == 40.0
    assert dd.drawdown_duration(V, SECONDS).value == 4.0
    assert dd.return_over_drawdown(V).value == 0.75
    assert dd.deepest(dd.drawdown(V), V) == (1, 4, 5)


def test_a_fall_that_is_not_made_good_counts_to_the_end() -> None:
    v = V[:5]
    assert dd.drawdown_duration(v, SECONDS[:5]).value == 3.0
    assert dd.deepest(dd.drawdown(v), v) == (1, 4, -1)


def test_calmar_needs_thirty_days() -> None:
    year = dd.calmar(V, 1.0)
    assert year.value == pytest.approx(0.3 / (1 / 3))
    short = dd.calmar(V, 29 / 365)
    assert short.value is None
    assert "30 days" in short.reason


def test_bacon_portfolio(shared_data: Path) -> None:
    """Printed by PerformanceAnalytics for Bacon 2008: pain index 0.04, Martin ratio 1.7."""
    path = shared_data / "risk/PerformanceAnalytics/portfolio_bacon.csv"
    rows = list(csv.reader(path.open()))
    returns = np.array([float(r[1]) for r in rows[1:]])
    wealth = np.concatenate(([1.0], np.cumprod(1 + returns)))
    depth = dd.drawdown(wealth)[1:]
    assert float(depth.mean()) == pytest.approx(0.04, abs=0.005)
    annual = float(wealth[-1] ** (12 / 24) - 1)
    assert annual / float(np.sqrt(np.mean(depth**2))) == pytest.approx(1.7, abs=0.05)
    assert dd.ulcer(wealth).value == pytest.approx(np.sqrt(np.mean(dd.drawdown(wealth) ** 2)))


@given(values)
def test_brute_force(v: np.ndarray) -> None:
    slow = slow_drawdown(v)
    assert dd.drawdown(v) == pytest.approx(slow)
    assert dd.max_drawdown(v).value == pytest.approx(max(slow))
    assert dd.ulcer(v).value == pytest.approx((sum(x * x for x in slow) / len(slow)) ** 0.5)


@given(values, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_cdar_rises_with_alpha(v: np.ndarray, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert (dd.cdar(v, low).value or 0) <= (dd.cdar(v, high).value or 0) + 1e-12


@given(values)
def test_duration_against_brute_force(v: np.ndarray) -> None:
    ts = np.arange(v.size, dtype=np.int64) * 10**9
    longest, peak = 0, 0
    for t in range(v.size):
        if v[t] >= v[peak]:
            longest = max(longest, t - peak if min(v[peak : t + 1]) < v[peak] else 0)
            peak = t
        else:
            longest = max(longest, t - peak)
    assert dd.drawdown_duration(v, ts).value == longest


def test_nothing_gives_a_reason_not_a_zero() -> None:
    none = np.empty(0)
    for function in (dd.max_drawdown, dd.max_drawdown_money, dd.cdar, dd.ulcer, dd.pain):
        assert function(none).value is None
        assert function(none).reason
    assert dd.return_over_drawdown(np.array([1.0, 2.0])).reason == "equity never fell"
