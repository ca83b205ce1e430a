"""The comparison that ends each scenario: what the client knows against what is at the venue."""

from __future__ import annotations

from decimal import Decimal

from kimera_cli.venues.faults.agreement import same_fills, same_orders
from kimera_cli.venues.faults.scenario import expect
from kimera_cli.venues.faults.stage import Stage
from kimera_cli.venues.reconciling import compare_at
from kimera_cli.venues.server import truth


async def same(stage: Stage, *, foreign: bool = False) -> str:
    """FaultFailedError when client and venue differ; else what they agree on, in words.

    `foreign`: there are orders at the venue that are not ours, and the client says so itself.
    """
    exchange, orders = stage.venue.exchange, stage.desk.journal.orders
    exchange.check_conservation()
    expect(stage.venue.bugs == 0, "the venue server failed")
    mine = same_orders(orders, [truth.order(o) for o in stage.orders()], foreign=foreign)
    there = [truth.fill(f) for f in exchange.fills(stage.account, "")]
    fills = same_fills(orders, there)
    await _same_money(stage, foreign=foreign)
    return f"{mine} {'order' if mine == 1 else 'orders'}, {fills} fills"


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
