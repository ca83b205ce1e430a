"""Quoting formulas against the papers' numbers, an exact solution, and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from kimera_cli.kernels import quoting
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.quoting import as_reservation, as_spread, glft_ask_delta, glft_bid_delta

S, T, SIGMA, GAMMA, K, A, DT = 100.0, 1.0, 2.0, 0.1, 1.5, 140.0, 0.005
STEPS = 200
PATHS = 1000


def test_avellaneda_stoikov_2008_eq_30_spread_at_the_start():
    assert as_spread(GAMMA, SIGMA, K, T) == pytest.approx(1.69077, abs=5e-6)


def test_avellaneda_stoikov_2008_time_average_spread():
    times = (np.arange(STEPS) + 0.5) * DT
    mean = np.mean([as_spread(GAMMA, SIGMA, K, T - t) for t in times])
    assert mean == pytest.approx(1.49077, abs=5e-6)


def test_avellaneda_stoikov_2008_eq_29_reservation_price():
    assert as_reservation(S, 3.0, GAMMA, SIGMA, T) == pytest.approx(98.8, abs=1e-12)


def test_glft_2013_stationary_quotes():
    args = (GAMMA, SIGMA, K, A)
    assert quoting.glft_slope(*args) == pytest.approx(0.0517172, abs=5e-8)
    assert glft_bid_delta(0.0, *args) == pytest.approx(0.671244, abs=5e-7)
    assert glft_ask_delta(0.0, *args) == pytest.approx(0.671244, abs=5e-7)
    assert glft_bid_delta(3.0, *args) == pytest.approx(0.826395, abs=5e-7)
    assert glft_ask_delta(3.0, *args) == pytest.approx(0.516092, abs=5e-7)


def exact_deltas(gamma: float, sigma: float, k: float, a: float, limit: int, time: float):
    """Solve v' = Mv of Gueant, Lehalle and Fernandez-Tapia 2013 (theorem 1) far from the end.

    M is tridiagonal over q = -limit..limit: k gamma sigma^2 q^2 / 2 on the diagonal, -eta beside
    it, and v(time before the end) = exp(-M time) 1. Returns bid and ask distances by q.
    """
    q = np.arange(-limit, limit + 1)
    eta = a * (1 + gamma / k) ** -(1 + k / gamma)
    m = np.diag(0.5 * k * gamma * sigma**2 * q.astype(float) ** 2)
    m -= eta * (np.eye(q.size, k=1) + np.eye(q.size, k=-1))
    v = expm(-(m - np.linalg.eigvalsh(m)[0] * np.eye(q.size)) * time) @ np.ones(q.size)
    base = math.log1p(gamma / k) / gamma
    bid = np.log(v[:-1] / v[1:]) / k + base
    ask = np.log(v[1:] / v[:-1]) / k + base
    return dict(zip(q[:-1], bid, strict=True)), dict(zip(q[1:], ask, strict=True))


@pytest.mark.parametrize(
    ("gamma", "sigma", "k", "a"),
    [(0.1, 2.0, 1.5, 140.0), (0.01, 0.3, 0.3, 0.9), (0.05, 0.9, 1.0, 1.0)],
)
def test_glft_closed_form_is_near_the_exact_solution_far_from_the_end(gamma, sigma, k, a):
    bid, ask = exact_deltas(gamma, sigma, k, a, limit=30, time=600.0)
    allowed = 0.02 * bid[0]  # the closed form is the expansion for a small skew
    for q in range(-4, 5):
        assert glft_bid_delta(float(q), gamma, sigma, k, a) == pytest.approx(bid[q], abs=allowed)
        assert glft_ask_delta(float(q), gamma, sigma, k, a) == pytest.approx(ask[q], abs=allowed)


@kernel
def simulate(up, hit_bid, hit_ask, fixed_spread, out):
    """Run paths of Avellaneda and Stoikov, section 3.3; a fixed_spread ignores inventory."""
    for path in range(up.shape[0]):
        s, q, cash = 100.0, 0.0, 0.0
        for i in range(up.shape[1]):
            tau = 1.0 - i * 0.005
            centre = s if fixed_spread > 0.0 else as_reservation(s, q, 0.1, 2.0, tau)
            half = 0.5 * (fixed_spread if fixed_spread > 0.0 else as_spread(0.1, 2.0, 1.5, tau))
            bid, ask = centre - half, centre + half
            if hit_bid[path, i] < 140.0 * np.exp(-1.5 * (s - bid)) * 0.005:
                q += 1.0
                cash -= bid
            if hit_ask[path, i] < 140.0 * np.exp(-1.5 * (ask - s)) * 0.005:
                q -= 1.0
                cash += ask
            s += (1.0 if up[path, i] < 0.5 else -1.0) * 2.0 * np.sqrt(0.005)
        out[path, 0] = cash + q * s
        out[path, 1] = q


def test_avellaneda_stoikov_2008_table_1_by_simulation():
    rng = np.random.default_rng(2008)
    draws = rng.random((3, PATHS, STEPS))
    ours, plain = np.zeros((PATHS, 2)), np.zeros((PATHS, 2))
    simulate(*draws, 0.0, ours)
    simulate(*draws, 1.49077, plain)
    band = 0.15
    assert ours[:, 0].mean() == pytest.approx(64.8, rel=band)
    assert ours[:, 0].std() == pytest.approx(6.3, rel=band)
    assert ours[:, 1].std() == pytest.approx(2.9, rel=band)
    assert plain[:, 0].mean() == pytest.approx(67.5, rel=band)
    assert plain[:, 0].std() == pytest.approx(14.2, rel=band)
    assert plain[:, 1].std() == pytest.approx(8.5, rel=band)
    assert ours[:, 0].mean() < plain[:, 0].mean()
    assert ours[:, 0].std() < 0.6 * plain[:, 0].std()


positive = st.floats(0.01, 10.0)


@given(gamma=positive, sigma=positive, k=positive, a=positive, q=st.integers(-50, 50))
def test_glft_is_odd_in_inventory_and_its_spread_constant(gamma, sigma, k, a, q):
    args = (gamma, sigma, k, a)
    assert glft_bid_delta(float(q), *args) == pytest.approx(glft_ask_delta(float(-q), *args))
    spread = glft_bid_delta(float(q), *args) + glft_ask_delta(float(q), *args)
    flat = glft_bid_delta(0.0, *args) + glft_ask_delta(0.0, *args)
    assert spread == pytest.approx(flat, rel=1e-9, abs=1e-9 * abs(q) * quoting.glft_slope(*args))


@given(gamma=positive, sigma=positive, k=positive, tau=st.floats(0.0, 100.0))
def test_compiled_formulas_equal_their_python_twins(gamma, sigma, k, tau):
    for formula, args in (
        (as_spread, (gamma, sigma, k, tau)),
        (as_reservation, (100.0, 2.0, gamma, sigma, tau)),
        (quoting.glft_slope, (gamma, sigma, k, 1.0)),
    ):
        twin = getattr(formula, "py_func", formula)
        assert formula(*args) == pytest.approx(twin(*args), rel=1e-14)


def test_nan_goes_through():
    assert math.isnan(as_spread(GAMMA, math.nan, K, T))
    assert math.isnan(glft_bid_delta(0.0, GAMMA, math.nan, K, A))
