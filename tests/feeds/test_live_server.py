"""Live feeds against the venue server: real sockets, real protocols, and what goes wrong on them.

Time is the test's: the exchange's, the feed's limits and its waits all move by its turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from test_live import GUARD_S, Shown

from kimera_cli.context import from_process
from kimera_cli.errors import KimeraError
from kimera_cli.feeds.attend import Patience
from kimera_cli.feeds.audit import AuditPlan
from kimera_cli.feeds.client import serve
from kimera_cli.feeds.live import LiveFeed, Stream, World
from kimera_cli.feeds.network import Host as Endpoint
from kimera_cli.feeds.output import FunctionOutput, Output, RingOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, EVENT, F_LAST, TRADE, Events
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.ring import Consumer, ring_shape
from kimera_cli.venues.server.build import Setup, build_host
from kimera_cli.venues.server.dialects import available
from kimera_cli.venues.server.faults import Rule
from kimera_cli.venues.server.listen import Listener
from kimera_cli.venues.server.model import OrderRequest

VENUES = sorted(available())
TURN_NS = 20_000_000
NS = 1_000_000_000
DASHED = ("okx", "coinbase", "coinbaseexchange")
BOOKS = {
    "binance": "depthUpdate",
    "bybit": "orderbook.50.BTCUSDT",
    "coinbase": "l2_data",
    "coinbaseexchange": "l2update",
    "htx": "mbp.150",
    "kraken": '"channel":"book","type":"update"',
    "okx": '"action":"update"',
}
"""What a change of a book has in its text."""


@dataclass
class Rig:
    """A venue server, a live feed of it, and the clock of both."""

    venues: list[str]
    rate: float = 50.0
    now_ns: int = 1_700_000_000 * NS
    port: int = 0
    output: Output | None = None
    each_turn: Callable[[], None] = lambda: None
    reports: list[KimeraError] = field(default_factory=list)

    def __post_init__(self) -> None:
        setup = Setup(venues=self.venues, seed=11, rate=self.rate)
        self.host = build_host(setup, lambda: self.now_ns, self.bug)
        self.listener = Listener(self.host)
        self.markets = [
            (venue, self.host.venues[venue].exchange.markets[0]) for venue in self.venues
        ]
        self.shown = Shown(len(self.markets))

    def bug(self, venue: str, where: str, error: Exception) -> None:
        raise AssertionError(f"{venue}: {where}") from error

    def endpoint(self, host: str, port: int = 443) -> Endpoint:
        return Endpoint("127.0.0.1", self.port, None)

    async def sleep(self, seconds: float) -> None:
        end = self.now_ns + int(seconds * NS)
        while self.now_ns < end:
            await asyncio.sleep(0)

    def instrument(self, venue: str, market: Any) -> Instrument:
        between = "-" if venue in DASHED else ""
        return Instrument(
            venue=venue,
            symbol=f"{market.base}{between}{market.quote}",
            kind="spot",
            tick=market.tick,
            lot=market.lot,
            base=market.base,
            quote=market.quote,
        )

    def feed(self, rest: RestClient) -> LiveFeed:
        around = Surroundings(
            lambda: self.now_ns,
            lambda: self.now_ns,
            Random(1).random,
            self.reports.append,
            self.sleep,
        )
        patience = Patience(
            silence_s={"depth": 3.0, "trade": 100.0, "quote": 100.0},
            audits=AuditPlan(first_s=0.2, every_s=1.0, settle_s=0.5),
        )
        world = World(around, rest.fetch, self, patience, silence_s=5.0)
        streams = [Stream([self.instrument(*each)], ("depth", "trade")) for each in self.markets]
        return LiveFeed(streams, self.output or FunctionOutput(self.take), world)

    def take(self, events: Events, n: int) -> None:
        assert events[n - 1]["flags"] & F_LAST
        self.shown.take(events, n)

    async def turns(self, until: Callable[[], Any], most: int = 4_000) -> None:
        """Let time pass until it is so."""
        for _ in range(most):
            if until():
                return
            self.now_ns += TURN_NS
            self.host.tick()
            for connection in self.live.connections:
                connection.client.check()
            self.each_turn()
            for _ in range(3):
                await asyncio.sleep(0)
        states = [(s.instrument.name, s.good, s.reason, s.counts) for s in self.live.states()]
        raise AssertionError(f"{states} {[(e.code, e.message) for e in self.reports]}")

    def right(self) -> bool:
        """Whether every book that is shown is the exchange's."""
        for number, (venue, market) in enumerate(self.markets):
            book = self.shown.books[number]
            for side, levels in zip(
                (BID, ASK), self.host.venues[venue].exchange.book(market.symbol), strict=True
            ):
                most = 50 if venue == "bybit" else 100
                if book.top(side, most) != [tuple(each) for each in levels][:most]:
                    return False
        return all(self.shown.good)

    def play(self, script: Callable[[Rig], Any]) -> None:
        async def whole() -> None:
            await self.listener.start()
            self.port = self.listener.port
            async with RestClient(self) as rest:
                self.live = self.feed(rest)
                running = asyncio.ensure_future(self.live.run())
                await self.turns(lambda: all(self.shown.good))
                await script(self)
                for venue in self.host.venues.values():
                    venue.background.clear()
                self.host.faults.clear()
                await self.turns(self.right)
                self.live.stop()
                await running
            await self.listener.stop()

        serve(lambda: asyncio.wait_for(whole(), 3 * GUARD_S))

    def cut(self, venue: str) -> None:
        """Break the connections of a venue."""
        for connection in list(self.host.connections):
            if connection.socket is not None and connection.socket.venue.name == venue:
                connection.drop()

    def counts(self, number: int = 0) -> Any:
        return self.live.states()[number].counts

    def codes(self) -> set[str]:
        return {error.code for error in self.reports}


