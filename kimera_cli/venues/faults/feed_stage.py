"""A venue server with moving markets and a live feed of them; time moves by turns."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.attend import Patience
from kimera_cli.feeds.audit import AuditPlan
from kimera_cli.feeds.live import LiveFeed, Stream, World
from kimera_cli.feeds.network import Host as Endpoint
from kimera_cli.feeds.output import FunctionOutput, Output
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.feeds.sync import SyncCounts
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID
from kimera_cli.venues.faults.marks import BOOKS
from kimera_cli.venues.faults.scenario import FaultFailedError, expect
from kimera_cli.venues.faults.shown import Shown, take_all
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


@dataclass
class FeedStage:
    """Venues and a feed of the first market of each. `screens` are what it shows of them; scenarios
    are of one venue, which has no number.
    """

    host: Host
    now_ns: int
    port: int = 0
    tls: ssl.SSLContext | None = None
    output: Output | None = None
    """Where events go to instead of the screens."""
    each_turn: Callable[[], None] = lambda: None
    screens: list[Shown] = field(default_factory=list)
    reported: list[KimeraError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a scenario has to say of this venue."""
    live: LiveFeed = field(init=False)

    def __post_init__(self) -> None:
        self.screens = [Shown() for _ in self.host.venues]

    @property
    def venues(self) -> list[Venue]:
        """All of them, by number."""
        return list(self.host.venues.values())

    @property
    def venue(self) -> Venue:
        """The venue."""
        return self.venues[0]

    @property
    def shown(self) -> Shown:
        """What is shown of it."""
        return self.screens[0]

    @property
    def name(self) -> str:
        """The venue's name."""
        return self.venue.name

    @property
    def market(self) -> Market:
        """The market that is read."""
        return _market(self.venue)

    @property
    def counts(self) -> SyncCounts:
        """What happened to the book so far."""
        return self.counts_of(0)

    def counts_of(self, number: int) -> SyncCounts:
        """What happened so far to the book of a venue."""
        return self.live.states()[number].counts

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
            self.each_turn()
            for _ in range(3):
                await asyncio.sleep(0)
        reasons = " ".join(state.reason for state in self.live.states() if state.reason)
        raise FaultFailedError(f"{text}: not within 2 minutes; {reasons} {sorted(self.codes())}")

    async def lost_and_regained(self, text: str) -> None:
        """Expect the book to be marked, and to be shown again once it is the venue's."""
        marks = self.shown.marks
        await self.turns(lambda: self.shown.marks > marks or not self.shown.good, f"{text}: marked")
        await self.turns(lambda: self.shown.good, f"{text}: shown again")

    def right(self) -> bool:
        """Whether what is shown is what is at the venues."""
        return all(map(_is_right, self.venues, self.screens))

    def stand_still(self) -> None:
        """Let nothing happen on the markets any more."""
        for venue in self.venues:
            venue.background.clear()

    async def same(self) -> str:
        """Stop the market, and expect the book that is shown to be the venue's."""
        self.host.faults.clear()
        events = self.shown.events + CALM
        await self.turns(lambda: self.shown.events > events and self.shown.good, "in step again")
        self.stand_still()
        await self.turns(self.right, "expected the book to be the venue's")
        expect(self.venue.bugs == 0, "the venue server failed")
        levels = sum(len(self.shown.book.top(side, COMPARED)) for side in (BID, ASK))
        return f"{levels} levels, {self.shown.marks} times marked"

    def feed(self, rest: RestClient) -> LiveFeed:
        """Return a feed of the markets."""
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
        streams = [Stream([instrument(venue)], ("depth", "trade")) for venue in self.venues]
        output = self.output or FunctionOutput(partial(take_all, self.screens))
        return LiveFeed(streams, output, world)


def instrument(venue: Venue) -> Instrument:
    """Return a venue's first market as the client has it."""
    market, between = _market(venue), "-" if venue.name in DASHED else ""
    return Instrument(
        venue=venue.name,
        symbol=f"{market.base}{between}{market.quote}",
        kind="spot",
        tick=market.tick,
        lot=market.lot,
        base=market.base,
        quote=market.quote,
    )


def _market(venue: Venue) -> Market:
    return venue.exchange.markets[0]


def _is_right(venue: Venue, shown: Shown) -> bool:
    most = SHOWN_LEVELS.get(venue.name, COMPARED)
    books = venue.exchange.book(_market(venue).symbol)
    return shown.good and all(
        shown.book.top(side, most) == [tuple(level) for level in levels][:most]
        for side, levels in zip((BID, ASK), books, strict=True)
    )


@asynccontextmanager
async def on_feed_stage(
    names: str | Sequence[str],
    now_ns: int,
    folder: Path | None = None,
    *,
    rate: float = RATE,
    output: Output | None = None,
    each_turn: Callable[[FeedStage], None] = lambda stage: None,
) -> AsyncIterator[FeedStage]:
    """Serve a venue, or several, whose markets move, and bring a feed of them into step.

    With a folder, which is for its certificates, by TLS. `output` is where events go to instead of
    the screens, and `each_turn` what happens at each turn of time.
    """
    venues = [names] if isinstance(names, str) else list(names)
    bugs: list[str] = []

    def bug(venue: str, where: str, error: Exception) -> None:
        bugs.append(f"{where}: {type(error).__name__}: {error}")

    setup = Setup(venues=venues, seed=11, rate=rate)
    box: list[FeedStage] = []
    host = build_host(setup, lambda: box[0].now_ns if box else now_ns, bug)
    stage = FeedStage(host, now_ns, output=output)
    stage.each_turn = partial(each_turn, stage)
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
            await stage.turns(
                lambda: all(each.good for each in stage.screens), "expected every book in step"
            )
            yield stage
        finally:
            stage.live.stop()
            await asyncio.wait((running,), timeout=5.0)
            running.cancel()
            await listener.stop()
    expect(not bugs, f"the venue server failed: {bugs[:1]}")
