"""Taker across venues: buys an asset where it is cheapest and sells it where it brings most.

A pair of orders is sent, in one turn, when the best net bid of all venues is above the best net ask
by min_edge_bps; both hold the taker fee and the rate of the quote currency (the fields group_* of
the view). Each leg is an immediate-or-cancel order at the touch, of the smaller of both sizes.
Nothing makes both legs fill: requests and books travel meanwhile. What one leg got and the other
did not is no more than one order, and is closed on the venue where that costs least once no pair
pays and no answer is awaited. A leg on spot sells what the run did not buy: it needs a stock of the
asset on every venue, and risk.spot_short = true. A simulated venue does not take away what was
taken, so the size that is shown is taken once in cool_down_s; at a real one others are quicker.

Parameters
----------
order_notional : portfolio currency
    Largest value of one leg.
min_edge_bps : bps
    Least net gain of a pair. It has to pay for legs that miss.
max_units : units
    Largest position on one venue, in orders; the group is held within one.
cool_down_s : s
    Least time between two orders in one instrument.
"""

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import has_market, place, tradable_lots
from kimera_cli.layouts import ASK, BID, IOC, LIMIT, SPOT

PARAMS: dict[str, float] = {
    "order_notional": 1000.0,
    "min_edge_bps": 1.0,
    "max_units": 5.0,
    "cool_down_s": 0.5,
}

INTERVAL_NS = 0
GROUP = True
FEATURES = False

ERRORS = {
    -1: "on spot a pair sells what the run did not buy: hold a stock of the asset on each venue "
    "and say so with risk.spot_short = true",
}

LAST_S = 0  # index into view.state


@kernel
def take(view, side, size):
    """Send an immediate-or-cancel order of at most `size` base units at the opposite touch."""
    shown = view.best_ask_lots if side == BID else view.best_bid_lots
    lots = tradable_lots(view, min(size / (view.lot * view.contract_size) + 1e-9, shown))
    if lots > 0:
        px_ticks = view.best_ask_ticks if side == BID else view.best_bid_ticks
        place(view, side, px_ticks, lots, LIMIT, IOC, 0)
        view.state[LAST_S] = view.now_ns * 1e-9


@kernel
def take_leg(view, unit):
    """Send this venue's leg of a pair, if it is one of the two."""
    size = min(unit, view.group_bid_size, view.group_ask_size)
    here = view.position_lots * view.lot * view.contract_size
    most = view.params[2] * unit
    if view.group_ask_instrument == view.instrument:
        side, sign = BID, 1.0
    elif view.group_bid_instrument == view.instrument:
        side, sign = ASK, -1.0
    else:
        return
    if sign * view.group_position + size <= unit and sign * here + size <= most:
        take(view, side, size)


@kernel
def close_rest(view):
    """Close what a leg that missed has left, where that costs least."""
    if view.group_orders > 0:
        return
    if view.group_position > 0.0 and view.group_bid_instrument == view.instrument:
        take(view, ASK, view.group_position)
    elif view.group_position < 0.0 and view.group_ask_instrument == view.instrument:
        take(view, BID, -view.group_position)


def decide(view):
    """Send a leg while a pair pays, else close what was left."""
    if view.group_size < 2 or view.n_orders > 0 or not has_market(view):
        return 0
    if view.kind == SPOT and view.spot_short == 0:
        return -1
    if view.now_ns * 1e-9 - view.state[LAST_S] < view.params[3]:
        return 0
    edge = (view.group_bid - view.group_ask) / view.group_ask * 1e4  # NaN compares false
    if edge >= view.params[1]:
        take_leg(view, view.params[0] / view.group_ask)
    else:
        close_rest(view)
    return 0