def test_all_venues_are_in_step_at_once() -> None:
    rig = Rig(VENUES)

    async def script(rig: Rig) -> None:
        await rig.turns(lambda: rig.shown.messages > 300 * len(VENUES))
        for number, venue in enumerate(VENUES):
            assert rig.counts(number).synced == 1, venue
            assert rig.counts(number).lost == 0, venue

    rig.play(script)
    assert rig.reports == []


@pytest.mark.parametrize("venue", VENUES)
def test_messages_that_are_lost_are_found_and_the_book_is_mended(venue: str) -> None:
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        rig.host.faults.add(Rule("frame.out", "drop", match=BOOKS[venue], count=3))
        await rig.turns(lambda: rig.counts().lost)
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)
    assert "venue.book_lost" in rig.codes()


@pytest.mark.parametrize("venue", VENUES)
def test_messages_that_come_twice_or_in_another_order_do_no_harm(venue: str) -> None:
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        for action in ("duplicate", "reorder", "duplicate", "reorder"):
            rule = Rule("frame.out", action, match=BOOKS[venue], count=2)  # type: ignore[arg-type]
            rig.host.faults.add(rule)
            await rig.turns(lambda rule=rule: rule.spent)
            await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)


@pytest.mark.parametrize("action", ["truncate", "garbage"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_frame_that_cannot_be_read_ends_the_connection_and_a_new_one_mends_all(
    venue: str, action: Any
) -> None:
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        rig.host.faults.add(Rule("frame.out", action, match=BOOKS[venue]))
        await rig.turns(lambda: not rig.shown.good[0])
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)
    assert rig.counts().synced == 2
    assert rig.codes() == {"venue.frame"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_silent_book_is_asked_for_again(venue: str) -> None:
    """The venue forgets the subscription, or what it sends does not come."""
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        rig.host.faults.add(Rule("frame.out", "drop", match=BOOKS[venue], count=None))
        await rig.turns(lambda: rig.counts().silences)
        assert rig.counts().lost == 1
        rig.host.faults.clear()
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)


@pytest.mark.parametrize("venue", VENUES)
def test_a_connection_that_is_cut_is_made_anew(venue: str) -> None:
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        rig.cut(venue)
        await rig.turns(lambda: not rig.shown.good[0])
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)
    assert rig.codes() == {"venue.disconnected"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_market_that_stands_still_is_shown_on_every_connection(venue: str) -> None:
    """No change tells the age of a whole book: where it is asked for, two that agree are one."""
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        stand_still(rig)
        for _ in range(3):
            rig.cut(venue)
            await rig.turns(lambda: not rig.shown.good[0])
            await rig.turns(lambda: rig.shown.good[0] and rig.right())

    rig.play(script)


def test_a_market_that_stands_still_stays_shown_where_its_number_proves_it() -> None:
    """For longer than any patience with channel or connection; then it moves, unheard."""
    venue = "binance"
    rig = Rig([venue])

    async def script(rig: Rig) -> None:
        stand_still(rig)
        await rig.turns(lambda: rig.counts().proved)
        before, begun_ns = rig.counts().lost, rig.now_ns
        await rig.turns(lambda: rig.now_ns - begun_ns > 60 * NS)
        assert rig.counts().lost == before
        assert rig.shown.good[0]
        assert rig.right()
        rig.host.faults.add(Rule("frame.out", "drop", match=BOOKS[venue], count=None))
        exchange = rig.host.venues[venue].exchange
        maker = exchange.open_account("mover", {"BTC": "10"}).id
        exchange.place(
            maker, OrderRequest(exchange.markets[0].symbol, "sell", "limit", "1", "55000")
        )
        begun_ns = rig.now_ns
        await rig.turns(lambda: not rig.shown.good[0])
        assert rig.now_ns - begun_ns < 6 * NS, "a proof of before holds no longer than it did"
        rig.host.faults.clear()
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)


