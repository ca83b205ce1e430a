"""The strategies of the comparison as hftbacktest runs them: loops over its interval clock.

`grid` makes the decisions of strategies/grid.py, written for this peer's best speed: prices in
ticks, own orders visited once a step, no dictionary built. (Its own grid example builds two per
step and costs the peer up to a third of its rate.) Order ids are prices, as there: one own order
per price.

Imported only when the peer is asked for.
"""

from __future__ import annotations

import numpy as np
from hftbacktest import BUY, FILLED, GTX, LIMIT
from numba import njit, uint64

SUBMITS, CANCELS, STEPS, FILLS = 0, 1, 2, 3
COUNTS = 4

FILL = np.dtype([("ts_exch_ns", "i8"), ("px_ticks", "i8"), ("side", "i8")])
"""One fill of the peer, as `grid_fills` tells it."""


@njit
def watch(hbt, interval_ns, counts):  # type: ignore[no-untyped-def]
    """Look at the best bid at each interval and do nothing."""
    total = 0
    while hbt.elapse(interval_ns) == 0:
        total += hbt.depth(0).best_bid_tick
        counts[STEPS] += 1
    return total


@njit
def place_missing(hbt, counts, side, first, step, levels, taken, lots):  # type: ignore[no-untyped-def]
    """Send an order at each price of a ladder whose bit in `taken` is not set."""
    tick, lot = hbt.depth(0).tick_size, hbt.depth(0).lot_size
    for i in range(levels):
        if (taken >> i) & 1 == 0:
            ticks = first + i * step
            if side == BUY:
                hbt.submit_buy_order(0, uint64(ticks), ticks * tick, lots * lot, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, uint64(ticks), ticks * tick, lots * lot, GTX, LIMIT, False)
            counts[SUBMITS] += 1


@njit
def step(hbt, params, counts):  # type: ignore[no-untyped-def]
    """Lay both ladders out anew and mend the difference: one decision of strategies/grid.py."""
    levels, half, gap = np.int64(params[0]), params[1], np.int64(params[2])
    lots, max_units, skew_ticks = np.int64(params[4]), params[5], params[6]
    depth = hbt.depth(0)
    best_bid, best_ask = depth.best_bid_tick, depth.best_ask_tick
    if best_bid <= 0 or best_ask >= 1 << 60:
        return
    units = np.round(hbt.position(0) / depth.lot_size) / lots
    mid, skew = 0.5 * (best_bid + best_ask), units * skew_ticks
    bid = min(np.int64(np.floor((mid - half - skew) / gap)) * gap, best_bid)
    ask = max(np.int64(np.ceil((mid + half - skew) / gap)) * gap, best_ask)
    bids_taken, asks_taken = 0, 0
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        below, above = bid - order.price_tick, order.price_tick - ask
        on_bids = below >= 0 and below % gap == 0 and below // gap < levels
        on_asks = above >= 0 and above % gap == 0 and above // gap < levels
        if on_bids:
            bids_taken |= 1 << (below // gap)
        if on_asks:
            asks_taken |= 1 << (above // gap)
        wanted = on_bids if order.side == BUY else on_asks
        if not wanted and order.cancellable:
            hbt.cancel(0, order.order_id, False)
            counts[CANCELS] += 1
    if units < max_units:
        place_missing(hbt, counts, BUY, bid, -gap, levels, bids_taken, lots)
    if units > -max_units:
        place_missing(hbt, counts, -BUY, ask, gap, levels, asks_taken, lots)


@njit
def grid(hbt, interval_ns, params, counts):  # type: ignore[no-untyped-def]
    """Run the grid to the end of the data; `params` in the order of strategies/grid.py."""
    while hbt.elapse(interval_ns) == 0:
        hbt.clear_inactive_orders(0)
        counts[STEPS] += 1
        step(hbt, params, counts)


@njit
def grid_fills(hbt, interval_ns, params, counts, fills):  # type: ignore[no-untyped-def]
    """Do the same and note each fill when it is learnt; slower, for differential runs."""
    while hbt.elapse(interval_ns) == 0:
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.status == FILLED and counts[FILLS] < fills.shape[0]:
                row = fills[counts[FILLS]]
                row.ts_exch_ns = order.exch_timestamp
                row.px_ticks = order.price_tick
                row.side = 0 if order.side == BUY else 1
                counts[FILLS] += 1
        hbt.clear_inactive_orders(0)
        counts[STEPS] += 1
        step(hbt, params, counts)
