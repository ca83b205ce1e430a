"""How cost per event grows: from 1 to 64 instruments, from 10 to 5,000 levels a side.

- `scale.instruments-N`: book and features of N instruments whose events are mixed in time.
- `scale.loop-N`: the engine's loop over N streams with a strategy that looks every 100 ms. Its
  memory, some 6 MiB an instrument, is touched before.
- `scale.depth-N`: level updates with best prices in a book of N levels a side, any level as likely
  as any other, one tick apart.
- `scale.wide-N`: the same, ten ticks apart: beyond about a thousand levels a book is wider than its
  window, and what lies outside is in a hash table.

The number of events is the same at each point. The target of each series is that no point costs
more than FLAT times its first; `detail.growth` is the factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.engine import setup
from kimera_cli.engine.feed import Feed
from kimera_cli.engine.request import RunRequest
from kimera_cli.instrument import Instrument
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_set
from kimera_cli.kernels.borrow import borrowed
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, EVENT, F_LAST, FEATURES, TRADE
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench
from kimera_cli.sim.synthetic import SyntheticMarket
from kimera_cli.units import NS_PER_MS

from .book import update_all
from .harness import BATCH, Case, Timing, Watch, batches
from .loop_run import LoopRun, MemorySource, comparable_profile, sleeved
from .request import Request, row
from .tape import BUSY
from .targets import Goal

EVENTS = 1_000_000
INSTRUMENTS = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = (10, 50, 200, 1_000, 5_000)
MID_TICKS = 600_000
FLAT = 1.5
INTERVAL_MS = 100
SEED = 17
TOUCHED_FROM = 1 << 20
"""Bytes from which an array of the loop is touched before the watch starts."""


@kernel
def mixed_all(books, features, events):  # type: ignore[no-untyped-def]
    """Bring book and features of each event's instrument up to it."""
    features = borrowed(features)
    for i in range(events.shape[0]):
        event = events[i]
        k = np.uint64(event.instrument)
        book = books[k]
        if event.kind == DEPTH:
            book_set(book, event.side, event.px_ticks, event.qty_lots)
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        elif event.kind == TRADE:
            features_trade(
                features[k], event.side, event.px_ticks, event.qty_lots, event.ts_local_ns
            )
        if event["flags"] & F_LAST != 0:
            features_book(features[k], book, event.ts_local_ns)


def rows(request: Request) -> Iterator[Bench]:
    """Time each series; its points in turn."""
    n = request.size(EVENTS)
    markets = {k: _markets(k, n) for k in INSTRUMENTS}
    yield from _series(
        request,
        "instruments",
        [_books_case(k, markets[k]) for k in INSTRUMENTS],
        f"batches of {BATCH} events, book and features",
    )
    yield from _series(
        request,
        "loop",
        [_loop_case(k, markets[k]) for k in INSTRUMENTS],
        "whole runs, one per repeat; n counts events",
    )
    for name, gap in (("depth", 1), ("wide", 10)):
        yield from _series(
            request,
            name,
            [_depth_case(depth, gap, n) for depth in DEPTHS],
            f"batches of {BATCH} level updates",
        )


def _series(request: Request, name: str, cases: list[Case], kind: str) -> Iterator[Bench]:
    """Yield a row per point; each knows how much it costs beside the first."""
    timings = request.measure(cases)
    first: Timing | None = None
    for case in cases:
        timing = timings[case.name]
        first = first or timing
        growth = timing.median_ns / first.median_ns
        yield row(
            request,
            f"scale.{name}-{case.name}",
            timing,
            kind=kind,
            goals=[Goal(f"<= {FLAT:g} x the cost at {cases[0].name}", growth <= FLAT)],
            series=name,
            at=int(case.name),
            growth=round(growth, 3),
        )


