"""The live feed against a server on the loopback: books are good, or they are not shown."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from ws_server import Peer, serving, ws_frame

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.errors import KimeraError
from kimera_cli.feeds.attend import Patience
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.feeds.client import serve
from kimera_cli.feeds.live import LiveFeed, Stream, World
from kimera_cli.feeds.network import Host
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, F_GAP, F_LAST, Events

GUARD_S = 120
"""Only against a hang."""
START = 1_700_000_000_000_000_000
BTC = Instrument(
    venue="binance", symbol="BTCUSDT", kind="spot", tick=Decimal("0.01"), lot=Decimal("0.001")
)


class Shown:
    """What a consumer sees: the books, whether each is good, and every message."""

    def __init__(self, instruments: int = 1) -> None:
        self.books = [LevelBook() for _ in range(instruments)]
        self.good = [False] * instruments
        self.messages = 0
        self.marks = 0
        self.changed = asyncio.Event()

    def take(self, events: Events, n: int) -> None:
        for event in events[:n]:
            k, book = int(event["instrument"]), self.books[int(event["instrument"])]
            if event["kind"] == CLEAR:
                book.clear(int(event["side"]))
                self.good[k] = not event["flags"] & F_GAP
                self.marks += bool(event["flags"] & F_GAP)
            elif event["kind"] == DEPTH:
                book.set(int(event["side"]), int(event["px_ticks"]), int(event["qty_lots"]))
            self.messages += bool(event["flags"] & F_LAST)
        self.changed.set()

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(GUARD_S):
            while not true():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Loopback:
    """Surroundings of a feed whose venue is the test's own server."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    reports: list[KimeraError] = field(default_factory=list)

    def endpoint(self, host: str, port: int = 443) -> Host:
        return Host("127.0.0.1", int(self.url.rsplit(":", 1)[1].strip("/")), None)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        while not self.answers:
            await asyncio.sleep(0)
        return self.answers.pop(0)

    def world(self) -> World:
        stamps, ticks = count(START), count(0, 1_000_000)
        around = Surroundings(
            now_ns=lambda: next(stamps),
            monotonic_ns=lambda: next(ticks),
            random=lambda: 0.0,
            report=self.reports.append,
            sleep=lambda _: asyncio.sleep(0),
        )
        patience = Patience(asking=Backoff(first_s=0.001))
        return World(around, self.fetch, self, patience, silence_s=1e6)


def diff(first: int, last: int, bids: Any = (), asks: Any = ()) -> bytes:
    data = {"e": "depthUpdate", "E": 1_700_000_000_000 + last, "s": "BTCUSDT"}
    data |= {"U": first, "u": last, "b": list(bids), "a": list(asks)}
    text = {"stream": "btcusdt@depth@100ms", "data": data}
    return ws_frame(json.dumps(text, separators=(",", ":")).encode())


def snapshot(last: int, bids: Any, asks: Any) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


def test_a_binance_book_is_joined_shown_lost_and_regained() -> None:
    shown, back = Shown(), Loopback()

    async def script(peer: Peer) -> None:
        assert b"SUBSCRIBE" in await peer.got.get()
        await peer.send(diff(5, 6, [["1.00", "9"]]))
        await peer.send(diff(7, 9, [["1.01", "2"]]))
        back.answers.append(snapshot(7, [["1.00", "1"]], [["1.05", "4"]]))
        await shown.until(lambda: shown.good[0])
        await peer.send(diff(10, 11, [["1.01", "3"]]))
        await shown.until(lambda: shown.books[0].qty(BID, 101) == 3000)
        await peer.send(diff(13, 14, [["1.02", "7"]]))  # 12 is missing
        await shown.until(lambda: not shown.good[0])
        back.answers.append(snapshot(11, [["1.00", "1"]], [["1.05", "4"]]))  # 12 is not in it
        back.answers.append(snapshot(13, [["1.00", "1"]], [["1.06", "4"]]))

    async def run() -> None:
        async with serving(script) as (url, _):
            back.url = url
            feed = LiveFeed([Stream([BTC], ("depth",))], FunctionOutput(shown.take), back.world())
            running = asyncio.ensure_future(feed.run())
            await shown.until(lambda: shown.marks == 2 and shown.good[0])
            assert shown.books[0].top(BID, 3) == [(102, 7000), (100, 1000)]
            assert shown.books[0].top(ASK, 3) == [(106, 4000)]
            (state,) = feed.states()
            assert (state.good, state.counts.gaps, state.counts.synced) == (True, 1, 2)
            assert state.counts.lost == 1
            feed.stop()
            await asyncio.wait_for(running, GUARD_S)

    serve(run)
    assert back.asked == ["https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000"] * 3
    assert [error.code for error in back.reports] == ["venue.book_lost"]
