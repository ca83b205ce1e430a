"""Clients of the venue server as a benchmark: real orders and books, kimera's beside ccxt's."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

from kimera_cli.bench import venue_books, venue_orders
from kimera_cli.bench.harness import Watch
from kimera_cli.bench.request import Request
from kimera_cli.bench.venue_peer import Acts, Anew
from kimera_cli.bench.venue_work import follow_book
from kimera_cli.bench.venue_world import floor
from kimera_cli.bench.wire_peer import handshake
from kimera_cli.errors import RunError
from kimera_cli.feeds.client import link_for
from kimera_cli.feeds.dialects import dialect_of
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, EVENT, F_LAST
from kimera_cli.market.book import new_books
from kimera_cli.venues.clients.addresses import LOOPBACK


def request(*, peers: bool) -> Request:
    return Request(clock=time.perf_counter_ns, repeats=2, events=160, peers=peers)


def test_orders_go_both_ways_beside_ccxt() -> None:
    pytest.importorskip("ccxt")
    rows = list(venue_orders.rows(request(peers=True), None, ["binance"]))
    ways = ("rest", "websocket")
    assert [row.name for row in rows] == [
        f"venue.{what}.binance.{way}" for way in ways for what in ("order", "order_cpu")
    ]
    for row in rows:
        assert row.peer.startswith("ccxt ")
        assert row.met is not None
        assert row.n == 16
    assert [row.target for row in rows[:2]] == ["p50 lower than ccxt", ">= 3 x ccxt"]
    assert [row.limit_ratio is None for row in rows] == [True, True, True, False]
    assert rows[0].detail["batches"] == 2 * 16
    assert rows[0].detail["peer_stuck"] == 0
    assert rows[0].met == (rows[0].detail["p50_ns"] < rows[0].detail["peer_p50_ns"])


def test_orders_that_are_refused_are_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_orders, "QUANTITY", "900")
    with pytest.raises(RunError, match=r"order to be accepted, was Rejected.*funds"):
        list(venue_orders.rows(request(peers=False), None, ["binance"]))


class Sticky:
    """A client whose every `nth` request gets no answer by the connection that it is sent over."""

    def __init__(self, *, peer: bool, nth: int) -> None:
        self.peer, self.nth = peer, nth
        self.asked = self.opened = self.closed = self.time = 0

    def clock(self) -> int:
        return self.time

    async def open(self) -> None:
        self.opened += 1

    async def place(self, px: int) -> str:
        await self.cancel("")
        return "1"

    async def cancel(self, order_id: str) -> None:
        self.asked += 1
        if self.asked % self.nth == 0:
            self.time += 1
            await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("nth", [1, 7, 8])  # while it warms up, in an order, in a cancel
def test_a_peer_that_is_stuck_is_connected_anew(monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    monkeypatch.setattr(venue_orders, "STUCK_S", 0.01)
    side = Sticky(peer=True, nth=nth)
    trips, watch = venue_orders.Trips(side, 8), Watch(side.clock)
    if nth == 1:
        with pytest.raises(RunError, match=r"answers within 0.01 s, was one that is stuck"):
            asyncio.run(trips.run(watch))
        assert trips.stuck == venue_orders.STUCK_MOST + 1
        return
    asyncio.run(trips.run(watch))
    assert trips.stuck == side.opened == side.closed > 1
    assert len(watch.laps) in (16, 17)
    assert {ns for ns, _ in watch.laps} == {0}  # what was stuck is in none
    assert trips.cpu._laps[0][1] == len(watch.laps)


def test_kimera_that_is_stuck_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_orders, "STUCK_S", 0.01)
    side = Sticky(peer=False, nth=7)
    trips = venue_orders.Trips(side, 8)
    with pytest.raises(RunError, match="stuck"):
        asyncio.run(trips.run(Watch(time.perf_counter_ns)))
    assert side.opened == 0


def test_books_reach_both_consumers_by_both_paces() -> None:
    pytest.importorskip("ccxt")
    rows = list(venue_books.rows(request(peers=True), None, ["binance"]))
    assert [row.name for row in rows] == ["venue.book.binance", "venue.book_alone.binance"]
    assert [row.target for row in rows] == [">= 10 x ccxt.pro", ""]
    assert [row.met is None for row in rows] == [False, True]
    for row in rows:
        assert row.peer.startswith("ccxt.pro ")
        assert row.n == 160 // 40
        assert row.limit_ratio is not None


def test_books_of_a_venue_that_tells_every_change_are_read_whole() -> None:
    rows = list(venue_books.rows(request(peers=False), None, ["kraken"]))
    assert rows[0].n > 160 // 40


def test_a_socket_that_reads_no_market_yet_is_not_held_back() -> None:
    """Else its answers stay where they are for good, and it connects anew because of silence."""
    with floor(["binance"], None) as place:
        instrument = place.do(venue_books._learn(place, "binance"))
        link = link_for(dialect_of("binance"), [instrument], ("depth",))
        url, there = urlsplit(link.url), place.addresses

        async def subscribe() -> None:
            reader, writer = await asyncio.open_connection(
                LOOPBACK, there.port, ssl=there.tls, server_hostname=url.hostname
            )
            writer.write(handshake(url))
            await reader.readuntil(b"\r\n\r\n")
            told = await venue_books._ask(place, Acts("binance", "BTC/USDT", 2))
            assert told.messages == 0
            writer.write(venue_books.masked(link.subscriptions[0]))
            assert (await reader.readexactly(1)) == b"\x81"
            writer.close()

        place.do(venue_books._ask(place, Anew("binance", "BTC/USDT", 2)))
        place.do(subscribe())


def test_a_consumer_that_missed_a_message_is_no_figure() -> None:
    kimera = venue_books.Kimera.__new__(venue_books.Kimera)
    kimera.state = np.ones(4, np.int64)
    with pytest.raises(RunError, match="expected 2 messages, was 1"):
        kimera.check(venue_books.Told(2, "1", "1", 0))


def test_a_consumer_keeps_the_book_and_counts_messages() -> None:
    events = np.zeros(5, EVENT)
    events["kind"] = (DEPTH, DEPTH, CLEAR, DEPTH, DEPTH)
    events["side"] = (BID, ASK, BID, BID, BID)
    events["px_ticks"] = (100, 110, 0, 99, 98)
    events["qty_lots"] = (1, 1, 0, 2, 0)
    events["flags"] = (0, F_LAST, 0, 0, F_LAST)
    rows = events.view(np.recarray)
    book, state = new_books(1)[0], np.array((0, 0, 99, 3), np.int64)
    assert follow_book(book, rows, 5, state) == 0
    assert (book.best_bid_ticks, book.best_ask_ticks) == (99, 110)
    assert state.tolist() == [2, 99 ^ 110, 99, 3]
    rows["qty_lots"][3] = 3
    assert follow_book(book, rows, 5, state) == 1
    follow_book(book, rows, 1, state)
    assert book.best_bid_ticks == 100
    assert state[0] == 4
