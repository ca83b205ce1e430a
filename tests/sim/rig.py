"""Drives the loop as a session does, from hand-made events and scripted strategies, without files.

A script says what is asked for and when, in milliseconds after the first event:
`Script({5: [new(BID, 100, 3)]})`. It is called as a Python strategy is: nothing is compiled for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from kimera_cli.engine import setup
from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.engine.feed import Feed, feed_shift_ns
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.state import (
    CALL_PYTHON,
    DONE,
    FLUSH,
    NEED_DATA,
    PAUSED,
    TIME_LIMIT,
)
from kimera_cli.layouts import (
    ACT_AMEND,
    ACT_CANCEL,
    ACT_CANCEL_ALL,
    ACT_NEW,
    CLEAR,
    DEPTH,
    EVENT,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    GTC,
    LIMIT,
    NO_SIDE,
    ORDER_NONE,
    R_ACCEPTED,
    R_AMENDED,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_REJECTED,
    RECORD,
    TRADE,
)
from kimera_cli.settings import Profile
from kimera_cli.strategies.protocol import StrategySpec

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000 * MS
Decide = Callable[[Any], int]
Act = Callable[[Any], None]

SPOT_PAIR = Instrument(
    venue="binance",
    symbol="AB",
    kind="spot",
    tick=Decimal(1),
    lot=Decimal(1),
    base="A",
    quote="USD",
)
LINEAR_PERP = Instrument(
    venue="binanceusdm",
    symbol="AB",
    kind="linear",
    tick=Decimal(1),
    lot=Decimal(1),
    base="A",
    quote="USD",
)

INSTANT = {"latency": {"feed": "constant", "feed_ns": 0, "entry_ns": 0, "response_ns": 0}}
"""No latency at all: what happens at the venue is known at once."""
LOOSE = {
    "portfolio": {"cash": 1e9, "currency": "USD"},
    "risk": {
        "max_order_fraction": 1.0,
        "max_position_fraction": 1.0,
        "max_asset_fraction": 1.0,
        "max_open_orders": 10_000,
        "max_orders_per_s": 1e6,
        "order_burst": 100_000,
        "collar_bps": 1e6,
        "stale_after": "1h",
        "spot_short": True,
    },
}
"""A gate that refuses nothing that these tests ask for."""


def profile_of(*layers: Mapping[str, Mapping[str, Any]]) -> Profile:
    """Return the default profile with sections overridden, later layers last."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.items():
            merged.setdefault(section, {}).update(values)
    return msgspec.convert(merged, Profile)


# --- events ------------------------------------------------------------------------------------
class Row(NamedTuple):
    """One event; times in ns after T0. Every row is a message of its own unless `last` is 0."""

    exch: int
    kind: int
    side: int
    px: int
    qty: int
    last: int = 1
    local: int = -1
    flags: int = 0
    ref: int = 0
    seq: int = 0


def depth(ms: float, side: int, px: int, qty: int, **more: int) -> Row:
    """Return a level that now holds qty."""
    return Row(round(ms * MS), DEPTH, side, px, qty, **more)


def trade(ms: float, side: int, px: int, qty: int, **more: int) -> Row:
    """Return a trade; side is the aggressor's."""
    return Row(round(ms * MS), TRADE, side, px, qty, **more)


def snapshot(ms: float, *levels: tuple[int, int, int]) -> list[Row]:
    """Return a whole book in one message: CLEAR, then (side, px, qty) levels."""
    at = round(ms * MS)
    rows = [Row(at, CLEAR, NO_SIDE, 0, 0, 0, flags=F_SNAPSHOT)]
    rows += [Row(at, DEPTH, *level, 0, flags=F_SNAPSHOT) for level in levels]
    return [*rows[:-1], rows[-1]._replace(last=1)]


def tape(*rows: Row | list[Row]) -> np.ndarray:
    """Return rows as EVENTs in the given order."""
    flat: list[Row] = []
    for row in rows:
        flat.extend(row if isinstance(row, list) else [row])
    events = np.zeros(len(flat), EVENT)
    for i, row in enumerate(flat):
        local = row.exch if row.local < 0 else row.local
        events[i]["ts_exch_ns"] = T0 + row.exch
        events[i]["ts_local_ns"] = T0 + local
        events[i]["kind"], events[i]["side"] = row.kind, row.side
        events[i]["px_ticks"], events[i]["qty_lots"] = row.px, row.qty
        events[i]["flags"] = row.flags | (F_LAST if row.last else 0)
        events[i]["ref"], events[i]["seq"] = row.ref, row.seq
    return events


