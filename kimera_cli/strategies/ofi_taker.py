"""Taker on order-flow imbalance: buys or sells at the touch when the expected move pays for it.

The score mixes the order-flow imbalance (Cont, Kukanov and Stoikov 2014), scaled by its own average
size and cut at +-3, with the queue imbalance at the touch. The expected move over the horizon is
ic * score * sigma * sqrt(horizon_s) (Grinold 1994: information coefficient, score, volatility). An
order is sent only when that exceeds cost_multiple times a round trip: the spread and two taker
fees. With the taker fees of most venues and an honest ic that is seldom or never: no trade is then
the right answer, not a defect.

Parameters
----------
ic : correlation
    Correlation between score and move over the horizon: measure it, the default is a guess.
horizon_s : s
    Time over which the move is expected; also the longest time a position is held.
queue_weight : 0 to 1
    Share of the queue imbalance in the score; the rest is order-flow imbalance.
entry_score : score
    Smallest absolute score for an entry.
exit_score : score
    A position is closed when the score in its direction falls below this.
cost_multiple : ratio
    Entry only when the expected move is above this many times the cost of the round trip.
order_notional : portfolio currency
    Value of one order, and of one unit of inventory.
max_units : units
    Position limit of the strategy itself.
cool_down_s : s
    Least time between two entries.
warm_up_s : s
    Time that the scale of the imbalance is learnt before the first order.
"""

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import has_market, lots_for_notional, place, tradable_lots
from kimera_cli.layouts import ASK, BID, IOC, LIMIT, SPOT

PARAMS: dict[str, float] = {
    "ic": 0.1,
    "horizon_s": 10.0,
    "queue_weight": 0.3,
    "entry_score": 1.0,
    "exit_score": 0.0,
    "cost_multiple": 1.0,
    "order_notional": 1000.0,
    "max_units": 3.0,
    "cool_down_s": 1.0,
    "warm_up_s": 10.0,
}

INTERVAL_NS = 50_000_000

ERRORS = {
    -1: "order_notional is worth less than the smallest order: raise it",
}

SCALE, STARTED, START_S, ENTRY_S = 0, 1, 2, 3  # indices into view.state
SCALE_WEIGHT = 0.002  # the scale's memory is 1 / 0.002 = 500 calls
SCORE_LIMIT = 3.0


@kernel
def learn_scale(view, now_s):
    """Follow the average size of the imbalance; the first call starts the clock."""
    if view.state[STARTED] == 0.0:
        view.state[STARTED] = 1.0
        view.state[START_S] = now_s
        view.state[ENTRY_S] = -1e18
        view.state[SCALE] = abs(view.ofi)
    view.state[SCALE] += SCALE_WEIGHT * (abs(view.ofi) - view.state[SCALE])


@kernel
def score_of(view):
    """Return the mixed score; positive expects a rise. Zero while nothing is known."""
    scale = view.state[SCALE]
    flow = view.ofi / scale if scale > 0.0 else 0.0
    flow = min(max(flow, -SCORE_LIMIT), SCORE_LIMIT)
    weight = view.params[2]
    score = (1.0 - weight) * flow + weight * SCORE_LIMIT * view.queue_imbalance
    return score if np.isfinite(score) else 0.0


@kernel
def round_trip_ticks(view):
    """Return what buying and selling again at the touch costs per unit, in ticks."""
    return view.best_ask_ticks - view.best_bid_ticks + 2.0 * view.taker_fee * view.mid_ticks


@kernel
def take(view, side, lots):
    """Send an immediate-or-cancel order at the opposite touch."""
    px_ticks = view.best_ask_ticks if side == BID else view.best_bid_ticks
    place(view, side, px_ticks, lots, LIMIT, IOC, 0)


@kernel
def must_exit(view, score, now_s):
    """Return True when the position has lost its reason or its time."""
    direction = 1.0 if view.position_lots > 0 else -1.0
    return score * direction < view.params[4] or now_s - view.state[ENTRY_S] > view.params[1]


@kernel
def may_enter(view, score, now_s, lots):
    """Return True when score, expected move, cool-down and position limit all allow an entry."""
    held = view.position_lots if score > 0.0 else -view.position_lots
    if view.kind == SPOT and score < 0.0:
        return False  # nothing is sold short
    expected = view.params[0] * abs(score) * view.vol_mid * np.sqrt(view.params[1])
    return (
        abs(score) >= view.params[3]
        and expected > view.params[5] * round_trip_ticks(view)
        and now_s - view.state[ENTRY_S] >= view.params[8]
        and now_s - view.state[START_S] >= view.params[9]
        and held + lots <= view.params[7] * lots
    )


def decide(view):
    """Close what has lost its reason; enter when the expected move pays for the round trip."""
    if not has_market(view):
        return 0
    now_s = view.now_ns * 1e-9  # good to 0.3 us in float64
    learn_scale(view, now_s)
    if view.n_orders > 0:
        return 0  # one order at a time: wait for its answer
    score = score_of(view)
    held = tradable_lots(view, abs(view.position_lots))  # 0: flat, or less than any order may be
    if held > 0 and must_exit(view, score, now_s):
        take(view, ASK if view.position_lots > 0 else BID, held)
        return 0
    lots = lots_for_notional(view, view.params[6])
    if lots == 0:
        return -1
    if may_enter(view, score, now_s, lots):
        view.state[ENTRY_S] = now_s
        take(view, BID if score > 0.0 else ASK, lots)
    return 0
