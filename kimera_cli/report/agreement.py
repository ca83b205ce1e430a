"""How far a live run and its replay agree: orders, fills, prices, fees, positions, results.

Fills are compared in venue time, when they happened; positions in the run's own time, when it knew.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from kimera_cli.journal.denials import firsts
from kimera_cli.journal.trades import TRADE_FIELDS
from kimera_cli.layouts import (
    BID,
    F64,
    I64,
    R_AMEND_INTENT,
    R_CANCEL_INTENT,
    R_DENIED,
    R_INTENT,
)
from kimera_cli.records import Agreement
from kimera_cli.report.equity import equity
from kimera_cli.report.money import Leg
from kimera_cli.report.pairs import WINDOW_NS, Orders, Pairs, same_fills, same_orders
from kimera_cli.report.run import Rows, Run
from kimera_cli.report.sleeve import Sleeve, sleeve_of

WITHIN = {"1ms": 1_000_000, "10ms": 10_000_000, "100ms": 100_000_000, "1s": 1_000_000_000}
_DECISIONS = (R_INTENT, R_DENIED, R_CANCEL_INTENT, R_AMEND_INTENT)
_SEEN = ("kind", "strategy", "side", "px_ticks", "qty_lots")


@dataclass(frozen=True)
class Twin:
    """One sleeve of the run, the same one of the replay, and what in them is the same."""

    run: Sleeve
    replay: Sleeve
    orders: Orders
    pairs: Pairs

    @property
    def late_ns(self) -> I64:
        """How much later the replay's fill of each pair is."""
        one, two = self.run.fills["ts_exch_ns"], self.replay.fills["ts_exch_ns"]
        late: I64 = two[self.pairs.replay] - one[self.pairs.run]
        return late

    @property
    def worse_bps(self) -> F64:
        """By how much the run's price of each pair is worse than the replay's."""
        one, two = self.run.fills["px_ticks"], self.replay.fills["px_ticks"]
        here, there = one[self.pairs.run], two[self.pairs.replay]
        sign = np.where(self.run.fills["side"][self.pairs.run] == BID, 1.0, -1.0)
        return np.asarray(sign * (here / np.maximum(there, 1) - 1.0) * 1e4, dtype=np.float64)

    @property
    def apart_ns(self) -> F64:
        """Time from each fill of the run to the farthest part of its match; inf without one."""
        apart = np.where(self.pairs.run_left > 0, np.inf, 0.0)
        np.maximum.at(apart, self.pairs.run, np.abs(self.late_ns).astype(np.float64))
        return apart


@dataclass(frozen=True)
class Market:
    """One instrument in both runs: a twin for each strategy."""

    leg: Leg
    twins: list[Twin]
    parted_ns: int | None


@dataclass(frozen=True)
class Fidelity:
    """A run, its replay, and how they compare."""

    run: Run
    replay: Run
    markets: list[Market]
    end_ns: int
    """Last moment that both know."""
    window_ns: int

    @property
    def twins(self) -> list[Twin]:
        """Every sleeve."""
        return [twin for market in self.markets for twin in market.twins]

    @property
    def parted_ns(self) -> int | None:
        """When the two first did something else."""
        return min((m.parted_ns for m in self.markets if m.parted_ns is not None), default=None)

    @property
    def seconds(self) -> float:
        """Market time that both cover."""
        starts = [run.samples["ts_ns"][0] for run in (self.run, self.replay) if len(run.samples)]
        return max(0.0, (self.end_ns - int(max(starts))) / 1e9) if starts else 0.0

    def records(self) -> list[Agreement]:
        """Return one record per market, then the total if there are several."""
        found = [self._of([m], m.leg.name, m.parted_ns) for m in self.markets]
        return found if len(found) == 1 else [*found, self.total]

    @property
    def total(self) -> Agreement:
        """Over all markets."""
        return self._of(self.markets, "", self.parted_ns)

    def _of(self, markets: list[Market], name: str, parted_ns: int | None) -> Agreement:
        twins = [twin for market in markets for twin in market.twins]
        facts = _counts(twins) | _times(twins) | _money(twins, self.run.cash)
        facts["matched_worse_bps"] = _matched_worse(twins)
        if name:
            facts |= _prices(twins) | _positions(twins, markets[0].leg, self.end_ns)
        return Agreement(
            run=self.run.run,
            instrument=name,
            same_fills=all(_same_fills(t, at_once=False) for t in twins),
            identical=all(_same_fills(t, at_once=True) for t in twins),
            currency=self.run.currency,
            parted_ns=parted_ns,
            **facts,
        )