def stand_still(rig: Rig) -> None:
    for venue in rig.host.venues.values():
        for background in venue.background:
            background.rate = 0.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ["empty", "truncate", "drop", "reply"])
def test_answers_that_are_no_book_are_asked_for_again(action: Any) -> None:
    rig = Rig(["binance"])

    async def script(rig: Rig) -> None:
        rule = Rule("request.after", action, match="depth", count=2, body="<html>busy</html>")
        rig.host.faults.add(rule)
        rig.cut("binance")
        await rig.turns(lambda: rule.spent)
        assert not rig.shown.good[0]
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)
    assert rig.codes() & {"venue.frame", "venue.no_answer", "venue.answer"}


def test_an_answer_of_long_ago_is_no_book() -> None:
    rig = Rig(["binance"])

    async def script(rig: Rig) -> None:
        rule = Rule("request.after", "stale", match="depth", count=2)
        rig.host.faults.add(rule)
        rig.cut("binance")  # gets the first answer, which the second will be like
        await rig.turns(lambda: rule.hits == 1 and rig.shown.good[0])
        rig.cut("binance")
        await rig.turns(lambda: rig.counts().stale)
        assert not rig.shown.good[0]
        await rig.turns(lambda: rig.shown.good[0])

    rig.play(script)


def test_an_outage_of_one_venue_holds_up_no_other() -> None:
    rig = Rig(["binance", "okx"])

    async def script(rig: Rig) -> None:
        rig.host.faults.add(Rule("connect", "refuse", venue="okx", count=None))
        rig.cut("okx")
        await rig.turns(lambda: not rig.shown.good[1])
        before = rig.shown.messages
        await rig.turns(lambda: rig.shown.messages > before + 200)
        assert rig.shown.good == [True, False]
        rig.host.faults.clear()
        await rig.turns(lambda: all(rig.shown.good))
        assert rig.counts(0).lost == 0

    rig.play(script)


def test_a_consumer_that_lags_gets_the_latest_books_and_every_trade(tmp_path: Path) -> None:
    """Through a ring of 64 events, of which nothing is taken for turns on end."""
    clocks: Any = from_process()
    shape, path = ring_shape(EVENT, 64), tmp_path / "ring"
    producer, rng = ConflatingProducer(path, shape, clocks), Random(2)
    consumer = Consumer(path, shape, clocks)
    trades: list[int] = []
    rig = Rig(["binance", "kraken"], rate=200.0, output=RingOutput(producer))

    def take() -> None:
        if rng.random() < 0.05 or not rig.host.venues["binance"].background:
            events = consumer.pop(64)
            rig.shown.take(events, len(events))
            told = events[(events["kind"] == TRADE) & (events["instrument"] == 0)]
            trades.extend(told["seq"].tolist())

    rig.each_turn = take

    async def script(rig: Rig) -> None:
        await rig.turns(lambda: producer.conflation.merged > 200)
        await rig.turns(lambda: len(trades) > 100)

    rig.play(script)
    exchange, (_, market) = rig.host.venues["binance"].exchange, rig.markets[0]
    made = [trade.id for trade in exchange.trades(market.symbol, 10_000)]
    assert trades == made[made.index(trades[0]) : made.index(trades[-1]) + 1]
