"""Price-level book: a flat ladder around the touch, a hash table for everything beyond it.

A side's best price always lies inside its window (kernels/ladder.py); levels worse than the window
live in the overflow table. So every price is exact, and an update costs a few nanoseconds inside
the window and one hash probe outside. When the best leaves the window, or comes near its worse
edge, the window is laid anew around it: a cost in the number of levels, paid once per some
thousand ticks of movement. The twin (a dict book) is in tests/kernels/test_book.py.

Status codes: BOOK_OK, BOOK_FULL (a level did not fit the overflow table: the book is no longer
exact and `lost` counts it), BOOK_BAD (a negative price or quantity, or a price at or above NO_ASK;
nothing changed). Sides are BID and ASK; `book_clear` takes NO_SIDE for both. Sides are
independent: a crossed book is the feed's doing and stays visible as best_bid_ticks >=
best_ask_ticks.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel, part
from kimera_cli.kernels.ladder import (
    BOOK,
    BOOK_FULL,
    BOOK_OK,
    OVER,
    OVER_BITS,
    SLOTS,
    WINDOW,
    WINDOW_BITS,
    down,
    mark,
    over_drop,
    over_find,
    over_next,
    over_put,
    unmark,
    up,
)
from kimera_cli.layouts import ADD, ASK, BID, CLEAR, DEPTH, EXECUTE, NO_ASK, NO_BID

__all__ = [
    "BOOK",
    "BOOK_BAD",
    "BOOK_FULL",
    "BOOK_OK",
    "NEAR",
    "OVER",
    "WINDOW",
    "book_apply",
    "book_clear",
    "book_depth",
    "book_levels",
    "book_next",
    "book_qty",
    "book_set",
]

BOOK_BAD = 2

NEAR = WINDOW // 8
"""While levels lie beyond the window, it reaches at least this many ticks behind the best."""
AHEAD = WINDOW // 4
"""Room between a freshly laid window's best price and its better edge."""

_0 = np.uint64(0)
_1 = np.uint64(1)
_6 = np.uint64(6)
_63 = np.uint64(63)
_W = np.uint64(WINDOW)
_NEAR = np.uint64(NEAR)
_WINDOW_BITS = np.uint64(WINDOW_BITS)
_OVER_BITS = np.uint64(OVER_BITS)
_SLOT_BITS = np.uint64(OVER_BITS + 1)


# --- moving the window -------------------------------------------------------------------------
@kernel
def _base_for(s, best_ticks):
    room = AHEAD if s == _1 else WINDOW - 1 - AHEAD
    return max(best_ticks - room, 0)


@kernel
def _shift_cell(book, s, cell, base):
    """Move one occupied cell to where it belongs once the window starts at `base`."""
    qty = book.lots[cell]
    px = book.base_ticks[s] + np.int64(cell & (_W - _1))
    book.lots[cell] = 0
    unmark(book, cell)
    at = np.uint64(px - base)
    if at >= _W:
        return over_put(book, s, px, qty)
    to = (s << _WINDOW_BITS) | at
    book.lots[to] = qty
    mark(book, to)
    return BOOK_OK


@kernel
def _lay(book, s, best_ticks):
    """Lay a side's window around its best price; levels move in and out of the overflow table."""
    base = _base_for(s, best_ticks)
    if base == book.base_ticks[s]:
        return BOOK_OK
    status = BOOK_OK
    book.recentres += 1
    if base > book.base_ticks[s]:  # cells move down: ascending order never meets a moved one
        at = up(book, s, _0)
        while at < _W:
            status |= _shift_cell(book, s, (s << _WINDOW_BITS) | at, base)
            at = up(book, s, at + _1) if at + _1 < _W else _W
    else:
        at = down(book, s, _W - _1)
        while at < _W:
            status |= _shift_cell(book, s, (s << _WINDOW_BITS) | at, base)
            at = down(book, s, at - _1) if at > _0 else _W
    book.base_ticks[s] = base
    dense = s << _OVER_BITS
    for i in range(book.over_n[s] - 1, -1, -1):
        px = book.over_px[dense + np.uint64(i)]
        at = np.uint64(px - base)
        if at < _W:
            cell = (s << _WINDOW_BITS) | at
            book.lots[cell] = book.over_lots[dense + np.uint64(i)]
            mark(book, cell)
            over_drop(book, s, px)
    return status


