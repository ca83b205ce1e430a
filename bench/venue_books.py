"""Book messages of venues to a consumer: kimera's live feed and ccxt.pro, at the same server.

The background market of each venue changes the book of one symbol and tells some 40 changes in a
message, each in a TLS record of its own. The messages are made ahead of time and held back; what
the market does is played once and told again for each run (bench/venue_script.py).
kimera's consumer is a compiled function that keeps the book; ccxt.pro's is a coroutine that awaits
`watch_order_book` and reads the best prices. What is measured is the processor time of the process
for one message, from the first byte until the consumer has the last. `venue.book.VENUE`: some
thousands come as fast as they are read; fewer would measure how a run begins and ends.
`venue.book_alone.binance`: one each millisecond. To be woken up for each costs any client more than
to read it, so that row has no goal. The limit reads the same bytes by TLS on the same loop and
looks at none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import numpy as np

from kimera_cli.feeds.client import link_for
from kimera_cli.feeds.dialects import dialect_of
from kimera_cli.feeds.live import LiveFeed, Stream
from kimera_cli.feeds.live import World as FeedWorld
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import Events
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench
from kimera_cli.venues.clients.addresses import LOOPBACK

from . import targets
from .harness import Case, Watch
from .machine import package
from .request import Peer, Request, row
from .venue_peer import CHANGES, Acts, Anew, Go, Told
from .venue_work import MESSAGES, PX, QTY, follow_at
from .venue_world import Cpu, Floor, failed, floor
from .wire_peer import handshake, text_frame

ALONE = 8_000
"""Changes of the book in a run of `venue.book_alone`."""
WARM = 5
WARM_S = 0.5
"""How long a reader without a book is waited for at first; twice as long each time after."""
LESS_CPU = 10.0
ALONE_S = 0.001


class Market(NamedTuple):
    """One market as kimera and as the server and ccxt call it."""

    kimera: str
    ccxt: str
    changes: int
    """Changes of the book in a run; a venue tells CHANGES of them in one message, or in as many."""


VENUES = {
    "binance": Market("BTCUSDT", "BTC/USDT", 80_000),
    "kraken": Market("BTC/USD", "BTC/USD", 8_000),
    "okx": Market("BTC-USDT", "BTC/USDT", 80_000),
    "bybit": Market("BTCUSDT", "BTC/USDT", 80_000),
    "coinbase": Market("BTC-USD", "BTC/USD", 8_000),
}


class Reader(Protocol):
    """One client of a venue's book."""

    running: asyncio.Future[None]
    """What the client does until it is closed."""
    reached: asyncio.Event
    """Set once the consumer has the last message."""

    async def open(self) -> None:
        """Connect and subscribe."""

    def wait_for(self, told: Told) -> None:
        """Say what the last message will be."""

    async def close(self) -> None:
        """Disconnect."""


class Kimera:
    """A live feed with a consumer in its thread."""

    def __init__(self, place: Floor, venue: str) -> None:
        self.place, self.venue, self.reached = place, venue, asyncio.Event()
        self.books, self.state = new_books(1), np.zeros(4, np.int64)

    async def open(self) -> None:
        """Learn the market, start the feed."""
        place = self.place
        self.instrument = await _learn(place, self.venue)
        around = Surroundings(
            place.world.now_ns, place.world.monotonic_ns, Random(1).random, place.world.report
        )
        self.rest = await RestClient(place.addresses).__aenter__()
        world = FeedWorld(around, self.rest.fetch, place.addresses)
        self.feed = LiveFeed([Stream([self.instrument], ("depth",))], self.output(), world)
        self.running: asyncio.Future[None] = asyncio.ensure_future(self.feed.run())

    def output(self) -> FunctionOutput:
        """Return the consumer."""
        book, state, reached = self.books.ctypes.data, self.state.ctypes.data, self.reached.set
        known: Events | None = None
        address = 0

        def take(events: Events, n: int) -> None:
            nonlocal known, address
            if events is not known:
                known, address = events, int(events.ctypes.data)
            if follow_at(book, address, n, state):
                reached()

        return FunctionOutput(take)

    def wait_for(self, told: Told) -> None:
        """Count from here, up to a best bid."""
        self.state[MESSAGES] = 0
        self.state[PX] = int(Decimal(told.px) / self.instrument.tick)
        self.state[QTY] = int(Decimal(told.qty) / self.instrument.lot)

    def check(self, told: Told) -> None:
        """RunError `run.bench_venue`: not every message was applied."""
        if self.state[MESSAGES] != told.messages:
            raise failed(f"{told.messages} messages", int(self.state[MESSAGES]))

    async def close(self) -> None:
        """End the feed."""
        self.feed.stop()
        await self.running
        await self.rest.__aexit__(None, None, None)


