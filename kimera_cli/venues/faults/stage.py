"""A venue server and a client of it in one event loop, over loopback sockets.

Waiting is virtual: a pause of the client moves its clocks and the venue's instead, so that a doubt
that lasts five minutes is over at once. What goes over sockets takes the time that it takes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.journal.intents import IntentJournal, Timing
from kimera_cli.risk.latch import Latch
from kimera_cli.venues.clients.addresses import Server
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.catch_up import Interest
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.socket_entry import SocketEntry
from kimera_cli.venues.clients.stream import Patience, PrivateStream
from kimera_cli.venues.clients.streams import stream_for
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.desk import Desk, Wish
from kimera_cli.venues.faults.marks import ANSWERED, CANCELED, PLACED, SPOKEN, SPOKEN_CANCELS
from kimera_cli.venues.faults.scenario import FaultFailedError, until
from kimera_cli.venues.orders.balances import new_baseline
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import FillUpdate, OrderUpdate, PrivateEvent, VenueOrder
from kimera_cli.venues.server.build import Setup, build_host, client_key
from kimera_cli.venues.server.ca import make_authority
from kimera_cli.venues.server.faults import Action, Hook, Rule
from kimera_cli.venues.server.flow import Flow
from kimera_cli.venues.server.hijack import client_context
from kimera_cli.venues.server.host import Host, Venue
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.listen import Listener
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Side

NS = 1_000_000_000
ANSWER_S = 120.0
"""The server may compile kernels in this very loop."""
PATIENCE = Patience(backoff=Backoff(first_s=0.01, most_s=0.05), audit_s=3600.0, silence_s=3600.0)
OTHER = "other"
Durability = Literal["process", "disk"]


@dataclass
class Time:
    """The host's clocks, and how far they were moved."""

    host_now_ns: Callable[[], int]
    host_monotonic_ns: Callable[[], int]
    moved_ns: int = 0
    wrong_ns: int = 0
    """By how much the client's wall clock is wrong."""

    def venue_ns(self) -> int:
        """Return the true time."""
        return self.host_now_ns() + self.moved_ns

    def now_ns(self) -> int:
        """Return the time as the client's host has it."""
        return self.venue_ns() + self.wrong_ns

    def monotonic_ns(self) -> int:
        """Return the client's steady clock."""
        return self.host_monotonic_ns() + self.moved_ns

    async def pass_by(self, seconds: float) -> None:
        """Wait without waiting."""
        self.moved_ns += int(seconds * NS)
        await asyncio.sleep(0)


def world_of(time: Time, report: Callable[[KimeraError], None], *, hasty: bool = True) -> World:
    """Return surroundings of a client; hasty: it waits without waiting."""
    sleep = time.pass_by if hasty else asyncio.sleep
    return World(time.now_ns, time.monotonic_ns, random.Random(1).randbytes, report, sleep)


class Seat(NamedTuple):
    """An account at a server, as whoever trades it has to know it."""

    name: str
    port: int
    hosts: frozenset[str]
    key: Key
    ca: Path | None = None
    """Of the server's certificate; None: the port is plain."""

    def desk(
        self,
        time: Time,
        folder: Path,
        report: Callable[[KimeraError], None],
        durability: Durability = "process",
        *,
        by_socket: bool = False,
    ) -> Desk:
        """Return a desk that has not started; its journal is in the folder."""
        name, key, world = self.name, self.key, world_of(time, report)
        tls = None if self.ca is None else client_context(self.ca)
        server = Server(self.port, tls, self.hosts)
        transport = Transport(server, world, answer_s=ANSWER_S)
        around = world_of(time, report, hasty=not by_socket)
        credentials = Credentials(name, key.key, key.secret, key.passphrase)
        client = client_for(name, credentials, transport, around, by_socket=by_socket)
        client.session.budget = Budget(name, (), world)
        journal = IntentJournal.open(
            folder / "orders",
            venue=name,
            account="main",
            durability=durability,
            entropy=random.Random(2).randbytes(16),
            now_ns=time.now_ns(),
            timing=Timing(time.host_monotonic_ns, max_commit_ms=60_000.0),
        )
        return Desk(client, journal, Latch(folder / "kill"), world, patience_s=1e6)