# --- instruments -------------------------------------------------------------------------------
def _markets(count: int, n: int) -> list[tuple[Instrument, Any]]:
    """Return `count` synthetic markets that have n events between them."""
    found = []
    for k in range(count):
        market = SyntheticMarket(BUSY, SEED + k)
        parts: list[Any] = []
        while sum(len(part) for part in parts) < n // count:
            parts.append(next(market.chunks()).copy())
        events = np.concatenate(parts)[: n // count]
        events["instrument"] = k
        found.append((market.instrument, events))
    return found


def _books_case(count: int, markets: list[tuple[Instrument, Any]]) -> Case:
    events = np.concatenate([events for _, events in markets])
    parts = batches(events[np.argsort(events["ts_local_ns"], kind="stable")])

    def prepare() -> tuple[Any, Any]:
        return new_books(count), np.zeros(count, FEATURES).view(np.recarray)

    def run(state: tuple[Any, Any], watch: Watch) -> None:
        watch.start()
        for part in parts:
            mixed_all(*state, part)
            watch.lap(len(part))

    return Case(str(count), prepare, run)


class ManyRun(LoopRun):
    """A run of the loop over several instruments, each with its own stream."""

    def __init__(self, sources: list[Any]) -> None:
        profile = comparable_profile(NS_PER_MS, NS_PER_MS, 3.0)
        watcher = sleeved("noop", INTERVAL_MS * NS_PER_MS)
        request = RunRequest(
            source="replay", sources=sources, strategies=[watcher], profile=profile, seed=1
        )
        self.arrays, _ = setup.build(request)
        for array in vars(self.arrays).values():
            if isinstance(array, np.ndarray) and array.nbytes >= TOUCHED_FROM:
                touch(array)
        self.feed = Feed(request.sources, self.arrays, profile.latency, 0)
        self.fills = None


def touch(array: Any) -> None:
    """Write to every page, so that the kernel hands the memory out before the watch starts."""
    pages = array.view(np.uint8).reshape(-1)[::4096]
    pages[:] = pages.copy()


def _loop_case(count: int, markets: list[tuple[Instrument, Any]]) -> Case:
    sources = [
        MemorySource(f"synthetic-{k}", instrument, events)
        for k, (instrument, events) in enumerate(markets)
    ]
    total = sum(source.rows for source in sources)

    def run(state: ManyRun, watch: Watch) -> None:
        watch.start()
        state.run()
        watch.lap(total)

    return Case(str(count), lambda: ManyRun(sources), run)


# --- depth -------------------------------------------------------------------------------------
def deep_events(depth: int, gap: int, n: int) -> tuple[Any, Any]:
    """Return the events that build a book of `depth` levels a side, and n updates of it.

    One update in ten takes a level out or puts it back; the others change its size.
    """
    rng = np.random.default_rng(SEED)
    opening = _levels(np.repeat([BID, ASK], depth), np.tile(np.arange(depth), 2), gap)
    opening["qty_lots"] = rng.integers(1, 1_000, 2 * depth)
    updates = _levels(rng.integers(0, 2, n), rng.integers(0, depth, n), gap)
    updates["qty_lots"] = np.where(rng.random(n) < 0.05, 0, rng.integers(1, 1_000, n))
    return opening, updates


def _levels(side: Any, away: Any, gap: int) -> Any:
    events = np.zeros(len(side), EVENT)
    events["kind"], events["side"] = DEPTH, side
    events["px_ticks"] = MID_TICKS + np.where(side == BID, -1 - gap * away, 1 + gap * away)
    return events


def _depth_case(depth: int, gap: int, n: int) -> Case:
    opening, updates = deep_events(depth, gap, n)
    parts = batches(updates)

    def prepare() -> Any:
        book = new_books(1)[0]
        update_all(book, opening)
        return book

    def run(book: Any, watch: Watch) -> None:
        watch.start()
        for part in parts:
            update_all(book, part)
            watch.lap(len(part))

    return Case(str(depth), prepare, run)
