"""The compiled consumer of the book benchmark."""

import numpy as np
from numba import types

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import BOOK, book_clear, book_qty, book_set
from kimera_cli.kernels.direct import direct
from kimera_cli.kernels.pointers import array_at
from kimera_cli.layouts import BID, CLEAR, DEPTH, EVENT, F_LAST

MESSAGES, BEST, PX, QTY = range(4)
"""Words of the state: messages so far, best bid xor best ask; the best bid that is waited for."""
_TAKES = types.int64(types.int64, types.int64, types.int64, types.int64)


@kernel
def follow_book(book, events, n, state):  # type: ignore[no-untyped-def]
    """Apply events[:n] to the book; return 1 once a message leaves the best bid of the state."""
    reached = np.int64(0)
    for i in range(n):
        event = events[i]
        if event.kind == DEPTH:
            book_set(book, event.side, event.px_ticks, event.qty_lots)
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        if event.flags & F_LAST:
            state[MESSAGES] += 1
            state[BEST] = book.best_bid_ticks ^ book.best_ask_ticks
            if book.best_bid_ticks == state[PX]:
                reached |= np.int64(book_qty(book, BID, state[PX]) == state[QTY])
    return reached


@kernel(_TAKES, nogil=False)
def _follow_at(book, events, n, state):  # type: ignore[no-untyped-def]
    return follow_book(
        array_at(book, 1, BOOK)[0], array_at(events, n, EVENT), n, array_at(state, 4, np.int64)
    )


follow_at = direct(_follow_at, _TAKES)
"""`follow_book` on a BOOK, EVENT records and four int64 at their addresses."""
