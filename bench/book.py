"""Level updates with best prices read after each, in a compiled loop as the engine calls them.

The yardstick (limit/book.cpp) is the same ladder without the table for prices beyond its window, on
the same events; `detail.reading_ns` is a loop that only reads them. `book.first` is the beginning
of the same tape, beside the order books that Python users have (bench/peer_books.py), one Python
call per level: they would take minutes for all of it. `book.consolidated` is several books as one
(bench/consolidated.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_set
from kimera_cli.layouts import CLEAR, DEPTH
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench

from . import consolidated, peer_books, targets
from .harness import BATCH, Case, Watch, batches
from .limit import ABSENT
from .request import Request, row
from .tape import Tape, tapes
from .yardstick import Yardstick, require_same, yardstick

EVENTS = 500_000
RATE = 60e6
TIMES_CPP = 1.3
TIMES_NAUTILUS = 20.0


@kernel
def update_all(book, events):  # type: ignore[no-untyped-def]
    """Apply every event; return the sum of the best prices after each, so that none is skipped."""
    total = np.int64(0)
    for i in range(events.shape[0]):
        event = events[i]
        if event.kind == DEPTH:
            book_set(book, event.side, event.px_ticks, event.qty_lots)
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        total += book.best_bid_ticks ^ book.best_ask_ticks
    return total


@kernel
def read_all(events):  # type: ignore[no-untyped-def]
    """Read what an update needs of every event and do nothing with it."""
    total = np.int64(0)
    for i in range(events.shape[0]):
        event = events[i]
        total += event.kind ^ event.side ^ event.px_ticks ^ event.qty_lots
    return total


def rows(request: Request) -> Iterator[Bench]:
    """Time the book on the synthetic tape and on every recording that was named."""
    for tape in tapes(request, EVENTS):
        levels = np.ascontiguousarray(tape.levels())
        with yardstick(request, "book", [levels]) as limit:
            require_same("book", int(update_all(new_books(1)[0], levels)), limit)
            yield _row(request, tape, levels, limit)
        peers = peer_books.available(request)
        if peers:
            yield _peer_row(request, tape, peers)
    yield from consolidated.rows(request)


def _row(request: Request, tape: Tape, levels: Any, limit: Yardstick | None) -> Bench:
    cases = [_case(levels), Case("read", lambda: batches(levels), _read)]
    cases += [limit.case()] if limit else []
    timings = request.measure(cases)
    ours, floor = timings["book"], timings.get("limit")
    return row(
        request,
        f"book.{tape.name}",
        ours,
        kind=f"batches of {BATCH} level updates",
        limit=floor,
        goals=[targets.rate(ours, RATE, "updates"), targets.limit(ours, floor, TIMES_CPP)],
        reading_ns=round(timings["read"].median_ns, 3),
        compared="" if limit else ABSENT,
    )


def _peer_row(request: Request, tape: Tape, peers: list[peer_books.PeerBook]) -> Bench:
    """Time the levels that peers get: all sides begin with an empty book."""
    levels = np.ascontiguousarray(peer_books.first_levels(tape))
    timings = request.measure([_case(levels), *(peer.case(tape) for peer in peers)])
    ours, nautilus = timings["book"], timings.get(peer_books.NAUTILUS)
    found = [peer.result(timings) for peer in peers]
    return row(
        request,
        f"book.first.{tape.name}",
        ours,
        kind=f"batches of up to {BATCH} of the first {len(levels)} level updates",
        peer=found[0],
        others=found[1:],
        goals=[targets.faster(ours, nautilus, TIMES_NAUTILUS, peer_books.NAUTILUS)],
    )


def _case(levels: Any) -> Case:
    def prepare() -> tuple[Any, list[Any]]:
        return new_books(1)[0], batches(levels)

    return Case("book", prepare, _update)


def _update(state: tuple[Any, list[Any]], watch: Watch) -> None:
    book, parts = state
    watch.start()
    for part in parts:
        update_all(book, part)
        watch.lap(len(part))


def _read(parts: list[Any], watch: Watch) -> None:
    watch.start()
    for part in parts:
        read_all(part)
        watch.lap(len(part))
