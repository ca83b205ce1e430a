"""Taker on a decision table: acts on what the table says of this market state, when it pays.

The table (kimera ensemble table fill) holds the expected next move of the mid and an action for
every cell of market states; this strategy looks its state up at every message. It buys or sells at
the touch when the action says so and the expected move exceeds cost_multiple times a round trip:
the spread and two taker fees. A lookup that finds nothing sure allows no entry. A table that is
missing, expired or too old allows nothing new at all: what is held is closed. With the taker fees
of most venues the expected move of one step seldom or never pays; no trade is then the right
answer, not a defect.

Parameters
----------
cost_multiple : ratio
    Entry only when the expected move is above this many times the cost of the round trip.
horizon_s : s
    Longest time a position is held.
order_notional : portfolio currency
    Value of one order, and of one unit of inventory.
max_units : units
    Position limit of the strategy itself.
cool_down_s : s
    Least time between two entries.
"""

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import (
    has_market,
    lots_for_notional,
    place,
    sellable_lots,
    tradable_lots,
)
from kimera_cli.kernels.table import (
    BUSY,
    MISSING,
    NO_STATE,
    OK,
    UNSURE,
    table_consult,
    table_use,
)
from kimera_cli.layouts import ASK, BID, BUY, HOLD, IOC, LIMIT, SELL, SPOT

PARAMS: dict[str, float] = {
    "cost_multiple": 1.0,
    "horizon_s": 5.0,
    "order_notional": 1000.0,
    "max_units": 3.0,
    "cool_down_s": 1.0,
}

INTERVAL_NS = 0

ERRORS = {
    -1: "order_notional is worth less than the smallest order: raise it",
}

STARTED, ENTRY_S = 0, 1  # indices into view.state


@kernel
def take(view, side, lots):
    """Send an immediate-or-cancel order at the opposite touch."""
    px_ticks = view.best_ask_ticks if side == BID else view.best_bid_ticks
    place(view, side, px_ticks, lots, LIMIT, IOC, 0)


@kernel
def round_trip_ticks(view):
    """Return what buying and selling again at the touch costs per unit, in ticks."""
    return view.best_ask_ticks - view.best_bid_ticks + 2.0 * view.taker_fee * view.mid_ticks


@kernel
def must_close(view, status, action, now_s):
    """Return True when nothing stands behind the position any more."""
    if status == OK:
        against = SELL if view.position_lots > 0 else BUY
        return action == against or now_s - view.state[ENTRY_S] > view.params[1]
    if status in (UNSURE, MISSING, NO_STATE, BUSY):
        return now_s - view.state[ENTRY_S] > view.params[1]
    return True  # the table itself is missing, expired or too old


@kernel
def may_enter(view, action, expected, now_s, lots):
    """Return True when the action pays for its round trip and position and time allow it."""
    held = view.position_lots if action == BUY else -view.position_lots
    if view.kind == SPOT and action == SELL:
        return False  # nothing is sold short
    return (
        expected * action > view.params[0] * round_trip_ticks(view)
        and now_s - view.state[ENTRY_S] >= view.params[4]
        and held + lots <= view.params[3] * lots
    )


def decide(view):
    """Look the state up; close what nothing stands behind; enter only on a sure answer."""
    if not has_market(view):
        return 0
    now_s = view.now_ns * 1e-9  # good to 0.3 us in float64
    if view.state[STARTED] == 0.0:
        view.state[STARTED] = 1.0
        view.state[ENTRY_S] = -1e18
    status = table_consult(view.table, view, view.now_ns)
    action = np.int64(HOLD)
    expected = 0.0
    if status == OK:
        entry = table_use(view.table).entry
        action = np.int64(entry.action)
        expected = entry.expected_ticks
    if view.n_orders > 0:
        return 0  # one order at a time: wait for its answer
    held = tradable_lots(view, abs(view.position_lots))  # 0: flat, or less than any order may be
    if held > 0 and must_close(view, status, action, now_s):
        if view.position_lots > 0:
            held = sellable_lots(view, held)
        if held > 0:
            take(view, ASK if view.position_lots > 0 else BID, held)
        return 0
    lots = lots_for_notional(view, view.params[2])
    if lots == 0:
        return -1
    if status == OK and action != HOLD and may_enter(view, action, expected, now_s, lots):
        view.state[ENTRY_S] = now_s
        take(view, BID if action == BUY else ASK, lots)
    return 0
