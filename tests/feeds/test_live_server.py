"""Live feeds against the venue server: real sockets, real protocols, several venues at once.

Scripted faults of market data are those of `kimera venue faults`; what is here besides is of no
fault, of several venues, or of what a consumer does.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kimera_cli.context import from_process
from kimera_cli.feeds.client import serve
from kimera_cli.feeds.output import RingOutput
from kimera_cli.layouts import EVENT, TRADE
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.ring import Consumer, ring_shape
from kimera_cli.venues.faults.feed_stage import NS, FeedStage, on_feed_stage
from kimera_cli.venues.faults.play import chosen, play_all
from kimera_cli.venues.faults.shown import take_all
from kimera_cli.venues.server.dialects import available
from kimera_cli.venues.server.faults import Rule

VENUES = sorted(available())
START_NS = 1_700_000_000 * NS
Script = Callable[[FeedStage], Awaitable[None]]


def play(names: str | list[str], script: Script, **terms: Any) -> FeedStage:
    """Play a script at venues, then expect every book that is shown to be the venue's."""
    stages: list[FeedStage] = []

    async def whole() -> None:
        async with on_feed_stage(names, START_NS, **terms) as stage:
            stages.append(stage)
            await script(stage)
            stage.host.faults.clear()
            stage.stand_still()
            await stage.turns(stage.right, "expected the books to be the venues'")

    serve(whole)
    return stages[0]


def cut(stage: FeedStage, venue: str) -> None:
    """Break the connections of a venue."""
    for connection in list(stage.host.connections):
        if connection.socket is not None and connection.socket.venue.name == venue:
            connection.drop()


def quiet(stage: FeedStage) -> None:
    """Let nobody place an order any more, but let the venues talk."""
    for venue in stage.venues:
        for background in venue.background:
            background.rate = 0.0  # type: ignore[attr-defined]


async def lost_and_regained(stage: FeedStage) -> None:
    await stage.turns(lambda: not stage.shown.good, "expected the book to be marked")
    await stage.turns(lambda: stage.shown.good, "expected the book again")


def test_all_venues_are_in_step_at_once() -> None:
    async def script(stage: FeedStage) -> None:
        def messages() -> int:
            return sum(each.messages for each in stage.screens)

        await stage.turns(lambda: messages() > 300 * len(VENUES), "expected messages")
        for number, venue in enumerate(VENUES):
            counts = stage.counts_of(number)
            assert (counts.synced, counts.lost) == (1, 0), venue

    assert play(VENUES, script).reported == []


@pytest.mark.parametrize("fault", ["F16", "F19"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_fault_of_market_data_is_marked_and_mended(venue: str, fault: str) -> None:
    (told,) = play_all(chosen([fault], "feed"), [venue], time.time_ns, time.perf_counter_ns)
    assert told.passed, told.detail


@pytest.mark.parametrize("venue", VENUES)
def test_a_connection_that_is_cut_is_told_and_made_anew(venue: str) -> None:
    async def script(stage: FeedStage) -> None:
        cut(stage, venue)
        await lost_and_regained(stage)

    assert play(venue, script).codes() == {"venue.disconnected"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_market_that_stands_still_is_shown_on_every_connection(venue: str) -> None:
    """No change tells the age of a whole book: where it is asked for, two that agree are one."""

    async def script(stage: FeedStage) -> None:
        quiet(stage)
        for _ in range(3):
            cut(stage, venue)
            await stage.turns(lambda: not stage.shown.good, "expected the book to be marked")
            await stage.turns(stage.right, "expected the book again")

    play(venue, script)


@pytest.mark.parametrize("action", ["empty", "truncate", "drop", "reply"])
def test_answers_that_are_no_book_are_asked_for_again(action: Any) -> None:
    async def script(stage: FeedStage) -> None:
        rule = stage.fault("request.after", action, "depth", count=2, body="<html>busy</html>")
        cut(stage, "binance")
        await stage.turns(lambda: rule.spent, "expected the answers to be asked for")
        assert not stage.shown.good
        await stage.turns(lambda: stage.shown.good, "expected the book again")

    codes = play("binance", script).codes()
    assert codes & {"venue.frame", "venue.no_answer", "venue.answer"}


def test_an_outage_of_one_venue_holds_up_no_other() -> None:
    async def script(stage: FeedStage) -> None:
        good, away = stage.screens
        stage.host.faults.add(Rule("connect", "refuse", venue="okx", count=None))
        cut(stage, "okx")
        await stage.turns(lambda: not away.good, "expected the book to be marked")
        before = good.messages
        await stage.turns(lambda: good.messages > before + 200, "expected the other's messages")
        assert (good.good, away.good) == (True, False)
        stage.host.faults.clear()
        await stage.turns(lambda: away.good, "expected the book again")
        assert stage.counts_of(0).lost == 0

    play(["binance", "okx"], script)


def test_a_consumer_that_lags_gets_the_latest_books_and_every_trade(tmp_path: Path) -> None:
    """Through a ring of 64 events, of which nothing is taken for turns on end."""
    clocks: Any = from_process()
    shape, path = ring_shape(EVENT, 64), tmp_path / "ring"
    producer, rng = ConflatingProducer(path, shape, clocks), Random(2)
    consumer = Consumer(path, shape, clocks)
    trades: list[int] = []

    def take(stage: FeedStage) -> None:
        if rng.random() < 0.05 or not stage.venue.background:
            events = consumer.pop(64)
            take_all(stage.screens, events, len(events))
            told = events[(events["kind"] == TRADE) & (events["instrument"] == 0)]
            trades.extend(told["seq"].tolist())

    async def script(stage: FeedStage) -> None:
        await stage.turns(lambda: producer.conflation.merged > 200, "expected merged events")
        await stage.turns(lambda: len(trades) > 100, "expected trades")

    terms = {"rate": 200.0, "output": RingOutput(producer), "each_turn": take}
    stage = play(["binance", "kraken"], script, **terms)
    made = [t.id for t in stage.venue.exchange.trades(stage.market.symbol, 10_000)]
    assert trades == made[made.index(trades[0]) : made.index(trades[-1]) + 1]
