"""A run, analysed once: what every front (terminal, HTML, records, comparison) draws from.

`analyse` computes series and measures; nothing downstream computes a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.records import Metric
from kimera_cli.report import equity as eq
from kimera_cli.report import execution as ex
from kimera_cli.report import flow as fl
from kimera_cli.report import inventory as inv
from kimera_cli.report import markout as mo
from kimera_cli.report import split as sp
from kimera_cli.report.equity import Equity, Returns
from kimera_cli.report.figures import plural
from kimera_cli.report.run import Rows, Run
from kimera_cli.report.sleeve import Sleeve, sleeves
from kimera_cli.risk import drawdown as dd
from kimera_cli.risk import ratios, significance
from kimera_cli.risk.metrics import CURRENCY, REGISTRY, Definition, Estimate, missing

HORIZON_S = 10
"""Markout horizon of the PnL split when none is asked for."""

GROUPS = (
    "Result",
    "PnL split",
    "Risk-adjusted return",
    "Significance",
    "Drawdown",
    "Execution",
    "Markouts",
    "Inventory",
)


@dataclass(frozen=True)
class Measure:
    """One metric of a run, of one sleeve or of one group of fills (scope)."""

    name: str
    estimate: Estimate
    strategy: str = ""
    instrument: str = ""
    scope: str = ""

    @property
    def definition(self) -> Definition:
        """The registry entry."""
        return REGISTRY[self.name]

    def record(self, run: Run) -> Metric:
        """Return the public record."""
        found, stated = self.definition, self.estimate
        return Metric(
            run=run.run,
            metric=self.name,
            value=stated.value,
            se=stated.se,
            unit=run.currency if found.unit == CURRENCY else found.unit,
            definition=found.definition,
            strategy=self.strategy,
            instrument=self.instrument,
            scope=self.scope,
            n=stated.n,
            reason=stated.reason,
        )


@dataclass(frozen=True)
class Part:
    """The analysis of one sleeve."""

    sleeve: Sleeve
    split: sp.Split
    flow: fl.Flow
    markouts: mo.Markouts
    measures: dict[str, Estimate]


@dataclass(frozen=True)
class Analysis:
    """The analysis of one run; `measures` are of the whole portfolio, in the order of GROUPS."""

    run: Run
    horizon_s: int
    parts: list[Part]
    split: sp.Split
    flow: fl.Flow
    markouts: mo.Markouts
    equity: Equity
    returns: Returns
    measures: dict[str, Estimate]
    notes: list[str]

    def all_measures(self) -> Iterator[Measure]:
        """Yield the measures of the portfolio, of groups of fills, and of each sleeve."""
        for name, found in self.measures.items():
            yield Measure(name, found)
        for group in mo.GROUPS[1:]:
            for horizon in (0, *mo.HORIZONS_S):
                found = mo.mean_markout(self.markouts, horizon, group)
                yield Measure(f"markout_{horizon}s", found, scope=group)
        for part in self.parts:
            for name, found in part.measures.items():
                yield Measure(name, found, part.sleeve.strategy, part.sleeve.leg.name)


def analyse(run: Run, horizon_s: int = HORIZON_S) -> Analysis:
    """Compute everything that a report of this run shows."""
    found = sleeves(run)
    joined = eq.equity(found, run.cash)
    parts = [_part(s, joined, i, horizon_s) for i, s in enumerate(found)]
    split = sp.add([p.split for p in parts])
    flow = fl.add([p.flow for p in parts])
    markouts = mo.together([p.markouts for p in parts])
    ts = _concat([p.sleeve.fills["ts_exch_ns"] for p in parts])
    returns = eq.returns(joined)
    held = np.sum(joined.inventory, axis=0) if joined.inventory else np.empty(0)
    measures = (
        _results(split, flow, joined, ts, horizon_s)
        | _ratios(returns)
        | _drawdowns(joined)
        | _execution(flow)
        | _markouts(markouts)
        | _inventory(held)
    )
    notes = [*run.notes, *_doubts(run, split, joined, horizon_s)]
    return Analysis(
        run, horizon_s, parts, split, flow, markouts, joined, returns, _sorted(measures), notes
    )


def by_leg(a: Analysis) -> dict[str, list[Part]]:
    """Return the parts of each instrument by its name."""
    found: dict[str, list[Part]] = {}
    for part in a.parts:
        found.setdefault(part.sleeve.leg.name, []).append(part)
    return found


def longest_samples(parts: list[Part]) -> Rows:
    """Return the samples of the part that has most of them."""
    return max((p.sleeve.samples for p in parts), key=len)


def _part(sleeve: Sleeve, joined: Equity, i: int, horizon_s: int) -> Part:
    split, flow, markouts = sp.split(sleeve, horizon_s), fl.flow(sleeve), mo.markouts(sleeve)
    own = Equity(joined.ts_ns, joined.by_sleeve[i], [], [], 0.0)
    measures = (
        _results(split, flow, own, sleeve.fills["ts_exch_ns"], horizon_s)
        | {
            "max_drawdown_money": dd.max_drawdown_money(own.pnl),
            "drawdown_duration": dd.drawdown_duration(own.pnl, own.ts_ns),
        }
        | _execution(flow)
        | _markouts(markouts)
        | _inventory(joined.inventory[i])
    )
    return Part(sleeve, split, flow, markouts, _sorted(measures))


def _results(
    split: sp.Split, flow: fl.Flow, e: Equity, ts_ns: I64, horizon_s: int
) -> dict[str, Estimate]:
    pnl = eq.pnl(split.total, e, flow.fills)
    return {
        "pnl": pnl,
        "spread_capture": sp.spread_capture(split, ts_ns),
        "adverse_selection": sp.adverse_selection(split, ts_ns, horizon_s),
        "inventory_pnl": sp.inventory_pnl(split),
        "fees": sp.fees(split),
        "funding": sp.funding(split),
        "pnl_per_turnover": sp.pnl_per_turnover(pnl, flow.turnover),
    }


def _ratios(r: Returns) -> dict[str, Estimate]:
    names = ("sharpe", "sharpe_annual", "volatility", "sortino", "omega")
    if r.why_none:
        return dict.fromkeys((*names, "psr", "min_track_record"), missing(r.why_none))
    x = r.values
    one = ratios.sharpe(x)
    found = {
        "sharpe": one,
        "sharpe_annual": ratios.sharpe_annual(x, r.per_year),
        "volatility": ratios.volatility(x, r.per_year),
        "sortino": ratios.sortino(x),
        "omega": ratios.omega(x),
    }
    if one.value is None:
        return found | dict.fromkeys(("psr", "min_track_record"), one)
    g3, g4 = ratios.moments(x)
    return found | {
        "psr": significance.psr(one.value, one.n, g3, g4),
        "min_track_record": significance.min_track_record(one.value, g3, g4, r.period_s),
    }


def _drawdowns(e: Equity) -> dict[str, Estimate]:
    money = {
        "max_drawdown_money": dd.max_drawdown_money(e.pnl),
        "drawdown_duration": dd.drawdown_duration(e.pnl, e.ts_ns),
        "return_over_drawdown": dd.return_over_drawdown(e.pnl),
    }
    relative = ("max_drawdown", "cdar_95", "pain", "ulcer", "calmar")
    if e.cash <= 0.0 or bool(np.any(e.value <= 0.0)):
        return money | dict.fromkeys(relative, missing("equity is not above zero throughout"))
    return money | {
        "max_drawdown": dd.max_drawdown(e.value),
        "cdar_95": dd.cdar(e.value),
        "pain": dd.pain(e.value),
        "ulcer": dd.ulcer(e.value),
        "calmar": dd.calmar(e.value, e.span_s / eq.YEAR_S),
    }


def _execution(f: fl.Flow) -> dict[str, Estimate]:
    return {
        "orders_sent": ex.orders_sent(f),
        "fill_ratio": ex.fill_ratio(f),
        "fill_ratio_value": ex.fill_ratio_value(f),
        "cancel_ratio": ex.cancel_ratio(f),
        "order_to_trade": ex.order_to_trade(f),
        "maker_share": ex.maker_share(f),
        "time_to_fill": ex.time_to_fill(f),
        "queue_ahead": ex.queue_ahead(f),
        "hit_rate": ex.hit_rate(f),
        "turnover": ex.turnover(f),
    }


def _markouts(m: mo.Markouts) -> dict[str, Estimate]:
    return {f"markout_{h}s": mo.mean_markout(m, h) for h in (0, *mo.HORIZONS_S)}


def _inventory(held: F64) -> dict[str, Estimate]:
    return {
        "inventory_mean": inv.inventory_mean(held),
        "inventory_abs": inv.inventory_abs(held),
        "inventory_max": inv.inventory_max(held),
        "time_flat": inv.time_flat(held),
    }


def _doubts(run: Run, split: sp.Split, e: Equity, horizon_s: int) -> list[str]:
    """Return what a reader should know before trusting the numbers."""
    doubts = []
    if split.truncated:
        doubts.append(
            f"{plural(split.truncated, 'fill')} came closer than {horizon_s} s to the end: adverse "
            "selection runs to the last mid"
        )
    if split.without_mid:
        doubts.append(
            f"{plural(split.without_mid, 'fill')} met a book without a mid: the result is inventory"
        )
    stated = run.summary.pnl if run.summary is not None else None
    scale = max(1.0, abs(split.total), abs(stated or 0.0))
    if stated is not None and abs(stated - split.total) > 1e-6 * scale:
        doubts.append(
            f"the run states a PnL of {stated:,.6f} {run.currency}, its fills add up to "
            f"{split.total:,.6f} {run.currency}"
        )
    return doubts


def _sorted(measures: dict[str, Estimate]) -> dict[str, Estimate]:
    return dict(sorted(measures.items(), key=lambda kv: GROUPS.index(REGISTRY[kv[0]].group)))


def _concat(arrays: list[I64]) -> I64:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
