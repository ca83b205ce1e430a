"""Drawdown of a value series: depth, duration, average of the worst, and ratios on it.

DD_t = 1 - V_t / max_{s<=t} V_s (Chekhlov, Uryasev & Zabarankin 2005). Values must be finite and
above zero for the relative forms; money forms (`drawdown_money`) take any finite series.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.risk.metrics import CURRENCY, Estimate, estimate, metric, missing

DAYS_FOR_CALMAR = 30
_GROUP = "Drawdown"
_NO_VALUES = "the run has no equity samples"


class Episode(NamedTuple):
    """The deepest drawdown: index of peak, trough, and first value back at the peak (-1: none)."""

    peak: int
    trough: int
    recovered: int


def drawdown(values: F64) -> F64:
    """Return DD_t per value, shape (n,), each in [0, 1) while values are above zero."""
    return np.asarray(1.0 - values / np.maximum.accumulate(values), dtype=np.float64)


def drawdown_money(values: F64) -> F64:
    """Return max_{s<=t} V_s - V_t per value, shape (n,), in the unit of the values."""
    return np.asarray(np.maximum.accumulate(values) - values, dtype=np.float64)


def deepest(depth: F64, values: F64) -> Episode:
    """Return where the deepest point of a drawdown series lies; both of shape (n,), n > 0."""
    trough = int(np.argmax(depth))
    peak = int(np.argmax(values[: trough + 1]))
    back = np.flatnonzero(values[trough:] >= values[peak])
    return Episode(peak, trough, trough + int(back[0]) if back.size else -1)


@metric(
    "max_drawdown",
    label="Maximum drawdown (of equity)",
    unit="fraction",
    definition=(
        "Largest fall of portfolio equity below its highest value so far, as a fraction of that "
        "value."
    ),
    source="Chekhlov, Uryasev & Zabarankin 2005",
    group=_GROUP,
    better="lower",
)
def max_drawdown(values: F64) -> Estimate:
    """Return max DD_t."""
    if values.size == 0:
        return missing(_NO_VALUES)
    return estimate(float(drawdown(values).max()), n=values.size)


@metric(
    "max_drawdown_money",
    label="Maximum drawdown",
    unit=CURRENCY,
    definition="Largest fall of equity below its highest value so far, in money.",
    source="Chekhlov, Uryasev & Zabarankin 2005",
    group=_GROUP,
    better="lower",
)
def max_drawdown_money(values: F64) -> Estimate:
    """Return max of `drawdown_money`."""
    if values.size == 0:
        return missing(_NO_VALUES)
    return estimate(float(drawdown_money(values).max()), n=values.size)


@metric(
    "drawdown_duration",
    label="Longest time under water",
    unit="s",
    definition=(
        "Longest time that equity stayed below an earlier highest value; a fall that is not yet "
        "made good counts to the end."
    ),
    source="Bacon 2008, ch. 4",
    group=_GROUP,
    better="lower",
)
def drawdown_duration(values: F64, ts_ns: I64) -> Estimate:
    """Return the longest span between a peak and the value that is back at it, in seconds."""
    if values.size == 0:
        return missing(_NO_VALUES)
    at_peak = values >= np.maximum.accumulate(values)
    last_peak = np.maximum.accumulate(np.where(at_peak, np.arange(values.size), 0))
    since = np.concatenate(([0], last_peak[:-1]))
    under = np.where(at_peak, ts_ns - ts_ns[since], ts_ns - ts_ns[last_peak])
    came_from_below = at_peak & ~np.concatenate(([True], at_peak[:-1]))
    spans = np.where(at_peak & ~came_from_below, 0, under)
    return estimate(float(spans.max()) / 1e9, n=values.size)


@metric(
    "cdar_95",
    label="CDaR 95 %",
    unit="fraction",
    definition=(
        "Conditional drawdown at risk: mean of the worst 5 % of all drawdown values of the run."
    ),
    source="Chekhlov, Uryasev & Zabarankin 2005",
    group=_GROUP,
    better="lower",
)
def cdar(values: F64, alpha: float = 0.95) -> Estimate:
    """Return the mean of the worst (1 - alpha) share of DD; alpha 1 is the maximum, 0 the mean.

    The share is exact: a part of one value counts with its part as weight, so the result is
    continuous in alpha.
    """
    if values.size == 0:
        return missing(_NO_VALUES)
    worst = np.sort(drawdown(values))[::-1]
    share = (1.0 - alpha) * worst.size
    if share <= 1.0:
        return estimate(float(worst[0]), n=values.size)
    weights = np.clip(share - np.arange(worst.size), 0.0, 1.0)
    return estimate(float(worst @ weights) / share, n=values.size)


@metric(
    "ulcer",
    label="Ulcer index",
    unit="fraction",
    definition="Root mean square of all drawdown values: punishes deep and long falls.",
    source="Martin & McCann 1989",
    group=_GROUP,
    better="lower",
)
def ulcer(values: F64) -> Estimate:
    """Return sqrt(mean(DD^2))."""
    if values.size == 0:
        return missing(_NO_VALUES)
    return estimate(float(np.sqrt(np.mean(drawdown(values) ** 2))), n=values.size)


@metric(
    "pain",
    label="Pain index",
    unit="fraction",
    definition="Mean of all drawdown values.",
    source="Becker 2006; Bacon 2008",
    group=_GROUP,
    better="lower",
)
def pain(values: F64) -> Estimate:
    """Return mean(DD), which is CDaR at alpha 0."""
    return cdar(values, 0.0)


@metric(
    "return_over_drawdown",
    label="Return over drawdown",
    unit="ratio",
    definition=(
        "PnL of the whole run divided by its maximum drawdown in money; nothing is annualised."
    ),
    source="Bacon 2008, ch. 4 (recovery factor)",
    group=_GROUP,
    better="higher",
)
def return_over_drawdown(values: F64) -> Estimate:
    """Return (V_end - V_start) / max drawdown in money."""
    if values.size == 0:
        return missing(_NO_VALUES)
    depth = float(drawdown_money(values).max())
    if depth == 0.0:
        return missing("equity never fell", values.size)
    return estimate(float(values[-1] - values[0]) / depth, n=values.size)


@metric(
    "calmar",
    label="Calmar ratio",
    unit="ratio",
    definition=(
        "Compound annual return divided by the maximum drawdown; given from 30 days on, because "
        "annualising less invents."
    ),
    source="Young 1991",
    group=_GROUP,
    better="higher",
)
def calmar(values: F64, years: float) -> Estimate:
    """Return ((V_end / V_start)^(1 / years) - 1) / MDD; `years` is the span of the values."""
    if values.size == 0:
        return missing(_NO_VALUES)
    if years * 365.0 < DAYS_FOR_CALMAR:
        return missing(f"the run is shorter than {DAYS_FOR_CALMAR} days", values.size)
    depth = float(drawdown(values).max())
    if depth == 0.0:
        return missing("equity never fell", values.size)
    growth = float(values[-1] / values[0]) ** (1.0 / years) - 1.0
    return estimate(growth / depth, n=values.size)
