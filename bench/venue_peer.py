"""The venue server in a process of its own, told over a pipe what to do and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .wire_peer import pin

if TYPE_CHECKING:
    from .venue_script import Script

START_NS = 1_790_000_000_000_000_000
"""The venue's time, which stands: a request that was signed once stays valid."""
VENUE = "binance"
SYMBOL = "BTC/USDT"
DONE = b"done"
ACTS_PER_TURN = 4


CHANGES = 40
"""Acts of the background that one book message tells of: about as many levels."""
SPARE = 50
"""Messages of a script beyond those of a run, for a client that begins to follow the market."""


class Place(NamedTuple):
    """Where a server is, and its client's keys at each venue: key, secret, passphrase of each.

    There are three of them at each, for kimera, ccxt and ccxt.pro: at Kraken a key's nonces rise,
    and each counts them for itself.
    """

    tls_port: int
    ca: Path
    hosts: frozenset[str]
    keys: dict[str, list[tuple[str, str, str]]]


class Acts(NamedTuple):
    """Work for a server: make `n` book messages of a venue and hold them back until Go.

    When it comes to no message (nobody is subscribed), nothing is held back.
    """

    venue: str
    symbol: str
    n: int


class Anew(NamedTuple):
    """Set a market's book back to where it began, for a run of `n` messages at most."""

    venue: str
    symbol: str
    n: int


class Go(NamedTuple):
    """Send what is held back, a message each `gap_s`; 0: as fast as the socket takes them."""

    gap_s: float


class Told(NamedTuple):
    """What the acts came to: the best bid that the last message makes, and the bytes in all."""

    messages: int
    px: str
    qty: str
    size: int


def serve(link: Connection, core: int | None) -> None:
    """Serve binance until the link closes; answers (port, API key, secret), then commands.

    "cpu": processor seconds so far. An int: that many acts of the background market, each told to
    every socket; the answer is how many frames that were in all. Every socket then gets DONE.
    """
    import uvloop

    pin(core)
    uvloop.run(_serve(link))


def trade(link: Connection, core: int | None, folder: Path, venues: list[str]) -> None:
    """Serve venues by TLS at the host's time; answers with a Place, each Acts with a Told, and Go
    when everything is sent.
    """
    import uvloop

    pin(core)
    uvloop.run(_trade(link, folder, venues))


async def _trade(link: Connection, folder: Path, venues: list[str]) -> None:
    from kimera_cli.context import from_process
    from kimera_cli.venues.server.build import Setup, build_host, client_key
    from kimera_cli.venues.server.new_keys import new_key
    from kimera_cli.venues.server.serve import Ports, Serving

    # With a cadence of a nanosecond each tick tells what has changed since the last.
    setup = Setup(venues=venues, seed=1, rate=0.0, limits=False, cadence_ns=1)
    now_ns = from_process().now_ns
    host = build_host(setup, now_ns, _bug)
    async with Serving(host, Ports(), folder, now_ns()) as serving:
        for name, venue in host.venues.items():
            for number in (1, 2):
                venue.keys.add(new_key(name, setup.seed, client_key(venue).account, number=number))
        link.send(
            Place(
                serving.listener.tls_port,
                serving.authority.root,
                frozenset(host.by_host),
                {
                    name: [(key.key, key.secret, key.passphrase) for key in venue.keys]
                    for name, venue in host.venues.items()
                },
            )
        )
        await _obey(link, Market(host).obey)


CONTROL = 0x08
"""Bit of a frame's first byte (RFC 6455, 5.2)."""


class Held:
    """Stands in for a socket's transport and keeps what is written, one message after the other."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.transport = socket, socket.transport
        self.messages: list[bytes] = []
        socket.transport = self

    def write(self, data: bytes) -> None:
        """Keep messages: a socket writes all those of a turn together. Pongs are not held back."""
        for frame in _frames(data):
            if frame[0] & CONTROL:
                self.transport.write(frame)
            else:
                self.messages.append(frame)

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def release(self) -> Any:
        """Take the transport's place no longer; return it."""
        self.socket.transport = self.transport
        return self.transport


