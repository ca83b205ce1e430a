"""Resting orders by id, first in first out per price level: state and moves of the L3 book.

State is one record (market.l3.new_l3): `orders` and `levels` are pools with position 0 unused, the
slots are their open-addressing indices without tombstones. Reading a feed into it is kernels/l3.py.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.layouts import ASK, BID

L3_ORDER = np.dtype(
    [
        ("id", "i8"),
        ("qty_lots", "i8"),
        ("priority", "i8"),
        ("level", "i4"),  # position in levels; 0: free
        ("prev", "i4"),  # towards the front of the queue; 0: none
        ("next", "i4"),
        ("reserved", "i4"),
    ],
    align=True,
)

L3_LEVEL = np.dtype(
    [
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("side", "i4"),
        ("count", "i4"),  # orders; 0: free
        ("head", "i4"),  # front of the queue
        ("tail", "i4"),
        ("next", "i4"),  # free list
        ("reserved", "i4"),
    ],
    align=True,
)


def l3_dtype(orders: int) -> np.dtype[np.void]:
    """Return the layout of a state for `orders` (a power of two) and a quarter as many levels.

    Kernels compile once per size. The slots are twice as many as what they index.
    """
    return np.dtype(
        [
            ("orders", L3_ORDER, (orders + 1,)),
            ("order_slots", "i4", (2 * orders,)),
            ("levels", L3_LEVEL, (orders // 4 + 1,)),
            ("level_slots", "i4", (orders // 2,)),
            ("n_orders", "i8"),
            ("n_levels", "i8"),
            ("free_order", "i8"),  # head of the list of freed orders; 0: none
            ("free_level", "i8"),
            ("used_orders", "i8"),  # pool positions ever used
            ("used_levels", "i8"),
            ("priority", "i8"),  # last arrival number given
            ("unknown_ids", "i8"),
            ("duplicate_ids", "i8"),
            ("over_executed", "i8"),
            ("bad_events", "i8"),  # ADD without size, side or price
            ("consumed", "i8"),  # events taken in by the last call of l3_normalise
            ("status", "i8"),  # L3_OK or L3_FULL, of the last call
        ],
        align=True,
    )


_1 = np.uint64(1)
_16 = np.uint64(16)
_32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_MIX_LOW = np.uint64(0x9E3779B1)
_MIX_HIGH = np.uint64(0x85EBCA6B)


@kernel
def _home(key, mask):
    word = np.uint64(key)
    mixed = ((word & _LOW32) * _MIX_LOW) ^ ((word >> _32) * _MIX_HIGH)
    return (mixed ^ (mixed >> _32) ^ (mixed >> _16)) & mask


@kernel
def _level_key(side, px_ticks):
    return px_ticks * 2 + side


# --- orders by id ------------------------------------------------------------------------------
@kernel
def _order_slot(state, order_id):
    mask = np.uint64(state.order_slots.shape[0] - 1)
    slot = _home(order_id, mask)
    while True:
        at = state.order_slots[slot]
        if at == 0 or state.orders[np.uint64(at)].id == order_id:
            return slot
        slot = (slot + _1) & mask


@kernel
def l3_find(state, order_id):
    """Return the order's position in `orders`, 0 when it is not in the book."""
    return np.int64(state.order_slots[_order_slot(state, order_id)])


@kernel
def _drop_order_slot(state, order_id):
    mask = np.uint64(state.order_slots.shape[0] - 1)
    hole = _order_slot(state, order_id)
    probe = hole
    while True:
        probe = (probe + _1) & mask
        at = state.order_slots[probe]
        if at == 0:
            break
        home = _home(state.orders[np.uint64(at)].id, mask)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            state.order_slots[hole] = at
            hole = probe
    state.order_slots[hole] = 0


# --- levels by side and price ------------------------------------------------------------------
@kernel
def _level_slot(state, side, px_ticks):
    mask = np.uint64(state.level_slots.shape[0] - 1)
    slot = _home(_level_key(side, px_ticks), mask)
    while True:
        at = state.level_slots[slot]
        if at == 0:
            return slot
        level = state.levels[np.uint64(at)]
        if level.px_ticks == px_ticks and level.side == side:
            return slot
        slot = (slot + _1) & mask


@kernel
def l3_level(state, side, px_ticks):
    """Return the level's position in `levels`, 0 when it is empty."""
    return np.int64(state.level_slots[_level_slot(state, side, px_ticks)])


