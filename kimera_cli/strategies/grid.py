"""Grid maker: post-only orders at fixed gaps on both sides, leaning against the position.

Every interval the two ladders are laid out anew: the nearest level is half_spread_ticks from the
mid, shifted by skew_ticks per unit held, rounded away to a multiple of gap_ticks and never through
the touch. Orders at prices that are still wanted stay; the others are cancelled, and missing ones
are sent. An order's tag is its price, so all decisions are on whole ticks. This is the example
strategy of other backtesters, kept for side-by-side measurements; it knows nothing about value.

Parameters
----------
levels : orders
    Orders per side, at most 12.
half_spread_ticks : ticks
    Distance of the nearest level from the skewed mid.
gap_ticks : ticks
    Distance between levels; prices are multiples of it.
order_notional : portfolio currency
    Value of one order, used when order_lots is 0.
order_lots : lots
    Size of one order; 0 sizes by order_notional.
max_units : units
    No new order on the side that would add to a position of this many orders.
skew_ticks : ticks/unit
    Shift of both ladders against each unit (order) held.
"""

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import cancel, has_market, is_open, lots_for_notional, place
from kimera_cli.layouts import ASK, BID, LIMIT, MAX_ORDERS, ORDER_NONE, POST_ONLY, SPOT

PARAMS: dict[str, float] = {
    "levels": 5.0,
    "half_spread_ticks": 10.0,
    "gap_ticks": 5.0,
    "order_notional": 1000.0,
    "order_lots": 0.0,
    "max_units": 10.0,
    "skew_ticks": 0.5,
}

INTERVAL_NS = 100_000_000
FEATURES = False

ERRORS = {
    -1: "expected levels 1 to 12 and gap_ticks at least 1, both whole numbers",
    -2: "order_notional is worth less than the smallest order: raise it, or give order_lots",
}


@kernel
def on_ladder(px_ticks, first, step, levels):
    """Return True when px_ticks is one of first, first + step, ... (levels of them)."""
    distance = (px_ticks - first) * (1 if step > 0 else -1)
    gap = abs(step)
    return distance >= 0 and distance % gap == 0 and distance // gap < levels


@kernel
def has_price(view, px_ticks):
    """Return True when any own order, whatever its side and state, stands at px_ticks."""
    for i in range(MAX_ORDERS):
        if view.orders[i].state != ORDER_NONE and view.orders[i].tag == px_ticks:
            return True
    return False


@kernel
def cancel_strays(view, bid, ask, gap, levels):
    """Cancel the open orders that stand at no price of their side's ladder."""
    for i in range(MAX_ORDERS):
        order = view.orders[i]
        if order.state == ORDER_NONE or not is_open(view, i):
            continue
        first, step = (bid, -gap) if order.side == BID else (ask, gap)
        if not on_ladder(order.px_ticks, first, step, levels):
            cancel(view, i)


@kernel
def send_missing(view, side, first, step, levels, lots):
    """Send an order at each price of the ladder where none stands; spot is not sold short."""
    free = levels * lots
    if side == ASK and view.kind == SPOT:
        free = view.position_lots - view.open_ask_lots
    for i in range(levels):
        px_ticks = first + i * step
        if free < lots:
            return
        if px_ticks > 0 and not has_price(view, px_ticks):
            free -= lots
            place(view, side, px_ticks, lots, LIMIT, POST_ONLY, px_ticks)


def decide(view):
    """Lay both ladders out and mend the difference."""
    levels, gap = np.int64(view.params[0]), np.int64(view.params[2])
    if levels != view.params[0] or gap != view.params[2] or not (1 <= levels <= 12 and gap >= 1):
        return -1
    if not has_market(view):
        return 0
    lots = np.int64(view.params[4])
    if lots <= 0:
        lots = lots_for_notional(view, view.params[3])
    if lots <= 0:
        return -2
    units = view.position_lots / lots
    half, skew = view.params[1], units * view.params[6]
    mid = 0.5 * (view.best_bid_ticks + view.best_ask_ticks)
    bid = min(np.int64(np.floor((mid - half - skew) / gap)) * gap, view.best_bid_ticks)
    ask = max(np.int64(np.ceil((mid + half - skew) / gap)) * gap, view.best_ask_ticks)
    cancel_strays(view, bid, ask, gap, levels)
    if units < view.params[5]:
        send_missing(view, BID, bid, -gap, levels, lots)
    if units > -view.params[5]:
        send_missing(view, ASK, ask, gap, levels, lots)
    return 0
