"""What a strategy says: actions appended to its view, and sizes in lots from money.

A strategy is one function `decide(view) -> int64` compiled to STRATEGY_SIG and called by pointer.
It reads the VIEW record and answers by appending to `view.actions` with the kernels below; nothing
else of it is heard. The loop clears `n_actions` before each call, so the actions of one call are
the decision of that call. A return value below zero stops the strategy with that code.

Prices and sizes must be whole numbers of ticks and lots. One that is not (a fraction, NaN,
infinity, beyond 2^60) is written as BAD_NUMBER, which the gate denies as `risk.bad_action`: a wrong
number never becomes a near one.
"""

import numba
import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.layouts import (
    ACT_AMEND,
    ACT_CANCEL,
    ACT_CANCEL_ALL,
    ACT_NEW,
    INVERSE,
    MAX_ACTIONS,
    MAX_ORDERS,
    ORDER_NONE,
    ORDER_OPEN,
    SPOT,
    VIEW,
)

STRATEGY_SIG = numba.types.int64(numba.from_dtype(VIEW))
"""Signature of every compiled strategy: `decide(view: VIEW) -> int64`."""

STRATEGY_TYPE = numba.types.FunctionType(STRATEGY_SIG)
"""First-class function type of a compiled strategy, for the loop that calls it by pointer."""

BAD_NUMBER = -1
"""Stands where a price or size was no whole number; below zero, so the gate denies it."""

FULL = -1
"""Answer of an action kernel when view.actions holds MAX_ACTIONS already."""

WHOLE_LIMIT = 1 << 60


@kernel
def whole(number):
    """Return `number` as int64 when it is a whole number within +-2^60, else BAD_NUMBER."""
    if not (-WHOLE_LIMIT <= number <= WHOLE_LIMIT):
        return np.int64(BAD_NUMBER)
    steps = np.int64(number)
    if steps != number:
        return np.int64(BAD_NUMBER)
    return steps


@kernel
def _next_action(view, kind):
    """Take the next free action row; return its index, or FULL."""
    index = view.n_actions
    if index >= MAX_ACTIONS:
        return np.int64(FULL)
    view.n_actions = index + 1
    action = view.actions[index]
    action.kind = kind
    action.side = 0
    action.type = 0
    action.tif = 0
    action.px_ticks = 0
    action.qty_lots = 0
    action.order = 0
    action.tag = 0
    return np.int64(index)


@kernel
def place(view, side, px_ticks, qty_lots, order_type, tif, tag):
    """Ask for a new order; return the action's index, or FULL. A market order's price is 0."""
    index = _next_action(view, ACT_NEW)
    if index >= 0:
        action = view.actions[index]
        action.side = whole(side)
        action.px_ticks = whole(px_ticks)
        action.qty_lots = whole(qty_lots)
        action.type = whole(order_type)
        action.tif = whole(tif)
        action.tag = whole(tag)
    return index


@kernel
def cancel(view, order_index):
    """Ask to cancel view.orders[order_index]; return the action's index, or FULL."""
    index = _next_action(view, ACT_CANCEL)
    if index >= 0:
        view.actions[index].order = whole(order_index)
    return index


@kernel
def amend(view, order_index, px_ticks, qty_lots):
    """Ask to move view.orders[order_index] to a price and a new open size; return as `place` does.

    Priority in the queue survives only a smaller size at the same price.
    """
    index = _next_action(view, ACT_AMEND)
    if index >= 0:
        action = view.actions[index]
        action.order = whole(order_index)
        action.px_ticks = whole(px_ticks)
        action.qty_lots = whole(qty_lots)
    return index


@kernel
def cancel_all(view):
    """Ask to cancel every open order of this strategy in this instrument; return as `place`."""
    return _next_action(view, ACT_CANCEL_ALL)


@kernel
def find_order(view, side, tag):
    """Return the index of the own order with this side and tag, whatever its state, or -1."""
    seen = 0
    for i in range(MAX_ORDERS):
        if seen >= view.n_orders:
            break
        order = view.orders[i]
        if order.state != ORDER_NONE:
            seen += 1
            if order.side == side and order.tag == tag:
                return np.int64(i)
    return np.int64(-1)


@kernel
def is_open(view, order_index):
    """Return True when the venue confirmed the order and no request of ours is under way for it."""
    return view.orders[order_index].state == ORDER_OPEN


@kernel
def has_market(view):
    """Return True when both sides of the book hold a price and they do not cross."""
    return 0 < view.best_bid_ticks < view.best_ask_ticks and np.isfinite(view.mid_ticks)


@kernel
def quote_lot_value(view):
    """Return the value of one lot at the mid in quote currency; NaN when no mid is known.

    Spot and linear: mid * lot * contract_size. Inverse: a contract is worth contract_size quote
    units at any price.
    """
    size = view.lot * view.contract_size
    if view.kind == INVERSE:
        return size
    return size * view.mid_ticks * view.tick


@kernel
def tradable_lots(view, lots):
    """Return `lots` when an order of that size meets the instrument's minimum, else 0."""
    lots = np.int64(lots)
    enough = lots > 0 and lots >= view.min_lots
    if enough and lots * quote_lot_value(view) >= view.min_notional:  # NaN compares false
        return lots
    return np.int64(0)


@kernel
def lots_for_notional(view, notional):
    """Return how many whole lots `notional` (portfolio currency) buys; 0 when none is tradable."""
    value = quote_lot_value(view) * view.settle_rate
    if not (value > 0.0 and notional > 0.0):  # NaN compares false: no mid, no size
        return np.int64(0)
    ratio = notional / value
    if not ratio < WHOLE_LIMIT:
        return np.int64(0)
    return tradable_lots(view, np.floor(ratio + 1e-9))  # 1000 / 0.1 must be 10000, not 9999


@kernel
def sellable_lots(view, lots):
    """Return how many of `lots` a sell order may ask for: on spot not more than is held."""
    if view.kind == SPOT:
        lots = min(lots, view.position_lots)
    return tradable_lots(view, lots)