@kernel
def _edge(s, at):
    """Return how far the window reaches beyond its cell `at`, towards worse prices."""
    return at if s == _0 else WINDOW - 1 - at


@kernel
def _find_best(book, s, at):
    """The best left cell `at`: find the next; lay the window anew if that is near its edge."""
    status = BOOK_OK
    found = down(book, s, at) if s == _0 else up(book, s, at)
    if found < _W:
        best = book.base_ticks[s] + np.int64(found)
        if book.over_n[s] > 0 and _edge(s, np.int64(found)) < NEAR:
            status = _lay(book, s, best)
    else:
        best = NO_BID if s == _0 else NO_ASK
        if book.over_n[s] > 0:
            best = over_next(book, s, NO_ASK if s == _0 else NO_BID)
            status = _lay(book, s, best)
    if s == _0:
        book.best_bid_ticks = best
    else:
        book.best_ask_ticks = best
    return status


@kernel
def _set_outside(book, s, px_ticks, qty_lots):
    if px_ticks < 0 or px_ticks >= NO_ASK or qty_lots < 0:
        return BOOK_BAD
    if s == _0:
        worse = book.best_bid_ticks != NO_BID and px_ticks < book.base_ticks[s]
    else:
        worse = book.best_ask_ticks != NO_ASK and px_ticks > book.base_ticks[s]
    if qty_lots == 0:
        if worse:
            over_drop(book, s, px_ticks)
        return BOOK_OK
    if worse:
        status = over_put(book, s, px_ticks, qty_lots)
        best = book.best_bid_ticks if s == _0 else book.best_ask_ticks
        if _edge(s, np.int64(best - book.base_ticks[s])) < NEAR:
            status |= _lay(book, s, best)
        return status
    status = _lay(book, s, px_ticks)
    cell = (s << _WINDOW_BITS) | np.uint64(px_ticks - book.base_ticks[s])
    book.lots[cell] = qty_lots
    mark(book, cell)
    if s == _0:
        book.best_bid_ticks = px_ticks
    else:
        book.best_ask_ticks = px_ticks
    return status


@inner
def _touch_bid(book, at, px_ticks, qty_lots):
    """A level at or above the best bid was set: keep the best."""
    if qty_lots > 0:
        book.best_bid_ticks = px_ticks
        return BOOK_OK
    return _find_best(book, _0, at) if px_ticks == book.best_bid_ticks else BOOK_OK


@inner
def _touch_ask(book, at, px_ticks, qty_lots):
    if qty_lots > 0:
        book.best_ask_ticks = px_ticks
        return BOOK_OK
    return _find_best(book, _1, at) if px_ticks == book.best_ask_ticks else BOOK_OK


# --- API ---------------------------------------------------------------------------------------
@part
def book_put(book, side, px_ticks, qty_lots):
    """Do what `book_set` does, compiled into its caller: for what happens to every event.

    Whether a level comes or goes is a coin toss that no processor predicts, so the bitmap is
    written without a branch; a word that becomes empty or not, and a price at the touch, are rare.
    """
    s = np.uint64(side)
    at = np.uint64(px_ticks - book.base_ticks[s])
    if at >= _W or qty_lots < 0:
        return _set_outside(book, s, px_ticks, qty_lots)
    cell = (s << _WINDOW_BITS) | at
    book.lots[cell] = qty_lots
    word = cell >> _6
    bit = _1 << (cell & _63)
    before = book.words[word]
    after = (before | bit) if qty_lots > 0 else (before & ~bit)
    book.words[word] = after
    if (before == _0) != (after == _0):
        book.sums[word >> _6] ^= _1 << (word & _63)
    if s == _0:
        if px_ticks >= book.best_bid_ticks:
            return _touch_bid(book, at, px_ticks, qty_lots)
    elif px_ticks <= book.best_ask_ticks:
        return _touch_ask(book, at, px_ticks, qty_lots)
    return BOOK_OK


