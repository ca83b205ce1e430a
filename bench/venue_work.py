"""The compiled consumer of the book benchmark."""

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import BOOK, book_clear, book_set
from kimera_cli.kernels.pointers import array_at
from kimera_cli.layouts import CLEAR, DEPTH, EVENT, F_LAST


@kernel
def follow_book(book, events, n, state):  # type: ignore[no-untyped-def]
    """Apply events[:n]; state: number of the last message, messages, best bid xor best ask."""
    for i in range(n):
        event = events[i]
        if event.kind == DEPTH:
            book_set(book, event.side, event.px_ticks, event.qty_lots)
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        if event.flags & F_LAST:
            state[0] = event.seq
            state[1] += 1
            state[2] = book.best_bid_ticks ^ book.best_ask_ticks


@kernel
def follow_at(book, events, n, state):  # type: ignore[no-untyped-def]
    """`follow_book` on a BOOK, EVENT records and three int64 at their addresses."""
    follow_book(
        array_at(book, 1, BOOK)[0], array_at(events, n, EVENT), n, array_at(state, 3, np.int64)
    )
