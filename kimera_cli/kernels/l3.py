"""Order-by-order book: every resting order by id, first in first out per price level.

`l3_normalise` turns a feed's ADD, MODIFY, DELETE and EXECUTE into events of the same kinds that a
reader can apply without knowing any order: qty_lots becomes what the LEVEL holds after the event,
px_ticks the level's price, and `seq` the priority (arrival number, 1, 2, 3 ...) of the order
concerned. So a ladder sets the level absolutely, and an own order with priority p loses queue
ahead exactly when seq < p.

Rules. A MODIFY to a smaller or equal size at the same price keeps priority. A larger size or
another price loses it and gives two events, DELETE of the old and ADD of the new. px_ticks 0 in a
MODIFY, DELETE or EXECUTE means "not told". An EXECUTE of more than the order holds removes it and
counts as `over_executed`. An id that is not in the book, or an ADD of one that is, changes
nothing: it is counted and passes on as a STATUS event, so that times and F_LAST survive. CLEAR
forgets the orders of its side. Other kinds pass as they are. Ids are any int64, negative ones too
(orders that were there before a recording began).
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.l3_book import l3_add, l3_clear, l3_find, l3_remove, l3_room
from kimera_cli.layouts import ADD, ASK, CLEAR, DELETE, EXECUTE, F_LAST, MODIFY, STATUS

L3_OK = 0
L3_FULL = 1
"""No room for another order or level: enlarge the state and go on with what was not consumed."""

_NOT_LAST = 0xFFFF ^ F_LAST


@kernel
def _say(event, out, kind, px_ticks, qty_lots, priority):
    """Copy the event to `out`, retold."""
    out.ts_exch_ns = event.ts_exch_ns
    out.ts_local_ns = event.ts_local_ns
    out.px_ticks = px_ticks
    out.qty_lots = qty_lots
    out.seq = priority
    out.ref = event.ref
    out.instrument = event.instrument
    out.venue = event.venue
    out.kind = kind
    out.side = event.side
    out.flags = event["flags"]
    out.reserved = event.reserved
    out.aux = event.aux


@kernel
def _pass(event, out, kind):
    _say(event, out, kind, event.px_ticks, event.qty_lots, event.seq)


@kernel
def _add(state, event, outs, n):
    if event.qty_lots <= 0 or event.px_ticks < 0 or event.side > ASK:
        state.bad_events += 1
        _pass(event, outs[n], STATUS)
    elif l3_find(state, event.ref) != 0:
        state.duplicate_ids += 1
        _pass(event, outs[n], STATUS)
    else:
        at = l3_add(state, event.ref, np.int64(event.side), event.px_ticks, event.qty_lots)
        order = state.orders[np.uint64(at)]
        level = state.levels[np.uint64(order.level)]
        _say(event, outs[n], ADD, level.px_ticks, level.qty_lots, order.priority)
    return n + 1


@kernel
def _take(state, at, lots, event, out):
    """Take lots from an order (all of it when lots reach its size) and tell the level."""
    order = state.orders[np.uint64(at)]
    level = state.levels[np.uint64(order.level)]
    px = level.px_ticks
    side = level.side
    priority = order.priority
    if lots >= order.qty_lots:
        left = l3_remove(state, at)
    else:
        order.qty_lots -= lots
        level.qty_lots -= lots
        left = level.qty_lots
    _say(event, out, event.kind, px, left, priority)
    out.side = side


@kernel
def _modify(state, at, event, outs, n):
    order = state.orders[np.uint64(at)]
    level = state.levels[np.uint64(order.level)]
    side = np.int64(level.side)
    old_px = level.px_ticks
    px = event.px_ticks if event.px_ticks > 0 else old_px
    if event.qty_lots <= 0:
        _take(state, at, order.qty_lots, event, outs[n])
        return n + 1
    if px == old_px and event.qty_lots <= order.qty_lots:
        _take(state, at, order.qty_lots - event.qty_lots, event, outs[n])
        return n + 1
    priority = order.priority
    left = l3_remove(state, at)
    _say(event, outs[n], DELETE, old_px, left, priority)
    outs[n].side = side
    outs[n].flags = event["flags"] & (0xFFFF ^ F_LAST)
    at = l3_add(state, event.ref, side, px, event.qty_lots)
    order = state.orders[np.uint64(at)]
    level = state.levels[np.uint64(order.level)]
    _say(event, outs[n + 1], ADD, px, level.qty_lots, order.priority)
    outs[n + 1].side = side
    return n + 2


@kernel
def l3_normalise(events_in, n, state, events_out):
    """Normalise the first n events; events_out needs room for 2 n. Returns the number written.

    Stops early, with state.status L3_FULL, when the state has no room: consumed events are then
    taken in, and the caller enlarges the state (market.l3) and calls again with the rest.
    """
    state.status = L3_OK
    n_out = 0
    for i in range(n):
        event = events_in[i]
        kind = event.kind
        if kind == ADD or kind == MODIFY:
            if not l3_room(state):
                state.status = L3_FULL
                state.consumed = i
                return n_out
        if kind == ADD:
            n_out = _add(state, event, events_out, n_out)
        elif kind == MODIFY or kind == DELETE or kind == EXECUTE:
            at = l3_find(state, event.ref)
            if at == 0:
                state.unknown_ids += 1
                _pass(event, events_out[n_out], STATUS)
                n_out += 1
            elif kind == MODIFY:
                n_out = _modify(state, at, event, events_out, n_out)
            else:
                held = state.orders[np.uint64(at)].qty_lots
                lots = event.qty_lots if kind == EXECUTE else held
                if lots > held:
                    state.over_executed += 1
                _take(state, at, lots, event, events_out[n_out])
                n_out += 1
        else:
            if kind == CLEAR:
                l3_clear(state, event.side)
            _pass(event, events_out[n_out], kind)
            n_out += 1
    state.consumed = n
    return n_out
