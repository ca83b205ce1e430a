"""Calibration of the fill intensity from trades."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kimera_cli.errors import DataError
from kimera_cli.layouts import ASK, BID, NO_SIDE
from kimera_cli.strategies import calibrate_intensity
from kimera_cli.strategies.calibration import trade_depths


@pytest.mark.parametrize(("a", "k"), [(140.0, 1.5), (0.9, 0.3), (5.0, 0.02)])
def test_recovers_the_intensity_that_made_the_trades(a, k):
    """Market orders arrive at rate a and reach depth d with probability exp(-k d)."""
    rng = np.random.default_rng(7)
    seconds = 20_000.0 / a
    depths = rng.exponential(1.0 / k, rng.poisson(a * seconds))
    fit = calibrate_intensity(depths, seconds)
    assert fit.intensity == pytest.approx(a, rel=0.05)
    assert fit.k == pytest.approx(k, rel=0.05)
    assert fit.r_squared > 0.99
    assert fit.arrivals == depths.size


def test_regression_by_hand():
    # Reached by 40, 20 and 10 trades in 10 s at depths 0, 1, 2: rates 4, 2, 1, so A = 4, k = ln 2.
    depths = np.repeat([0.5, 1.5, 2.5], [20, 10, 10])
    fit = calibrate_intensity(depths, 10.0, np.array([0.0, 1.0, 2.0]))
    assert fit.intensity == pytest.approx(4.0)
    assert fit.k == pytest.approx(math.log(2.0))
    assert fit.r_squared == pytest.approx(1.0)


def test_depths_that_few_trades_reach_are_left_out_and_nan_too():
    depths = np.concatenate([np.repeat([0.5, 1.5, 2.5], [20, 10, 10]), [9.0, math.nan]])
    fit = calibrate_intensity(depths, 10.0, np.array([0.0, 1.0, 2.0, 8.0]))
    assert (fit.depths, fit.arrivals) == (3, 41)


@pytest.mark.parametrize(
    ("depths", "seconds"),
    [(np.empty(0), 1.0), (np.full(100, 1.0), 1.0), (np.arange(50.0), 0.0), (np.arange(4.0), 1.0)],
)
def test_too_little_to_fit_is_told(depths, seconds):
    with pytest.raises(DataError, match="trades"):
        calibrate_intensity(depths, seconds)


def test_trade_depths_are_from_the_mid_in_the_direction_of_the_aggressor():
    got = trade_depths(
        np.array([105, 95, 99, 100, 100]),
        np.array([BID, ASK, BID, NO_SIDE, BID]),
        np.array([100.0, 100.0, 100.0, 100.0, math.nan]),
    )
    np.testing.assert_array_equal(got, [5.0, 5.0, -1.0, math.nan, math.nan])
