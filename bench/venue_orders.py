"""Orders there and back over loopback: kimera's client and unmodified ccxt, at the same server.

A post-only bid far below the market is placed and canceled, one request at a time, each by TLS in
the dialect of the venue, and each answer read. `venue.order.VENUE.WAY` is how long one request
takes until its outcome is known; `venue.order_cpu.VENUE.WAY` the client's processor time for it.
The peer of REST is ccxt's asynchronous client, that of the websocket is ccxt.pro. The limit of the
websocket is a ping as large as the protocol allows and its pong on the venue's order socket: what
it costs to be heard and answered at all.

ccxt.pro waits for some answers for ever: its number of a request to OKX is the millisecond and up
to four random digits, and a request with a number that was used before is not sent. A peer that is
stuck is connected anew and goes on; `detail.peer_stuck` says how often, and no row has that time.
kimera that is stuck ends the benchmark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from kimera_cli.records import Bench
from kimera_cli.venues.clients.addresses import LOOPBACK
from kimera_cli.venues.clients.socket_entry import SocketEntry
from kimera_cli.venues.clients.socket_talk import TALKS
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.outcome import Accepted, CancelIntent, Intent

from . import targets
from .harness import Case, Timing, Watch
from .machine import package
from .request import Peer, Request, row
from .venue_world import Cpu, Floor, failed, floor
from .wire_peer import handshake

REQUESTS = 20_000
SHARE = 10
"""A run has so many times fewer requests than one of `venue.rest`."""
LESS_CPU = 3.0
TOP_PX = 49_000
PING, PONG = b"\x89\xfd" + bytes(4 + 125), b"\x8a\x7d" + bytes(125)
"""As a client and as a server writes them (RFC 6455, 5.5), masked with nought."""
LEVELS = 100
"""Prices that the orders rest at, below the market."""
QUANTITY = "0.001"
WAYS = ("rest", "websocket")
STUCK_S = 5.0
"""A peer that has done nothing for so long waits for an answer that does not come."""
STUCK_MOST = 20
RUN_S = 900.0
"""Only against a hang: a run of the slowest client on a busy machine is far below."""


class Symbols(NamedTuple):
    """One market as kimera and as ccxt call it."""

    kimera: str
    ccxt: str


VENUES = {
    "binance": Symbols("BTCUSDT", "BTC/USDT"),
    "okx": Symbols("BTC-USDT", "BTC/USDT"),
    "bybit": Symbols("BTCUSDT", "BTC/USDT"),
    "kraken": Symbols("XBTUSD", "BTC/USD"),
}


class Trader(Protocol):
    """One client of one venue."""

    peer: bool
    """Whether it is not ours."""

    async def open(self) -> None:
        """Connect, learn the markets, log in."""

    async def place(self, px: int) -> str:
        """Place a bid; return the venue's id of it."""

    async def cancel(self, order_id: str) -> None:
        """Cancel it."""

    async def close(self) -> None:
        """Disconnect."""


class Kimera:
    """kimera's client."""

    peer = False

    def __init__(self, floor: Floor, venue: str, way: str) -> None:
        self.venue, self.symbol = venue, VENUES[venue].kimera
        self.client = floor.client(venue, by_socket=way == "websocket")
        self.entry = self.client.entry
        self._session = 1 + WAYS.index(way)  # the two clients of an account share no client id
        self._numbers = count(1)
        self._talking: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Start the session, and the socket where there is one."""
        await self.client.session.start()
        if isinstance(self.entry, SocketEntry):
            self._talking = asyncio.ensure_future(self.entry.run())
            await self.entry.up.wait()

    async def place(self, px: int) -> str:
        """Place a bid."""
        number = next(self._numbers)
        intent = Intent(
            number=number,
            client_id=client_id(self.venue, IntentKey(self._session, number)),
            venue=self.venue,
            account="main",
            symbol=self.symbol,
            side="buy",
            kind="limit",
            tif="post_only",
            created_ns=0,
            price=Decimal(px),
            quantity=Decimal(QUANTITY),
        )
        outcome = await self.entry.place(intent)
        if not isinstance(outcome, Accepted):
            raise failed("the order to be accepted", outcome)
        return outcome.venue_order_id

    async def cancel(self, order_id: str) -> None:
        """Cancel by the venue's id."""
        intent = CancelIntent(
            number=0, venue=self.venue, account="main", symbol=self.symbol, created_ns=0,
            client_id="", venue_order_id=order_id,
        )  # fmt: skip
        outcome = await self.entry.cancel(intent)
        if not isinstance(outcome, Accepted):
            raise failed("the cancel to be accepted", outcome)

    async def close(self) -> None:
        """End socket and connections."""
        if isinstance(self.entry, SocketEntry) and self._talking is not None:
            self.entry.stop()
            await self._talking
            if self.entry.spoken < next(self._numbers) - 1:
                raise failed("orders over the websocket", "orders by REST")
        self.client.session.transport.close()


