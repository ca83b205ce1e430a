"""The comparison that ends each scenario: what the client knows against what is at the venue."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from kimera_cli.venues.faults.scenario import expect
from kimera_cli.venues.faults.stage import Stage
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import VenueFill
from kimera_cli.venues.reconciling import compare_at
from kimera_cli.venues.server import truth
from kimera_cli.venues.server.model import Fill, Order

Execution = tuple[str, str, Decimal, Decimal, Decimal, str]
"""Client id, side, price, quantity, fee, asset of the fee."""
STRANGER = ""
"""Stands for the client id of an order that is not ours."""
NOT_THERE = frozenset({Phase.NEW, Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT})
OPEN = frozenset({Phase.OPEN, Phase.PARTIAL})


async def same(stage: Stage, *, foreign: bool = False) -> str:
    """FaultFailedError when client and venue differ; else what they agree on, in words.

    `foreign`: there are orders at the venue that are not ours, and the client says so itself.
    """
    exchange, orders = stage.venue.exchange, stage.desk.journal.orders
    exchange.check_conservation()
    expect(stage.venue.bugs == 0, "the venue server failed")
    mine = [o for o in stage.orders() if o.client_id in orders.states or not foreign]
    twice = [name for name, n in Counter(o.client_id for o in mine).items() if n > 1]
    expect(not twice, f"expected one order per intent, was two of {', '.join(twice)}")
    for state in orders.states.values():
        _same_order(state, next((o for o in mine if o.client_id == state.client_id), None))
    # Of orders long over (many restarts back) a journal keeps the fills alone.
    past = {o.client_id for o in mine if not o.is_open and orders.is_settled(o.client_id)}
    strangers = [o.client_id for o in mine if o.client_id not in orders.states.keys() | past]
    expect(not strangers, f"expected the journal to have every order, was not {strangers}")
    fills = _same_fills(stage)
    await _same_money(stage, foreign=foreign)
    return f"{len(mine)} {'order' if len(mine) == 1 else 'orders'}, {fills} fills"


def _same_order(state: OrderState, order: Order | None) -> None:
    name = state.client_id
    if order is None:
        over = state.phase in NOT_THERE or (not state.is_live and not state.filled)
        expect(over, f"{name}: {state.phase} {state.filled} here, not at the venue")
        return
    there = truth.order(order)
    seen = f"{name}: {state.phase} {state.filled} here, {there['status']} {there['filled']} there"
    expect(state.filled == Decimal(there["filled"]), seen)
    expect((state.phase in OPEN) == (there["status"] == "open"), seen)
    expect(state.phase is not Phase.ABSENT, seen)


def _same_fills(stage: Stage) -> int:
    ours = Counter(_here(stage, fill) for fill in stage.desk.journal.orders.fills)
    venue = stage.venue.exchange
    theirs = Counter(_there(stage, f) for f in venue.fills(stage.account, ""))
    missing, extra = theirs - ours, ours - theirs
    expect(not missing, f"expected every fill, was without {list(missing)[:2]}")
    expect(not extra, f"expected no other fills, was {list(extra)[:2]}")
    expect(not stage.desk.journal.orders.fills.conflicts, "one trade id with two contents")
    return theirs.total()


def _here(stage: Stage, fill: VenueFill) -> Execution:
    state = stage.desk.journal.orders.find(fill.symbol, fill.venue_order_id)
    name = state.client_id if state is not None else STRANGER
    return name, fill.side, fill.price, fill.quantity, fill.fee, fill.fee_asset


def _there(stage: Stage, found: Fill) -> Execution:
    told: dict[str, Any] = truth.fill(found)
    ours = told["client_id"] in stage.desk.journal.orders.states
    name = told["client_id"] if ours else STRANGER
    price, quantity, fee = (Decimal(told[key]) for key in ("price", "qty", "fee"))
    return name, told["side"], price, quantity, fee, told["fee_asset"]


async def _same_money(stage: Stage, *, foreign: bool) -> None:
    """Balances as the client asks for them, as its fills explain them, and as they are."""
    report, result = await compare_at(stage.desk)
    told = [d.text for d in result.differences if not (foreign and d.kind == "order_foreign")]
    expect(not told, f"expected the client to find no difference, was {told[:2]}")
    exchange = stage.venue.exchange
    there = truth.balances(exchange, exchange.ledger.accounts[stage.account])
    for balance in report.balances or ():
        found = there.get(balance.asset)
        total = Decimal(found["free"]) + Decimal(found["held"]) if found else Decimal(0)
        expect(balance.total == total, f"{balance.asset}: {balance.total} here, {total} there")
