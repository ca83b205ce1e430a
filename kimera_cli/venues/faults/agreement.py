"""Whether a journal has the orders and fills that are at the venue: one by one, nothing more. Pure.

What is at the venue comes as the control API tells it (server/truth.py).
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from kimera_cli.venues.faults.scenario import expect
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import VenueFill

Json = dict[str, Any]
Execution = tuple[str, str, Decimal, Decimal, Decimal, str]
"""Client id, side, price, quantity, fee, asset of the fee."""
STRANGER = ""
"""Stands for the client id of an order that is not ours."""
NOT_THERE = frozenset({Phase.NEW, Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT})
OPEN = frozenset({Phase.OPEN, Phase.PARTIAL})


def same_orders(orders: AccountOrders, there: list[Json], *, foreign: bool = False) -> int:
    """Compare a journal with all orders at the venue (truth.order); return how many are there."""
    mine = [o for o in there if o["client_id"] in orders.states or not foreign]
    by_id = {o["client_id"]: o for o in mine}
    twice = [name for name, n in Counter(o["client_id"] for o in mine).items() if n > 1]
    expect(not twice, f"expected one order per intent, was two of {', '.join(twice)}")
    for state in orders.states.values():
        _same_order(state, by_id.get(state.client_id))
    # Of orders long over (many restarts back) a journal keeps the fills alone.
    past = {n for n, o in by_id.items() if o["status"] != "open" and orders.is_settled(n)}
    strangers = [name for name in by_id if name not in orders.states.keys() | past]
    expect(not strangers, f"expected the journal to have every order, was not {strangers[:4]}")
    return len(mine)


def _same_order(state: OrderState, there: Json | None) -> None:
    name = state.client_id
    if there is None:
        over = state.phase in NOT_THERE or (not state.is_live and not state.filled)
        expect(over, f"{name}: {state.phase} {state.filled} here, not at the venue")
        return
    seen = f"{name}: {state.phase} {state.filled} here, {there['status']} {there['filled']} there"
    expect(state.filled == Decimal(there["filled"]), seen)
    expect((state.phase in OPEN) == (there["status"] == "open"), seen)
    expect(state.phase is not Phase.ABSENT, seen)


def same_fills(orders: AccountOrders, there: list[Json]) -> int:
    """Compare a journal with all fills at the venue (truth.fill); return how many are there."""
    ours = Counter(_here(orders, fill) for fill in orders.fills)
    theirs = Counter(_there(orders, fill) for fill in there)
    missing, extra = theirs - ours, ours - theirs
    expect(not missing, f"expected every fill, was without {list(missing)[:2]}")
    expect(not extra, f"expected no other fills, was {list(extra)[:2]}")
    expect(not orders.fills.conflicts, "one trade id with two contents")
    return theirs.total()


def _here(orders: AccountOrders, fill: VenueFill) -> Execution:
    state = orders.find(fill.symbol, fill.venue_order_id)
    name = state.client_id if state is not None else STRANGER
    return name, fill.side, fill.price, fill.quantity, fill.fee, fill.fee_asset


def _there(orders: AccountOrders, told: Json) -> Execution:
    name = told["client_id"] if told["client_id"] in orders.states else STRANGER
    price, quantity, fee = (Decimal(told[key]) for key in ("price", "qty", "fee"))
    return name, told["side"], price, quantity, fee, told["fee_asset"]