def compare(run: Run, replay: Run, *, cut_ns: int = 0, window_ns: int = WINDOW_NS) -> Fidelity:
    """Compare a run with its replay; `cut_ns`: the run counts up to this moment only."""
    if cut_ns:
        run = _until(run, cut_ns)
    ends = [int(each.samples["ts_ns"][-1]) for each in (run, replay) if len(each.samples)]
    markets = []
    for i, leg in enumerate(run.legs):
        twins = [_twin(run, replay, s, i, window_ns) for s in range(len(run.strategies))]
        markets.append(Market(leg, twins, _parted_ns(run, replay, i)))
    return Fidelity(run, replay, markets, min(ends, default=0), window_ns)


def _twin(run: Run, replay: Run, s: int, i: int, window_ns: int) -> Twin:
    one, two = sleeve_of(run, s, i), sleeve_of(replay, s, i)
    orders = same_orders(one, two, window_ns)
    return Twin(one, two, orders, same_fills(one.fills, two.fills, orders, window_ns))


def _until(run: Run, cut_ns: int) -> Run:
    names = ("fills", "samples", "markouts", "orders")
    kept = {name: getattr(run, name) for name in names}
    return dataclasses.replace(
        run, **{name: rows[rows["ts_ns"] <= cut_ns] for name, rows in kept.items()}
    )


def _parted_ns(run: Run, replay: Run, i: int) -> int | None:
    """Return when decisions or fills in one market first differ."""
    one, two = (_acts(each, i) for each in (run, replay))
    n = min(len(one), len(two))
    differ = np.flatnonzero((one[:n] != two[:n]).any(axis=1))
    if differ.size:
        at = int(differ[0])
        return int(min(one[at, 0], two[at, 0]))
    longer = one if len(one) > len(two) else two
    return None if len(one) == len(two) else int(longer[n, 0])


def _acts(run: Run, i: int) -> I64:
    """Return decisions and fills of one market by time, shape (n, 6): time, then _SEEN."""
    decided = run.orders[np.isin(run.orders["kind"], _DECISIONS) & (run.orders["instrument"] == i)]
    denied = decided["kind"] == R_DENIED
    kept = ~denied
    kept[denied] = firsts(decided[denied])  # a live run folds those that repeat
    decided = decided[kept]
    fills = run.fills[run.fills["instrument"] == i]
    times = np.concatenate((decided["ts_ns"], fills["ts_exch_ns"]))
    columns = [np.concatenate((decided[name], fills[name])) for name in _SEEN]
    table = np.column_stack((times, *columns)).astype(np.int64)
    ordered: I64 = table[np.lexsort(table.T[::-1])]
    return ordered


def _same_fills(twin: Twin, *, at_once: bool) -> bool:
    """Return whether all fills are the same; `at_once`: also when they were known.

    Left aside is a fill's number among those of all markets (`code`): at one moment the venues are
    looked at in any order.
    """
    one, two = twin.run.fills, twin.replay.fills
    aside = ("code",) if at_once else ("code", "ts_ns")
    fields = [f for f in TRADE_FIELDS if f not in aside]
    return len(one) == len(two) and all(np.array_equal(one[f], two[f]) for f in fields)


def _counts(twins: list[Twin]) -> dict[str, Any]:
    fills = sum(len(t.run.fills) for t in twins)
    theirs = sum(len(t.replay.fills) for t in twins)
    alone = sum(len(t.run.fills) - np.unique(t.pairs.run).size for t in twins)
    alone_there = sum(len(t.replay.fills) - np.unique(t.pairs.replay).size for t in twins)
    orders, replayed = (sum(len(getattr(t.orders, r)) for t in twins) for r in ("run", "replay"))
    filled = sum(_filled(t.orders.run, t.run) for t in twins)
    filled_there = sum(_filled(t.orders.replay, t.replay) for t in twins)
    made = sum(int((t.run.fills["type"] == 1).sum()) for t in twins)
    made_there = sum(int((t.replay.fills["type"] == 1).sum()) for t in twins)
    return {
        "orders": orders,
        "replay_orders": replayed,
        "same_orders": sum(len(t.orders.pairs) for t in twins),
        "fills": fills,
        "replay_fills": theirs,
        "matched": fills - int(alone),
        "run_only": int(alone),
        "replay_only": int(alone_there),
        "fill_rate": _share(filled, orders),
        "replay_fill_rate": _share(filled_there, replayed),
        "maker_share": _share(made, fills),
        "replay_maker_share": _share(made_there, theirs),
    }


def _filled(orders: Rows, sleeve: Sleeve) -> int:
    return int(np.isin(orders["order_id"], sleeve.fills["order_id"]).sum())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _times(twins: list[Twin]) -> dict[str, Any]:
    late = np.concatenate([t.late_ns for t in twins])
    apart = np.concatenate([t.apart_ns for t in twins])
    share = {name: float((apart <= ns).mean()) for name, ns in WITHIN.items() if apart.size}
    return {
        "within": share,
        "late_p50_ns": int(np.median(late)) if late.size else None,
        "apart_p95_ns": int(np.percentile(np.abs(late), 95)) if late.size else None,
    }


