"""What was held: the value of positions over the samples of a run."""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.layouts import F64
from kimera_cli.report.sleeve import Sleeve
from kimera_cli.risk.metrics import CURRENCY, OWN, Estimate, estimate, metric, missing
from kimera_cli.risk.ratios import MIN_RETURNS, long_run_variance, newey_west_lags

_GROUP = "Inventory"
_NONE = "the run has no samples"


def position_value(sleeve: Sleeve) -> F64:
    """Return the signed value of the position at each sample, portfolio currency; 0 when flat.

    A sample without a mid takes the newest mid before it.
    """
    lots, mid = sleeve.samples["position_lots"], filled_forward(sleeve.samples["mid_ticks"])
    value = sleeve.leg.notional(mid, lots)
    return np.where(lots == 0, 0.0, value)


def filled_forward(values: F64) -> F64:
    """Return values with each NaN replaced by the newest number before it, else the first after.

    All NaN stays all NaN.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return values
    at = np.searchsorted(known, np.arange(values.size), side="right") - 1
    filled: F64 = values[known[np.maximum(at, 0)]]
    return filled


@metric(
    "inventory_mean",
    label="Mean inventory",
    unit=CURRENCY,
    definition="Mean signed value of the positions over time; far from 0 is a directional bet.",
    source="Hendershott & Menkveld 2014",
    group=_GROUP,
)
def inventory_mean(values: F64) -> Estimate:
    """Return the mean with a Newey-West error."""
    return _mean(values)


@metric(
    "inventory_abs",
    label="Mean absolute inventory",
    unit=CURRENCY,
    definition="Mean absolute value of the positions over time.",
    source="Hendershott & Menkveld 2014",
    group=_GROUP,
    better="lower",
)
def inventory_abs(values: F64) -> Estimate:
    """Return the mean absolute value with a Newey-West error."""
    return _mean(np.abs(values))


@metric(
    "inventory_max",
    label="Largest inventory",
    unit=CURRENCY,
    definition="Largest absolute value of the positions at any sample.",
    source=OWN,
    group=_GROUP,
    better="lower",
)
def inventory_max(values: F64) -> Estimate:
    """Return the largest absolute value."""
    if values.size == 0:
        return missing(_NONE)
    return estimate(float(np.abs(values).max()), n=values.size)


@metric(
    "time_flat",
    label="Time flat",
    unit="fraction",
    definition="Share of samples without any position.",
    source=OWN,
    group=_GROUP,
)
def time_flat(values: F64) -> Estimate:
    """Return the share of zero values."""
    if values.size == 0:
        return missing(_NONE)
    return estimate(float(np.mean(values == 0.0)), n=values.size)


def _mean(values: F64) -> Estimate:
    n = values.size
    if n == 0:
        return missing(_NONE)
    if n < MIN_RETURNS:
        return estimate(float(values.mean()), None, n)
    variance = max(long_run_variance(values, newey_west_lags(n)), 0.0)
    return estimate(float(values.mean()), math.sqrt(variance / n), n)
