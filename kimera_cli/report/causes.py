"""Why fills and orders of a run and its replay differ: classes, counted and in words.

A fill counts in one class. What became of the same order in the other run tells which: it is there
and waits in its queue, was canceled before, was refused, or was never sent. Once the two have
parted, positions differ, and with them the decisions: later differences may follow from earlier
ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kimera_cli.layouts import (
    F64,
    R_ACCEPTED,
    R_BREAKER,
    R_CANCELLED,
    R_HALT,
    R_REJECTED,
)
from kimera_cli.records import FidelityCause, FillMatch
from kimera_cli.report.agreement import Fidelity, Market, Twin, decimal
from kimera_cli.report.figures import duration, moment, plural
from kimera_cli.report.flow import flow
from kimera_cli.report.pairs import BY_ORDER, Orders
from kimera_cli.report.sleeve import Sleeve

NEAR_NS = 1_000_000
"""Fills no further apart than this agree in time: venues stamp in milliseconds."""
SLOWER_NS = 100_000
"""Answers that differ by more than this, in the median, are told of."""
SIDES = ("buy", "sell")


class Basis(NamedTuple):
    """What the words speak of."""

    live: bool
    """Whether the run's orders were at real venues."""
    queue: str
    """The replay's queue model, by its name."""


class _Fate(NamedTuple):
    kind: int
    code: int


def causes(found: Fidelity, basis: Basis) -> list[FidelityCause]:
    """Return every class of differences that occurs, market by market, then of the whole run."""
    matches = fill_matches(found, basis)
    told: list[FidelityCause] = []
    for market in found.markets:
        own = [m for m in matches if m.instrument == market.leg.name]
        told += _of_fills(found, market, own, basis)
        told += _of_orders(found, market)
        told += _of_answers(found, market, basis)
    return told + list(_of_run(found))


def fill_matches(found: Fidelity, basis: Basis) -> list[FillMatch]:
    """Return every fill of both, paired or alone, by venue time."""
    rows = [m for t in found.twins for m in (*_paired(found, t), *_alone(found, t))]
    return sorted(rows, key=lambda m: m.ts_exch_ns or m.replay_ts_exch_ns or 0)


# --- fills -------------------------------------------------------------------------------------
def _paired(found: Fidelity, twin: Twin) -> Iterator[FillMatch]:
    late, worse, leg = twin.late_ns, twin.worse_bps, twin.run.leg
    for k, (i, j) in enumerate(zip(twin.pairs.run, twin.pairs.replay, strict=True)):
        one, two = twin.run.fills[i], twin.replay.fills[j]
        yield FillMatch(
            run=found.run.run,
            strategy=twin.run.strategy,
            instrument=leg.name,
            side=SIDES[int(one["side"])],  # type: ignore[arg-type]
            match="order" if twin.pairs.how[k] == BY_ORDER else "time",
            qty=decimal(int(twin.pairs.lots[k]), leg.lot),
            ts_exch_ns=int(one["ts_exch_ns"]),
            replay_ts_exch_ns=int(two["ts_exch_ns"]),
            late_ns=int(late[k]),
            px=_price(twin.run, one),
            replay_px=_price(twin.run, two),
            worse_bps=float(worse[k]) + 0.0,  # no minus nought
            maker=bool(one["type"]),
            replay_maker=bool(two["type"]),
            order_id=int(one["order_id"]),
            replay_order_id=int(two["order_id"]),
            cause=_of_pair(one, two, int(late[k])),
        )


def _of_pair(one: np.void, two: np.void, late_ns: int) -> str:
    """Return how two matched fills differ; empty: they agree."""
    if one["type"] != two["type"]:
        return "fill.role"
    if one["px_ticks"] != two["px_ticks"]:
        return "fill.price"
    if abs(late_ns) <= NEAR_NS:
        return ""
    way = "later" if late_ns > 0 else "earlier"
    return f"fill.{way}" if one["type"] else f"fill.taker_{way}"


def _alone(found: Fidelity, twin: Twin) -> Iterator[FillMatch]:
    pairs = twin.orders.pairs, twin.orders.back
    for side, left in enumerate((twin.pairs.run_left, twin.pairs.replay_left)):
        sleeve, other = (twin.run, twin.replay)[:: -1 if side else 1]
        fates = _fates(other)
        for i in np.flatnonzero(left):
            row = sleeve.fills[i]
            cause = _why_alone(row, pairs[side], fates, found.end_ns)
            yield _one_sided(found, sleeve, row, int(left[i]), side, cause)


