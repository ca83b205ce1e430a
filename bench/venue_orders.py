"""Orders there and back over loopback: kimera's client and unmodified ccxt, at the same server.

A post-only bid far below the market is placed and canceled, one request at a time, each by TLS in
the dialect of the venue, and each answer read. `venue.order.VENUE.WAY` is how long one request
takes until its outcome is known; `venue.order_cpu.VENUE.WAY` the client's processor time for it.
The peer of REST is ccxt's asynchronous client, that of the websocket is ccxt.pro.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple, Protocol

from kimera_cli.records import Bench
from kimera_cli.venues.clients.socket_entry import SocketEntry
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.outcome import Accepted, CancelIntent, Intent

from . import targets
from .harness import Case, Timing, Watch
from .machine import package
from .request import Peer, Request, row
from .venue_world import Cpu, Floor, failed, floor

REQUESTS = 20_000
SHARE = 8
"""A run has so many times fewer requests than one of `venue.rest`."""
LESS_CPU = 3.0
TOP_PX = 49_000
LEVELS = 100
"""Prices that the orders rest at, below the market."""
QUANTITY = "0.001"
WAYS = ("rest", "websocket")


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
    used = {name: Cpu() for name in sides}
    for side in sides.values():
        place.do(side.open())
    try:
        cases = [_case(name, place, side, pairs, used[name]) for name, side in sides.items()]
        timings = request.measure(cases)
    finally:
        for side in sides.values():
            place.do(side.close())
    for way in WAYS:
        yield _told(request, f"venue.order.{venue}.{way}", way, timings)
        spent = {name: each.timing() for name, each in used.items()}
        yield _told_cpu(request, f"venue.order_cpu.{venue}.{way}", way, spent)


def _case(name: str, place: Floor, side: Trader, pairs: int, cpu: Cpu) -> Case:
    async def trip(watch: Watch) -> None:
        await side.cancel(await side.place(TOP_PX))  # a connection that slept may be made anew
        cpu.start()
        for n in range(pairs):
            watch.start()
            order_id = await side.place(TOP_PX - n % LEVELS)
            watch.lap(1)
            await side.cancel(order_id)
            watch.lap(1)
        cpu.lap(2 * pairs)

    return Case(name, lambda: None, lambda _, watch: place.do(trip(watch)))


def _told(request: Request, name: str, way: str, timings: dict[str, Timing]) -> Bench:
    ours, theirs = timings[f"kimera {way}"], timings.get(f"ccxt {way}")
    middle = ours.tail_ns(0.5)
    lower = None if theirs is None else middle < theirs.tail_ns(0.5)
    more: dict[str, Any] = {"p50_ns": round(middle)}
    if theirs is not None:
        more["peer_p50_ns"] = round(theirs.tail_ns(0.5))
        more["peer_p99_ns"] = round(theirs.tail_ns(0.99))
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
        goals=[targets.faster(ours, theirs, LESS_CPU, "ccxt")],
    )


def _peer(timing: Timing | None) -> Peer | None:
    return None if timing is None else Peer(f"ccxt {package('ccxt')}", timing)
