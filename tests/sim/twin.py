"""A small strategy twice, compiled and plain, and one run that prints the hash of its records."""

from __future__ import annotations

import hashlib
from typing import Any

from flows import wild_tape
from rig import MS, Plan, Source, replay

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import STRATEGY_SIG, amend, cancel, place
from kimera_cli.layouts import ASK, BID, GTC, IOC, LIMIT, ORDER_OPEN


def decide(view: Any) -> int:
    """Quote both sides, move the bid, drop the ask, and take now and then."""
    if not (0 < view.best_bid_ticks < view.best_ask_ticks):
        return 0
    view.state[0] += 1.0
    step = view.state[0] % 7.0
    if view.n_orders < 4:
        place(view, BID, view.best_bid_ticks, 1 + step, LIMIT, GTC, 1)
        place(view, ASK, view.best_ask_ticks, 2, LIMIT, GTC, 2)
    if step == 3.0:
        place(view, BID, view.best_ask_ticks + 1, 1, LIMIT, IOC, 3)
    for i in range(view.orders.shape[0]):
        order = view.orders[i]
        if order.state == ORDER_OPEN and step == 5.0:
            if order.side == BID:
                amend(view, i, view.best_bid_ticks - 1, order.left_lots)
            else:
                cancel(view, i)
    return 0


compiled = kernel(STRATEGY_SIG, cache=False)(decide)
LATENCY = {"latency": {"feed": "recorded", "entry": "lognormal", "response": "lognormal"}}


def records_hash(plan: Plan, model: str = "power") -> str:
    """Return sha256 over the records of one run."""
    source = Source(wild_tape(4, 160))
    return hashlib.sha256(
        replay(source, plan, LATENCY, {"queue": {"model": model}}).rows.tobytes()
    ).hexdigest()


if __name__ == "__main__":
    print(records_hash(Plan(compiled=compiled, interval_ns=MS)))