def _one_sided(
    found: Fidelity, sleeve: Sleeve, row: np.void, lots: int, side: int, cause: str
) -> FillMatch:
    before = "replay_" if side else ""
    return FillMatch(
        run=found.run.run,
        strategy=sleeve.strategy,
        instrument=sleeve.leg.name,
        side=SIDES[int(row["side"])],  # type: ignore[arg-type]
        match="replay_only" if side else "run_only",
        qty=decimal(lots, sleeve.leg.lot),
        cause=f"{'replay_only' if side else 'run_only'}.{cause}",
        **{
            f"{before}ts_exch_ns": int(row["ts_exch_ns"]),
            f"{before}px": _price(sleeve, row),
            f"{before}maker": bool(row["type"]),
            f"{before}order_id": int(row["order_id"]),
        },  # type: ignore[arg-type]
    )


def _why_alone(row: np.void, pairs: dict[int, int], fates: dict[int, _Fate], end_ns: int) -> str:
    """Return what became of a fill's order where it was not filled."""
    if row["ts_exch_ns"] > end_ns:
        return "after_end"
    if (there := pairs.get(int(row["order_id"]))) is None:
        return "no_order"
    fate = fates.get(there)
    if fate is None:
        return "waiting"
    return "refused" if fate.kind == R_REJECTED else "canceled"


def _fates(sleeve: Sleeve) -> dict[int, _Fate]:
    """Return how each order ended that was not filled whole."""
    ends = sleeve.orders[np.isin(sleeve.orders["kind"], (R_CANCELLED, R_REJECTED))]
    columns = (ends[name].tolist() for name in ("order_id", "kind", "code"))
    return {order: _Fate(kind, code) for order, kind, code in zip(*columns, strict=True)}


def _price(sleeve: Sleeve, row: np.void) -> str:
    return decimal(int(row["px_ticks"]), sleeve.leg.tick)


def _of_fills(
    found: Fidelity, market: Market, matches: list[FillMatch], basis: Basis
) -> Iterator[FidelityCause]:
    for code in dict.fromkeys(m.cause for m in matches if m.cause):
        own = [m for m in matches if m.cause == code]
        late = [abs(m.late_ns) for m in own if m.late_ns is not None]
        median = int(np.median(late)) if late else None
        text = _text(code, len(own), median, basis)
        if code.endswith(".refused"):
            text += _refusals(market, code)
        yield _cause(found, market.leg.name, code, len(own), text, median)


def _text(code: str, n: int, median_ns: int | None, basis: Basis) -> str:
    """Return the words of one class of fills."""
    by = "" if median_ns is None else f" by {duration(median_ns / 1e9)} in the median"
    queue = f"the replay's queue model ({basis.queue})"
    here, there = (f"{_noun(n, 'fill')} only in the {each}" for each in ("run", "replay"))
    where = "the venue's own queue" if basis.live else "the run's queue"
    words = {
        "fill.later": f"filled later in the replay{by}: {queue} let them wait longer",
        "fill.earlier": f"filled earlier in the replay{by}: {queue} let them pass sooner",
        "fill.taker_later": f"taken later in the replay{by}: its order latency is longer",
        "fill.taker_earlier": f"taken earlier in the replay{by}: its order latency is shorter",
        "fill.role": "maker in one and taker in the other: the order met another book",
        "fill.price": f"filled at another price, {_apart(median_ns)}",
        "run_only.waiting": f"{here}: in the replay the order still waited: {queue}",
        "run_only.canceled": f"{here}: in the replay the order was canceled before {queue} let it "
        "fill",
        "run_only.refused": f"{here}: the replay's venue refused the order",
        "run_only.no_order": f"{here}: the replay had no such order",
        "run_only.after_end": f"{here}: after the replay's end, while the run closed",
        "replay_only.waiting": f"{there}: in the run the order still stood in {where}",
        "replay_only.canceled": f"{there}: in the run the order was canceled before {where} let it "
        "fill",
        "replay_only.refused": f"{there}: in the run the venue refused the order",
        "replay_only.no_order": f"{there}: the run had no such order",
        "replay_only.after_end": f"{there}: after the run's end",
    }
    return words[code]


def _noun(n: int, noun: str) -> str:
    return noun if n == 1 else f"{noun}s"


def _apart(median_ns: int | None) -> str:
    if not median_ns:
        return "at the same time"
    return f"{duration(median_ns / 1e9)} apart in the median"


def _refusals(market: Market, code: str) -> str:
    """Return by what the orders of one side were refused, with counts."""
    side = "run" if code.startswith("replay") else "replay"
    told = Counter[str]()
    for twin in market.twins:
        told.update(flow(getattr(twin, side)).rejects)
    return f" ({', '.join(f'{name} {n}' for name, n in told.most_common(3))} of all its orders)"


