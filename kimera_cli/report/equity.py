"""Equity of a run over time: PnL per sleeve and in total in the portfolio's currency, and returns.

Sleeve PnL is what the loop sampled (fees included), turned into the portfolio's currency at each
sample's own mid. Sleeves are joined on the union of their times, each holding its last value
between samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.report.inventory import filled_forward, position_value
from kimera_cli.report.sleeve import Sleeve
from kimera_cli.risk.metrics import CURRENCY, OWN, Estimate, estimate, metric, missing
from kimera_cli.risk.ratios import MIN_RETURNS, long_run_variance, newey_west_lags
from kimera_cli.units import NS_PER_S

YEAR_S = 365 * 86_400
"""Crypto trades on each day of the year."""
PERIODS_S = (1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
WANTED_RETURNS = 60


@dataclass(frozen=True)
class Equity:
    """Values on one time axis, shape (n,) each, portfolio currency; PnL starts at 0."""

    ts_ns: I64
    pnl: F64
    by_sleeve: list[F64]
    inventory: list[F64]
    """Signed position value per sleeve."""
    cash: float

    @property
    def value(self) -> F64:
        """Portfolio equity: the money at the start plus PnL."""
        return self.cash + self.pnl

    @property
    def span_s(self) -> float:
        """Market time covered, in seconds."""
        return float(self.ts_ns[-1] - self.ts_ns[0]) / NS_PER_S if self.ts_ns.size else 0.0


@dataclass(frozen=True)
class Returns:
    """Simple returns of portfolio equity per period of `period_s` seconds."""

    values: F64
    period_s: float
    why_none: str = ""

    @property
    def per_year(self) -> float:
        """Periods in a year of 365 days."""
        return YEAR_S / self.period_s


def equity(found: list[Sleeve], cash: float) -> Equity:
    """Join the sampled PnL of all sleeves."""
    times = [s.samples["ts_ns"] for s in found]
    axis = np.unique(np.concatenate(times)) if times else np.empty(0, np.int64)
    by_sleeve = [_on(axis, t, sleeve_pnl(s)) for s, t in zip(found, times, strict=True)]
    held = [_on(axis, t, position_value(s)) for s, t in zip(found, times, strict=True)]
    total = np.sum(by_sleeve, axis=0) if by_sleeve else np.empty(0)
    return Equity(axis, total, by_sleeve, held, cash)


def sleeve_pnl(sleeve: Sleeve) -> F64:
    """Return the sampled PnL of one sleeve in the portfolio's currency, shape (n_samples,)."""
    mid = filled_forward(sleeve.samples["mid_ticks"])
    settled = np.nan_to_num(filled_forward(sleeve.samples["equity"]), nan=0.0)
    if not np.isfinite(mid).any():
        return settled * sleeve.leg.rate if not sleeve.leg.inverse else np.zeros(mid.size)
    return settled * sleeve.leg.to_portfolio(mid)


def returns(e: Equity) -> Returns:
    """Return simple returns over the longest period of PERIODS_S that leaves 60 of them.

    A run too short for that takes the shortest period that its samples allow.
    """
    if e.cash <= 0.0:
        return Returns(np.empty(0), 1.0, "the run states no cash to measure returns on")
    if e.ts_ns.size < 2:
        return Returns(np.empty(0), 1.0, "the run has fewer than two samples")
    period = _period_s(e)
    grid = np.arange(e.ts_ns[0], e.ts_ns[-1] + 1, int(period * NS_PER_S))
    value = e.value[np.searchsorted(e.ts_ns, grid, side="right") - 1]
    if np.any(value <= 0.0):
        return Returns(np.empty(0), period, "equity fell to nothing: returns have no meaning")
    return Returns(np.diff(value) / value[:-1], period)


@metric(
    "pnl",
    label="PnL",
    unit=CURRENCY,
    definition="Result of all fills valued at the last mid, after fees and funding.",
    source=OWN,
    group="Result",
    better="higher",
)
def pnl(total: float, e: Equity, fills: int) -> Estimate:
    """Return the total; its error is that of a sum of autocorrelated increments of equity."""
    if fills == 0:
        return missing("no fills")
    steps = np.diff(e.pnl)
    if steps.size < MIN_RETURNS:
        return estimate(total, None, fills)
    variance = max(long_run_variance(steps, newey_west_lags(steps.size)), 0.0)
    return estimate(total, math.sqrt(variance * steps.size), fills)


def _period_s(e: Equity) -> float:
    step = float(np.median(np.diff(e.ts_ns))) / NS_PER_S
    possible = [p for p in PERIODS_S if p >= step and e.span_s / p >= WANTED_RETURNS]
    return float(possible[-1]) if possible else max(step, 1e-9)


def _on(axis: I64, ts_ns: I64, values: F64) -> F64:
    """Return values on another axis, each held until the next; 0 before the first."""
    at = np.searchsorted(ts_ns, axis, side="right") - 1
    return np.where(at >= 0, values[np.maximum(at, 0)], 0.0) if ts_ns.size else np.zeros(axis.size)
