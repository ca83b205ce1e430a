"""The consolidated book: merges/s of six venues' books, ten levels a side, fees and rates included.

A merge writes both sides. Between two merges one level of one venue changes, as a feed would have
it. The peer is what one would write with numpy: every venue's best levels, put together, sorted by
net price (stable, so that equal levels keep the venues' order). Both must come to the same levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_levels, book_set
from kimera_cli.kernels.borrow import borrowed
from kimera_cli.kernels.consolidate import LEVEL, VENUE_BOOK, consolidate
from kimera_cli.kernels.route import MILLION
from kimera_cli.layouts import ASK, BID
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench

from .harness import Case, Watch
from .request import Peer, Request, row

MERGES = 50_000
PEER_MERGES = 500
BATCH = 500
VENUES = 6
DEPTH = 10
BOOK_LEVELS = 50
SEED = 13
FEES_PPM = (1_000, 1_000, 2_600, 1_000, 800, 2_000)
PX_STEPS = (10, 10, 100, 10, 100, 1)
TIMES = 10.0


class State(NamedTuple):
    """Books, what is said of their venues, and the changes between merges."""

    books: Any
    venues: Any
    changes: Any
    """Columns venue, side, ticks, lots; int64."""
    levels: Any


def make(n: int) -> State:
    """Return venues with books of BOOK_LEVELS levels a side around one price."""
    rng = np.random.default_rng(SEED)
    books = new_books(VENUES)
    venues = np.zeros(VENUES, VENUE_BOOK).view(np.recarray)
    venues.good, venues.fee_ppm, venues.px_step = 1, FEES_PPM, PX_STEPS
    venues.qty_step = 1
    venues.book = books.ctypes.data + books.itemsize * np.arange(VENUES)
    changes = np.empty((n, 4), np.int64)
    for v, step in enumerate(PX_STEPS):
        middle = 6_000_000_0 // step
        for level in range(BOOK_LEVELS):
            for side, sign in ((BID, -1), (ASK, 1)):
                book_set(books[v], side, np.int64(middle + sign * (1 + level)), np.int64(7))
    changes[:, 0] = rng.integers(0, VENUES, n)
    changes[:, 1] = rng.integers(0, 2, n)
    away = 1 + rng.integers(0, 20, n)
    middles = np.array([6_000_000_0 // step for step in PX_STEPS])[changes[:, 0]]
    changes[:, 2] = middles + np.where(changes[:, 1] == BID, -away, away)
    changes[:, 3] = rng.integers(0, 20, n)
    return State(books, venues, changes, np.zeros((2, DEPTH), LEVEL).view(np.recarray))


@kernel
def merge_all(books, venues, changes, levels):  # type: ignore[no-untyped-def]
    """Change a level and merge both sides, again and again; return a sum over what came out."""
    books, venues = borrowed(books), borrowed(venues)
    changes, levels = borrowed(changes), borrowed(levels)
    total = np.int64(0)
    for i in range(changes.shape[0]):
        book_set(books[changes[i, 0]], changes[i, 1], changes[i, 2], changes[i, 3])
        for side in range(2):
            n = consolidate(venues, side, 1, levels[side])
            total += levels[side, n - 1].net ^ levels[side, 0].qty
    return total


@kernel
def change(books, changes, i):  # type: ignore[no-untyped-def]
    """Make one change."""
    book_set(books[changes[i, 0]], changes[i, 1], changes[i, 2], changes[i, 3])


def sorted_all(state: State, changes: Any) -> int:
    """Do the same by sorting what every venue shows; return the same sum."""
    px, lots = np.empty((VENUES, DEPTH), np.int64), np.empty((VENUES, DEPTH), np.int64)
    steps, fees = np.array(PX_STEPS)[:, None], np.array(FEES_PPM)[:, None]
    total = 0
    for i in range(len(changes)):
        change(state.books, changes, i)
        for side, sign in ((BID, -1), (ASK, 1)):
            for v in range(VENUES):
                n = book_levels(state.books[v], side, px[v], lots[v])
                assert n == DEPTH
            net = (px * steps * (MILLION + sign * fees)).ravel()
            order = np.argsort(sign * net, kind="stable")[:DEPTH]
            total += int(net[order[-1]]) ^ int(lots.ravel()[order[0]])
    return total


def rows(request: Request) -> Iterator[Bench]:
    """Time the merge, and the sort on the first of the same changes."""
    n = request.size(MERGES)
    few = min(n, PEER_MERGES)
    _require_same(few)
    timings = request.measure([_ours(n), *([_peer(few)] if request.peers else [])])
    theirs = timings.get("numpy sort")
    peer = None if theirs is None else Peer("numpy sort", theirs, TIMES)
    yield row(
        request,
        "book.consolidated",
        timings["book.consolidated"],
        kind=f"batches of {BATCH} changes, each with a merge of both sides",
        peer=peer,
        venues=VENUES,
        levels=DEPTH,
    )


def _require_same(few: int) -> None:
    merged, by_sort = make(few), make(few)
    ours = int(merge_all(merged.books, merged.venues, merged.changes, merged.levels))
    if ours != sorted_all(by_sort, by_sort.changes):
        raise DataError("data.bench", "expected the sort's levels of the merge, was others")


def _ours(n: int) -> Case:
    def run(state: State, watch: Watch) -> None:
        watch.start()
        for begin in range(0, n, BATCH):
            part = state.changes[begin : begin + BATCH]
            merge_all(state.books, state.venues, part, state.levels)
            watch.lap(len(part))

    return Case("book.consolidated", lambda: make(n), run)


def _peer(n: int) -> Case:
    def run(state: State, watch: Watch) -> None:
        watch.start()
        sorted_all(state, state.changes)
        watch.lap(n)

    return Case("numpy sort", lambda: make(n), run)
