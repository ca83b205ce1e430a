"""HTX forgets client ids of closed orders after two hours: its list of ended orders does not."""

from __future__ import annotations

import time
from decimal import Decimal

from loopback import intent, run, serving

from kimera_cli.venues.orders.outcome import Absent, Accepted, Found

FORGOTTEN = '{"status":"error","err-code":"base-record-invalid","err-msg":"record invalid"}'


def test_a_filled_order_is_found_when_its_client_id_is_forgotten() -> None:
    async def work() -> None:
        async with serving("htx") as rig:
            client = await rig.client("htx")
            at = rig.at["htx"]
            last = at.market.price(at.market.last_px)
            at.make("sell", "1", str(last))
            order = intent("htx", price=str(last), quantity="0.01")
            outcome = await client.entry.place(order)
            assert isinstance(outcome, Accepted)
            rig.fault(
                "request.before", "reply", "getClientOrder", status=200, body=FORGOTTEN, count=None
            )
            found = await client.entry.find(order.client_id, order.symbol, order.created_ns)
            assert isinstance(found, Found)
            assert found.order.venue_order_id == outcome.venue_order_id
            assert (found.order.status, found.order.filled) == ("filled", Decimal("0.01"))
            other = intent("htx", price=str(last), quantity="0.01")
            absent = await client.entry.find(other.client_id, other.symbol, time.time_ns())
            assert isinstance(absent, Absent)

    run(work())
