"""Answers that do not come, come late, or cannot be read: F1 to F5, and F9."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from kimera_cli.venues.clients.socket_entry import SocketEntry
from kimera_cli.venues.faults.scenario import Scenario, both_ways, expect, until
from kimera_cli.venues.faults.stage import Stage
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import FillUpdate, OrderUpdate
from kimera_cli.venues.orders.rules import Rules, Unique, rules_of
from kimera_cli.venues.server.faults import Action

SHORT_S = 0.25
"""How long an answer is waited for, where one is not to come."""
HELD_S = 1.5
"""How long a request is held back on its way."""
BODIES: tuple[tuple[Action, dict[str, Any]], ...] = (
    ("empty", {}),
    ("truncate", {"size": 12}),
    ("reply", {"status": 200, "body": "<html>back soon</html>"}),
    ("reply", {"status": 200, "body": "{}"}),
)


async def _warm(stage: Stage) -> None:
    """Send an order that meets nothing, and wait no longer for answers than is needed after it."""
    state = await stage.order("0.9")
    expect(state.phase is Phase.OPEN, f"expected an open order, was {state.phase} {state.raw}")
    stage.hurry(SHORT_S)


async def lost_before(stage: Stage) -> None:
    """F1: nothing is sent again by itself."""
    await _warm(stage)
    before = len(stage.orders())
    rule = stage.fault_of_orders("drop", carried_out=False)
    lost = await stage.order()
    expect(rule.spent, "expected the fault to be met")
    expect(lost.phase is Phase.ABSENT, f"expected it proved absent, was {lost.phase}")
    expect(lost.attempts == 1, f"expected one sending, was {lost.attempts}")
    expect(len(stage.orders()) == before, "expected no order at the venue")
    again = await stage.order()
    expect(again.phase is Phase.OPEN, f"expected the next one to go through, was {again.phase}")


async def sent_again(stage: Stage) -> None:
    """F1, with leave to send once more what is proved never to have arrived."""
    await _warm(stage)
    before = len(stage.orders())
    rule = stage.fault_of_orders("drop", carried_out=False)
    again = await stage.desk.order(stage.wish(), resend=True)
    expect(rule.spent, "expected the fault to be met")
    expect(again.phase is Phase.OPEN, f"expected it open, was {again.phase} {again.raw}")
    orders = stage.orders()
    expect(len(orders) == before + 1, f"expected one order, was {len(orders) - before}")
    expect(orders[-1].client_id == again.client_id, "expected the venue to have its id")
    if rules_of(stage.name).same_id_resend:
        told = f"expected the same id, sent twice, was {again.attempts}, {again.intent.resends}"
        expect(again.attempts == 2 and not again.intent.resends, told)
        return
    first = stage.desk.state(again.intent.resends)
    told = f"expected the first one absent, was {first.phase} after {first.attempts}"
    expect((first.phase, first.attempts) == (Phase.ABSENT, 1), told)


async def too_late(stage: Stage) -> None:
    """F1: the request arrives after its absence was proved."""
    await _warm(stage)
    before = len(stage.orders())
    transport = stage.desk.client.session.transport
    patient, transport.answer_s = transport.answer_s, SHORT_S
    rule = stage.fault_of_orders("delay", carried_out=False, seconds=HELD_S)
    try:
        sending = asyncio.ensure_future(stage.order())
        await until(lambda: rule.spent, "expected the fault to be met")
        transport.answer_s = patient
        lost = await sending
    finally:
        transport.answer_s = patient
    expect(lost.phase is Phase.ABSENT, f"expected it proved absent, was {lost.phase}")
    await asyncio.sleep(HELD_S)  # it is there by now
    expect(len(stage.orders()) == before, "expected the venue to refuse it: its life is over")
    again = await stage.order()
    expect(again.phase is Phase.OPEN, f"expected the next one to go through, was {again.phase}")


async def lost(stage: Stage) -> None:
    """F1, as it may go on."""
    await lost_before(stage)
    await sent_again(stage)
    await too_late(stage)


async def lost_after(stage: Stage) -> None:
    """F2."""
    await _warm(stage)
    stage.others("sell", "0.004")
    rule = stage.fault_of_orders("drop", carried_out=True)
    found = await stage.order("1")
    expect(rule.spent, "expected the fault to be met")
    expect(found.phase is Phase.PARTIAL, f"expected it found partly filled, was {found.phase}")
    expect(found.filled == Decimal("0.004"), f"expected 0.004 filled, was {found.filled}")
    expect(found.attempts == 1, f"expected one sending, was {found.attempts}")


async def late(stage: Stage) -> None:
    """F3."""
    await _warm(stage)
    stage.others("sell", "0.004")
    transport = stage.desk.client.session.transport
    patient, transport.answer_s = transport.answer_s, SHORT_S
    stage.fault_of_orders("delay", carried_out=True, seconds=2 * SHORT_S)
    try:
        sending = asyncio.ensure_future(stage.order("1"))
        await until(lambda: len(stage.orders()) == 2, "expected the order at the venue")
        transport.answer_s = patient
        found = await sending
    finally:
        transport.answer_s = patient
    expect(found.phase is Phase.PARTIAL, f"expected it found partly filled, was {found.phase}")
    await asyncio.sleep(2 * SHORT_S)  # the answer comes now
    expect(stage.state(found) == found, "expected a late answer to change nothing")
    next_one = await stage.order()
    expect(next_one.phase is Phase.OPEN, f"expected the next one open, was {next_one.phase}")


async def unreadable(stage: Stage) -> None:
    """F4 by REST."""
    for action, terms in BODIES:
        stage.fault_of_orders(action, carried_out=True, **terms)
        found = await stage.order()
        told = f"{action} {terms}: expected it found open, was {found.phase} {found.raw}"
        expect(found.phase is Phase.OPEN and found.attempts == 1, told)


async def unreadable_message(stage: Stage) -> None:
    """F4 by websocket."""
    await _warm(stage)
    entry = stage.desk.client.entry
    for action in ("truncate", "garbage"):
        rule = stage.fault_of_orders(action, carried_out=True)
        found = await stage.order()
        expect(rule.spent, "expected the fault to be met")
        told = f"{action}: expected it found open, was {found.phase} {found.raw}"
        expect(found.phase is Phase.OPEN and found.attempts == 1, told)
        if isinstance(entry, SocketEntry):
            await until(entry.up.is_set, "expected the websocket back")


async def failure(stage: Stage) -> None:
    """F5."""
    for status in (500, 502, 503, 504):
        stage.fault_of_orders("reply", carried_out=True, status=status, body="try later")
        found = await stage.order()
        expect(found.phase is Phase.OPEN, f"{status}: expected it found open, was {found.phase}")
    stage.fault_of_orders("reply", carried_out=False, status=503, body="try later")
    lost = await stage.order()
    expect(lost.phase is Phase.ABSENT, f"503: expected it proved absent, was {lost.phase}")


async def there_already(stage: Stage) -> None:
    """F9: a first copy of the request got through, and the venue refuses the second one."""
    stage.others("sell", "0.004")
    before = await stage.order("0.9")
    key = IntentKey(stage.desk.journal.orders.session, before.intent.number + 1)
    name = client_id(stage.name, key)
    stage.venue.exchange.place(stage.account, stage.request("buy", "0.01", "1", name))
    found = await stage.order("1")
    expect(found.client_id == name, f"expected the id {name}, was {found.client_id}")
    expect(found.phase is Phase.PARTIAL, f"expected it adopted, was {found.phase} {found.raw}")
    order = await stage.desk.client.entry.order(found.venue_order_id, found.intent.symbol)
    fills = await stage.desk.client.queries.fills(found.intent.created_ns, [found.intent.symbol])
    for fill in fills:  # told once more
        stage.desk.note(FillUpdate(fill=fill))
    if order is not None:
        stage.desk.note(OrderUpdate(order=order))
    expect(stage.state(found).filled == found.filled, "expected each fill to count once")


def _takes_any_id(rules: Rules) -> str:
    return "it does not refuse a client id that it has seen" * (rules.unique is Unique.NEVER)


SCENARIOS = [
    *both_ways("F1", "lost on its way: proved absent; once more if asked; refused when late", lost),
    *both_ways("F2", "executed, answer lost: found and adopted", lost_after),
    *both_ways("F3", "answer later than the timeout: found; the late answer changes nothing", late),
    Scenario("F4", "rest", "answer empty, cut, HTML, without an id: found and adopted", unreadable),
    Scenario(
        "F4",
        "websocket",
        "answer cut, or no text: found, connection made anew",
        unreadable_message,
        speaks=True,
    ),
    Scenario("F5", "rest", "HTTP 5xx, executed or not: looked up", failure),
    *both_ways(
        "F9", "the id exists already: found and adopted", there_already, absent=_takes_any_id
    ),
]
