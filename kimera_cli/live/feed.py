"""The feed process of a run on live venues: websockets to one ring that the engine reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from kimera_cli.engine.child import READY, note
from kimera_cli.engine.feed_process import SLOTS
from kimera_cli.feeds.client import Surroundings, serve
from kimera_cli.feeds.live import BookState, LiveFeed, Stream, World
from kimera_cli.feeds.output import RingOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.layouts import ASK, BID, EVENT
from kimera_cli.live.run_recording import RunRecording
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.ring import ring_shape
from kimera_cli.shm.segment import Clocks
from kimera_cli.venues.clients.addresses import Addresses, addresses_of

LEVELS = 5
"""Best levels of each side of a book that the end of a run tells."""


class FeedArguments(NamedTuple):
    """What to read, and where; `server` empty: the venues themselves."""

    streams: tuple[Stream, ...]
    random_bytes: Callable[[int], bytes]
    """For jitter; a function that can be pickled."""
    server: str = ""
    record: bool = False
    """Whether what comes in is kept."""

    def random(self) -> float:
        """Return a number from [0, 1)."""
        return int.from_bytes(self.random_bytes(6), "little") / (1 << 48)

    @property
    def addresses(self) -> Addresses:
        """Where the venues' hosts are."""
        return addresses_of(self.server)


def publish_live(
    wire: Any, told: FeedArguments, paths: Sequence[Path], clocks: Clocks
) -> dict[str, Any]:
    """Publish what the venues send until STOP; return how books and events fared."""
    (path,) = paths
    producer = ConflatingProducer(path, ring_shape(EVENT, SLOTS), clocks)
    found: dict[str, Any] = {}

    async def work() -> None:
        addresses = told.addresses
        around = Surroundings(
            clocks.now_ns, clocks.monotonic_ns, told.random,
            lambda error: note(wire, error),
        )  # fmt: skip
        recording = RunRecording(around.report)
        async with RestClient(addresses) as rest:
            world = World(around, rest.fetch, addresses)
            kept = recording.note if told.record else None
            feed = LiveFeed(told.streams, RingOutput(producer), world, kept)
            wire.send((READY, None))
            _, folder = wire.recv()  # GO: the engine is there
            if folder is not None:
                recording.open(folder, feed, clocks.now_ns())
            loop = asyncio.get_running_loop()

            def stop() -> None:
                """STOP was said, or the engine is gone."""
                loop.remove_reader(wire.fileno())
                found.update(fared(feed))
                feed.stop()

            loop.add_reader(wire.fileno(), stop)
            try:
                await feed.run()
            finally:
                found.update(recording.close(clocks.now_ns()))

    serve(work)
    producer.close()
    return found | {"events": producer.conflation._asdict()}


def fared(feed: LiveFeed) -> dict[str, Any]:
    """Return how each book stands and what became of the frames, JSON-safe."""
    books = {
        state.instrument.name: {
            "good": state.good,
            "reason": state.reason,
            **asdict(state.counts),
            "bids": _shown(state, BID),
            "asks": _shown(state, ASK),
        }
        for state in feed.states()
    }
    frames = {
        f"{c.intake.reader.dialect.venue} {number}": c.intake.reader.counts
        for number, c in enumerate(feed.connections)
    }
    return {"books": books, "frames": frames}


def _shown(state: BookState, side: int) -> list[list[str]]:
    """Return prices and quantities of the best levels, best first; none while it is not good."""
    tick, lot = state.instrument.tick, state.instrument.lot
    best = state.best(side, LEVELS) if state.good else []
    return [[f"{px * tick:f}", f"{lots * lot:f}"] for px, lots in best]
