"""Private streams at every venue: what happens is told, and what happened unheard as well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from loopback import PASSPHRASE, VENUES, At, Rig, intent, run, secret_of, serving

from kimera_cli.errors import VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.catch_up import Interest
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.stream import Patience, PrivateStream
from kimera_cli.venues.clients.streams import stream_for
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.orders.fills import FillLedger
from kimera_cli.venues.orders.outcome import (
    Accepted,
    BalanceUpdate,
    CancelIntent,
    FillUpdate,
    OrderUpdate,
    StreamDown,
    StreamUp,
    VenueOrder,
)

QUICK = Patience(backoff=Backoff(first_s=0.01, most_s=0.05), audit_s=3600.0)
GUARD_S = 120


@dataclass
class Ear:
    """Keeps what a stream tells."""

    events: list[Any] = field(default_factory=list)
    ledger: FillLedger = field(default_factory=FillLedger)
    since_ns: int = field(default_factory=time.time_ns)
    placed: dict[str, VenueOrder] = field(default_factory=dict)
    """Orders whose acknowledgement is known."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, FillUpdate):
            self.ledger.add(event.fill)
        self.heard.set()

    def orders(self, venue_order_id: str) -> list[Any]:
        told = [e.order for e in self.events if isinstance(e, OrderUpdate)]
        return [o for o in told if o.venue_order_id == venue_order_id]

    def status(self, venue_order_id: str) -> str:
        told = self.orders(venue_order_id)
        return told[-1].status if told else ""

    def fills(self, venue_order_id: str) -> list[Any]:
        return [f for f in self.ledger if f.venue_order_id == venue_order_id]

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(GUARD_S):
            while not true():
                self.heard.clear()
                await self.heard.wait()

    def interest(self, symbol: str) -> Interest:
        return Interest(self.hear, lambda: self.since_ns, self.open_orders, (symbol,))

    def open_orders(self) -> list[Any]:
        told = [e.order for e in self.events if isinstance(e, OrderUpdate)]
        latest = self.placed | {order.venue_order_id: order for order in told}
        return [o for o in latest.values() if not o.is_terminal]


@dataclass
class Listening:
    rig: Rig
    at: At
    client: VenueClient
    ear: Ear
    stream: PrivateStream

    async def up(self) -> None:
        async with asyncio.timeout(GUARD_S):
            await self.stream.up.wait()

    async def place(self, **terms: Any) -> str:
        order = intent(self.client.venue, **terms)
        outcome = await self.client.entry.place(order)
        assert isinstance(outcome, Accepted), outcome
        self.ear.placed[outcome.venue_order_id] = VenueOrder(
            venue=order.venue, symbol=order.symbol, venue_order_id=outcome.venue_order_id,
            status="open",
        )  # fmt: skip
        return outcome.venue_order_id

    async def cancel(self, name: str) -> None:
        symbol = self.at.symbol
        wish = CancelIntent(
            number=1, venue=self.client.venue, account="main", symbol=symbol, created_ns=0,
            venue_order_id=name,
        )  # fmt: skip
        assert isinstance(await self.client.entry.cancel(wish), Accepted)

    @property
    def last(self) -> Decimal:
        market = self.at.market
        price: Decimal = market.price(market.last_px)
        return price


@asynccontextmanager
async def listening(name: str, patience: Patience = QUICK) -> AsyncIterator[Listening]:
    async with serving(name) as rig:
        client = await rig.client(name)
        ear = Ear()
        stream = stream_for(client, ear.interest(rig.at[name].symbol), rig.world, patience)
        task = asyncio.ensure_future(stream.run())
        try:
            found = Listening(rig, rig.at[name], client, ear, stream)
            yield found
            stream.stop()
            await asyncio.wait_for(task, GUARD_S)
        finally:
            task.cancel()
            client.session.transport.close()


