"""Book messages of a venue to a consumer: kimera's live feed and ccxt.pro, at the same server.

The server's background market changes the book of BTCUSDT and tells some 40 changes in a message,
by TLS. kimera's consumer is a compiled function that keeps the book; ccxt.pro's is a coroutine
that awaits `watch_order_book` and reads the best prices. What is measured is the processor time of
the process for one message. `venue.book.single`: each message comes alone; `venue.book.burst`:
fifty come in one piece, faster than they are read. The limit is a
client that reads the bytes by TLS on the same loop and looks at nothing but the last number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any, Protocol

import numpy as np

from kimera_cli.feeds.live import LiveFeed, Stream
from kimera_cli.feeds.live import World as FeedWorld
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.layouts import Events
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench
from kimera_cli.venues.clients.addresses import LOOPBACK

from . import targets
from .harness import Case, Watch
from .machine import package
from .request import Peer, Request, row
from .venue_peer import CHANGES, SYMBOL, VENUE, Acts, Told
from .venue_work import follow_at
from .venue_world import Cpu, Floor, failed, floor

EVENTS = 8_000
"""Changes of the book in a run."""
WARM = Acts(5, 1)
LESS_CPU = 10.0
PACES = {"single": 1, "burst": 50}
"""How many messages come in one piece."""
LOOK_S = 0.0005
"""How often the end is looked for once the server has told it."""
NAME = "BTCUSDT"
HOST = "stream.binance.com"
SUBSCRIBE = (
    f"GET /ws/btcusdt@depth HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


class Reader(Protocol):
    """One client of the book."""

    running: asyncio.Future[None]
    """What the client does until it is closed."""

    async def open(self) -> None:
        """Connect and subscribe."""

    @property
    def seen(self) -> int:
        """Id of the last change that the consumer has."""

    async def close(self) -> None:
        """Disconnect."""


class Kimera:
    """A live feed with a consumer in its thread."""

    def __init__(self, place: Floor) -> None:
        self.place = place
        self.books, self.state = new_books(1), np.zeros(3, np.int64)

    async def open(self) -> None:
        """Learn the market, start the feed."""
        place = self.place
        client = place.client(VENUE)
        await client.session.learn_markets()
        instrument = client.session.listing(NAME).instrument
        client.session.transport.close()
        around = Surroundings(
            place.world.now_ns, place.world.monotonic_ns, Random(1).random, place.world.report
        )
        self.rest = await RestClient(place.addresses).__aenter__()
        world = FeedWorld(around, self.rest.fetch, place.addresses)
        self.feed = LiveFeed([Stream([instrument], ("depth",))], self.output(), world)
        self.running: asyncio.Future[None] = asyncio.ensure_future(self.feed.run())

    def output(self) -> FunctionOutput:
        """Return the consumer."""
        book, state = self.books.ctypes.data, self.state.ctypes.data
        known: Events | None = None
        address = 0

        def take(events: Events, n: int) -> None:
            nonlocal known, address
            if events is not known:
                known, address = events, int(events.ctypes.data)
            follow_at(book, address, n, state)

        return FunctionOutput(take)

    @property
    def seen(self) -> int:
        """Sequence number of the last message."""
        return int(self.state[0])

    @property
    def messages(self) -> int:
        """Messages so far."""
        return int(self.state[1])

    async def close(self) -> None:
        """End the feed."""
        self.feed.stop()
        await self.running
        await self.rest.__aexit__(None, None, None)


class Ccxt:
    """ccxt.pro, awaited again and again."""

    def __init__(self, place: Floor) -> None:
        self.place = place
        self.seen = 0

    async def open(self) -> None:
        """Load the markets, start the consumer."""
        self.exchange, self.session = self.place.ccxt("ccxt.pro", VENUE)
        await self.exchange.load_markets()
        self.running: asyncio.Future[None] = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        watch = self.exchange.watch_order_book
        while True:
            book = await watch(SYMBOL)
            bids, asks = book["bids"], book["asks"]
            self.best = bids[0][0] if bids else None, asks[0][0] if asks else None
            self.seen = int(book["nonce"])

    async def close(self) -> None:
        """Close what ccxt and we opened."""
        self.running.cancel()
        with suppress(Exception):  # ccxt's websockets end in cancelled futures
            await self.exchange.close()
        with suppress(asyncio.CancelledError, Exception):
            await self.running
        await self.session.close()


class Bare(asyncio.Protocol):
    """Reads bytes: what every client has to do at least."""

    def __init__(self, place: Floor) -> None:
        self.place, self.running = place, place.loop.create_future()
        self.seen = 0

    async def open(self) -> None:
        """Connect and subscribe."""
        there = self.place.addresses
        self.transport, _ = await self.place.loop.create_connection(
            lambda: self, LOOPBACK, there.port, ssl=there.tls, server_hostname=HOST
        )
        self.transport.write(SUBSCRIBE)

    def data_received(self, data: bytes) -> None:
        """Look for the last number, where it came whole."""
        begin = data.rfind(b'"u":') + 4
        end = data.find(b",", begin)
        if begin > 3 and end > 0:
            self.seen = int(data[begin:end])

    async def close(self) -> None:
        """Disconnect."""
        self.transport.close()


def rows(request: Request, core: int | None) -> Iterator[Bench]:
    """Time messages that come alone, and messages that come as fast as the server goes."""
    with floor([VENUE], core) as place:
        for pace, per_turn in PACES.items():
            acts = Acts(max(1, request.size(EVENTS) // CHANGES), per_turn)
            yield _row(request, place, pace, acts)


def _row(request: Request, place: Floor, pace: str, acts: Acts) -> Bench:
    sides: dict[str, Any] = {"kimera": Kimera, "bare": Bare}
    if request.peers and package("ccxt") != "absent":
        sides["ccxt"] = Ccxt
    used = {name: Cpu() for name in sides}
    request.measure([_case(name, sides[name], place, acts, used[name]) for name in sides])
    spent = {name: cpu.timing() for name, cpu in used.items()}
    ours, theirs = spent["kimera"], spent.get("ccxt")
    return row(
        request,
        f"venue.book.{pace}",
        ours,
        kind=f"processor time of the client in whole runs of {ours.n} messages",
        peer=None if theirs is None else Peer(f"ccxt.pro {package('ccxt')}", theirs),
        limit=spent["bare"],
        goals=[targets.faster(ours, theirs, LESS_CPU, "ccxt.pro")],
    )


def _case(name: str, make: Any, place: Floor, acts: Acts, cpu: Cpu) -> Case:
    """Return a case whose client is connected before each run and closed after it."""

    def prepare() -> Any:
        reader = make(place)
        place.do(reader.open())
        place.do(_through(place, reader, WARM))
        return reader

    def run(reader: Any, watch: Watch) -> None:
        before = getattr(reader, "messages", 0)
        watch.start()
        cpu.start()
        told = place.do(_through(place, reader, acts))
        cpu.lap(told.messages)
        watch.lap(told.messages)
        if isinstance(reader, Kimera) and reader.messages - before != told.messages:
            raise failed(f"{told.messages} messages", reader.messages - before)

    return Case(name, prepare, run, lambda reader: place.do(reader.close()))


async def _through(place: Floor, reader: Reader, acts: Acts) -> Told:
    """Let the server act, and wait until the consumer has the last change."""
    loop, link = asyncio.get_running_loop(), place.process.link
    answered = asyncio.Event()
    loop.add_reader(link.fileno(), answered.set)
    try:
        place.process.ask(acts)
        await answered.wait()
    finally:
        loop.remove_reader(link.fileno())
    told: Told = place.process.answer()
    while reader.seen < told.last:
        if reader.running.done():
            reader.running.result()
        await asyncio.sleep(LOOK_S)
    return told
