"""Features after every message: mid, microprice, imbalances, order flow, volatility.

The row is book and features together, as the loop runs them on our side of the wire. The book alone
is timed in turn with it: `detail.added_ns` is what the features cost per event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_set
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.layouts import CLEAR, DEPTH, F_LAST, FEATURES, TRADE
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench

from .harness import BATCH, Case, Watch, batches
from .request import Request, row
from .tape import tapes

EVENTS = 500_000


@kernel
def run_all(book, f, events, with_features):  # type: ignore[no-untyped-def]
    """Run book and, where asked, features over every event."""
    for i in range(events.shape[0]):
        event = events[i]
        if event.kind == DEPTH:
            book_set(book, event.side, event.px_ticks, event.qty_lots)
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        elif event.kind == TRADE and with_features:
            features_trade(f, event.side, event.px_ticks, event.qty_lots, event.ts_local_ns)
        if with_features and event.flags & F_LAST != 0:
            features_book(f, book, event.ts_local_ns)


def rows(request: Request) -> Iterator[Bench]:
    """Time the features on the synthetic tape and on every recording that was named."""
    for tape in tapes(request, EVENTS):
        timings = request.measure([_case(tape.events, True), _case(tape.events, False)])
        both, book = timings["features"], timings["book"]
        yield row(
            request,
            f"features.{tape.name}",
            both,
            kind=f"batches of {BATCH} events, book included",
            messages=int(np.count_nonzero(tape.events["flags"] & F_LAST)),
            book_ns=round(book.median_ns, 3),
            added_ns=round(both.median_ns - book.median_ns, 3),
        )


def _case(events: Any, with_features: bool) -> Case:
    def prepare() -> tuple[Any, Any, list[Any]]:
        return new_books(1)[0], np.zeros(1, FEATURES).view(np.recarray)[0], batches(events)

    def run(state: tuple[Any, Any, list[Any]], watch: Watch) -> None:
        book, f, parts = state
        watch.start()
        for part in parts:
            run_all(book, f, part, with_features)
            watch.lap(len(part))

    return Case("features" if with_features else "book", prepare, run)