@kernel
def _drop_level_slot(state, side, px_ticks):
    mask = np.uint64(state.level_slots.shape[0] - 1)
    hole = _level_slot(state, side, px_ticks)
    probe = hole
    while True:
        probe = (probe + _1) & mask
        at = state.level_slots[probe]
        if at == 0:
            break
        level = state.levels[np.uint64(at)]
        home = _home(_level_key(np.int64(level.side), level.px_ticks), mask)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            state.level_slots[hole] = at
            hole = probe
    state.level_slots[hole] = 0


# --- entering and leaving ----------------------------------------------------------------------
@kernel
def l3_room(state):
    """Return True when one more order at a new level fits."""
    orders = state.free_order != 0 or state.used_orders + 1 < state.orders.shape[0]
    levels = state.free_level != 0 or state.used_levels + 1 < state.levels.shape[0]
    return orders and levels


@kernel
def _new_level(state, side, px_ticks):
    at = state.free_level
    if at != 0:
        state.free_level = np.int64(state.levels[np.uint64(at)].next)
    else:
        state.used_levels += 1
        at = state.used_levels
    level = state.levels[np.uint64(at)]
    level.px_ticks = px_ticks
    level.side = side
    level.qty_lots = 0
    level.count = 0
    level.head = 0
    level.tail = 0
    state.level_slots[_level_slot(state, side, px_ticks)] = at
    state.n_levels += 1
    return at


@kernel
def l3_add(state, order_id, side, px_ticks, qty_lots):
    """Put an order at the back of its level; the caller has checked l3_room and that the id is new.

    Returns its position in `orders`.
    """
    at_level = l3_level(state, side, px_ticks)
    if at_level == 0:
        at_level = _new_level(state, side, px_ticks)
    at = state.free_order
    if at != 0:
        state.free_order = np.int64(state.orders[np.uint64(at)].next)
    else:
        state.used_orders += 1
        at = state.used_orders
    state.priority += 1
    state.n_orders += 1
    level = state.levels[np.uint64(at_level)]
    order = state.orders[np.uint64(at)]
    order.id = order_id
    order.qty_lots = qty_lots
    order.priority = state.priority
    order.level = at_level
    order.prev = level.tail
    order.next = 0
    if level.tail != 0:
        state.orders[np.uint64(level.tail)].next = at
    else:
        level.head = at
    level.tail = at
    level.qty_lots += qty_lots
    level.count += 1
    state.order_slots[_order_slot(state, order_id)] = at
    return at


@kernel
def l3_remove(state, at):
    """Take the order at position `at` out of the book. Returns what its level holds then."""
    order = state.orders[np.uint64(at)]
    at_level = np.int64(order.level)
    level = state.levels[np.uint64(at_level)]
    if order.prev != 0:
        state.orders[np.uint64(order.prev)].next = order.next
    else:
        level.head = order.next
    if order.next != 0:
        state.orders[np.uint64(order.next)].prev = order.prev
    else:
        level.tail = order.prev
    level.qty_lots -= order.qty_lots
    level.count -= 1
    left = level.qty_lots
    _drop_order_slot(state, order.id)
    order.level = 0
    order.next = state.free_order
    state.free_order = at
    state.n_orders -= 1
    if level.count == 0:
        _drop_level_slot(state, np.int64(level.side), level.px_ticks)
        level.next = state.free_level
        state.free_level = at_level
        state.n_levels -= 1
    return left


@kernel
def l3_clear(state, side):
    """Forget the orders of one side (BID, ASK) or of both (NO_SIDE)."""
    for at in range(1, state.used_orders + 1):
        at_level = np.int64(state.orders[np.uint64(at)].level)
        if at_level != 0:
            of = state.levels[np.uint64(at_level)].side
            if side not in (BID, ASK) or of == side:
                l3_remove(state, at)


@kernel
def l3_reindex(state):
    """Fill empty indices from the pools, after these were copied into larger ones."""
    for at in range(1, state.used_orders + 1):
        if state.orders[np.uint64(at)].level != 0:
            state.order_slots[_order_slot(state, state.orders[np.uint64(at)].id)] = at
    for at in range(1, state.used_levels + 1):
        level = state.levels[np.uint64(at)]
        if level.count != 0:
            state.level_slots[_level_slot(state, np.int64(level.side), level.px_ticks)] = at