@kernel
def book_set(book, side, px_ticks, qty_lots):
    """Set the quantity of one level (0 removes it). Returns BOOK_OK, BOOK_FULL or BOOK_BAD."""
    return book_put(book, side, px_ticks, qty_lots)


@kernel
def book_qty(book, side, px_ticks):
    """Return the lots at one price; 0 where there is no level."""
    s = np.uint64(side)
    at = np.uint64(px_ticks - book.base_ticks[s])
    if at < _W:
        return book.lots[(s << _WINDOW_BITS) | at]
    if book.over_n[s] == 0:
        return np.int64(0)
    position = np.int64(book.over_slot[(s << _SLOT_BITS) | over_find(book, s, px_ticks)])
    if position == 0:
        return np.int64(0)
    return book.over_lots[(s << _OVER_BITS) + np.uint64(position - 1)]


@kernel
def book_next(book, side, px_ticks):
    """Return the best occupied price strictly worse than px_ticks; NO_BID or NO_ASK if none."""
    s = np.uint64(side)
    base = book.base_ticks[s]
    found = _W
    if s == _0:
        if px_ticks > base:
            found = down(book, s, np.uint64(min(px_ticks - base - 1, WINDOW - 1)))
    elif px_ticks < base + WINDOW - 1:
        found = up(book, s, np.uint64(max(px_ticks - base + 1, 0)))
    if found < _W:
        return base + np.int64(found)
    return over_next(book, s, px_ticks)


@kernel
def book_depth(book, side, levels):
    """Return the lots of the best `levels` levels no further than NEAR ticks behind the best.

    Never leaves the window: O(levels) whatever the book looks like. 0 for an empty side.
    """
    s = np.uint64(side)
    best = book.best_bid_ticks if s == _0 else book.best_ask_ticks
    if best == NO_BID or best == NO_ASK:
        return np.int64(0)
    at = np.uint64(best - book.base_ticks[s])
    row = s << _WINDOW_BITS
    total = book.lots[row | at]
    if s == _0:
        last = at - _NEAR if at > _NEAR else _0
        for _ in range(1, levels):
            at = down(book, s, at - _1) if at > last else _W
            if at == _W or at < last:
                break
            total += book.lots[row | at]
    else:
        last = min(at + _NEAR, _W - _1)
        for _ in range(1, levels):
            at = up(book, s, at + _1) if at < last else _W
            if at > last:
                break
            total += book.lots[row | at]
    return total


@kernel
def _clear_side(book, s):
    at = up(book, s, _0)
    while at < _W:
        cell = (s << _WINDOW_BITS) | at
        book.lots[cell] = 0
        unmark(book, cell)
        at = up(book, s, at)
    if book.over_n[s] > 0:
        row = s << _SLOT_BITS
        for slot in range(SLOTS):
            book.over_slot[row | np.uint64(slot)] = 0
        book.over_n[s] = 0
    if s == _0:
        book.best_bid_ticks = NO_BID
    else:
        book.best_ask_ticks = NO_ASK


@kernel
def book_clear(book, side):
    """Forget one side (BID, ASK) or both (NO_SIDE). Costs the number of its levels."""
    if side != ASK:
        _clear_side(book, np.uint64(BID))
    if side != BID:
        _clear_side(book, np.uint64(ASK))


@kernel
def book_apply(book, events):
    """Apply DEPTH and CLEAR events, and L3 ones that l3_normalise retold; skip other kinds.

    Returns the worst status of all.
    """
    status = BOOK_OK
    for i in range(events.shape[0]):
        kind = events[i].kind
        if kind == DEPTH or ADD <= kind <= EXECUTE:
            event = events[i]
            status = max(status, book_set(book, event.side, event.px_ticks, event.qty_lots))
        elif kind == CLEAR:
            book_clear(book, np.int64(events[i].side))
    return status


@kernel
def book_levels(book, side, px_ticks, qty_lots):
    """Write a side's levels, best first, until the arrays are full; return how many."""
    n = 0
    px = book.best_bid_ticks if side == BID else book.best_ask_ticks
    while n < px_ticks.shape[0] and px != NO_BID and px != NO_ASK:
        px_ticks[n] = px
        qty_lots[n] = book_qty(book, side, px)
        n += 1
        px = book_next(book, side, px)
    return n
