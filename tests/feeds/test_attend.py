"""What is asked of a venue, when, and how often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random

from model_venues import EPOCH_MS, Binance, Bybit, Htx, Model
from test_live import Shown

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.feeds.attend import Attendant, Patience
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.surroundings import Surroundings

NS = 1_000_000_000


class Desk:
    """A model venue, an attendant, and a clock that the test moves."""

    def __init__(
        self, make: type[Model], kinds: tuple[str, ...] = ("depth",), silence_s: float = 15.0
    ) -> None:
        self.model, self.shown = make(Random(3)), Shown()
        self.stamps, self.now = count(EPOCH_MS * 1_000_000), 10 * NS
        self.sent: list[bytes] = []
        self.asked: list[str] = []
        self.drops = 0
        self.reports: list[KimeraError] = []
        self.answers: Callable[[], Awaitable[bytes]] = self.answer_now
        output = FunctionOutput(self.shown.take)
        numbered = [(0, make.instrument())]
        self.intake = intake_of(make.dialect(), numbered, kinds, output)  # type: ignore[arg-type]
        self.book = self.intake.books[0]
        around = Surroundings(
            lambda: next(self.stamps), lambda: self.now, lambda: 1.0, self.reports.append
        )
        patience = Patience(silence_s={"depth": silence_s, "trade": 300.0, "quote": 60.0})
        self.attendant = Attendant(
            self.intake,
            kinds,  # type: ignore[arg-type]
            around,
            self.fetch,
            patience,
        )

    async def answer_now(self) -> bytes:
        return self.model.answer()

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        return await self.answers()

    def connect(self) -> None:
        self.attendant.connected(self.sent.append, self.drop)
        self.give(*self.model.subscribed())

    def drop(self) -> None:
        self.drops += 1

    def give(self, *frames: bytes) -> None:
        for frame in frames:
            self.intake.take(frame, next(self.stamps))

    async def at(self, seconds: float) -> None:
        self.now = int(seconds * NS)
        self.attendant.check()
        for _ in range(4):
            await asyncio.sleep(0)


def run(play: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(play(), 120)

    asyncio.run(whole())


def test_a_book_is_asked_for_with_the_first_change_and_then_more_and_more_seldom() -> None:
    desk = Desk(Binance, silence_s=100.0)

    async def old() -> bytes:
        return desk.model.answer().replace(b'"lastUpdateId":', b'"lastUpdateId":1,"x":')

    async def play() -> None:
        desk.answers = old
        desk.connect()
        await desk.at(10)
        assert desk.asked == [], "there is nothing yet to join it with"
        desk.give(*desk.model.step())
        await desk.at(10)
        assert len(desk.asked) == 1
        assert desk.book.counts.stale == 1
        for seconds, times in ((10.9, 1), (11, 2), (12.9, 2), (13, 3), (16.9, 3), (17, 4)):
            await desk.at(seconds)
            assert len(desk.asked) == times, seconds
        desk.answers = desk.answer_now
        await desk.at(25)
        assert desk.book.good
        assert not desk.reports

    run(play)


def test_a_quiet_market_is_asked_for_after_a_while() -> None:
    desk = Desk(Binance)

    async def play() -> None:
        desk.connect()
        await desk.at(10.9)
        assert desk.asked == []
        await desk.at(11)
        assert len(desk.asked) == 1
        assert not desk.book.good
        await desk.at(12)
        assert len(desk.asked) == 2
        assert desk.book.good

    run(play)


def test_a_pause_that_the_venue_names_is_kept() -> None:
    desk = Desk(Binance, silence_s=20.0)

    async def banned() -> bytes:
        raise VenueError("venue.rate_limited", "418", retry_after_s=30.0)

    async def play() -> None:
        desk.answers = banned
        desk.connect()
        desk.give(*desk.model.step())
        await desk.at(10)
        desk.answers = desk.answer_now
        for seconds in (11, 20, 39.9):
            await desk.at(seconds)
        assert len(desk.asked) == 1
        assert [error.code for error in desk.reports] == ["venue.rate_limited"]
        desk.give(*desk.model.step())  # what came before the silence is forgotten
        await desk.at(40)
        assert desk.book.good

    run(play)


def test_an_answer_of_a_connection_that_is_gone_is_not_used() -> None:
    desk = Desk(Binance)
    release = asyncio.Event()

    async def late() -> bytes:
        await release.wait()
        return desk.model.answer()

    async def play() -> None:
        desk.answers = late
        desk.connect()
        desk.give(*desk.model.step())
        await desk.at(10)
        desk.attendant.lost()
        desk.intake.gap(next(desk.stamps))
        release.set()
        desk.connect()
        await desk.at(10.1)
        assert desk.book.reason == "no book yet"
        assert len(desk.asked) == 1
        desk.answers = desk.answer_now
        desk.give(*desk.model.step())
        await desk.at(10.2)
        assert desk.book.good

    run(play)


def test_a_lost_book_is_reported_and_subscribed_anew() -> None:
    desk = Desk(Bybit)

    async def play() -> None:
        desk.connect()
        await desk.at(11)
        assert desk.book.good
        desk.model.step()  # lost
        desk.give(*desk.model.step())
        assert not desk.book.good
        (error,) = desk.reports
        assert error.code == "venue.book_lost"
        assert "bybit/BTCUSDT" in error.message
        await desk.at(15)  # five seconds after the subscription
        assert [json.loads(each) for each in desk.sent] == [
            {"op": "unsubscribe", "args": ["orderbook.50.BTCUSDT"]},
            {"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]},
        ]
        desk.give(*desk.model.subscribed())
        assert desk.book.good

    run(play)


def test_subscriptions_that_bring_nothing_end_the_connection() -> None:
    desk = Desk(Bybit)

    async def play() -> None:
        desk.attendant.connected(desk.sent.append, desk.drop)
        for seconds in range(10, 200):
            await desk.at(seconds)
            if desk.drops:
                break
        assert desk.drops == 1
        assert len(desk.sent) == 2 * desk.attendant.patience.tries

    run(play)


def test_a_silent_book_is_marked_and_subscribed_anew_less_and_less_often() -> None:
    desk = Desk(Bybit)

    async def play() -> None:
        desk.connect()
        await desk.at(10)
        assert desk.book.good
        await desk.at(24.9)
        assert desk.book.good
        await desk.at(25)
        assert not desk.book.good
        assert desk.shown.marks == 1
        assert desk.book.counts.silences == 1
        assert len(desk.sent) == 2
        desk.give(*desk.model.subscribed())
        assert desk.book.good
        await desk.at(26)
        await desk.at(40.9)
        assert desk.book.good

    run(play)


def test_a_silent_trade_channel_is_subscribed_anew_and_the_book_stays() -> None:
    desk = Desk(Bybit, ("depth", "trade"))

    async def play() -> None:
        desk.connect()
        for seconds in range(10, 311, 5):
            desk.give(*desk.model.step())
            await desk.at(seconds)
        assert [json.loads(each)["args"] for each in desk.sent] == [["publicTrade.BTCUSDT"]] * 2
        assert desk.book.good
        for seconds in range(310, 905, 5):
            desk.give(*desk.model.step())
            await desk.at(seconds)
        assert len(desk.sent) == 2, "the limit has doubled"
        await desk.at(910)
        assert len(desk.sent) == 4

    run(play)


def test_a_book_on_the_socket_is_asked_for_there() -> None:
    desk = Desk(Htx)

    async def play() -> None:
        desk.connect()
        desk.give(*desk.model.step())
        await desk.at(10)
        assert [json.loads(each) for each in desk.sent] == [
            {"req": "market.btcusdt.mbp.150", "id": "book"}
        ]
        desk.give(desk.model.answer())
        assert desk.book.good
        assert desk.asked == []

    run(play)
