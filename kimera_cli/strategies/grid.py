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
def rung(distance, gap, levels):
    """Return which level lies `distance` ticks from a ladder's first one, or -1.

    By the nearest multiple: a multiplication, where the remainder of a division takes 15 cycles.
    """
    level = np.int64(distance * (1.0 / gap) + 0.5)
    return level if 0 <= distance == level * gap and level < levels else -1


@kernel
def look_over(view, bid, ask, gap, levels):
    """Cancel the open orders that stand on no level of their side's ladder.

    Returns two bit masks: the levels, from each ladder's first, at whose price any own order
    stands, whatever its side and state.
    """
    bids = asks = seen = 0
    for i in range(MAX_ORDERS):
        if seen == view.n_orders:
            break
        order = view.orders[i]
        if order.state == ORDER_NONE:
            continue
        seen += 1
        on_bids = rung(bid - order.px_ticks, gap, levels)
        on_asks = rung(order.px_ticks - ask, gap, levels)
        if on_bids >= 0:
            bids |= 1 << on_bids
        if on_asks >= 0:
            asks |= 1 << on_asks
        if (on_bids if order.side == BID else on_asks) < 0 and is_open(view, i):
            cancel(view, i)
    return bids, asks


@kernel
def send_missing(view, side, first, step, levels, lots, taken):
    """Send an order on each level that is not in `taken`; spot is not sold short."""
    free = levels * lots
    if side == ASK and view.kind == SPOT:
        free = view.position_lots - view.open_ask_lots
    for i in range(levels):
        px_ticks = first + i * step
        if free < lots:
            return
        if px_ticks > 0 and (taken >> i) & 1 == 0:
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
    bids, asks = look_over(view, bid, ask, gap, levels)
    if units < view.params[5]:
        send_missing(view, BID, bid, -gap, levels, lots, bids)
    if units > -view.params[5]:
        send_missing(view, ASK, ask, gap, levels, lots, asks)
    return 0
