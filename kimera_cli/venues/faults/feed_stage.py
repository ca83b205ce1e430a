"""A venue server with a moving market and a live feed of it; time moves by turns.

`Shown` is what a strategy would see: books, and whether each is shown as good.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.errors import KimeraError
from kimera_cli.feeds.attend import Patience
from kimera_cli.feeds.audit import AuditPlan
from kimera_cli.feeds.live import LiveFeed, Stream, World
from kimera_cli.feeds.network import Host as Endpoint
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.feeds.sync import SyncCounts
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, F_GAP, Events
from kimera_cli.venues.faults.marks import BOOKS
from kimera_cli.venues.faults.scenario import FaultFailedError, expect
from kimera_cli.venues.faults.stage import listen
from kimera_cli.venues.server.build import Setup, build_host
from kimera_cli.venues.server.faults import Action, Hook, Rule
from kimera_cli.venues.server.hijack import client_context
from kimera_cli.venues.server.host import Host, Venue
from kimera_cli.venues.server.listen import Listener
from kimera_cli.venues.server.model import Market

NS = 1_000_000_000
TURN_NS = 20_000_000
MOST_TURNS = 6_000
RATE = 50.0
DASHED = ("okx", "coinbase", "coinbaseexchange")
SHOWN_LEVELS = {"bybit": 50}
"""Levels that a venue's stream keeps, where that is fewer than COMPARED."""
COMPARED = 100
CALM = 200
"""Events without a fault before the market is stopped for the comparison."""


class Shown:
    """What a consumer of the feed sees."""

    def __init__(self) -> None:
        self.book, self.good, self.marks, self.events = LevelBook(), False, 0, 0

    def take(self, events: Events, n: int) -> None:
        """Take in events, as a strategy's book does."""
        self.events += n
        for event in events[:n]:
            if event["kind"] == CLEAR:
                self.book.clear(int(event["side"]))
                self.good = not event["flags"] & F_GAP
                self.marks += not self.good
            elif event["kind"] == DEPTH:
                self.book.set(int(event["side"]), int(event["px_ticks"]), int(event["qty_lots"]))