class Source:
    """Events in memory, cut as told, in place of a dataset."""

    def __init__(
        self,
        events: np.ndarray,
        instrument: Instrument = LINEAR_PERP,
        cuts: Sequence[int] = (),
        family: str = "l2",
    ) -> None:
        self.events, self.instrument, self.cuts, self.family = events, instrument, cuts, family
        self.dataset = f"{instrument.name}/{family}"
        self.rows = len(events)
        self.source_hash = "0" * 64
        known = events[(events["flags"] & F_NO_EXCH_TIME) == 0]
        latency = known["ts_local_ns"] - known["ts_exch_ns"]
        self.min_latency_ns = int(latency.min()) if len(latency) else None

    def chunks(self, size: int = 1 << 14) -> Iterator[np.ndarray]:
        """Yield the events in slices of the given lengths in turn, none longer than `size`."""
        at, turn = 0, 0
        while at < len(self.events):
            step = min(self.cuts[turn % len(self.cuts)] if self.cuts else size, size)
            turn += 1
            yield self.events[at : at + step].copy()
            at += step


# --- strategies --------------------------------------------------------------------------------
def new(side: int, px: int, qty: int, order_type: int = LIMIT, tif: int = GTC, tag: int = 0) -> Act:
    """Return an action: place an order."""
    return lambda view: _say(view, ACT_NEW, side, order_type, tif, px, qty, 0, tag)


def cancel(tag: int) -> Act:
    """Return an action: cancel the own order with this tag; nothing when it is gone."""
    return lambda view: [_say(view, ACT_CANCEL, order=slot) for slot in slots(view, tag)]


def amend(tag: int, px: int, qty: int) -> Act:
    """Return an action: amend the own order with this tag; nothing when it is gone."""
    return lambda view: [_say(view, ACT_AMEND, px=px, qty=qty, order=s) for s in slots(view, tag)]


def cancel_all(view: Any) -> None:
    """Ask to cancel everything."""
    _say(view, ACT_CANCEL_ALL)


def slots(view: Any, tag: int) -> list[int]:
    """Return the rows of view.orders that hold an order with this tag."""
    orders = view.orders
    return [
        int(i) for i in np.flatnonzero((orders["state"] != ORDER_NONE) & (orders["tag"] == tag))
    ]


def _say(
    view: Any,
    kind: int,
    side: int = 0,
    order_type: int = 0,
    tif: int = 0,
    px: int = 0,
    qty: int = 0,
    order: int = 0,
    tag: int = 0,
) -> None:
    view.actions[int(view.n_actions)] = (kind, side, order_type, tif, px, qty, order, tag)
    view.n_actions += 1


class Script:
    """Acts at given milliseconds after T0 (on the first call at or after each)."""

    def __init__(self, plan: Mapping[float, Sequence[Act]]) -> None:
        self.plan = sorted(plan.items())
        self.seen: list[dict[str, float]] = []
        self.watch: tuple[str, ...] = ()

    def __call__(self, view: Any) -> int:
        """Do what is due."""
        if self.watch:
            self.seen.append({name: view[name].item() for name in self.watch})
        while self.plan and view.now_ns - T0 >= self.plan[0][0] * MS:
            for act in self.plan.pop(0)[1]:
                act(view)
        return 0


@dataclass
class Plan:
    """One strategy of a run: a Python callable on the view, or a compiled function."""

    decide: Decide | None = None
    interval_ns: int = MS
    compiled: Any = None
    params: dict[str, float] = field(default_factory=dict)
    features: bool = True

    def sleeved(self, name: str) -> Sleeved:
        """Return it as a request holds it."""
        spec = StrategySpec(
            name=name,
            origin="test",
            path=Path(name),
            summary="",
            params=self.params,
            interval_ns=self.interval_ns,
            source_hash="",
            protocol="compiled" if self.compiled is not None else "python",
            features=self.features,
            compiled=self.compiled,
        )
        return Sleeved(spec, self.params)


# --- the run -----------------------------------------------------------------------------------
@dataclass
class Replay:
    """What a run left behind."""

    rows: np.ndarray
    arrays: LoopArrays
    status: int

    def of(self, *kinds: int, tag: int | None = None) -> np.ndarray:
        """Return the records of these kinds, of one tag where given."""
        rows = self.rows[np.isin(self.rows["kind"], kinds)]
        return rows if tag is None else rows[rows["tag"] == tag]

    def fills(self, tag: int | None = None) -> list[tuple[float, int, int, int]]:
        """Return (venue ms, px, lots, 1 for maker) of every fill."""
        return [
            (
                (int(r["ts_exch_ns"]) - T0) / MS,
                int(r["px_ticks"]),
                int(r["qty_lots"]),
                int(r["type"]),
            )
            for r in self.of(R_FILL, tag=tag)
        ]

    def life(self, tag: int) -> list[tuple[str, int]]:
        """Return what became of an order: (event, code or lots) in order of arrival here."""
        names = {
            R_ACCEPTED: "accepted",
            R_REJECTED: "rejected",
            R_CANCELLED: "cancelled",
            R_AMENDED: "amended",
            R_CANCEL_REJECTED: "cancel_rejected",
            R_FILL: "fill",
            R_DENIED: "denied",
        }
        return [
            (names[int(r["kind"])], int(r["qty_lots"] if r["kind"] == R_FILL else r["code"]))
            for r in self.of(*names, tag=tag)
        ]