@dataclass
class Stage:
    """One venue, one account, one client."""

    host: Host
    listener: Listener
    venue: Venue
    time: Time
    folder: Path
    by_socket: bool
    ca: Path | None = None
    """Of TLS; None: plain."""
    durability: Durability = "process"
    reported: list[KimeraError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a scenario has to say of this venue."""
    told: list[PrivateEvent] = field(default_factory=list)
    stream: PrivateStream | None = None
    has_account: bool = False
    """Whether the desk is open."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    desk: Desk = field(init=False)

    # the venue's side

    @property
    def name(self) -> str:
        """The venue."""
        return self.venue.name

    @property
    def market(self) -> Market:
        """The market that is traded."""
        return self.venue.exchange.markets[0]

    @property
    def account(self) -> int:
        """Our account there."""
        return client_key(self.venue).account

    @property
    def other(self) -> int:
        """Somebody else's account there."""
        (found,) = (a for a in self.venue.exchange.ledger.accounts.values() if a.name == OTHER)
        return found.id

    def price(self, factor: str = "1") -> Decimal:
        """Return a price of the market, by how far it is from the last one."""
        market = self.market
        return market.price(market.last_px) * Decimal(factor) // market.tick * market.tick

    def others(self, side: Side, qty: str, factor: str = "1") -> Order:
        """Place an order of somebody else."""
        return self.venue.exchange.place(self.other, self.request(side, qty, factor))

    def request(self, side: Side, qty: str, factor: str = "1", client_id: str = "") -> OrderRequest:
        """Return an order as the exchange itself takes it."""
        wanted, price = Decimal(qty), self.price(factor)
        return OrderRequest(self.market.symbol, side, "limit", wanted, price, client_id=client_id)

    def orders(self) -> list[Order]:
        """Return every order that our account ever had."""
        return list(self.venue.exchange.orders(self.account, ""))

    def fault(self, hook: Hook, action: Action, match: str = "", **more: Any) -> Rule:
        """Put a fault in force."""
        rule = Rule(hook, action, self.name, match, **more)
        self.host.faults.add(rule)
        return rule

    def fault_of_orders(self, action: Action, *, carried_out: bool, **more: Any) -> Rule:
        """Put a fault in force that the next new order meets, on whatever way it goes."""
        if self.by_socket:
            return self._fault_of_messages(action, SPOKEN, carried_out=carried_out, **more)
        hook: Hook = "request.after" if carried_out else "request.before"
        return self.fault(hook, action, PLACED[self.name], **more)

    def fault_of_cancels(self, action: Action, *, carried_out: bool, **more: Any) -> Rule:
        """Put a fault in force that the next cancel meets, on whatever way it goes."""
        if self.by_socket:
            return self._fault_of_messages(action, SPOKEN_CANCELS, carried_out=carried_out, **more)
        hook: Hook = "request.after" if carried_out else "request.before"
        return self.fault(hook, action, CANCELED, **more)

    def _fault_of_messages(
        self, action: Action, asked: dict[str, str], *, carried_out: bool, **more: Any
    ) -> Rule:
        """Put a fault in force that the next message, or the next answer to one, meets."""
        if carried_out:
            return self.fault("frame.out", action, ANSWERED[self.name], **more)
        return self.fault("frame.in", action, asked[self.name], **more)

    def sockets(self) -> list[Any]:
        """Return the websockets that are open."""
        return self.host.sockets(self.name)

    # the client's side

    def wish(
        self, factor: str = "0.95", qty: str = "0.01", side: Side = "buy", **terms: Any
    ) -> Wish:
        """Return an order; at 0.95 of the last price it rests."""
        price, quantity = self.price(factor), Decimal(qty)
        return Wish(self.symbol, side, price=price, quantity=quantity, **terms)

    @property
    def symbol(self) -> str:
        """The client's name of the market."""
        api = self.desk.client.session.api
        return api.listing(self.market.base + self.market.quote).instrument.symbol

    async def order(self, factor: str = "0.95", qty: str = "0.01", **terms: Any) -> OrderState:
        """Send an order."""
        return await self.desk.order(self.wish(factor, qty, **terms))

    def hurry(self, answer_s: float) -> None:
        """Wait no longer for answers by websocket, where one is not to come."""
        entry = self.desk.client.entry
        if isinstance(entry, SocketEntry):
            entry.answer_s = answer_s

    async def cancel(self, state: OrderState) -> OrderState:
        """Cancel an order of ours."""
        now, _ = await self.desk.cancel(state.intent.symbol, state.client_id)
        if not isinstance(now, OrderState):
            raise FaultFailedError("expected an order of ours, was a foreign one")
        return now

    def state(self, state: OrderState) -> OrderState:
        """Return an order of ours as it is known now."""
        return self.desk.state(state.client_id)

    @property
    def seat(self) -> Seat:
        """Where the account is, for a client of it."""
        hosts, listener = frozenset(self.venue.dialect.hosts), self.listener
        port = listener.port if self.ca is None else listener.tls_port
        return Seat(self.name, port, hosts, client_key(self.venue), self.ca)

    def world(self, *, hasty: bool = True) -> World:
        """Return the client's surroundings; hasty: it waits without waiting."""
        return world_of(self.time, self.reported.append, hasty=hasty)

    async def open_desk(self) -> Desk:
        """Begin as a process does: journal, clock, markets, and what was left in doubt."""
        report = self.reported.append
        self.desk = self.seat.desk(
            self.time, self.folder, report, self.durability, by_socket=self.by_socket
        )
        self.has_account = True
        await self.desk.start()
        self.tasks += await speak(self.desk)
        return self.desk

    async def begin(self) -> None:
        """Open the desk and take down what the account has."""
        desk = await self.open_desk()
        asked_ns = desk.now_ns
        desk.note(new_baseline(await desk.client.queries.balances(), asked_ns, "start"))
        await self.time.pass_by(0.01)

    async def listen(self, patience: Patience = PATIENCE) -> PrivateStream:
        """Bring the private stream up; what it tells goes into the journal."""
        since_ns = self.desk.now_ns
        interest = Interest(self._hear, lambda: since_ns, self._open_orders, (self.symbol,))
        world = self.world(hasty=False)
        self.stream = stream_for(self.desk.client, interest, world, patience)
        self.tasks.append(asyncio.ensure_future(self.stream.run()))
        await until(self.stream.up.is_set, "expected the private stream")
        return self.stream

    def _hear(self, event: PrivateEvent) -> None:
        self.told.append(event)
        if isinstance(event, OrderUpdate | FillUpdate):
            self.desk.note(event)

    def _open_orders(self) -> list[VenueOrder]:
        return [
            VenueOrder(
                venue=self.name,
                symbol=state.intent.symbol,
                venue_order_id=state.venue_order_id,
                status="open",
            )
            for state in self.desk.journal.orders.live()
        ]

    async def end(self) -> None:
        """Let go of everything."""
        if self.stream is not None:
            self.stream.stop()
        for task in self.tasks:
            task.cancel()
        await self.let_go()

    async def let_go(self) -> None:
        """Let go of the account, so that another process may have it; also twice."""
        if not self.has_account:
            return
        self.has_account = False
        if isinstance(self.desk.client.entry, SocketEntry):
            self.desk.client.entry.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.desk.client.session.transport.close()
        self.desk.journal.close()


async def speak(desk: Desk) -> list[asyncio.Task[None]]:
    """Bring a desk's order websocket up, where its orders go by one; return what keeps it up."""
    entry = desk.client.entry
    if not isinstance(entry, SocketEntry):
        return []
    entry.silence_s = PATIENCE.silence_s  # time is moved
    running = asyncio.ensure_future(entry.run())
    await until(entry.up.is_set, "expected orders to go by websocket")
    return [running]


@asynccontextmanager
async def on_stage(
    name: str, time: Time, folder: Path, *, by_socket: bool = False, tls: bool = False
) -> AsyncIterator[Stage]:
    """Serve a venue whose book is empty, and open an account's desk."""
    bugs: list[str] = []

    def bug(venue: str, where: str, error: Exception) -> None:
        bugs.append(f"{venue}: {where}: {type(error).__name__}: {error}")

    setup = Setup(venues=[name], seed=7, rate=0.0, limits=False, cadence_ns=0)
    host = build_host(setup, time.venue_ns, bug)
    venue = host.venues[name]
    _empty(venue)
    listener = Listener(host)
    ca = await listen(listener, host, folder, time.venue_ns()) if tls else None
    if ca is None:
        await listener.start()
    stage = Stage(host, listener, venue, time, folder, by_socket, ca)
    try:
        await stage.begin()
        try:
            yield stage
        finally:
            await stage.end()
    finally:
        await listener.stop()
    if bugs:
        raise FaultFailedError(f"the venue server failed: {bugs[0]}")


async def listen(listener: Listener, host: Host, folder: Path, now_ns: int) -> Path:
    """Open the ports, with TLS under the venues' own names; return the CA's certificate."""
    now = dt.datetime.fromtimestamp(now_ns / NS, dt.UTC)
    authority = make_authority(folder / "ca", host.by_host, now)
    await listener.start(authority.server_context())
    return authority.root


def _empty(venue: Venue) -> None:
    """Leave the books to us and to one other account."""
    exchange = venue.exchange
    for part in venue.background:
        if isinstance(part, Flow):
            exchange.cancel_all(part.quoter.id)
    venue.background.clear()
    market = exchange.markets[0]
    exchange.open_account(OTHER, {market.base: "100", market.quote: "10000000"})
