"""Measures how fills thin out with distance: A and k of the intensity A exp(-k depth).

Avellaneda and Stoikov 2008, section 3: an order at `depth` from the mid is filled at the rate of
market orders that reach at least that deep; the logarithm of that rate is regressed on depth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.layouts import ASK, BID, F64, I64

LEAST_ARRIVALS = 5
"""A depth reached by fewer trades says too little; it is left out."""
LEAST_DEPTHS = 3


class Intensity(NamedTuple):
    """A fitted intensity: fills per second at the mid, decay per depth, how well it fits."""

    intensity: float
    k: float
    r_squared: float
    depths: int
    """Depths that entered the regression."""
    arrivals: int


def trade_depths(px_ticks: I64, side: I64, mid_ticks: F64) -> F64:
    """Return how far from the mid each trade reached, in ticks, shape (n,); negative: improved.

    `side` is the aggressor's; NaN where the mid is NaN or the side is unknown.
    """
    reach = np.where(side == BID, px_ticks - mid_ticks, mid_ticks - px_ticks)
    return np.where((side == BID) | (side == ASK), reach, np.nan)


def calibrate_intensity(depths: F64, seconds: float, grid: F64 | None = None) -> Intensity:
    """Fit A and k to the depths that market orders reached within `seconds` of observation.

    depths: shape (n,), any unit of price (k comes out in one per that unit); NaN is left out. Count
    one side's trades, or both sides' over twice the seconds. grid: depths at which the rate is
    measured, shape (m,); by default 20 from 0 to the depth that 95 % of the trades do not pass.
    DataError `data.too_few` when fewer than 3 depths, reached by 5 trades each, differ.
    """
    reached = depths[np.isfinite(depths)]
    if grid is None and reached.size:
        grid = np.linspace(0.0, max(float(np.quantile(reached, 0.95)), 0.0), 20, dtype=np.float64)
    points = np.unique(np.empty(0) if grid is None else grid)
    counts = reached.size - np.searchsorted(np.sort(reached), points, side="left")
    kept = counts >= LEAST_ARRIVALS
    if np.unique(counts[kept]).size < LEAST_DEPTHS or not seconds > 0.0:
        raise DataError(
            "data.too_few",
            f"expected trades that end at {LEAST_DEPTHS} depths or more, {LEAST_ARRIVALS} at "
            f"each or deeper, was too few among {reached.size} in {seconds:g} s",
            "calibrate on a longer recording",
        )
    x, y = points[kept], np.log(counts[kept] / seconds)
    slope, level = np.polyfit(x, y, 1)
    spread = float(np.sum((y - y.mean()) ** 2))
    left = float(np.sum((y - level - slope * x) ** 2))
    r_squared = 1.0 - left / spread if spread > 0.0 else 0.0
    return Intensity(float(np.exp(level)), float(-slope), r_squared, int(kept.sum()), reached.size)
