"""State of the matching engine: resting orders in FIFO queues on a fixed band of prices.

One ENGINE record holds a band of BAND ticks per side (quantity, front and back of the queue per
tick), a three-level bitmap of occupied ticks, and a pool of orders. An order's id is its arrival
number times CAPACITY plus its place in the pool, so that looking it up needs no hash and an old id
is recognised. Prices outside the band are refused by kernels/match.py: venues have price limits
too.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.bits import ctlz, cttz
from kimera_cli.layouts import BID, NO_ASK, NO_BID

BAND_BITS = 20
BAND = 1 << BAND_BITS
"""Prices per side: about a million ticks; memory that no order touches is never used."""
CAPACITY_BITS = 17
CAPACITY = 1 << CAPACITY_BITS
"""Places in the pool; place 0 is unused, so one order fewer can rest."""

MATCH_ORDER = np.dtype(
    [
        ("id", "i8"),  # 0: the place is free
        ("account", "i8"),
        ("left_lots", "i8"),
        ("px_ticks", "i8"),
        ("priority", "i8"),  # arrival number of its place in the queue
        ("prev", "i4"),  # towards the front; 0: none
        ("next", "i4"),
        ("side", "i4"),
        ("tif", "i2"),
        ("stp", "i2"),
    ],
    align=True,
)

MATCH_LEVEL = np.dtype([("qty_lots", "i8"), ("head", "i4"), ("tail", "i4")], align=True)

REPORT = np.dtype(
    [
        ("kind", "i8"),  # REPORT_*
        ("maker_id", "i8"),
        ("maker_account", "i8"),
        ("maker_left_lots", "i8"),
        ("maker_priority", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("level_lots", "i8"),  # what the maker's level holds afterwards
    ],
    align=True,
)
"""What a request did to one resting order."""

REPORT_TRADE = 1
REPORT_CANCEL = 2
"""Self-trade prevention took the resting order out."""
REPORT_DECREMENT = 3
"""Self-trade prevention took qty_lots from both orders without a trade."""

ENGINE = np.dtype(
    [
        ("base_ticks", "i8"),  # price of the band's first tick
        ("best_bid_ticks", "i8"),
        ("best_ask_ticks", "i8"),
        ("free", "i8"),  # head of the list of freed places; 0: none
        ("used", "i8"),  # places ever used
        ("n_orders", "i8"),
        ("arrivals", "i8"),  # last priority given
        ("n_ids", "i8"),  # last arrival number given to an id
        ("traded_lots", "i8"),
        ("n_trades", "i8"),
        # the last request
        ("order_id", "i8"),
        ("filled_lots", "i8"),
        ("left_lots", "i8"),  # resting now
        ("gone_lots", "i8"),  # cancelled, expired or decremented
        ("n_reports", "i8"),
        ("tops", "u8", (2 * (BAND >> 18),)),
        ("sums", "u8", (2 * (BAND >> 12),)),
        ("words", "u8", (2 * (BAND >> 6),)),
        ("levels", MATCH_LEVEL, (2 * BAND,)),
        ("orders", MATCH_ORDER, (CAPACITY,)),
        ("reports", REPORT, (CAPACITY,)),  # of the last request: reports[:n_reports]
    ],
    align=True,
)
"""One instrument's engine; made by market.matching.new_engines."""