def _frames(data: bytes) -> Iterator[bytes]:
    """Yield the frames of a server one by one (RFC 6455, 5.2)."""
    at = 0
    while at < len(data):
        size, head = data[at + 1], 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[at + 2 : at + head], "big")
        yield data[at : at + head + size]
        at += head + size


class Market:
    """Makes messages ahead of time, because one takes longer to make than to read."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.held: list[Held] = []
        self.scripts: dict[str, Script] = {}
        """By venue, as long as the first run; a longer one begins anew on its way."""

    async def obey(self, command: Anew | Acts | Go) -> Told | None:
        """Do as told."""
        if isinstance(command, Anew):
            self._begin(command)
            return None
        if isinstance(command, Acts):
            return await self._make(command)
        await self._send(command.gap_s)
        return None

    async def _send(self, gap_s: float) -> None:
        """Let sockets have what was held back, and write themselves from now on."""
        for held in self.held:
            transport = held.release()
            for message in held.messages:
                transport.write(message)
                if gap_s:
                    await asyncio.sleep(gap_s)
        self.held = []

    def _begin(self, anew: Anew) -> None:
        from .venue_script import Script

        if anew.venue not in self.scripts:
            flow = _flow(self.host, anew.venue, anew.symbol)
            self.scripts[anew.venue] = Script(flow, (anew.n + SPARE) * CHANGES)
        self.scripts[anew.venue].rewind()

    async def _make(self, acts: Acts) -> Told:
        self.held = [Held(socket) for socket in self.host.sockets()]
        script, venue = self.scripts[acts.venue], self.host.venues[acts.venue]
        made = 0
        for _ in range(acts.n - 1):
            for _ in range(CHANGES):
                script.act()
            made += await self._tick(venue)
        px, lots = script.mark()
        made += await self._tick(venue)
        if not made:  # nobody reads the market yet, and no Go will come: answers go their way
            await self._send(0.0)
        market = script.market
        size = sum(len(message) for held in self.held for message in held.messages)
        return Told(made, str(market.price(px)), str(market.qty(lots)), size)

    async def _tick(self, venue: Any) -> int:
        """Let the venue tell what has changed; return in how many messages it did."""
        before = sum(len(held.messages) for held in self.held)
        venue.tick()
        await asyncio.sleep(0)  # a socket writes at the end of a turn
        return sum(len(held.messages) for held in self.held) - before


async def _serve(link: Connection) -> None:
    from kimera_cli.venues.server.build import Setup, build_host, client_key
    from kimera_cli.venues.server.listen import Listener

    setup = Setup(venues=[VENUE], seed=1, rate=0.0, limits=False, cadence_ns=0)
    host = build_host(setup, None, _bug, start_ns=START_NS)
    listener = Listener(host)
    await listener.start()
    key = client_key(host.venues[VENUE])
    link.send((listener.port, key.key, key.secret))

    async def answer(command: Any) -> Any:
        return time.process_time() if command == "cpu" else await _push(host, command)

    await _obey(link, answer)


async def _obey(link: Connection, answer: Callable[[Any], Awaitable[Any]]) -> None:
    """Answer commands until the link closes."""
    loop, wanted = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(link.fileno(), wanted.set)
    while True:
        await wanted.wait()
        wanted.clear()
        while link.poll():
            try:
                command = link.recv()
            except (EOFError, ConnectionError):
                return
            link.send(await answer(command))


def _flow(host: Any, venue: str = VENUE, symbol: str = SYMBOL) -> Any:
    return next(f for f in host.venues[venue].background if f.market.symbol == symbol)


async def _push(host: Any, acts: int) -> int:
    flow = _flow(host)
    sockets = host.sockets()
    before = sum(socket.sent for socket in sockets)
    for turn in range(acts):
        flow.act()
        if turn % ACTS_PER_TURN == 0:
            await asyncio.sleep(0)
    frames = sum(socket.sent for socket in sockets) - before
    for socket in sockets:
        socket.send(DONE.decode())
    return int(frames)


def _bug(venue: str, where: str, error: Exception) -> None:
    raise error
