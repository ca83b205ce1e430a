"""Level updates with best prices read after each, in a compiled loop as the engine calls them.

`limit_ratio` is the multiple of a loop that only reads the same events: nothing that looks at every
event gets below it. The peer is the order book that Python users have from ccxt (sorted lists), one
Python call per level, on the beginning of the same tape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_set
from kimera_cli.layouts import BID, CLEAR, DEPTH
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench

from .harness import BATCH, Case, Watch, batches
from .machine import package
from .request import Peer, Request, row
from .tape import Tape, tapes

EVENTS = 500_000
PEER_LEVELS = 20_000


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
        timings = request.measure(_cases(tape, request.peers))
        yield row(
            request,
            f"book.{tape.name}",
            timings["book"],
            kind=f"batches of {BATCH} level updates",
            limit=timings["read"],
            peer=Peer(f"ccxt {package('ccxt')}", timings["peer"]) if request.peers else None,
        )


def _cases(tape: Tape, peers: bool) -> list[Case]:
    levels = tape.levels()

    def book() -> tuple[Any, list[Any]]:
        return new_books(1)[0], batches(levels)

    def events() -> list[Any]:
        return batches(levels)

    def peer_book() -> tuple[Any, list[tuple[bool, float, float]]]:
        return _peer_book(tape)

    ours = [Case("book", book, _update), Case("read", events, _read)]
    return [*ours, Case("peer", peer_book, _update_peer)] if peers else ours


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


def _peer_book(tape: Tape) -> tuple[Any, list[tuple[bool, float, float]]]:
    from ccxt.async_support.base.ws.order_book import OrderBook

    levels = tape.levels()
    levels = levels[levels["kind"] == DEPTH][:PEER_LEVELS]
    tick, lot = float(tape.instrument.tick), float(tape.instrument.lot)
    return OrderBook(), [
        (bool(e["side"] == BID), int(e["px_ticks"]) * tick, int(e["qty_lots"]) * lot)
        for e in levels
    ]


def _update_peer(state: tuple[Any, list[tuple[bool, float, float]]], watch: Watch) -> None:
    book, levels = state
    bids, asks = book["bids"], book["asks"]
    watch.start()
    for is_bid, px, qty in levels:
        (bids if is_bid else asks).store(px, qty)
        if bids and asks:
            _ = bids[0][0], asks[0][0]
    watch.lap(len(levels))
