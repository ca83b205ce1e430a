"""Books by name: checked access to kernels/book.py for everything that is not the hot loop."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.kernels.book import (
    BOOK,
    BOOK_BAD,
    BOOK_FULL,
    BOOK_OK,
    OVER,
    book_apply,
    book_clear,
    book_levels,
    book_next,
    book_qty,
    book_set,
)
from kimera_cli.layouts import (
    ASK,
    BID,
    EVENT,
    I64,
    NO_ASK,
    NO_BID,
    NO_SIDE,
    Events,
    aligned_zeros,
)


class Level(NamedTuple):
    """One price level."""

    px_ticks: int
    qty_lots: int


def new_books(n: int, zeros: Any = aligned_zeros) -> Any:
    """Return n empty books, shape (n,) of dtype BOOK; `books[k]` is what kernels take."""
    books = zeros(n, BOOK).view(np.recarray)
    books["best_bid_ticks"] = NO_BID
    books["best_ask_ticks"] = NO_ASK
    return books


class Book:
    """One price-level book. Prices are ticks, quantities lots; sides are BID and ASK.

    Raises DataError `data.book` for a side, price or quantity that no book can hold and
    `data.book_full` when a side has more levels far from the touch than the state has room for.
    """

    def __init__(self) -> None:
        self.state = new_books(1)[0]

    @property
    def best_bid(self) -> Level | None:
        """Best bid, None when the side is empty."""
        return self._best(BID, int(self.state.best_bid_ticks))

    @property
    def best_ask(self) -> Level | None:
        """Best ask, None when the side is empty."""
        return self._best(ASK, int(self.state.best_ask_ticks))

    def _best(self, side: int, px_ticks: int) -> Level | None:
        if px_ticks in (NO_BID, NO_ASK):
            return None
        return Level(px_ticks, self.qty(side, px_ticks))

    def set(self, side: int, px_ticks: int, qty_lots: int) -> None:
        """Set a level's quantity; 0 removes it."""
        _check_side(side)
        status = book_set(self.state, side, np.int64(px_ticks), np.int64(qty_lots))
        _check_status(status, f"side {side}, price {px_ticks}, quantity {qty_lots}")

    def apply(self, events: Events) -> None:
        """Apply DEPTH, CLEAR and normalised L3 events in order; other kinds are skipped."""
        if events.dtype != EVENT:
            raise DataError("data.book", f"expected events of dtype EVENT, was {events.dtype}")
        _check_status(book_apply(self.state, events.view(np.recarray)), f"{len(events)} events")

    def clear(self, side: int = NO_SIDE) -> None:
        """Forget one side, or both."""
        if side != NO_SIDE:
            _check_side(side)
        book_clear(self.state, side)

    def qty(self, side: int, px_ticks: int) -> int:
        """Return the lots at a price; 0 where there is no level."""
        _check_side(side)
        return int(book_qty(self.state, side, np.int64(px_ticks)))

    def next(self, side: int, px_ticks: int) -> int | None:
        """Return the next worse occupied price, None when there is none."""
        _check_side(side)
        px = int(book_next(self.state, side, np.int64(px_ticks)))
        return None if px in (NO_BID, NO_ASK) else px

    def levels(self, side: int, depth: int = 10) -> tuple[I64, I64]:
        """Return prices and quantities, best first; shapes (n,) with n <= depth."""
        _check_side(side)
        px, qty = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
        n = int(book_levels(self.state, side, px, qty))
        return px[:n], qty[:n]


def _check_side(side: int) -> None:
    if side not in (BID, ASK):
        raise DataError("data.book", f"expected side {BID} (bid) or {ASK} (ask), was {side}")


def _check_status(status: int, where: str) -> None:
    if status == BOOK_OK:
        return
    if status == BOOK_FULL:
        raise DataError(
            "data.book_full",
            f"expected at most {OVER} levels of a side beyond the window, was more ({where})",
            "check the instrument's tick size: one far too small spreads the book over the table",
        )
    assert status == BOOK_BAD, status
    raise DataError(
        "data.book", f"expected a price from 0 and below 2^60 and a quantity >= 0, was {where}"
    )