class Ccxt:
    """ccxt.pro, awaited again and again."""

    def __init__(self, place: Floor, venue: str) -> None:
        self.place, self.venue, self.reached = place, venue, asyncio.Event()
        self._wanted: list[float] | None = None

    async def open(self) -> None:
        """Load the markets, start the consumer."""
        self.exchange, self.session = self.place.ccxt("ccxt.pro", self.venue)
        await self.exchange.load_markets()
        self.running: asyncio.Future[None] = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        watch, symbol = self.exchange.watch_order_book, VENUES[self.venue].ccxt
        while True:
            book = await watch(symbol)
            bids, asks = book["bids"], book["asks"]
            self.best = bids[0][:2] if bids else None, asks[0][:2] if asks else None
            if self.best[0] == self._wanted:
                self.reached.set()

    def wait_for(self, told: Told) -> None:
        """Wait for a best bid."""
        self._wanted = [float(told.px), float(told.qty)]

    def check(self, told: Told) -> None:
        """It shows the newest state, not each message."""

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

    def __init__(self, place: Floor, venue: str) -> None:
        self.place, self.venue, self.reached = place, venue, asyncio.Event()
        self.running: asyncio.Future[None] = place.loop.create_future()
        self._left = 0

    async def open(self) -> None:
        """Connect and subscribe."""
        instrument = await _learn(self.place, self.venue)
        link = link_for(dialect_of(self.venue), [instrument], ("depth",))
        url, there = urlsplit(link.url), self.place.addresses
        self.transport, _ = await self.place.loop.create_connection(
            lambda: self, LOOPBACK, there.port, ssl=there.tls, server_hostname=url.hostname
        )
        self.transport.write(handshake(url))
        for text in link.subscriptions:
            self.transport.write(masked(text))

    def data_received(self, data: bytes) -> None:
        """Count."""
        self._left -= len(data)
        if self._left <= 0:
            self.reached.set()

    def wait_for(self, told: Told) -> None:
        """Count down from here."""
        self._left = told.size

    def check(self, told: Told) -> None:
        """It has read them all."""

    async def close(self) -> None:
        """Disconnect."""
        self.transport.close()


def masked(text: bytes) -> bytes:
    """Return a client's text frame, masked with nought."""
    frame = bytearray(text_frame(text))
    frame[1] |= 0x80
    at = len(frame) - len(text)
    return bytes(frame[:at]) + bytes(4) + text


async def _learn(place: Floor, venue: str) -> Instrument:
    client = place.client(venue)
    await client.session.learn_markets()
    client.session.transport.close()
    return client.session.listing(VENUES[venue].kimera).instrument


def rows(request: Request, core: int | None, venues: Sequence[str] = ()) -> Iterator[Bench]:
    """Time messages of each venue that come as fast as they are read, then some that come alone."""
    named = list(venues or VENUES)
    with floor(named, core) as place:
        for venue in named:
            yield _row(request, place, f"venue.book.{venue}", venue, 0.0)
        yield _row(request, place, f"venue.book_alone.{named[0]}", named[0], ALONE_S)


def _row(request: Request, place: Floor, name: str, venue: str, gap_s: float) -> Bench:
    sides: dict[str, Any] = {"kimera": Kimera, "bare": Bare}
    if request.peers and package("ccxt") != "absent":
        sides["ccxt"] = Ccxt
    used = {each: Cpu() for each in sides}
    changes = request.size(ALONE if gap_s else VENUES[venue].changes)
    work = Acts(venue, VENUES[venue].ccxt, max(2, changes // CHANGES))
    request.measure([_case(each, sides[each], place, work, gap_s, used[each]) for each in sides])
    spent = {each: cpu.timing() for each, cpu in used.items()}
    ours, theirs = spent["kimera"], spent.get("ccxt")
    return row(
        request,
        name,
        ours,
        kind=f"processor time of the client in whole runs of {ours.n} messages",
        peer=None if theirs is None else Peer(f"ccxt.pro {package('ccxt')}", theirs),
        limit=spent["bare"],
        goals=[] if gap_s else [targets.faster(ours, theirs, LESS_CPU, "ccxt.pro")],
    )


def _case(name: str, make: Any, place: Floor, work: Acts, gap_s: float, cpu: Cpu) -> Case:
    """Return a case whose client is connected before each run and closed after it."""

    def prepare() -> tuple[Any, Told]:
        place.do(_ask(place, Anew(work.venue, work.symbol, work.n)))
        reader = make(place, work.venue)
        place.do(reader.open())
        try:
            place.do(_begin(place, reader, work))
            return reader, place.do(_make(place, work))
        except BaseException:
            place.do(reader.close())
            raise

    def run(state: tuple[Any, Told], watch: Watch) -> None:
        reader, told = state
        watch.start()
        cpu.start()
        place.do(_through(place, reader, told, gap_s))
        cpu.lap(told.messages)
        watch.lap(told.messages)
        place.process.answer()
        reader.check(told)

    return Case(name, prepare, run, lambda state: place.do(state[0].close()))


async def _begin(place: Floor, reader: Reader, work: Acts) -> None:
    """Let the market go on until the reader follows it."""
    patience_s = WARM_S
    while True:
        told = await _make(place, work._replace(n=WARM))
        if not told.messages:  # not connected yet
            await asyncio.sleep(0.01)
            continue
        try:
            await asyncio.wait_for(_through(place, reader, told, 0.0), patience_s)
        except TimeoutError:
            patience_s *= 2.0  # it has no book yet, or the machine is busy
        else:
            return
        finally:
            await asyncio.to_thread(place.process.answer)


async def _make(place: Floor, work: Acts) -> Told:
    """Let the server make messages."""
    told: Told = await _ask(place, work)
    return told


async def _ask(place: Floor, what: Any) -> Any:
    """Let the server do something, while the reader stays alive."""
    place.process.ask(what)
    return await asyncio.to_thread(place.process.answer)


async def _through(place: Floor, reader: Reader, told: Told, gap_s: float) -> None:
    """Let the server send them, and wait until the consumer has the last."""
    reader.reached.clear()
    reader.wait_for(told)
    place.process.ask(Go(gap_s))
    reached = asyncio.ensure_future(reader.reached.wait())
    try:
        await asyncio.wait((reached, reader.running), return_when=asyncio.FIRST_COMPLETED)
        if reader.running.done():
            reader.running.result()
    finally:
        reached.cancel()
