"""Keeps the loop's stream buffers filled from event sources, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kimera_cli.data.source import EventSource
from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.errors import DataError
from kimera_cli.kernels.state import LATENCY_CONSTANT, LATENCY_LOGNORMAL, LATENCY_RECORDED
from kimera_cli.layouts import Events
from kimera_cli.market.l3 import L3Normaliser
from kimera_cli.settings import Latency

LATENCY_MODELS = {
    "constant": LATENCY_CONSTANT,
    "lognormal": LATENCY_LOGNORMAL,
    "recorded": LATENCY_RECORDED,
}


def feed_shift_ns(sources: Sequence[EventSource], latency: Latency) -> int:
    """Return the one clock correction of a run: added to every local stamp of recorded feeds.

    A recorder whose clock runs behind the venue's shows negative latencies. All streams of a run
    came over one clock, so one shift lifts the smallest latency to `min_feed_ns`; 0 when it is
    above already.
    """
    known = [s.min_latency_ns for s in sources if s.min_latency_ns is not None]
    if latency.feed != "recorded" or not known:
        return 0
    return max(0, latency.min_feed_ns - min(known))


class Feed:
    """One per run: moves events from the sources into the buffers when the loop asks."""

    def __init__(
        self, sources: Sequence[EventSource], arrays: LoopArrays, latency: Latency, shift_ns: int
    ) -> None:
        self.arrays = arrays
        self.shift_ns = shift_ns
        self._latency = (LATENCY_MODELS[latency.feed], latency.feed_ns, latency.sigma)
        size = arrays.buffers.shape[1] // 2
        self._chunks = [_chunks(source, size) for source in sources]
        self._waiting: list[Events | None] = [None] * len(sources)
        self._names = [source.dataset for source in sources]

    def fill(self, k: int) -> int:
        """Drop what both clocks have passed of stream k, append; return how many were added."""
        n = self.arrays.drop_passed(k)
        start = n
        while (chunk := self._next(k)) is not None:
            room = self.arrays.buffers.shape[1] - n
            if room == 0:
                self._waiting[k] = chunk
                if n == start:
                    self.arrays.grow_buffers()
                    continue
                break
            taken = chunk[:room]
            self.arrays.put(k, n, taken)
            n += len(taken)
            self._waiting[k] = chunk[room:] if len(chunk) > room else None
        else:
            self.arrays.streams[k]["eof"] = 1
        self.arrays.streams[k]["n"] = n
        self._prepare(k, start, n)
        return n - start

    def _next(self, k: int) -> Events | None:
        waiting, self._waiting[k] = self._waiting[k], None
        return waiting if waiting is not None else next(self._chunks[k], None)

    def _prepare(self, k: int, start: int, stop: int) -> None:
        """Put the run's latency on new events; refuse times that no clock gives."""
        bad = self.arrays.prepare(k, (start, stop), self._latency, self.shift_ns)
        if bad >= 0:
            event = self.arrays.buffers[k, bad]
            raise DataError(
                "data.time",
                f"expected times after 1970 in {self._names[k]}, was {event['ts_local_ns']} ns",
                "run `kimera fetch check` on the dataset",
                line=int(event["aux"]),
            )


def _chunks(source: EventSource, size: int) -> Iterator[Events]:
    """Yield the source's events; L3 with level totals and priorities, as the loop reads them."""
    if source.family != "l3":
        yield from source.chunks(size)
        return
    normaliser = L3Normaliser()
    for chunk in source.chunks(size):
        yield normaliser.normalise(chunk)
