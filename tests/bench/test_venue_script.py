"""What a background did to its book, told again: the same changes, and the same book."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_cli.bench.venue_script import Script
from kimera_cli.venues.server.build import Setup, build_host
from kimera_cli.venues.server.model import BUY, SELL, BookChanged, RequestDone
from kimera_cli.venues.server.reading import Reading

START_NS = 1_790_000_000_000_000_000
ACTS = 300


def flow() -> Any:
    host = build_host(Setup(venues=["kraken"], rate=0.0), None, fail, (), START_NS)
    return host.venues["kraken"].background[0]


def fail(venue: str, where: str, error: Exception) -> None:
    raise error


def book(exchange: Reading, symbol: str) -> Any:
    return exchange.book(symbol)


class Listener:
    """A book that follows what is told."""

    def __init__(self, exchange: Any, symbol: str) -> None:
        bids, asks = exchange.book(symbol)
        self.sides: dict[str, dict[int, int]] = {BUY: dict(bids), SELL: dict(asks)}
        self.seq, self.symbol = exchange.market(symbol).seq, symbol
        self.told: list[Any] = []
        self.done = 0
        exchange.subscribe(self)

    def __call__(self, event: Any) -> None:
        if isinstance(event, RequestDone):
            self.done += 1
        if not isinstance(event, BookChanged) or event.market.symbol != self.symbol:
            return
        assert event.first_seq == self.seq + 1
        assert event.last_seq - self.seq == len(event.changes)
        self.seq = event.last_seq
        self.told.append(event.changes)
        for side, px, lots in event.changes:
            if lots:
                self.sides[side][px] = lots
            else:
                del self.sides[side][px]  # it was there
            assert max(self.sides[BUY], default=0) < min(self.sides[SELL], default=1 << 62)

    def book(self) -> Any:
        return sorted(self.sides[BUY].items(), reverse=True), sorted(self.sides[SELL].items())


def test_a_script_tells_what_was_played_as_often_as_asked() -> None:
    played, lone = flow(), flow()
    begin = book(played.exchange, played.market.symbol)
    script = Script(played, ACTS)
    assert (len(script), script.left) == (ACTS, ACTS)
    follower = Listener(lone.exchange, lone.market.symbol)
    ends = []
    for _ in range(ACTS):
        lone.act()
        ends.append(follower.book())
    heard = Listener(played.exchange, played.market.symbol)
    for _ in range(2):
        script.rewind()
        assert heard.book() == book(played.exchange, played.market.symbol) == begin
        heard.told.clear()
        for end in ends:
            script.act()
            assert heard.book() == end
        assert heard.told == follower.told
    assert script.left == 0
    script.act()  # begins anew by itself
    assert script.left == ACTS - 1
    assert heard.book() == ends[0]


def test_a_mark_is_a_best_bid_that_the_market_itself_has_not() -> None:
    script = Script(flow(), ACTS)
    exchange, symbol = script.exchange, script.market.symbol
    heard = Listener(exchange, symbol)
    script.rewind()
    for _ in range(20):
        script.act()
    before = dict(exchange.book(symbol)[0])
    px, lots = script.mark()
    assert heard.told[-1] == ((BUY, px, lots),)
    assert exchange.book(symbol)[0][0] == (px, lots)
    assert lots - before[px] == 4 * script.mean_lots + 7
    for _ in range(ACTS):  # a mark is gone with its level, or when the script begins anew
        script.act()
    assert heard.book() == exchange.book(symbol)
    assert px not in dict(exchange.book(symbol)[0]) or dict(exchange.book(symbol)[0])[px] != lots


@pytest.mark.parametrize("changes", [0, 1])
def test_requests_end_where_they_ended(changes: int) -> None:
    """Dialects write at the end of a request."""
    script = Script(flow(), ACTS)
    heard = Listener(script.exchange, script.market.symbol)
    script._tell(((BUY, 1_000, 5),) * changes)
    assert heard.done == len(heard.told) == changes
