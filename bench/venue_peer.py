"""The venue server in a process of its own, told over a pipe what to do and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from .wire_peer import pin

START_NS = 1_790_000_000_000_000_000
"""The venue's time, which stands: a request that was signed once stays valid."""
VENUE = "binance"
SYMBOL = "BTC/USDT"
DONE = b"done"
ACTS_PER_TURN = 4


CHANGES = 40
"""Acts of the background that one book message tells of: about as many levels."""


class Place(NamedTuple):
    """Where a server is, and its client's keys at each venue: key, secret, passphrase of each.

    There are two of them at each: at Kraken a key's nonces rise, and kimera counts them otherwise
    than ccxt.
    """

    tls_port: int
    ca: Path
    hosts: frozenset[str]
    keys: dict[str, list[tuple[str, str, str]]]


class Acts(NamedTuple):
    """Work for a server: `n` book messages, `per_turn` of them in one piece."""

    n: int
    per_turn: int


class Told(NamedTuple):
    """What the acts came to."""

    messages: int
    last: int
    """Id of the last change."""


def serve(link: Connection, core: int | None) -> None:
    """Serve binance until the link closes; answers (port, API key, secret), then commands.

    "cpu": processor seconds so far. An int: that many acts of the background market, each told to
    every socket; the answer is how many frames that were in all. Every socket then gets DONE.
    """
    import uvloop

    pin(core)
    uvloop.run(_serve(link))


def trade(link: Connection, core: int | None, folder: Path, venues: list[str]) -> None:
    """Serve venues by TLS at the host's time; answers with a Place, then each Acts with a Told."""
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
            venue.keys.add(new_key(name, setup.seed, client_key(venue).account, number=1))
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
        await _obey(link, lambda acts: _act(host, acts))


async def _act(host: Any, acts: Acts) -> Told:
    flow = _flow(host)
    for turn in range(acts.n):
        before = flow.market.seq
        while flow.market.seq == before:
            for _ in range(CHANGES):
                flow.act()
        host.tick()
        if turn % acts.per_turn == 0:
            await asyncio.sleep(0)
    return Told(acts.n, flow.market.seq)


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
            except EOFError:
                return
            link.send(await answer(command))


def _flow(host: Any) -> Any:
    return next(f for f in host.venues[VENUE].background if f.market.symbol == SYMBOL)


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