@pytest.mark.parametrize("name", VENUES)
def test_orders_fills_and_balances_are_told_as_they_happen(name: str) -> None:
    async def work() -> None:
        async with listening(name) as on:
            await on.up()
            assert isinstance(on.ear.events[0], StreamUp)
            assert any(isinstance(e, BalanceUpdate) for e in on.ear.events)
            low = str(on.last * Decimal("0.9") // on.at.market.tick * on.at.market.tick)
            resting = await on.place(price=low, quantity="0.01")
            await on.ear.until(lambda: on.ear.status(resting) == "open")
            await on.cancel(resting)
            await on.ear.until(lambda: on.ear.status(resting) == "canceled")
            maker = await on.place(price=str(on.last), quantity="0.02")
            on.at.make("sell", "0.015", str(on.last))
            await on.ear.until(lambda: on.ear.fills(maker))
            (fill,) = on.ear.fills(maker)
            assert (fill.quantity, fill.price, fill.side) == (Decimal("0.015"), on.last, "buy")
            assert fill.maker is True
            on.at.make("sell", "0.005", str(on.last))
            await on.ear.until(lambda: len(on.ear.fills(maker)) == 2)
            await on.ear.until(lambda: on.ear.status(maker) == "filled")
            asked = await on.client.queries.fills(on.ear.since_ns, [on.at.symbol])
            assert {f.name for f in asked} == {f.name for f in on.ear.ledger}
            for each in asked:
                twin = next(f for f in on.ear.ledger if f.name == each.name)
                assert (twin.price, twin.quantity) == (each.price, each.quantity)
                assert (twin.fee, twin.fee_asset) == (each.fee, each.fee_asset)
            assert not on.ear.ledger.conflicts

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_what_happened_while_the_stream_was_away_is_told_behind_it(name: str) -> None:
    async def work() -> None:
        async with listening(name) as on:
            await on.up()
            gone = await on.place(price=str(on.last), quantity="0.02")
            await on.ear.until(lambda: on.ear.status(gone) == "open")
            on.rig.fault("frame.out", "drop", count=None)
            on.at.make("sell", "0.02", str(on.last))
            new = await on.place(price=str(on.last - 100 * on.at.market.tick), quantity="0.01")
            assert not on.ear.fills(gone)
            on.rig.faults.clear()
            on.stream._socket.close("cut by the test")
            await on.ear.until(lambda: sum(isinstance(e, StreamUp) for e in on.ear.events) == 2)
            await on.up()
            downs = [k for k, e in enumerate(on.ear.events) if isinstance(e, StreamDown)]
            ups = [k for k, e in enumerate(on.ear.events) if isinstance(e, StreamUp)]
            assert len(downs) == 1
            assert ups[0] < downs[0] < ups[1]
            assert sum(f.quantity for f in on.ear.fills(gone)) == Decimal("0.02")
            assert on.ear.status(gone) == "filled"
            assert on.ear.status(new) == "open"
            assert on.stream.connections == 2
            assert on.rig.reported[0].code == "venue.disconnected"

    run(work())


@pytest.mark.parametrize("action", ["truncate", "garbage"])
@pytest.mark.parametrize("name", VENUES)
def test_a_frame_that_cannot_be_read_costs_the_connection_and_no_event(
    name: str, action: str
) -> None:
    async def work() -> None:
        async with listening(name) as on:
            await on.up()
            on.rig.fault("frame.out", action)
            order = await on.place(price=str(on.last), quantity="0.02")
            on.at.make("sell", "0.02", str(on.last))
            await on.ear.until(lambda: on.ear.status(order) == "filled")
            await on.ear.until(lambda: on.ear.fills(order))
            assert sum(f.quantity for f in on.ear.fills(order)) == Decimal("0.02")
            assert on.stream.connections == 2

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_events_that_come_twice_count_once(name: str) -> None:
    async def work() -> None:
        async with listening(name) as on:
            await on.up()
            on.rig.fault("frame.out", "duplicate", count=None)
            order = await on.place(price=str(on.last), quantity="0.02")
            on.at.make("sell", "0.02", str(on.last))
            await on.ear.until(lambda: on.ear.status(order) == "filled")
            await on.ear.until(lambda: on.ear.fills(order))
            assert sum(f.quantity for f in on.ear.fills(order)) == Decimal("0.02")
            assert not on.ear.ledger.conflicts
            on.rig.faults.clear()

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_stream_that_falls_silent_about_fills_is_found_out_and_made_anew(name: str) -> None:
    async def work() -> None:
        patience = Patience(backoff=QUICK.backoff, audit_s=0.3, late_s=0.0)
        async with listening(name, patience) as on:
            await on.up()
            order = await on.place(price=str(on.last), quantity="0.02")
            await on.ear.until(lambda: on.ear.status(order) == "open")
            on.rig.fault("frame.out", "drop", count=None)
            on.at.make("sell", "0.02", str(on.last))
            await on.ear.until(lambda: on.ear.fills(order))
            on.rig.faults.clear()
            await on.ear.until(lambda: any(isinstance(e, StreamDown) for e in on.ear.events))
            await on.ear.until(lambda: isinstance(on.ear.events[-1], BalanceUpdate))
            await on.up()
            assert on.stream.connections >= 2

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_no_frame_for_long_ends_the_connection(name: str) -> None:
    async def work() -> None:
        patience = Patience(backoff=QUICK.backoff, silence_s=0.5, audit_s=3600.0)
        async with listening(name, patience) as on:
            await on.up()
            on.rig.fault("frame.out", "drop", count=None)
            await on.ear.until(lambda: any(isinstance(e, StreamDown) for e in on.ear.events))
            (down,) = [e for e in on.ear.events if isinstance(e, StreamDown)]
            assert "silence" in down.why
            on.rig.faults.clear()
            await on.up()

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_stream_whose_login_is_refused_ends_with_that(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            at = rig.at[name]
            good = await rig.client(name)
            wrong = secret_of(name)
            if name != "coinbase":
                wrong = wrong[:-4] + ("AAA=" if wrong.endswith("=") else "AAAA")
            credentials = Credentials(name, at.credentials.key, wrong, PASSPHRASE)
            client = client_for(name, credentials, rig.transport(), rig.world)
            client.session.budget = Budget(name, (), rig.world)
            client.session.api.learn(good.session.api.listings.values())
            stream = stream_for(client, Ear().interest(at.symbol), rig.world, QUICK)
            with pytest.raises(VenueError) as caught:
                await asyncio.wait_for(stream.run(), GUARD_S)
            assert caught.value.code == "venue.auth"
            assert wrong not in str(caught.value)

    run(work())


def test_a_venue_that_does_not_protect_the_account_is_told_of_and_the_stream_stays() -> None:
    """Bybit's account manager has not allowed disconnect protection."""

    async def work() -> None:
        async with listening("bybit") as on:
            await on.up()
            told = b'{"success":false,"ret_msg":"no","op":"subscribe","req_id":"dcp.spot"}'
            on.stream._message(told)
            assert [e.code for e in on.rig.reported] == ["venue.no_dead_man"]
            assert on.stream.up.is_set()
            assert on.stream.connections == 1

    run(work())
