"""The same day at every venue: what is placed, canceled and asked is what the venue has."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from loopback import PASSPHRASE, VENUES, At, Rig, intent, run, secret_of, serving

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.orders.outcome import (
    Absent,
    Accepted,
    AmendIntent,
    CancelIntent,
    Found,
    Handling,
    NoAnswer,
    Reason,
    Rejected,
    Unknown,
)
from kimera_cli.venues.orders.rules import RULES


def prices(at: At) -> tuple[str, str]:
    """A price that rests, and the market's own."""
    market = at.market
    last = market.price(market.last_px)
    return str(last * Decimal("0.9") // market.tick * market.tick), str(last)


def cancel_of(client: VenueClient, order: Any, **more: Any) -> CancelIntent:
    terms = {"client_id": order.client_id, "venue_order_id": order.venue_order_id, **more}
    return CancelIntent(
        number=1, venue=client.venue, account="main", symbol=order.symbol, created_ns=0, **terms
    )


async def placed(rig: Rig, client: VenueClient, **terms: Any) -> Any:
    """Place a resting order and return the venue's word of it."""
    low, _ = prices(rig.at[client.venue])
    order = intent(client.venue, **{"price": low, "quantity": "0.01", **terms})
    outcome = await client.entry.place(order)
    assert isinstance(outcome, Accepted), outcome
    found = await client.entry.order(outcome.venue_order_id, order.symbol)
    assert found is not None
    assert found.client_id == order.client_id
    return found


@pytest.mark.parametrize("name", VENUES)
def test_an_order_lives_and_ends(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            order = await placed(rig, client)
            low, _ = prices(rig.at[name])
            assert (order.status, order.side, order.kind) == ("open", "buy", "limit")
            assert (order.price, order.quantity) == (Decimal(low), Decimal("0.01"))
            assert order.filled == 0
            (listed,) = await client.queries.open_orders()
            assert listed.venue_order_id == order.venue_order_id
            canceled = await client.entry.cancel(cancel_of(client, order))
            assert isinstance(canceled, Accepted), canceled
            assert canceled.venue_order_id == order.venue_order_id
            gone = await client.entry.order(order.venue_order_id, order.symbol)
            assert gone is None or gone.status == "canceled"
            assert await client.queries.open_orders() == []
            again = await client.entry.cancel(cancel_of(client, order))
            assert isinstance(again, Rejected)
            assert again.reason in (Reason.NOT_FOUND, Reason.ALREADY_CLOSED)

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_an_order_is_found_by_our_id_open_or_closed_and_its_absence_is_known(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            order = await placed(rig, client)
            since = time.time_ns() - 10**9
            open_ = await client.entry.find(order.client_id, order.symbol, since)
            assert isinstance(open_, Found)
            assert open_.order.venue_order_id == order.venue_order_id
            await client.entry.cancel(cancel_of(client, order))
            closed = await client.entry.find(order.client_id, order.symbol, since)
            if isinstance(closed, Found):
                assert closed.order.status == "canceled"
            else:
                assert name == "coinbaseexchange", "it forgets what was never filled"
            other = intent(name, price="1", quantity="1").client_id
            assert isinstance(await client.entry.find(other, order.symbol, since), Absent)

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_fills_and_balances_are_exact(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            at = rig.at[name]
            client = await rig.client(name)
            before = {b.asset: b for b in await client.queries.balances()}
            _, last = prices(at)
            at.make("sell", "0.015", last)
            at.make("sell", "0.5", str(Decimal(last) + at.market.tick))
            since = time.time_ns()
            outcome = await client.entry.place(
                intent(name, price=str(Decimal(last) + at.market.tick), quantity="0.02")
            )
            assert isinstance(outcome, Accepted)
            fills = await client.queries.fills(since, [rig.at[name].symbol])
            assert [f.quantity for f in fills] == [Decimal("0.015"), Decimal("0.005")]
            assert {f.venue_order_id for f in fills} == {outcome.venue_order_id}
            assert {f.side for f in fills} == {"buy"}
            assert not any(f.maker for f in fills)
            assert len({f.trade_id for f in fills}) == 2
            after = {b.asset: b for b in await client.queries.balances()}
            base, quote = at.market.base, at.market.quote
            assert {f.fee_asset for f in fills} <= {base, quote}
            spent = sum(f.money for f in fills)
            fees = {
                asset: sum((f.fee for f in fills if f.fee_asset == asset), Decimal(0))
                for asset in (base, quote)
            }
            gained = after[base].total - before[base].total
            paid = before[quote].total - after[quote].total
            assert gained == sum(f.quantity for f in fills) - fees[base]
            assert paid == spent + fees[quote]

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_refusals_are_definite_and_named(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            at = rig.at[name]
            client = await rig.client(name)
            low, last = prices(at)
            poor = await client.entry.place(intent(name, price=low, quantity="900"))
            assert isinstance(poor, Rejected), poor
            assert (poor.reason, poor.handling) == (Reason.FUNDS, Handling.DEFINITE)
            at.make("sell", "0.5", last)
            taking = intent(name, price=last, quantity="0.01", tif="post_only")
            outcome = await client.entry.place(taking)
            if isinstance(outcome, Accepted):  # then the order itself says what became of it
                order = await client.entry.order(outcome.venue_order_id, taking.symbol)
                assert order is None or order.status in ("canceled", "expired", "rejected")
            else:
                assert isinstance(outcome, Rejected)
                assert outcome.reason is Reason.POST_ONLY
            assert await client.queries.open_orders() == []

    run(work())


FAULTS = {
    "dropped before": ("request.before", {"action": "drop"}, 0),
    "dropped after": ("request.after", {"action": "drop"}, 1),
    "empty": ("request.after", {"action": "empty"}, 1),
    "truncated": ("request.after", {"action": "truncate", "size": 12}, 1),
    "html": ("request.after", {"action": "reply", "status": 200, "body": "<html>down</html>"}, 1),
    "503 after": ("request.after", {"action": "reply", "status": 503, "body": "down"}, 1),
    "503 before": ("request.before", {"action": "reply", "status": 503, "body": "down"}, 0),
    "no id": ("request.after", {"action": "reply", "status": 200, "body": "{}"}, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", VENUES)
def test_an_order_without_a_clear_answer_is_unknown_and_can_be_looked_up(
    name: str, fault: str
) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            hook, terms, orders = FAULTS[fault]
            low, _ = prices(rig.at[name])
            order = intent(name, price=low, quantity="0.01")
            rig.fault(hook, match=f"POST(.|\n)*{order.client_id}", **terms)
            outcome = await client.entry.place(order)
            assert isinstance(outcome, Unknown), outcome
            assert len(rig.at[name].mine()) == orders
            found = await client.entry.find(order.client_id, order.symbol, order.created_ns)
            assert isinstance(found, Found if orders else Absent)
            if isinstance(found, Found):
                assert found.order.client_id == order.client_id

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_lookup_without_an_answer_says_nothing(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            rig.fault("request.after", "empty", count=None)
            order = intent(name, price="1", quantity="1")
            found = await client.entry.find(order.client_id, order.symbol, order.created_ns)
            assert isinstance(found, NoAnswer)

    run(work())


@pytest.mark.parametrize("name", [v for v in VENUES if RULES[v].amend])
def test_an_amendment_changes_the_order_in_place(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            client = await rig.client(name)
            order = await placed(rig, client)
            wish = AmendIntent(
                number=2, venue=name, account="main", symbol=order.symbol, created_ns=0,
                client_id=order.client_id, venue_order_id=order.venue_order_id,
                quantity=Decimal("0.006"),
            )  # fmt: skip
            outcome = await client.entry.amend(wish, order)
            assert isinstance(outcome, Accepted), outcome
            now = await client.entry.order(order.venue_order_id, order.symbol)
            assert now is not None
            assert (now.quantity, now.status) == (Decimal("0.006"), "open")

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_market_orders_by_cost_spend_no_more(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            at = rig.at[name]
            client = await rig.client(name)
            _, last = prices(at)
            at.make("sell", "0.5", last)
            since = time.time_ns()
            order = intent(name, kind="market", tif="ioc", cost="500")
            outcome = await client.entry.place(order)
            assert isinstance(outcome, Accepted), outcome
            fills = await client.queries.fills(since, [order.symbol])
            fees = sum((f.fee for f in fills if f.fee_asset == at.market.quote), Decimal(0))
            spent = sum((f.money for f in fills), Decimal(0))
            assert Decimal(490) < spent <= Decimal(500) < spent + fees + 10

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_wrong_secret_is_told_as_one_and_is_in_no_message(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            at = rig.at[name]

            wrong = secret_of(name)
            if name != "coinbase":
                wrong = wrong[:-4] + ("AAA=" if wrong.endswith("=") else "AAAA")
            credentials = Credentials(name, at.credentials.key, wrong, PASSPHRASE)
            client = client_for(name, credentials, rig.transport(), rig.world)

            async def use() -> None:
                await client.session.start()
                await client.queries.balances()

            with pytest.raises(VenueError) as caught:
                await use()
            assert caught.value.code == "venue.auth"
            told = f"{caught.value} {caught.value.details}"
            assert wrong not in told
            assert PASSPHRASE not in told

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_clock_that_is_off_by_a_minute_stops_new_orders(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            rig.clock.step(60 * 10**9)
            client = await rig.client(name)
            with pytest.raises(VenueError) as caught:
                client.check_clock()
            assert caught.value.code == "venue.clock"
            assert await client.queries.balances(), "questions are corrected and still work"

    run(work())


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("status", ["halt", "cancel_only", "delisted"])
def test_a_market_that_stands_still_is_known_as_such(name: str, status: Any) -> None:
    """Also one that the venue does not list any more."""

    async def work() -> None:
        async with serving(name) as rig:
            client, at = await rig.client(name), rig.at[name]
            assert client.session.listing(at.symbol).trading
            at.exchange.set_status(at.market.symbol, status)
            await client.session.learn_markets()
            listing = client.session.listing(at.symbol)
            assert not listing.trading
            assert listing.raw_status not in ("", "online", "TRADING", "live", "Trading")
            at.exchange.set_status(at.market.symbol, "trading")
            await client.session.learn_markets()
            assert client.session.listing(at.symbol).trading

    run(work())
