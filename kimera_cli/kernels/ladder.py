"""State of a price-level book: the window, its bitmap, and the table of levels beyond it.

Each side has a window of WINDOW consecutive ticks that holds its quantities directly by price and a
two-level bitmap of occupied ticks. Levels worse than the window live in an overflow table: dense
arrays plus an open-addressing index without tombstones. `kernels/book.py` keeps the best prices and
moves the window; nothing else should need this module.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.bits import ctlz, cttz
from kimera_cli.layouts import NO_ASK, NO_BID

BOOK_OK = 0
BOOK_FULL = 1
WINDOW_BITS = 14
WINDOW = 1 << WINDOW_BITS
"""Ticks of one side's window; measured in docs/performance.md."""
WORDS = WINDOW >> 6
SUMS = WORDS >> 6
OVER_BITS = 14
OVER = 1 << OVER_BITS
"""Levels of one side that fit beyond the window."""
SLOTS = 2 * OVER

BOOK = np.dtype(
    [
        ("best_bid_ticks", "i8"),  # NO_BID when the side is empty
        ("best_ask_ticks", "i8"),  # NO_ASK when the side is empty
        ("base_ticks", "i8", (2,)),  # price of the window's first cell, per side
        ("over_n", "i8", (2,)),  # levels beyond the window, per side
        ("recentres", "i8"),
        ("lost", "i8"),  # levels that did not fit
        ("sums", "u8", (2 * SUMS,)),  # bit w: words[w] is not 0
        ("words", "u8", (2 * WORDS,)),  # bit t: lots[t] is not 0
        ("lots", "i8", (2 * WINDOW,)),
        ("over_px", "i8", (2 * OVER,)),
        ("over_lots", "i8", (2 * OVER,)),
        ("over_slot", "i4", (2 * SLOTS,)),  # hash of price -> position in over_px plus 1; 0: free
    ],
    align=True,
)
"""State of one book, about 1 MiB; `market.book.new_books` makes it (all zeros are not a book)."""

