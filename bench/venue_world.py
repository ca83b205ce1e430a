"""A venue server in a process of its own, reached by TLS under the venues' own names.

Every client is on one event loop (uvloop) in this process, kimera's and its peers': the loop is the
same for both. Requests are as fast as the clients go: the server has no limits and the clients'
own ones are off.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from kimera_cli.context import from_process
from kimera_cli.errors import KimeraError, RunError
from kimera_cli.venues.clients.addresses import Server
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.clients.world import World

from .harness import Timing
from .order_peers import require
from .venue_peer import Place, trade
from .wire_peer import Process, running

T = TypeVar("T")
GUARD_S = 240.0
"""Only against a hang: nothing takes so long."""
CCXT: dict[str, dict[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}},
    "okx": {"fetchMarkets": {"types": ["spot"]}},
    "bybit": {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"},
}
"""Options that keep ccxt from asking for markets that the server has not."""


@dataclass
class Floor:
    """The server, the loop of its clients, and what they need."""

    process: Process
    place: Place
    loop: asyncio.AbstractEventLoop
    reports: list[KimeraError] = field(default_factory=list)

    def do(self, work: Awaitable[T], guard_s: float = GUARD_S) -> T:
        """Run work of a client to its end; RunError `run.bench_venue` when it fails."""
        try:
            return self.loop.run_until_complete(asyncio.wait_for(work, guard_s))
        except KimeraError:
            raise
        except Exception as error:  # of a peer: each has errors of its own
            raise failed("the clients to do their work", repr(error)) from error

    @cached_property
    def world(self) -> World:
        """Surroundings of kimera's clients."""
        clocks = from_process()
        return World(clocks.now_ns, clocks.monotonic_ns, clocks.random_bytes, self.reports.append)

    @cached_property
    def addresses(self) -> Server:
        """The server by TLS, under the venues' own names."""
        tls = ssl.create_default_context(cafile=str(self.place.ca))
        return Server(self.place.tls_port, tls, self.place.hosts)

    def client(self, venue: str, *, by_socket: bool = False) -> VenueClient:
        """Return kimera's client of a venue, without a budget of requests."""
        made = client_for(
            venue,
            Credentials(venue, *self.place.keys[venue][0]),
            Transport(self.addresses, self.world),
            self.world,
            by_socket=by_socket,
        )
        made.session.budget = Budget(venue, (), self.world)
        return made

    def ccxt(self, module: str, venue: str) -> tuple[Any, Any]:
        """Return an unmodified client of ccxt, and the session that leads it to the server."""
        from kimera_cli.venues.server.hijack import hijack_session

        session = hijack_session(self.place.hosts, self.place.tls_port, self.place.ca)
        key, secret, passphrase = self.place.keys[venue][2 if module == "ccxt.pro" else 1]
        config = {"apiKey": key, "secret": secret, "password": passphrase, "session": session}
        more = {"enableRateLimit": False, "options": CCXT.get(venue, {})}
        return getattr(require(module), venue)({**config, **more}), session


@contextmanager
def floor(venues: list[str], core: int | None) -> Iterator[Floor]:
    """Start a server of these venues, and end it at last."""
    loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    with (
        TemporaryDirectory(prefix="kimera-venue-") as folder,
        running(trade, core, Path(folder), venues) as process,
    ):
        try:
            yield Floor(process, process.answer(), loop)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


class Cpu:
    """Processor time of this process, system calls included, in each run of a case."""

    def __init__(self) -> None:
        self._began: int | None = None
        self._spent = 0
        self._laps: list[tuple[int, int]] = []

    def start(self) -> None:
        """Count from now on."""
        self._began = time.process_time_ns()

    def stop(self) -> None:
        """Count no more until the next start."""
        if self._began is not None:
            self._spent += time.process_time_ns() - self._began
        self._began = None

    def lap(self, n: int) -> None:
        """End a run of `n` operations."""
        self.stop()
        self._laps.append((self._spent, n))
        self._spent = 0

    def timing(self) -> Timing:
        """Return what each run took; the first was to warm up."""
        found = Timing()
        for each in self._laps[1:]:
            found.add([each])
        return found


def failed(what: str, was: object) -> RunError:
    """Return the error of a run whose work was not done."""
    return RunError("run.bench_venue", f"expected {what}, was {was}")
