"""Unmodified ccxt against the venue server in this process (served_venues.py beside its tests)."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from served_venues import World as Served
from served_venues import serve_for

from kimera_cli.data.catalog import Catalog
from kimera_cli.errors import KimeraError
from kimera_cli.progress import SILENT, Progress
from kimera_cli.records import Record
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.history.bars import BarFetch
from kimera_cli.venues.history.job import Job, Wanted
from kimera_cli.venues.history.session import Place, fetch
from kimera_cli.venues.history.span import Span


async def bars(job: Job) -> Record:
    return await BarFetch(job).run()


@dataclass
class Told:
    """What a fetch emitted and reported."""

    records: list[Any] = field(default_factory=list)
    failed: list[KimeraError] = field(default_factory=list)
    notes: list[KimeraError] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def of(self, kind: type[Record]) -> list[Any]:
        return [each for each in self.records if isinstance(each, kind)]


@dataclass
class Fetching:
    """Fetches into a catalog of its own, in a thread beside the server's loop."""

    server: Served
    folder: Path

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.folder / "data")

    async def __call__(
        self,
        venue: str,
        symbols: Sequence[str],
        span: tuple[int, int],
        work: Callable[[Job], Awaitable[Record]] = bars,
        progress: Progress = SILENT,
        **more: Any,
    ) -> Told:
        """Fetch; pauses before another try are noted, not slept."""
        told = Told()

        async def sleep(seconds: float) -> None:
            told.slept.append(seconds)

        world = World(
            time.time_ns, time.perf_counter_ns, secrets.token_bytes, told.notes.append, sleep
        )
        file = self.folder / "server.jsonl"
        file.write_bytes(msgspec.json.encode(self.server.serving.record(7)))
        wanted = Wanted(
            Span(*span), told.records.append, progress, world, self.folder / "data",
            **{"timeframe": "1m", **more},
        )  # fmt: skip
        place = Place(venue, symbols, str(file))
        await asyncio.to_thread(fetch, place, wanted, work, told.failed.append)
        return told


Scenario = Callable[[Fetching], Awaitable[Any]]


@pytest.fixture
def fetching(tmp_path: Path) -> Callable[..., Any]:
    """fetching(scenario, "binance", ...): run `await scenario(fetch)` against a fresh server."""

    def run(scenario: Scenario, *venues: str, **setup: Any) -> Any:
        async def with_server(server: Served) -> Any:
            return await scenario(Fetching(server, tmp_path))

        return serve_for(with_server, tmp_path, venues, **{"limits": False, **setup})

    return run
