"""Asks its decision table on every message and joins the touch on the side that it names.

Written for `kimera bench latency`: the longest way a message can take, to an order every time. The
table is consulted as any strategy consults it; without a usable entry nothing new is sent.

Parameters
----------
order_notional : portfolio currency
    Value of one order.
"""

from kimera_cli.kernels.strategy import has_market, lots_for_notional, place
from kimera_cli.kernels.table import OK, table_consult, table_use
from kimera_cli.layouts import ASK, BID, BUY, HOLD, LIMIT, POST_ONLY

PARAMS: dict[str, float] = {"order_notional": 1000.0}

INTERVAL_NS = 0


def decide(view):
    """Send one order where the table's action is not to hold."""
    if not has_market(view) or table_consult(view.table, view, view.now_ns) != OK:
        return 0
    action = table_use(view.table).entry.action
    lots = lots_for_notional(view, view.params[0])
    if action == HOLD or lots <= 0:
        return 0
    side = BID if action == BUY else ASK
    touch = view.best_bid_ticks if action == BUY else view.best_ask_ticks
    place(view, side, touch, lots, LIMIT, POST_ONLY, 0)
    return 0