class Ccxt:
    """ccxt's client; errors are its exceptions."""

    peer = True

    def __init__(self, floor: Floor, venue: str, way: str) -> None:
        self.venue, self.symbol, self.way = venue, VENUES[venue].ccxt, way
        self.floor = floor

    async def open(self) -> None:
        """Load the markets."""
        module = "ccxt.pro" if self.way == "websocket" else "ccxt.async_support"
        exchange, self.session = self.floor.ccxt(module, self.venue)
        self.exchange = exchange
        spoken = self.way == "websocket"
        self._create = exchange.create_order_ws if spoken else exchange.create_order
        self._cancel = exchange.cancel_order_ws if spoken else exchange.cancel_order
        # ccxt refuses a symbol here, and needs one everywhere else.
        self._of = None if spoken and self.venue == "kraken" else self.symbol
        await exchange.load_markets()

    async def place(self, px: int) -> str:
        """Place a bid."""
        more = {"postOnly": True}
        made = await self._create(self.symbol, "limit", "buy", float(QUANTITY), px, more)
        return str(made["id"])

    async def cancel(self, order_id: str) -> None:
        """Cancel by the venue's id."""
        await self._cancel(order_id, self._of)

    async def close(self) -> None:
        """Close what ccxt and we opened."""
        with suppress(Exception):  # ccxt's websockets end in cancelled futures
            await self.exchange.close()
        await self.session.close()


class Bare(asyncio.Protocol):
    """Pings the address of a venue's order socket: the least that a request and its answer cost."""

    peer = False

    def __init__(self, floor: Floor, venue: str) -> None:
        self.floor, self.venue = floor, venue
        self._awaited = b""
        self._told: asyncio.Future[None]

    async def open(self) -> None:
        """Connect."""
        self._awaited = b""
        session = self.floor.client(self.venue, by_socket=True).session
        url = urlsplit(TALKS[self.venue](session).url)
        session.transport.close()
        there, loop = self.floor.addresses, asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(
            lambda: self, LOOPBACK, there.port, ssl=there.tls, server_hostname=url.hostname
        )
        self._told = loop.create_future()
        self._transport.write(handshake(url))
        await self._told
        self._awaited = PONG

    async def place(self, px: int) -> str:
        """Ping, and wait for the pong."""
        # Venues end a connection that does not log in after a while.
        if self._transport.is_closing():
            await self.open()
        self._told = asyncio.get_running_loop().create_future()
        self._transport.write(PING)
        await self._told
        return ""

    async def cancel(self, order_id: str) -> None:
        """Once more."""
        await self.place(0)

    async def close(self) -> None:
        """Disconnect."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Listen for what is awaited; a venue also says things by itself."""
        if data.endswith(self._awaited) and not self._told.done():
            self._told.set_result(None)


def rows(request: Request, core: int | None, venues: Sequence[str] = ()) -> Iterator[Bench]:
    """Time orders of each venue, by REST and by websocket."""
    named = list(venues or VENUES)
    with floor(named, core) as place:
        for venue in named:
            yield from _of_venue(request, place, venue)


