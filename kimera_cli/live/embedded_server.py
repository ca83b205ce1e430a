"""The process of a run's own venue server (live/embedded.py).

A file of its own, so that the server's process has nothing of the run in it, and a run without one
nothing of the server: each is 12 MB to 40 MB of code.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kimera_cli.engine.child import READY, note
from kimera_cli.errors import RunError

if TYPE_CHECKING:
    from kimera_cli.records import VenueEnded

ACTS_PER_S = 50.0
RECORD = "listening.jsonl"


class Wanted(NamedTuple):
    """What the process is told."""

    venues: list[str]
    seed: int
    folder: Path
    now_ns: Callable[[], int]


def serve(wire: Connection, told: Wanted) -> list[VenueEnded]:
    """Serve until STOP, or until the run is gone; return what happened at each venue."""
    import uvloop

    from kimera_cli.venues.server.build import Setup, build_host
    from kimera_cli.venues.server.serve import Ports, Serving, ended

    def bug(venue: str, where: str, error: Exception) -> None:
        words = f"expected {venue} to serve {where}, was {type(error).__name__}: {error}"
        note(wire, RunError("run.venue_bug", words, "please report it"))

    host = build_host(Setup(venues=told.venues, seed=told.seed, rate=ACTS_PER_S), told.now_ns, bug)

    async def work() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with Serving(host, Ports(), told.folder, told.now_ns()) as serving:
            record = msgspec.json.encode(serving.record(told.seed))
            (told.folder / RECORD).write_bytes(record + b"\n")
            wire.send((READY, None))
            loop.add_reader(wire.fileno(), stop.set)  # a word, or the end of the run
            await stop.wait()
            loop.remove_reader(wire.fileno())

    try:
        uvloop.run(work())
        return ended(host)
    finally:
        shutil.rmtree(told.folder, ignore_errors=True)