# --- orders, answers, the run ------------------------------------------------------------------
def _of_orders(found: Fidelity, market: Market) -> Iterator[FidelityCause]:
    name = market.leg.name
    same = sum(len(t.orders.pairs) for t in market.twins)
    for side, other in (("run", "replay"), ("replay", "run")):
        alone = sum(len(getattr(t.orders, side)) for t in market.twins) - same
        if alone:
            text = f"{_noun(alone, 'order')} only in the {side}: the {other} decided otherwise"
            yield _cause(found, name, f"orders.{side}_only", alone, text)
    here, there = (_refused([getattr(t, s) for t in market.twins]) for s in ("run", "replay"))
    for code in sorted(here.keys() | there.keys()):
        if here[code] != there[code]:
            text = f"refused as {code}: {here[code]} in the run, {there[code]} in the replay"
            yield _cause(found, name, f"refused.{code}", abs(here[code] - there[code]), text)


def _refused(sleeves: list[Sleeve]) -> Counter[str]:
    total = Counter[str]()
    for sleeve in sleeves:
        counted = flow(sleeve)
        total += counted.denials + counted.rejects
    return total


def _of_answers(found: Fidelity, market: Market, basis: Basis) -> Iterator[FidelityCause]:
    """Say how long acceptances took where that differs."""
    waits = [_waits(t.run, t.replay, t.orders) for t in market.twins]
    here, there = (np.concatenate([w[k] for w in waits]) for k in (0, 1))
    if not here.size:
        return
    one, two = float(np.median(here)), float(np.median(there))
    if abs(one - two) <= SLOWER_NS:
        return
    why = "" if basis.live else ": a live feed tells only with its next message what an order met"
    text = (
        f"acceptance known {duration(one / 1e9)} after the decision in the run, "
        f"{duration(two / 1e9)} in the replay{why}"
    )
    late = round(one - two)
    yield _cause(found, market.leg.name, "answers", int(here.size), text, late)


def _waits(run: Sleeve, replay: Sleeve, orders: Orders) -> tuple[F64, F64]:
    """Return how long the acceptance of each same order took, in both."""
    here, there = _accepted(run, orders.run), _accepted(replay, orders.replay)
    both = [(here[a], there[b]) for a, b in orders.pairs.items() if a in here and b in there]
    table = np.asarray(both, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _accepted(sleeve: Sleeve, orders: np.ndarray) -> dict[int, int]:  # type: ignore[type-arg]
    sent = dict(zip(orders["order_id"].tolist(), orders["ts_ns"].tolist(), strict=True))
    told = sleeve.orders[sleeve.orders["kind"] == R_ACCEPTED]
    columns = (told[name].tolist() for name in ("order_id", "ts_ns"))
    return {order: at - sent[order] for order, at in zip(*columns, strict=True) if order in sent}


def _of_run(found: Fidelity) -> Iterator[FidelityCause]:
    feed = found.run.summary.feed if found.run.summary is not None else {}
    if merged := feed.get("events", {}).get("merged", 0):
        text = f"the loop lagged: {merged:,} book levels were merged, the replay sees each"
        yield _cause(found, "", "feed.merged", merged, text)
    opened = int((found.run.orders["kind"] == R_BREAKER).sum() + 1) // 2
    if opened:
        times = plural(opened, "time")
        text = f"the overload breaker opened {times} in the run; a replay never lags"
        yield _cause(found, "", "breaker", opened, text)
    halts = [int((each.orders["kind"] == R_HALT).sum()) for each in (found.run, found.replay)]
    if halts[0] != halts[1]:
        text = f"halted {halts[0]} times in the run, {halts[1]} in the replay"
        yield _cause(found, "", "halt", abs(halts[0] - halts[1]), text)
    if found.parted_ns is not None:
        start = int(found.run.samples["ts_ns"][0])
        after = duration(max(0, found.parted_ns - start) / 1e9)
        text = (
            f"both did the same until {moment(found.parted_ns)} UTC, {after} after the start; "
            "from there on positions differ, and decisions with them"
        )
        yield _cause(found, "", "parted", 1, text)


def _cause(
    found: Fidelity, name: str, code: str, n: int, text: str, median_ns: int | None = None
) -> FidelityCause:
    return FidelityCause(
        run=found.run.run, instrument=name, cause=code, count=n, text=text, median_ns=median_ns
    )


__all__ = ["Basis", "causes", "fill_matches"]
