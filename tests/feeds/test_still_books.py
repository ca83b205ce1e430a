"""A book that stands still: when its venue is asked, how, and what the answer is good for."""

from __future__ import annotations

import asyncio
import json
from random import Random

import pytest
from model_venues import Bybit, Htx, Kraken, compact
from msgspec.structs import replace
from test_attend import NS, Desk, run
from test_live import Shown

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.feeds.attend import Attendant
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.pace import Pace
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.layouts import ASK, BID

BEGIN = 10.0


def told(desk: Desk) -> bytes:
    """The book of a Bybit model over REST."""
    sides = {name: desk.model.side(side) for name, side in (("b", BID), ("a", ASK))}
    return compact({"retCode": 0, "result": {"s": "BTCUSDT", "ts": 1, "u": 5, **sides}})


async def begin(desk: Desk) -> None:
    desk.connect()
    if desk.book.source.value == "snapshot":
        desk.give(*desk.model.step(), desk.model.answer())
    await desk.at(BEGIN)
    assert desk.book.good
    desk.sent.clear()


def test_a_still_book_is_asked_for_until_an_answer_is_ours() -> None:
    desk = Desk(Bybit)
    other = Desk(Bybit)
    other.model.step()

    async def cache() -> bytes:
        return told(other)

    async def now() -> bytes:
        return told(desk)

    async def play() -> None:
        desk.answers = cache
        await begin(desk)
        for seconds, times in ((17.4, 0), (17.5, 1), (18.9, 1), (19, 2), (21.9, 2)):
            await desk.at(seconds)
            assert len(desk.asked) == times, seconds
        assert desk.book.counts.proved == 0
        assert desk.book.doubted
        desk.answers = now
        await desk.at(22)
        assert (len(desk.asked), desk.book.counts.proved) == (3, 1)
        for seconds in (25.1, 29.4):
            await desk.at(seconds)
        assert desk.book.good, "the limit has begun anew"
        await desk.at(32.7)
        assert len(desk.asked) == 4
        assert desk.shown.marks == 0

    run(play)


def test_answers_that_differ_take_nothing_away_when_the_change_was_on_its_way() -> None:
    desk = Desk(Bybit)
    change: list[bytes] = []

    async def play() -> None:
        await begin(desk)
        change.extend(desk.model.step())

        async def newer() -> bytes:
            return told(desk)

        desk.answers = newer
        for seconds in (17.5, 19, 22, 24.9):
            await desk.at(seconds)
        assert (len(desk.asked), desk.book.counts.proved) == (3, 0)
        assert desk.book.good
        desk.give(*change)
        for seconds in (25, 30):
            await desk.at(seconds)
        assert desk.book.good
        assert desk.shown.marks == 0
        assert desk.reports == []

    run(play)


def test_a_lost_change_is_told_of_when_the_limit_is_reached() -> None:
    desk = Desk(Bybit)

    async def newer() -> bytes:
        return told(desk)

    async def play() -> None:
        desk.answers = newer
        await begin(desk)
        desk.model.step()  # lost
        for seconds in (17.5, 19, 22, 24.9):
            await desk.at(seconds)
        assert desk.book.good
        await desk.at(25)
        assert not desk.book.good
        (lost,) = desk.reports
        assert lost.message.endswith(
            "the channel is silent, and the venue's answer is another book"
        )
        desk.give(*desk.model.subscribed())
        assert desk.book.good

    run(play)


def test_a_book_that_moves_is_not_asked_for() -> None:
    desk = Desk(Bybit)
    release = asyncio.Event()

    async def late() -> bytes:
        await release.wait()
        return told(desk)

    async def play() -> None:
        desk.answers = late
        await begin(desk)
        for seconds in range(11, 60, 5):
            desk.give(*desk.model.step())
            await desk.at(seconds)
        assert desk.asked == []
        await desk.at(63.6)
        assert len(desk.asked) == 1
        desk.give(*desk.model.step())
        release.set()
        await desk.at(63.7)
        assert (desk.book.counts.proved, desk.book.doubted) == (0, False), "the change has answered"

    run(play)


def subscriptions(desk: Desk) -> list[str]:
    return [json.loads(each)["method"] for each in desk.sent]


def test_a_still_kraken_book_is_subscribed_anew_and_stays_shown() -> None:
    desk = Desk(Kraken)

    async def play() -> None:
        await begin(desk)
        await desk.at(17.4)
        assert desk.sent == []
        await desk.at(17.5)
        assert subscriptions(desk) == ["unsubscribe", "subscribe"]
        shown = desk.book.counts.synced
        desk.give(*desk.model.subscribed())
        assert desk.book.counts.proved == desk.book.counts.audits == 1
        assert desk.book.counts.synced == shown, "nothing is shown twice"
        for seconds in (17.7, 20, 25.1):
            await desk.at(seconds)
        assert len(desk.sent) == 2
        await desk.at(25.3)
        assert len(desk.sent) == 4
        assert (desk.book.good, desk.shown.marks) == (True, 0)
        assert desk.asked == [], "its REST has sizes of three decimals"

    run(play)


