"""The venue server in a process of its own, told over a pipe what to do and when."""

from __future__ import annotations

import asyncio
import time
from multiprocessing.connection import Connection
from typing import Any

from .wire_peer import pin

START_NS = 1_790_000_000_000_000_000
"""The venue's time, which stands: a request that was signed once stays valid."""
VENUE = "binance"
SYMBOL = "BTC/USDT"
DONE = b"done"
ACTS_PER_TURN = 4


def serve(link: Connection, core: int | None) -> None:
    """Serve binance until the link closes; answers (port, API key, secret), then commands.

    "cpu": processor seconds so far. An int: that many acts of the background market, each told to
    every socket; the answer is how many frames that were in all. Every socket then gets DONE.
    """
    import uvloop

    pin(core)
    uvloop.run(_serve(link))


async def _serve(link: Connection) -> None:
    from kimera_cli.venues.server.build import Setup, build_host, client_key
    from kimera_cli.venues.server.listen import Listener

    setup = Setup(venues=[VENUE], seed=1, rate=0.0, limits=False, cadence_ns=0)
    host = build_host(setup, None, _bug, start_ns=START_NS)
    listener = Listener(host)
    await listener.start()
    key = client_key(host.venues[VENUE])
    link.send((listener.port, key.key, key.secret))
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
            link.send(time.process_time() if command == "cpu" else await _push(host, command))


async def _push(host: Any, acts: int) -> int:
    flow = next(f for f in host.venues[VENUE].background if f.market.symbol == SYMBOL)
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