_0 = np.uint64(0)
_1 = np.uint64(1)
_6 = np.uint64(6)
_63 = np.uint64(63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_W = np.uint64(WINDOW)
_WINDOW_BITS = np.uint64(WINDOW_BITS)
_WORD_BITS = np.uint64(WINDOW_BITS - 6)
_WORDS = np.uint64(WORDS)
_SUM_BITS = np.uint64(WINDOW_BITS - 12)
_SUMS = np.uint64(SUMS)
_OVER_BITS = np.uint64(OVER_BITS)
_SLOT_BITS = np.uint64(OVER_BITS + 1)
_SLOT_MASK = np.uint64(SLOTS - 1)
_LOW32 = np.uint64(0xFFFFFFFF)
_MIX = np.uint64(2654435769)
_MIX_SHIFT = np.uint64(32 - (OVER_BITS + 1))


# --- overflow table ----------------------------------------------------------------------------
@kernel
def _home(px_ticks):
    low = np.uint64(px_ticks) & _LOW32
    return ((low * _MIX) & _LOW32) >> _MIX_SHIFT


@kernel
def over_find(book, s, px_ticks):
    """Return the slot that holds px_ticks, or the free slot where it would go."""
    slot = _home(px_ticks)
    row = s << _SLOT_BITS
    dense = s << _OVER_BITS
    while True:
        position = book.over_slot[row | slot]
        if position == 0 or book.over_px[dense + np.uint64(position - 1)] == px_ticks:
            return slot
        slot = (slot + _1) & _SLOT_MASK


@kernel
def over_put(book, s, px_ticks, qty_lots):
    """Set a level beyond the window. Returns BOOK_OK or BOOK_FULL."""
    slot = over_find(book, s, px_ticks)
    position = np.int64(book.over_slot[(s << _SLOT_BITS) | slot])
    if position == 0:
        if book.over_n[s] >= OVER:
            book.lost += 1
            return BOOK_FULL
        book.over_n[s] += 1
        position = book.over_n[s]
        book.over_slot[(s << _SLOT_BITS) | slot] = position
        book.over_px[(s << _OVER_BITS) + np.uint64(position - 1)] = px_ticks
    book.over_lots[(s << _OVER_BITS) + np.uint64(position - 1)] = qty_lots
    return BOOK_OK


@kernel
def _over_free_slot(book, s, slot):
    """Empty a slot and shift back the entries that probed past it: no tombstones."""
    row = s << _SLOT_BITS
    dense = s << _OVER_BITS
    hole = slot
    probe = slot
    while True:
        probe = (probe + _1) & _SLOT_MASK
        position = book.over_slot[row | probe]
        if position == 0:
            break
        home = _home(book.over_px[dense + np.uint64(position - 1)])
        if ((probe - home) & _SLOT_MASK) >= ((probe - hole) & _SLOT_MASK):
            book.over_slot[row | hole] = position
            hole = probe
    book.over_slot[row | hole] = 0


@kernel
def over_drop(book, s, px_ticks):
    """Remove a level beyond the window, if it is there."""
    slot = over_find(book, s, px_ticks)
    position = np.int64(book.over_slot[(s << _SLOT_BITS) | slot])
    if position == 0:
        return
    _over_free_slot(book, s, slot)
    last = book.over_n[s]
    if position != last:
        dense = s << _OVER_BITS
        moved = book.over_px[dense + np.uint64(last - 1)]
        slot = over_find(book, s, moved)
        book.over_slot[(s << _SLOT_BITS) | slot] = position
        book.over_px[dense + np.uint64(position - 1)] = moved
        book.over_lots[dense + np.uint64(position - 1)] = book.over_lots[
            dense + np.uint64(last - 1)
        ]
    book.over_n[s] = last - 1


@kernel
def over_next(book, s, px_ticks):
    """Return the best overflow price strictly worse than px_ticks: a scan, for rare paths only."""
    dense = s << _OVER_BITS
    best = NO_BID if s == _0 else NO_ASK
    for i in range(book.over_n[s]):
        px = book.over_px[dense + np.uint64(i)]
        if s == _0:
            if px < px_ticks and px > best:
                best = px
        elif px > px_ticks and px < best:
            best = px
    return best


# --- window ------------------------------------------------------------------------------------
@kernel
def mark(book, cell):
    """Say that a cell is occupied."""
    word = cell >> _6
    book.words[word] |= _1 << (cell & _63)
    book.sums[word >> _6] |= _1 << (word & _63)


@kernel
def unmark(book, cell):
    """Say that a cell is empty."""
    word = cell >> _6
    left = book.words[word] & ~(_1 << (cell & _63))
    book.words[word] = left
    if left == _0:
        book.sums[word >> _6] &= ~(_1 << (word & _63))


@kernel
def down(book, s, at):
    """Return the highest occupied cell at or below `at` (offset in the window), or WINDOW."""
    word = at >> _6
    row = s << _WORD_BITS
    left = book.words[row | word] & (_ALL >> (_63 - (at & _63)))
    if left != _0:
        return (word << _6) | (_63 - ctlz(left))
    if word == _0:
        return _W
    word -= _1
    block = word >> _6
    left = book.sums[(s << _SUM_BITS) | block] & (_ALL >> (_63 - (word & _63)))
    while left == _0:
        if block == _0:
            return _W
        block -= _1
        left = book.sums[(s << _SUM_BITS) | block]
    word = (block << _6) | (_63 - ctlz(left))
    return (word << _6) | (_63 - ctlz(book.words[row | word]))


@kernel
def up(book, s, at):
    """Return the lowest occupied cell at or above `at` (offset in the window), or WINDOW."""
    word = at >> _6
    row = s << _WORD_BITS
    left = book.words[row | word] & (_ALL << (at & _63))
    if left != _0:
        return (word << _6) | cttz(left)
    word += _1
    if word >= _WORDS:
        return _W
    block = word >> _6
    left = book.sums[(s << _SUM_BITS) | block] & (_ALL << (word & _63))
    while left == _0:
        block += _1
        if block >= _SUMS:
            return _W
        left = book.sums[(s << _SUM_BITS) | block]
    word = (block << _6) | cttz(left)
    return (word << _6) | cttz(book.words[row | word])
