"""The feed of a split run: a process reads the sources and publishes their events in rings.

One ring per source. A full ring makes the feed wait: a recording can. (What may not wait, a live
feed, conflates: kernels/conflate.py.) So the engine sees exactly the events of the source, and a
split run has the trade hash of a single one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimera_cli.engine.child import READY, Child
from kimera_cli.engine.pause import Pause
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT, Events
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.shm.segment import Clocks

if TYPE_CHECKING:  # a live feed process has no use for Parquet, which is 24 MB
    from kimera_cli.data.source import EventSource

SLOTS = 1 << 15
"""Events that a ring holds: 2 MiB, some milliseconds of the loop's work."""


@dataclass(frozen=True)
class RingSource:
    """A source as the engine's feed reads it, whose events come out of a ring."""

    source: EventSource
    consumer: Consumer
    feed: Child

    dataset = property(lambda self: self.source.dataset)
    family = property(lambda self: self.source.family)
    source_hash = property(lambda self: self.source.source_hash)
    rows = property(lambda self: self.source.rows)
    start_ns = property(lambda self: self.source.start_ns)
    end_ns = property(lambda self: self.source.end_ns)
    min_latency_ns = property(lambda self: self.source.min_latency_ns)

    @property
    def instrument(self) -> Instrument:
        """What was recorded, with its grid."""
        return self.source.instrument

    def chunks(self, size: int) -> Iterator[Events]:
        """Yield what has been published, at most `size` events at a time, until the feed ends."""
        pause = Pause()
        while True:
            rows = self.consumer.pop(size)
            if len(rows):
                pause.end()
                yield rows
            elif self.consumer.ended():
                self.feed.check()
                return
            else:
                self.consumer.wait()
                if pause.take():
                    self.feed.check()


def start_feed(
    sources: Sequence[EventSource], folder: Path, clocks: Clocks, cores: frozenset[int]
) -> tuple[Child, list[RingSource]]:
    """Start the feed process and return it with the sources to run on."""
    shape = ring_shape(EVENT, SLOTS)
    paths = [folder / f"feed-{k}.ring" for k in range(len(sources))]
    consumers = [Consumer(path, shape, clocks) for path in paths]
    child = Child("feed", publish, (tuple(sources), paths, clocks), cores)
    try:
        child.await_ready()
    except BaseException:
        for consumer in consumers:
            consumer.close()
        raise
    return child, [RingSource(s, c, child) for s, c in zip(sources, consumers, strict=True)]


def publish(wire: Any, sources: Sequence[EventSource], paths: list[Path], clocks: Clocks) -> None:
    """Publish every event of every source; runs in the feed process until all are taken over."""
    shape = ring_shape(EVENT, SLOTS)
    ends = [Producer(path, shape, clocks) for path in paths]
    wire.send((READY, None))
    open_ = {k: _Flow(source.chunks(), ends[k]) for k, source in enumerate(sources)}
    pause = Pause()
    while open_:
        moved = [k for k, flow in open_.items() if flow.move()]
        for k in [k for k, flow in open_.items() if flow.done]:
            ends[k].close()
            del open_[k]
        if moved:
            pause.end()
        elif pause.take():
            for k in open_:
                ends[k].require_consumer()


class _Flow:
    """The events of one source on their way into its ring."""

    def __init__(self, chunks: Iterator[Events], end: Producer) -> None:
        self._chunks, self._end = chunks, end
        self._rest: Events | None = next(chunks, None)

    @property
    def done(self) -> bool:
        """Whether everything is published."""
        return self._rest is None

    def move(self) -> int:
        """Publish what there is room for; return how many events that were."""
        if self._rest is None:
            return 0
        n = self._end.push(self._rest)
        self._rest = self._rest[n:] if n < len(self._rest) else next(self._chunks, None)
        return n