@dataclass
class FeedStage:
    """One venue and a feed of its first market."""

    host: Host
    now_ns: int
    port: int = 0
    tls: ssl.SSLContext | None = None
    shown: Shown = field(default_factory=Shown)
    reported: list[KimeraError] = field(default_factory=list)
    live: LiveFeed = field(init=False)

    @property
    def venue(self) -> Venue:
        """The venue."""
        (found,) = self.host.venues.values()
        return found

    @property
    def name(self) -> str:
        """The venue's name."""
        return self.venue.name

    @property
    def market(self) -> Market:
        """The market that is read."""
        return self.venue.exchange.markets[0]

    @property
    def counts(self) -> SyncCounts:
        """What happened to the book so far."""
        return self.live.states()[0].counts

    @property
    def connections(self) -> int:
        """Connections that came about so far."""
        return sum(each.client.connections for each in self.live.connections)

    def codes(self) -> set[str]:
        """Return the codes of what was reported."""
        return {error.code for error in self.reported}

    def fault(self, hook: Hook, action: Action, match: str = "", **more: Any) -> Rule:
        """Put a fault in force."""
        rule = Rule(hook, action, self.name, match, **more)
        self.host.faults.add(rule)
        return rule

    def fault_of_book(self, action: Action, more: str = "", **terms: Any) -> Rule:
        """Put a fault in force that changes of the book meet; `more`: which of them."""
        return self.fault("frame.out", action, BOOKS[self.name] + more, **terms)

    def endpoint(self, host: str, port: int = 443) -> Endpoint:
        """Return where the server is, for any host."""
        return Endpoint("127.0.0.1", self.port, self.tls)

    async def sleep(self, seconds: float) -> None:
        """Wait until time has moved on so far."""
        end = self.now_ns + int(seconds * NS)
        while self.now_ns < end:
            await asyncio.sleep(0)

    async def turns(self, true: Callable[[], object], text: str) -> None:
        """Let time pass until something is so."""
        for _ in range(MOST_TURNS):
            if true():
                return
            self.now_ns += TURN_NS
            self.host.tick()
            for connection in self.live.connections:
                connection.client.check()
            for _ in range(3):
                await asyncio.sleep(0)
        state = self.live.states()[0]
        raise FaultFailedError(
            f"{text}: not within 2 minutes; {state.reason} {sorted(self.codes())}"
        )

    async def lost_and_regained(self, text: str) -> None:
        """Expect the book to be marked, and to be shown again once it is the venue's."""
        marks = self.shown.marks
        await self.turns(lambda: self.shown.marks > marks or not self.shown.good, f"{text}: marked")
        await self.turns(lambda: self.shown.good, f"{text}: shown again")

    def right(self) -> bool:
        """Whether what is shown is what is at the venue."""
        most = SHOWN_LEVELS.get(self.name, COMPARED)
        books = self.venue.exchange.book(self.market.symbol)
        for side, levels in zip((BID, ASK), books, strict=True):
            if self.shown.book.top(side, most) != [tuple(level) for level in levels][:most]:
                return False
        return self.shown.good

    async def same(self) -> str:
        """Stop the market, and expect the book that is shown to be the venue's."""
        self.host.faults.clear()
        events = self.shown.events + CALM
        await self.turns(lambda: self.shown.events > events and self.shown.good, "in step again")
        self.venue.background.clear()
        await self.turns(self.right, "expected the book to be the venue's")
        expect(self.venue.bugs == 0, "the venue server failed")
        levels = sum(len(self.shown.book.top(side, COMPARED)) for side in (BID, ASK))
        return f"{levels} levels, {self.shown.marks} times marked"

    def instrument(self) -> Instrument:
        """Return the market as the client has it."""
        market, between = self.market, "-" if self.name in DASHED else ""
        return Instrument(
            venue=self.name,
            symbol=f"{market.base}{between}{market.quote}",
            kind="spot",
            tick=market.tick,
            lot=market.lot,
            base=market.base,
            quote=market.quote,
        )

    def feed(self, rest: RestClient) -> LiveFeed:
        """Return a feed of the market."""
        chance = random.Random(1)
        around = Surroundings(
            lambda: self.now_ns,
            lambda: self.now_ns,
            chance.random,
            self.reported.append,
            self.sleep,
        )
        patience = Patience(
            silence_s={"depth": 3.0, "trade": 100.0, "quote": 100.0},
            audits=AuditPlan(first_s=0.2, every_s=1.0, settle_s=0.5),
        )
        world = World(around, rest.fetch, self, patience, silence_s=5.0)
        stream = Stream([self.instrument()], ("depth", "trade"))
        return LiveFeed([stream], FunctionOutput(self.shown.take), world)


@asynccontextmanager
async def on_feed_stage(
    name: str, now_ns: int, folder: Path | None = None
) -> AsyncIterator[FeedStage]:
    """Serve a venue whose market moves, and bring a feed of it into step.

    With a folder, which is for its certificates, by TLS.
    """
    bugs: list[str] = []

    def bug(venue: str, where: str, error: Exception) -> None:
        bugs.append(f"{where}: {type(error).__name__}: {error}")

    setup = Setup(venues=[name], seed=11, rate=RATE)
    box: list[FeedStage] = []
    host = build_host(setup, lambda: box[0].now_ns if box else now_ns, bug)
    stage = FeedStage(host, now_ns)
    box.append(stage)
    listener = Listener(host)
    if folder is None:
        await listener.start()
        stage.port = listener.port
    else:
        stage.tls = client_context(await listen(listener, host, folder, now_ns))
        stage.port = listener.tls_port
    async with RestClient(stage) as rest:
        stage.live = stage.feed(rest)
        running = asyncio.ensure_future(stage.live.run())
        try:
            await stage.turns(lambda: stage.shown.good, "expected the book in step")
            yield stage
        finally:
            stage.live.stop()
            await asyncio.wait((running,), timeout=5.0)
            running.cancel()
            await listener.stop()
    expect(not bugs, f"the venue server failed: {bugs[:1]}")
