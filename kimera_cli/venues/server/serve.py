"""Runs a server until it is told to stop: ports, files for the clients, a summary at the end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import uvloop

from kimera_cli.errors import VenueError
from kimera_cli.records import VenueEnded, VenueListening
from kimera_cli.venues.server.build import Setup, build_host, client_key
from kimera_cli.venues.server.ca import make_authority
from kimera_cli.venues.server.control import Control
from kimera_cli.venues.server.faults import Rule
from kimera_cli.venues.server.host import Host, Report
from kimera_cli.venues.server.listen import Listener
from kimera_cli.venues.server.new_keys import write_keys


class Ports(msgspec.Struct, frozen=True):
    """Ports asked for; 0 takes a free one."""

    plain: int = 0
    tls: int = 0
    control: int = 0


class Serving:
    """A running server; `async with` starts and stops it."""

    def __init__(self, host: Host, ports: Ports, folder: Path, now_ns: int) -> None:
        self.host = host
        self.folder = folder
        self.listener = Listener(host, ports.plain, ports.tls)
        self.control = Listener(Control(host), ports.control)
        self._now = dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC)

    async def __aenter__(self) -> Serving:
        """Write CA and keys, open the ports."""
        self.authority = make_authority(self.folder, self.host.by_host, self._now)
        self.keys = self.folder / "keys.toml"
        write_keys(self.keys, (client_key(venue) for venue in self.host.venues.values()))
        await self.listener.start(self.authority.server_context())
        await self.control.start()
        return self

    async def __aexit__(self, *unused: object) -> None:
        """Close the ports."""
        await self.listener.stop()
        await self.control.stop()

    def record(self, seed: int) -> VenueListening:
        """Return where everything is."""
        return VenueListening(
            venues=list(self.host.venues),
            port=self.listener.port,
            tls_port=self.listener.tls_port,
            control_port=self.control.port,
            ca=str(self.authority.root),
            keys=str(self.keys),
            seed=seed,
        )


def ended(host: Host) -> list[VenueEnded]:
    """Check all venues and return what happened at each."""
    found = []
    for name, venue in host.venues.items():
        venue.exchange.check_conservation()
        found.append(
            VenueEnded(
                venue=name,
                requests=venue.requests,
                orders=len(venue.exchange.orders_by_id),
                trades=venue.exchange.trade_count,
                bugs=venue.bugs,
            )
        )
    return found


def serve(
    setup: Setup,
    ports: Ports,
    folder: Path,
    rules: Iterable[Rule],
    now_ns: Callable[[], int],
    on_bug: Report,
    announce: Callable[[VenueListening], None],
    for_s: float | None = None,
) -> list[VenueEnded]:
    """Serve until SIGINT or SIGTERM, or for a time; return what happened at each venue."""
    host = build_host(setup, now_ns, on_bug, rules)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with Serving(host, ports, folder, now_ns()) as serving:
            announce(serving.record(setup.seed))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), for_s)

    with _claimed(folder):
        uvloop.run(run())
    return ended(host)


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold a folder: a second server would replace the certificates that the first one serves."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VenueError(
                "venue.folder",
                f"expected {folder} free, was in use by another venue server",
                "give this one a folder of its own: --folder DIR",
                file=str(folder),
            ) from None
        yield
