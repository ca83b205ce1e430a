"""The feed of a live run in the loop's own thread: sockets are read whenever the loop is idle.

One thread, so no ring and no handing over: what a frame brought is in the loop's buffers some
microseconds after its bytes were read. While the loop works, frames wait in the sockets.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.client import Surroundings
from kimera_cli.feeds.live import LiveFeed, World
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.layouts import Events, empty_events
from kimera_cli.live.feed import FeedArguments, fared
from kimera_cli.live.run_recording import RunRecording
from kimera_cli.shm.segment import Clocks

EVENTS = 1 << 14


class ThreadFeed:
    """Connections of all venues, driven by `batches` and `idle` (engine/live_intake.py)."""

    def __init__(self, told: FeedArguments, clocks: Clocks) -> None:
        self._told, self._clocks = told, clocks
        self._loop = _new_loop()
        self._events: Events = empty_events(EVENTS)
        self._n = 0
        self._waits = False
        self._taken = 0
        self._notes: list[KimeraError] = []
        self._feed: LiveFeed | None = None
        self._work: asyncio.Task[None] | None = None
        self._recording = RunRecording(self._notes.append)
        self._folder: tuple[Path, frozenset[int]] | None = None

    def keep(self, folder: Path, cores: frozenset[int]) -> None:
        """Write what will come into this folder; a thread on `cores` does."""
        self._folder = folder, cores

    def begin(self) -> None:
        """Connect."""
        self._work = self._loop.create_task(self._run())

    def batches(self) -> Iterator[tuple[Events, int]]:
        """Read what the sockets hold, and yield what came of it."""
        if not self._n:
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
        if self._n:
            n, self._n = self._n, 0
            self._taken += n
            yield self._events[:n], 0

    def idle(self, seconds: float) -> None:
        """Wait for a frame."""
        timer = self._loop.call_later(seconds, self._wake)
        self._waits = True
        try:
            self._loop.run_forever()
        finally:  # also when an interrupt ends it
            self._waits = False
            timer.cancel()

    def ended(self) -> bool:
        """A venue goes on."""
        return False

    def check(self) -> None:
        """Raise what ended the feed."""
        if self._work is not None and self._work.done():
            self._work.result()

    def notices(self) -> list[KimeraError]:
        """Return what was mended since the last call."""
        found = self._notes.copy()
        self._notes.clear()
        return found

    def finish(self) -> dict[str, Any]:
        """Close the connections; return how books and events fared."""
        found: dict[str, Any] = {"events": {"taken": self._taken}}
        if self._feed is not None:
            found |= fared(self._feed)
            self._feed.stop()
        if self._work is not None:
            self._work.add_done_callback(lambda _: self._loop.stop())
            while not self._work.done():
                self._loop.run_forever()
            self._work.result()
        self._loop.close()
        return found | self._recording.close(self._clocks.now_ns())

    async def _run(self) -> None:
        addresses, clocks = self._told.addresses, self._clocks
        around = Surroundings(
            clocks.now_ns, clocks.monotonic_ns, self._told.random, self._notes.append
        )
        async with RestClient(addresses) as rest:
            output, world = FunctionOutput(self._take), World(around, rest.fetch, addresses)
            kept = self._recording.note if self._told.record else None
            self._feed = feed = LiveFeed(self._told.streams, output, world, kept)
            if self._folder is not None:
                folder, cores = self._folder
                self._recording.open(folder, feed, clocks.now_ns(), cores)
            await feed.run()

    def _take(self, events: Events, n: int) -> None:
        """Keep events of one or more frames; the loop is to have them next."""
        end = self._n + n
        if end > len(self._events):
            larger = empty_events(2 * end)
            larger[: self._n] = self._events[: self._n]
            self._events = larger
        self._events[self._n : end] = events[:n]
        self._n = end
        self._wake()

    def _wake(self) -> None:
        """End `idle`, once: a second stop in one turn of uvloop would end what is run next."""
        if self._waits:
            self._waits = False
            self._loop.stop()


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    return loop