def _money(twins: list[Twin], cash: float) -> dict[str, Any]:
    one, two = (equity([getattr(t, side) for t in twins], cash) for side in ("run", "replay"))
    _, a, b = np.intersect1d(one.ts_ns, two.ts_ns, return_indices=True)
    apart = np.abs(one.pnl[a] - two.pnl[b])
    results = [float(e.pnl[-1]) if e.pnl.size else 0.0 for e in (one, two)]
    turnovers = [sum(_turnover(getattr(t, side)) for t in twins) for side in ("run", "replay")]
    fees = [sum(_fees(getattr(t, side)) for t in twins) for side in ("run", "replay")]
    return {
        "turnover": turnovers[0],
        "replay_turnover": turnovers[1],
        "fees": fees[0],
        "replay_fees": fees[1],
        "equity_apart": float(apart.max()) if apart.size else None,
        "pnl": results[0],
        "replay_pnl": results[1],
        "pnl_difference": results[0] - results[1],
    }


def _turnover(sleeve: Sleeve) -> float:
    fills = sleeve.fills
    return float(sleeve.leg.notional(fills["px_ticks"], fills["qty_lots"]).sum())


def _fees(sleeve: Sleeve) -> float:
    paid = float(np.nansum(sleeve.fills["fee"]))
    return paid * sleeve.rate if paid else 0.0


def _matched_worse(twins: list[Twin]) -> float | None:
    weights = [
        t.run.leg.notional(t.run.fills["px_ticks"][t.pairs.run], t.pairs.lots.astype(np.float64))
        for t in twins
    ]
    total = sum(float(w.sum()) for w in weights)
    worse = sum(float((t.worse_bps * w).sum()) for t, w in zip(twins, weights, strict=True))
    return worse / total if total else None


def _prices(twins: list[Twin]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for side, name, noun, sign in ((0, "buy", "bought", 1.0), (1, "sell", "sold", -1.0)):
        here, there = (_average([getattr(t, r) for t in twins], side) for r in ("run", "replay"))
        facts |= {noun: here[0], f"replay_{noun}": there[0]}
        facts |= {f"{name}_px": here[1], f"replay_{name}_px": there[1]}
        if here[1] and there[1]:
            facts[f"{name}_worse_bps"] = sign * (here[1] / there[1] - 1.0) * 1e4 + 0.0
    return facts


def _average(sleeves: list[Sleeve], side: int) -> tuple[str, float | None]:
    """Return quantity and average price of one side's fills."""
    rows = np.concatenate([s.fills[s.fills["side"] == side] for s in sleeves])
    lots = int(rows["qty_lots"].sum())
    price = float((rows["px_ticks"] * (rows["qty_lots"] / lots)).sum()) if lots else 0.0
    leg = sleeves[0].leg
    return decimal(lots, leg.lot), price * leg.tick if lots else None


def decimal(steps: int, step: float) -> str:
    """Return ticks or lots as exact decimal text."""
    return format(steps * Decimal(repr(step)), "f")


def _positions(twins: list[Twin], leg: Leg, end_ns: int) -> dict[str, Any]:
    one, two = (_path([getattr(t, side) for t in twins]) for side in ("run", "replay"))
    axis = np.unique(np.concatenate((one[0], two[0])))
    axis = axis[axis <= end_ns]
    facts = {
        "position": decimal(int(one[1][-1]), leg.lot),
        "replay_position": decimal(int(two[1][-1]), leg.lot),
        "position_same": 1.0,
        "position_apart": decimal(0, leg.lot),
    }
    if axis.size > 1 or (axis.size and end_ns > axis[0]):
        apart = np.abs(_at(one, axis) - _at(two, axis))
        spans = np.diff(np.append(axis, end_ns)).astype(np.float64)
        facts["position_apart"] = decimal(int(apart.max()), leg.lot)
        facts["position_same"] = float(spans[apart == 0].sum() / max(spans.sum(), 1.0))
    return facts


def _path(sleeves: list[Sleeve]) -> tuple[I64, I64]:
    """Return times and the position in lots from each on, of all strategies together."""
    times = np.concatenate([s.fills["ts_ns"] for s in sleeves])
    steps = np.concatenate([np.diff(s.fills["position_lots"], prepend=0) for s in sleeves])
    order = np.argsort(times, kind="stable")
    begin = min((int(s.samples["ts_ns"][0]) for s in sleeves if len(s.samples)), default=0)
    path: I64 = np.cumsum(np.append(0, steps[order]))
    return np.append(begin, times[order]), path


def _at(path: tuple[I64, I64], axis: I64) -> I64:
    at = np.searchsorted(path[0], axis, side="right") - 1
    held: I64 = np.where(at >= 0, path[1][np.maximum(at, 0)], 0)
    return held
