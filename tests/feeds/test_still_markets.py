"""Markets in which nothing happens, at the venue server: shown while that is so, and no longer.

Time passes for longer than any patience with channels (3 s here) and connections (10 s).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from test_live_server import START_NS, VENUES, play, quiet

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.attend import Attendant
from kimera_cli.feeds.client import FeedClient
from kimera_cli.feeds.dialects import dialect_of
from kimera_cli.feeds.live import LiveFeed, Stream
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.venues.faults.feed_stage import NS, FeedStage, instrument
from kimera_cli.venues.server.model import OrderRequest

LIMIT_S = 10.0
MOST_S = 300.0
ROUNDS = 300
BY_REST = ("binance", "bybit", "coinbase", "okx")
DEARER = r'"([0-9]{5}[."])', r'"1\1'
OTHER = {"binance": ('"lastUpdateId":', '"lastUpdateId":1')}
"""A piece of an answer with a book, and another one in its place."""


def awaits(client: FeedClient) -> bool:
    """Tell whether the venue has been asked for something, and has not answered."""
    attendant = client.attending
    assert isinstance(attendant, Attendant)
    prover = attendant.prover
    pinged = not client.link.booked and client._pinged_ns > client._heard_ns
    return bool(prover._tasks or prover._again or pinged)


async def until(stage: FeedStage, true: Callable[[], object], text: str, *more: FeedClient) -> None:
    """Let time pass, but not while an answer is under way: sockets know nothing of our time."""
    clients = [*(each.client for each in stage.live.connections), *more]
    while not true():
        now_ns = stage.now_ns
        await stage.turns(lambda: stage.now_ns > now_ns or true(), text)  # noqa: B023
        for _ in range(ROUNDS):
            if not any(map(awaits, clients)):
                break
            await asyncio.sleep(0)
        assert stage.now_ns - START_NS < MOST_S * NS, text


async def passes(stage: FeedStage, seconds: float, *more: FeedClient) -> None:
    end_ns = stage.now_ns + seconds * NS
    await until(stage, lambda: stage.now_ns > end_ns, "expected time to pass", *more)


async def stand(stage: FeedStage) -> None:
    """Let nothing happen, until the venue has been asked where it can be."""
    for each in stage.live.connections:
        each.client.link = replace(each.client.link, silence_s=LIMIT_S)
    quiet(stage)
    if stage.name == "htx":  # tells ten times a second that nothing has changed
        await passes(stage, 5.0)
    else:
        await until(stage, lambda: stage.counts.proved, "expected a proof")


def forget(stage: FeedStage) -> None:
    """Let the venue forget the channel of the book, behind the feed's back."""
    wire = dialect_of(stage.name).wire
    send = stage.live.connections[0].attendant._send
    assert wire is not None
    assert send is not None
    for text in wire.unsubscribe([instrument(stage.venue)], ("depth",)):
        send(text)


def move(stage: FeedStage) -> None:
    """Let somebody place an order."""
    exchange = stage.venue.exchange
    maker = exchange.open_account("mover", {"BTC": "10"}).id
    exchange.place(maker, OrderRequest(stage.market.symbol, "sell", "limit", "1", "55000"))


@pytest.mark.parametrize("venue", VENUES)
def test_a_market_that_stands_still_stays_shown(venue: str) -> None:
    async def script(stage: FeedStage) -> None:
        await stand(stage)
        before = stage.shown.marks, stage.counts.synced, stage.connections
        proved = stage.counts.proved
        await passes(stage, 60.0)
        assert (stage.shown.marks, stage.counts.synced, stage.connections) == before
        assert stage.reported == []
        assert stage.right()
        assert venue == "htx" or 30 < stage.counts.proved - proved <= 60, "not too often"
        move(stage)
        await until(stage, stage.right, "expected the change")
        assert stage.shown.marks == before[0]

    play(venue, script)


@pytest.mark.parametrize("venue", VENUES)
def test_a_still_book_whose_channel_is_forgotten_is_found_wrong_and_regained(venue: str) -> None:
    """A proof of before holds as long as a message does; heartbeats prove no book."""

    async def script(stage: FeedStage) -> None:
        await stand(stage)
        forget(stage)
        await passes(stage, 0.2)
        assert stage.right(), "nothing has happened yet"
        move(stage)
        begun_ns, marks = stage.now_ns, stage.shown.marks
        await passes(stage, 0.2)
        assert not stage.right(), "nobody has told"
        await until(stage, stage.right, "expected the venue's book")
        assert stage.now_ns - begun_ns < 6 * NS
        if venue == "kraken":  # the whole book came in its place
            assert (stage.counts.wrong, stage.shown.marks) == (1, marks)
            return
        assert stage.shown.marks == marks + 1
        (lost,) = [each for each in stage.reported if each.code == "venue.book_lost"]
        reason = "the channel is silent, and the venue's answer is another book"
        audited = venue == "coinbaseexchange"
        assert ("levels differ from the venue's answer" if audited else reason) in lost.message

    play(venue, script)


@pytest.mark.parametrize("venue", BY_REST)
def test_one_answer_that_differs_does_not_end_a_right_book(venue: str) -> None:
    """A cache, or a book in between: the venue is asked again before the limit."""

    async def script(stage: FeedStage) -> None:
        await stand(stage)
        marks, proved = stage.shown.marks, stage.counts.proved
        pattern, body = OTHER.get(venue, DEARER)
        rule = stage.fault("request.after", "replace", "book|depth", pattern=pattern, body=body)
        await until(stage, lambda: rule.spent, "expected a wrong answer")
        book = stage.live.connections[0].intake.books[0]
        await until(stage, lambda: stage.counts.audits or book.doubted, "expected it to be read")
        assert stage.counts.proved == proved
        await passes(stage, 10.0)
        assert stage.shown.marks == marks
        assert stage.counts.proved > proved
        assert stage.reported == []
        assert stage.right()

    play(venue, script)


@asynccontextmanager
async def trades_alone(stage: FeedStage, told: list[KimeraError]) -> AsyncIterator[FeedClient]:
    """A connection of trades without a book."""
    around = replace(stage.live.world.around, report=told.append)
    world = replace(stage.live.world, around=around, silence_s=LIMIT_S)
    stream = Stream([instrument(stage.venue)], ("trade",))
    feed = LiveFeed([stream], FunctionOutput(lambda *_: None), world)
    client = feed.connections[0].client
    stage.each_turn = client.check
    running = asyncio.ensure_future(feed.run())
    await until(stage, lambda: client.connections, "expected a connection")
    yield client
    feed.stop()
    await asyncio.wait((running,), timeout=5.0)
    running.cancel()


@pytest.mark.parametrize("venue", VENUES)
def test_trades_that_stand_still_keep_their_connection_while_the_venue_talks(venue: str) -> None:
    async def script(stage: FeedStage) -> None:
        await stand(stage)
        told: list[KimeraError] = []
        async with trades_alone(stage, told) as client:
            await passes(stage, 60.0, client)
            assert told == []
            assert client.connections == 1
            stage.fault("frame.out", "drop", count=None)
            begun_ns = stage.now_ns
            await until(stage, lambda: told, "expected silence to be noticed")
            assert told[0].code == "venue.silent"
            assert stage.now_ns - begun_ns < 11 * NS

    play(venue, script)