def replay(
    sources: Source | Sequence[Source],
    plans: Plan | Decide | Sequence[Plan],
    *settings: Mapping[str, Mapping[str, Any]],
    seed: int = 1,
    duration_ns: int = 0,
    max_events: int = 0,
    buffer: int = 0,
    kill_ns: int = 0,
    loose: bool = True,
) -> Replay:
    """Run to the end. `buffer`: events per stream in memory; `kill_ns`: pull the switch then."""
    plans = _plans(plans)
    sources = [sources] if isinstance(sources, Source) else list(sources)
    profile = profile_of(INSTANT, *([LOOSE] if loose else []), *settings)
    arrays = _arrays(sources, plans, profile, buffer, seed, duration_ns, max_events)
    shift = feed_shift_ns(sources, profile.latency)  # type: ignore[arg-type]
    feed = Feed(sources, arrays, profile.latency, shift)  # type: ignore[arg-type]
    if kill_ns:
        arrays.loop[0]["pause_ns"] = T0 + kill_ns

    def kill() -> None:
        arrays.gate[0]["kill"] = 1
        arrays.loop[0]["pause_ns"] = 1 << 61

    return _drive(arrays, feed.fill, kill, plans)


def live(
    sources: Source | Sequence[Source],
    plans: Plan | Decide | Sequence[Plan],
    *settings: Mapping[str, Mapping[str, Any]],
    moments: Sequence[int] = (),
    hold_ns: int = 0,
    buffer: int = 0,
) -> Replay:
    """Run as on live feeds: the loop is told of events when they arrive, and not before.

    It is let run at each arrival, and at `moments` (ns after T0) besides.
    """
    plans = _plans(plans)
    sources = [sources] if isinstance(sources, Source) else list(sources)
    profile = profile_of(INSTANT, LOOSE, *settings)
    arrays = _arrays(sources, plans, profile, buffer, 1, 0, 0)
    arrays.streams["feed_shift_ns"] = feed_shift_ns(sources, profile.latency)  # type: ignore[arg-type]
    loop = arrays.loop[0]
    loop["live"], loop["hold_ns"], loop["pause_ns"] = 1, hold_ns, 0
    times = {T0 + m for m in moments} | {int(t) for s in sources for t in s.events["ts_local_ns"]}
    clock = iter(sorted(times))
    done = [0] * len(sources)

    def tick() -> None:
        now = next(clock, None)
        if now is None:
            arrays.streams["eof"], loop["live"], loop["pause_ns"] = 1, 0, 1 << 61
            return
        for k, source in enumerate(sources):
            end = int(np.searchsorted(source.events["ts_local_ns"], now, "right"))
            while done[k] < end:
                took = arrays.take_live(source.events[done[k] : end], 0, k)
                done[k] += took
                if done[k] < end:
                    arrays.resize_buffers(2 * arrays.buffers.shape[1])
        loop["pause_ns"] = now

    def fill(k: int) -> None:
        raise AssertionError(f"a live stream asked for data: {k}")

    return _drive(arrays, fill, tick, plans)


def _plans(plans: Plan | Decide | Sequence[Plan]) -> list[Plan]:
    if callable(plans):
        plans = Plan(plans)
    return [plans] if isinstance(plans, Plan) else list(plans)


def _arrays(
    sources: list[Source],
    plans: list[Plan],
    profile: Profile,
    buffer: int,
    seed: int,
    duration_ns: int,
    max_events: int,
) -> LoopArrays:
    request = RunRequest(
        source="replay",
        sources=sources,  # type: ignore[arg-type]
        strategies=[p.sleeved(f"s{i}") for i, p in enumerate(plans)],
        profile=profile,
        seed=seed,
        duration_ns=duration_ns,
        max_events=max_events,
    )
    arrays, _ = setup.build(request)
    if buffer:
        arrays.resize_buffers(buffer)
    return arrays


def _drive(
    arrays: LoopArrays,
    fill: Callable[[int], None],
    pause: Callable[[], None],
    plans: Sequence[Plan],
) -> Replay:
    loop = arrays.loop[0]
    views = arrays.views.view(np.recarray)
    kept = []
    status = -1
    while status not in (DONE, TIME_LIMIT):
        status = arrays.advance()
        kept.append(arrays.records[: int(loop["n_records"])].copy())
        loop["n_records"] = 0
        if status == NEED_DATA:
            fill(int(loop["stream"]))
        elif status == CALL_PYTHON:
            s = int(loop["sleeve"])
            decide = plans[int(arrays.sleeves[s]["strategy"])].decide
            assert decide is not None
            code = decide(views[s])
            assert code >= 0
        elif status == PAUSED:
            pause()
        elif status not in (FLUSH, DONE, TIME_LIMIT):
            break
    rows = np.concatenate([np.zeros(0, RECORD), *kept])
    return Replay(rows, arrays, status)