def _of_venue(request: Request, place: Floor, venue: str) -> Iterator[Bench]:
    pairs = max(1, request.size(REQUESTS) // SHARE // 2)
    sides: dict[str, Trader] = {}
    for way in WAYS:
        sides[f"kimera {way}"] = Kimera(place, venue, way)
        if request.peers and package("ccxt") != "absent":
            sides[f"ccxt {way}"] = Ccxt(place, venue, way)
    sides["bare websocket"] = Bare(place, venue)
    trips = {name: Trips(side, pairs) for name, side in sides.items()}
    for side in sides.values():
        place.do(side.open())
    try:
        timings = request.measure([each.case(name, place) for name, each in trips.items()])
    finally:
        for side in sides.values():
            place.do(side.close())
    spent = {name: each.cpu.timing() for name, each in trips.items()}
    stuck = {name: each.stuck for name, each in trips.items()}
    for way in WAYS:
        yield _told(request, f"venue.order.{venue}.{way}", way, timings, stuck)
        yield _told_cpu(request, f"venue.order_cpu.{venue}.{way}", way, spent)


class Trips:
    """Pairs of orders and cancels of one client, and what they took."""

    def __init__(self, side: Trader, pairs: int) -> None:
        self.side, self.pairs = side, pairs
        self.cpu, self.stuck = Cpu(), 0

    def case(self, name: str, place: Floor) -> Case:
        """Return what the harness times."""
        return Case(name, lambda: None, lambda _, watch: place.do(self.run(watch), RUN_S))

    async def run(self, watch: Watch) -> None:
        """Do all pairs, by a new connection where a peer is stuck."""
        while (done := len(watch.laps) // 2) < self.pairs:
            work = asyncio.ensure_future(self._pairs(self.pairs - done, watch))
            if not await _ends(work, watch):
                await self._anew(work)
        self.cpu.lap(len(watch.laps))

    async def _pairs(self, n: int, watch: Watch) -> None:
        side = self.side
        await side.cancel(await side.place(TOP_PX))  # a connection that slept may be made anew
        self.cpu.start()
        watch.start()
        for step in range(n):
            order_id = await side.place(TOP_PX - step % LEVELS)
            watch.lap(1)
            await side.cancel(order_id)
            watch.lap(1)
        self.cpu.stop()

    async def _anew(self, work: asyncio.Future[None]) -> None:
        """Leave work that is stuck; RunError `run.bench_venue` when it is ours or goes on so."""
        self.cpu.stop()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        self.stuck += 1
        if not self.side.peer or self.stuck > STUCK_MOST:
            raise failed(f"the clients to have answers within {STUCK_S:g} s", "one that is stuck")
        await self.side.close()
        await self.side.open()


async def _ends(work: asyncio.Future[None], watch: Watch) -> bool:
    """Wait for work; False when it is stuck."""
    while True:
        before = len(watch.laps)
        await asyncio.wait((work,), timeout=STUCK_S)
        if work.done():
            await work
            return True
        if len(watch.laps) == before:
            return False


def _told(
    request: Request, name: str, way: str, timings: dict[str, Timing], stuck: dict[str, int]
) -> Bench:
    ours, theirs = timings[f"kimera {way}"], timings.get(f"ccxt {way}")
    middle = ours.tail_ns(0.5)
    lower = None if theirs is None else middle < theirs.tail_ns(0.5)
    more: dict[str, Any] = {"p50_ns": round(middle)}
    if theirs is not None:
        more["peer_p50_ns"] = round(theirs.tail_ns(0.5))
        more["peer_p99_ns"] = round(theirs.tail_ns(0.99))
        more["peer_stuck"] = stuck[f"ccxt {way}"]
    return row(
        request,
        name,
        ours,
        kind="single requests, place and cancel in turn",
        peer=_peer(theirs),
        goals=[targets.Goal("p50 lower than ccxt", lower)],
        **more,
    )


def _told_cpu(request: Request, name: str, way: str, spent: dict[str, Timing]) -> Bench:
    ours, theirs = spent[f"kimera {way}"], spent.get(f"ccxt {way}")
    return row(
        request,
        name,
        ours,
        kind=f"processor time of the client in whole runs of {ours.n} requests",
        peer=_peer(theirs),
        limit=spent.get(f"bare {way}"),
        goals=[targets.faster(ours, theirs, LESS_CPU, "ccxt")],
    )


def _peer(timing: Timing | None) -> Peer | None:
    return None if timing is None else Peer(f"ccxt {package('ccxt')}", timing)
