"""Runs side by side: differences to the first, with standard errors, and whether they are noise.

Two runs over the same market see the same price path, so the error of their PnL difference is that
of the paired series (increment by increment), not of two independent ones. Other metrics take
sqrt(se1^2 + se2^2): exact for different markets, too wide for the same one, so "noise" errs on the
side of caution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kimera_cli.layouts import F64
from kimera_cli.records import Comparison
from kimera_cli.report.analysis import Analysis
from kimera_cli.risk import ratios, significance
from kimera_cli.risk.metrics import CURRENCY, REGISTRY, Estimate, missing

Z = 1.959963984540054
"""A difference within this many standard errors is called noise (two-sided, 5 %)."""
MIN_SHARED = 0.8
"""Share of sample times that two runs must have in common to be paired."""


@dataclass(frozen=True)
class Difference:
    """One metric of a run against the base run; `noise` is None where no error is defined."""

    name: str
    base: Estimate
    other: Estimate
    difference: Estimate
    noise: bool | None


@dataclass(frozen=True)
class Compared:
    """One run against the base; `same_trades` when their trade hashes are equal."""

    base: Analysis
    other: Analysis
    differences: list[Difference]
    paired: bool
    same_trades: bool

    def records(self) -> list[Comparison]:
        """Return the public records."""
        return [self._record(d) for d in self.differences]

    def _record(self, d: Difference) -> Comparison:
        found = REGISTRY[d.name]
        return Comparison(
            metric=d.name,
            base=self.base.run.run,
            run=self.other.run.run,
            base_value=d.base.value,
            value=d.other.value,
            difference=d.difference.value,
            se=d.difference.se,
            noise=d.noise,
            unit=self.base.run.currency if found.unit == CURRENCY else found.unit,
            definition=found.definition,
            reason=d.difference.reason,
        )


def compare(runs: Sequence[Analysis]) -> list[Compared]:
    """Compare each run with the first; all get a Sharpe ratio deflated for how many there are."""
    deflated = _deflated(runs)
    return [_against(runs[0], runs[i], deflated[0], deflated[i]) for i in range(1, len(runs))]


def _against(base: Analysis, other: Analysis, dsr_base: Estimate, dsr_other: Estimate) -> Compared:
    steps = paired_steps(base, other)
    differences = []
    for name in base.measures:
        one, two = base.measures[name], other.measures.get(name, missing("not measured"))
        gap = _gap(one, two)
        if name == "pnl" and steps is not None and gap.value is not None:
            gap = Estimate(gap.value, _sum_error(steps), steps.size)
        differences.append(_judged(name, one, two, gap))
    differences.append(_judged("dsr", dsr_base, dsr_other, _gap(dsr_base, dsr_other)))
    hashes = [a.run.summary.trade_hash if a.run.summary else "" for a in (base, other)]
    same = bool(hashes[0]) and hashes[0] == hashes[1]
    return Compared(base, other, differences, steps is not None, same)


def paired_steps(base: Analysis, other: Analysis) -> F64 | None:
    """Return the differences of PnL increments at shared sample times; None when they are few."""
    one, two = base.equity, other.equity
    if base.run.currency != other.run.currency:
        return None
    _, at_one, at_two = np.intersect1d(one.ts_ns, two.ts_ns, return_indices=True)
    if at_one.size < max(ratios.MIN_RETURNS, MIN_SHARED * max(one.ts_ns.size, two.ts_ns.size)):
        return None
    steps: F64 = np.diff(two.pnl[at_two]) - np.diff(one.pnl[at_one])
    return steps


def _gap(one: Estimate, two: Estimate) -> Estimate:
    if one.value is None or two.value is None:
        return missing(one.reason or two.reason)
    se = None if one.se is None or two.se is None else math.hypot(one.se, two.se)
    return Estimate(two.value - one.value, se, min(one.n, two.n))


def _judged(name: str, one: Estimate, two: Estimate, gap: Estimate) -> Difference:
    if gap.value is None or gap.se is None:
        return Difference(name, one, two, gap, None)
    return Difference(name, one, two, gap, abs(gap.value) <= Z * gap.se)


def _sum_error(steps: F64) -> float:
    variance = ratios.long_run_variance(steps, ratios.newey_west_lags(steps.size))
    return math.sqrt(max(variance, 0.0) * steps.size)


def _deflated(runs: Sequence[Analysis]) -> list[Estimate]:
    """Return the deflated Sharpe ratio of each run; the trials are the runs that have one."""
    found = [a.measures["sharpe"].value for a in runs]
    known = [v for v in found if v is not None]
    periods = {a.returns.period_s for a, v in zip(runs, found, strict=True) if v is not None}
    if len(known) < 2 or len(periods) > 1:
        why = "needs two runs with a Sharpe ratio over the same period"
        return [missing(why)] * len(runs)
    variance = float(np.var(known, ddof=1))
    return [_deflate(a, v, variance, len(known)) for a, v in zip(runs, found, strict=True)]


def _deflate(a: Analysis, ratio: float | None, variance: float, trials: int) -> Estimate:
    if ratio is None:
        return a.measures["sharpe"]
    g3, g4 = ratios.moments(a.returns.values)
    return significance.dsr(ratio, a.returns.values.size, g3, g4, variance, trials)