def test_a_kraken_channel_that_does_not_come_back_is_silent() -> None:
    desk = Desk(Kraken)

    async def play() -> None:
        await begin(desk)
        await desk.at(17.5)
        await desk.at(19.4)
        assert desk.book.good
        await desk.at(19.5)
        assert (desk.book.good, desk.shown.marks) == (False, 1)
        assert desk.book.counts.silences == 1
        assert len(desk.sent) == 4
        await desk.at(19.6)
        desk.give(*desk.model.subscribed())
        assert desk.book.good
        await desk.at(25.1)
        assert (desk.book.good, desk.shown.marks) == (True, 1), "it was silent once, not twice"

    run(play)


@pytest.mark.parametrize("moves", [False, True])
def test_a_kraken_channel_that_tells_nothing_of_what_changes_is_marked(moves: bool) -> None:
    desk = Desk(Kraken)

    async def play() -> None:
        await begin(desk)
        desk.model.step()  # lost
        await desk.at(17.5)
        desk.give(*desk.model.subscribed())
        assert (desk.book.counts.wrong, desk.book.counts.synced) == (1, 2)
        assert desk.shown.marks == 0, "it may have changed between the two subscriptions"
        assert desk.book.best(BID, 99) == sorted(
            ((px, qty) for (side, px), qty in desk.model.levels.items() if side == BID),
            reverse=True,
        )
        await desk.at(17.7)
        if moves:
            desk.give(*desk.model.step())
            await desk.at(17.8)
        desk.model.step()  # lost
        await desk.at(25.4)
        desk.give(*desk.model.subscribed())
        assert (desk.book.good, desk.shown.marks) == (moves, not moves)
        assert desk.book.counts.silences == (not moves)

    run(play)


def test_still_kraken_books_are_asked_for_together() -> None:
    btc = Kraken.instrument()
    eth = replace(btc, symbol="ETHUSDT", base="ETH")
    model, clock = Kraken(Random(3)), [BEGIN]
    sent: list[bytes] = []
    reports: list[KimeraError] = []
    output = FunctionOutput(Shown(2).take)
    intake = intake_of(Kraken.dialect(), [(0, btc), (1, eth)], ("depth",), output)
    around = Surroundings(
        lambda: int(clock[0] * NS), lambda: int(clock[0] * NS), lambda: 0.5, reports.append
    )

    async def nobody(url: str) -> bytes:
        raise AssertionError(url)

    attendant = Attendant(intake, ("depth",), around, nobody)
    attendant.connected(sent.append, lambda: None)
    for frame in model.subscribed():
        intake.take(frame, 1)
        intake.take(frame.replace(b"BTC/USDT", b"ETH/USDT"), 1)
    for clock[0] in (BEGIN, 17.4, 17.5):
        attendant.check()
    asked = [json.loads(each) for each in sent]
    assert [each["method"] for each in asked] == ["unsubscribe", "subscribe"]
    assert all(each["params"]["symbol"] == ["BTC/USDT", "ETH/USDT"] for each in asked)
    assert reports == []


def test_a_still_htx_book_is_asked_for_on_its_socket() -> None:
    """Its number is of the same sequence as the stream's."""
    desk = Desk(Htx)

    async def play() -> None:
        await begin(desk)
        await desk.at(17.5)
        assert [json.loads(each) for each in desk.sent] == [
            {"req": "market.btcusdt.mbp.150", "id": "book"}
        ]
        desk.give(desk.model.answer())
        assert desk.book.counts.proved == 1
        await desk.at(17.7)
        desk.model.step()  # lost
        await desk.at(25.3)
        desk.give(desk.model.answer())
        assert desk.book.counts.proved == 1
        assert (desk.book.good, desk.book.doubted) == (True, True)
        await desk.at(32.7)
        assert (desk.book.good, desk.shown.marks) == (False, 1)

    run(play)


class Clock:
    """Time that passes only in `sleep`, and what was asked when."""

    def __init__(self) -> None:
        self.now = 0
        self.asked: list[tuple[float, str]] = []
        self.ban = ""

    def around(self) -> Surroundings:
        return Surroundings(lambda: self.now, lambda: self.now, lambda: 0.5, print, self.sleep)

    async def sleep(self, seconds: float) -> None:
        end = self.now + round(seconds * NS)
        await asyncio.sleep(0)
        self.now = max(self.now, end)

    async def fetch(self, url: str) -> bytes:
        self.asked.append((self.now / NS, url))
        if url == self.ban:
            raise VenueError("venue.rate_limited", "429", retry_after_s=30.0)
        return url.encode()


def test_questions_are_as_far_apart_as_the_venue_s_budget_has_it() -> None:
    clock = Clock()

    async def play() -> None:
        pace = Pace(clock.fetch, clock.around(), 0.2)
        answers = await asyncio.gather(*(pace.fetch(str(k)) for k in range(5)))
        assert answers == [b"0", b"1", b"2", b"3", b"4"]
        assert [at for at, _ in clock.asked] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
        clock.now = 9 * NS
        await pace.fetch("late")
        assert clock.asked[-1] == (9.0, "late")

    run(play)


def test_a_pause_that_the_venue_names_holds_all_its_questions() -> None:
    clock = Clock()
    clock.ban = "1"

    async def play() -> None:
        pace = Pace(clock.fetch, clock.around(), 0.2)
        found = await asyncio.gather(
            *(pace.fetch(str(k)) for k in range(4)), return_exceptions=True
        )
        assert isinstance(found[1], VenueError)
        times = {url: at for at, url in clock.asked}
        assert times == pytest.approx({"0": 0.0, "1": 0.2, "2": 30.2, "3": 30.4})

    run(play)