_1 = np.uint64(1)
_6 = np.uint64(6)
_63 = np.uint64(63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_0 = np.uint64(0)
_BAND = np.uint64(BAND)
_SUM_ROW = np.uint64(BAND >> 12)
_TOP_ROW = np.uint64(BAND >> 18)
PLACE_MASK = CAPACITY - 1


@kernel
def cell_of(engine, side, px_ticks):
    """Return the index into `levels`; the price must lie in the band."""
    return np.uint64(px_ticks - engine.base_ticks) + (_0 if side == BID else _BAND)


@kernel
def in_band(engine, px_ticks):
    """Return True when the band holds the price."""
    return 0 <= px_ticks - engine.base_ticks < BAND


@kernel
def _mark(engine, cell):
    engine.words[cell >> _6] |= _1 << (cell & _63)
    cell >>= _6
    engine.sums[cell >> _6] |= _1 << (cell & _63)
    cell >>= _6
    engine.tops[cell >> _6] |= _1 << (cell & _63)


@kernel
def _unmark(engine, cell):
    left = engine.words[cell >> _6] & ~(_1 << (cell & _63))
    engine.words[cell >> _6] = left
    if left != _0:
        return
    cell >>= _6
    left = engine.sums[cell >> _6] & ~(_1 << (cell & _63))
    engine.sums[cell >> _6] = left
    if left != _0:
        return
    cell >>= _6
    engine.tops[cell >> _6] &= ~(_1 << (cell & _63))


@kernel
def _below(engine, cell):
    """Return the highest occupied cell of the bid side at or below `cell`, or BAND."""
    word = cell >> _6
    left = engine.words[word] & (_ALL >> (_63 - (cell & _63)))
    if left == _0:
        block = word >> _6
        left = engine.sums[block] & ((_1 << (word & _63)) - _1)
        if left == _0:
            top = block >> _6
            left = engine.tops[top] & ((_1 << (block & _63)) - _1)
            while left == _0:
                if top == _0:
                    return _BAND
                top -= _1
                left = engine.tops[top]
            block = (top << _6) | (_63 - ctlz(left))
            left = engine.sums[block]
        word = (block << _6) | (_63 - ctlz(left))
        left = engine.words[word]
    return (word << _6) | (_63 - ctlz(left))


@kernel
def _above(engine, cell):
    """Return the lowest occupied cell of the ask side at or above `cell`, or 2 BAND."""
    word = cell >> _6
    left = engine.words[word] & (_ALL << (cell & _63))
    if left == _0:
        block = word >> _6
        left = engine.sums[block] & (_ALL << (word & _63)) & ~(_1 << (word & _63))
        if left == _0:
            top = block >> _6
            left = engine.tops[top] & (_ALL << (block & _63)) & ~(_1 << (block & _63))
            while left == _0:
                top += _1
                if top >= _TOP_ROW + _TOP_ROW:
                    return _BAND + _BAND
                left = engine.tops[top]
            block = (top << _6) | cttz(left)
            left = engine.sums[block]
        word = (block << _6) | cttz(left)
        left = engine.words[word]
    return (word << _6) | cttz(left)


@kernel
def next_price(engine, side, px_ticks):
    """Return the best occupied price at or worse than px_ticks (in the band), NO_BID or NO_ASK."""
    cell = cell_of(engine, side, px_ticks)
    if side == BID:
        found = _below(engine, cell)
        return NO_BID if found >= _BAND else engine.base_ticks + np.int64(found)
    found = _above(engine, cell)
    return NO_ASK if found >= _BAND + _BAND else engine.base_ticks + np.int64(found - _BAND)


@kernel
def level_lots(engine, side, px_ticks):
    """Return the lots that rest at a price; 0 outside the band."""
    if not in_band(engine, px_ticks):
        return np.int64(0)
    return engine.levels[cell_of(engine, side, px_ticks)].qty_lots


@kernel
def best_price(engine, side):
    """Return the best price of a side, NO_BID or NO_ASK when it is empty."""
    return engine.best_bid_ticks if side == BID else engine.best_ask_ticks


@kernel
def place_of(engine, order_id):
    """Return where the order rests in `orders`, 0 when no such order rests."""
    if order_id <= 0:
        return np.int64(0)
    place = np.int64(order_id & PLACE_MASK)
    return place if engine.orders[np.uint64(place)].id == order_id else np.int64(0)


@kernel
def enter(engine, place):
    """Put the order at `place` (account, side, price and size are set) at the back of its queue."""
    order = engine.orders[np.uint64(place)]
    side = np.int64(order.side)
    px = order.px_ticks
    cell = cell_of(engine, side, px)
    level = engine.levels[cell]
    engine.arrivals += 1
    order.priority = engine.arrivals
    order.prev = level.tail
    order.next = 0
    if level.tail != 0:
        engine.orders[np.uint64(level.tail)].next = place
    else:
        level.head = place
        _mark(engine, cell)
        if side == BID:
            if px > engine.best_bid_ticks:
                engine.best_bid_ticks = px
        elif px < engine.best_ask_ticks:
            engine.best_ask_ticks = px
    level.tail = place
    level.qty_lots += order.left_lots
    engine.n_orders += 1


@kernel
def leave(engine, place):
    """Take the order at `place` out of its queue; its record stays readable."""
    order = engine.orders[np.uint64(place)]
    side = np.int64(order.side)
    px = order.px_ticks
    cell = cell_of(engine, side, px)
    level = engine.levels[cell]
    if order.prev != 0:
        engine.orders[np.uint64(order.prev)].next = order.next
    else:
        level.head = order.next
    if order.next != 0:
        engine.orders[np.uint64(order.next)].prev = order.prev
    else:
        level.tail = order.prev
    level.qty_lots -= order.left_lots
    engine.n_orders -= 1
    if level.head == 0:
        _unmark(engine, cell)
        if side == BID:
            if px == engine.best_bid_ticks:
                engine.best_bid_ticks = next_price(engine, side, px)
        elif px == engine.best_ask_ticks:
            engine.best_ask_ticks = next_price(engine, side, px)


@kernel
def free_place(engine, place):
    """Give the place back to the pool."""
    order = engine.orders[np.uint64(place)]
    order.id = 0
    order.next = engine.free
    engine.free = place


@kernel
def has_place(engine):
    """Return True when one more order can rest."""
    return engine.free != 0 or engine.used + 1 < CAPACITY


@kernel
def take_place(engine):
    """Return a free place; the caller has checked has_place."""
    place = engine.free
    if place != 0:
        engine.free = np.int64(engine.orders[np.uint64(place)].next)
        return place
    engine.used += 1
    return engine.used


@kernel
def new_id(engine, place):
    """Give the order at `place` (0: an order that will not rest) its id and return it."""
    engine.n_ids += 1
    order_id = (engine.n_ids << CAPACITY_BITS) | place
    if place != 0:
        engine.orders[np.uint64(place)].id = order_id
    return order_id
