"""What the server's dialects write when the exchange refuses, as the client understands it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from loopback import VENUES, At, intent, run, serving

from kimera_cli.venues.orders.outcome import Accepted, Handling, Reason, Rejected, Unknown
from kimera_cli.venues.orders.rules import RULES, Unique
from kimera_cli.venues.server.model import Reject

R = Reason
UNDERSTOOD: dict[str, set[Reason]] = {
    "bad_symbol": {R.BAD_SYMBOL},
    "tick": {R.PRICE_STEP},
    "lot": {R.QUANTITY_STEP},
    "min_qty": {R.MIN_QUANTITY, R.QUANTITY_STEP},
    "max_qty": {R.MAX_QUANTITY, R.QUANTITY_STEP},
    "min_notional": {R.MIN_NOTIONAL, R.MIN_QUANTITY},
    "price_band": {R.PRICE_BAND},
    "funds": {R.FUNDS},
    "halted": {R.HALTED},
    "cancel_only": {R.CANCEL_ONLY, R.HALTED, R.RESTRICTED},
    "too_many_orders": {R.OPEN_ORDERS, R.REFUSED},
}
"""Some venues have one code for several reasons."""
SAYS_LESS = {
    ("kraken", "halted"),  # EService:Unavailable is what it says of any failure as well
    ("htx", "too_many_orders"),  # it has no such limit
}


def low(at: At) -> str:
    market = at.market
    last = market.price(market.last_px)
    return str(last * Decimal("0.9") // market.tick * market.tick)


@pytest.mark.parametrize("name", VENUES)
def test_a_refusal_of_the_exchange_is_definite_and_has_its_reason(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            at = rig.at[name]
            for said, wanted in UNDERSTOOD.items():
                if (name, said) in SAYS_LESS:
                    continue

                def refuse(*_: Any, reason: Any = said) -> None:
                    raise Reject(reason)

                at.exchange.place = refuse  # type: ignore[method-assign]
                order = intent(name, price=low(at), quantity="0.01")
                outcome = await client.entry.place(order)
                assert isinstance(outcome, Rejected), (said, outcome)
                assert outcome.handling is Handling.DEFINITE, (said, outcome)
                assert outcome.reason in wanted, (said, outcome)

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_client_id_used_twice_makes_no_second_order_where_the_rules_say_so(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            at = rig.at[name]
            order = intent(name, price=low(at), quantity="0.01")
            first = await client.entry.place(order)
            assert isinstance(first, Accepted)
            again = await client.entry.place(order)
            if RULES[name].unique is Unique.NEVER:
                assert isinstance(again, Accepted)
                assert len(at.mine()) == 2
                return
            if isinstance(again, Accepted):  # coinbase answers with the first order
                assert again.venue_order_id == first.venue_order_id
            else:
                assert isinstance(again, Unknown), again
                assert again.why is R.DUPLICATE_ID
            assert len(at.mine()) == 1
            if RULES[name].unique is Unique.FOREVER:
                at.exchange.cancel(at.me, at.mine()[0].id)
                await client.entry.place(order)
                assert len(at.mine()) == 1, "an ended order keeps its id taken"

    run(work())
