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

CHUNK_EVENTS = 16_384
"""Events that a source hands over at once. Between chunks the engine looks at signals and kill
switch, so this is also how soon it hears them: a millisecond.
"""

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
    """One per run: brings the loop chunks of events when it asks."""

    def __init__(
        self, sources: Sequence[EventSource], arrays: LoopArrays, latency: Latency, shift_ns: int
    ) -> None:
        self.arrays = arrays
        self._chunks = [_chunks(source, CHUNK_EVENTS) for source in sources]
        self._names = [source.dataset for source in sources]
        arrays.streams["feed_model"] = LATENCY_MODELS[latency.feed]
        arrays.streams["feed_constant_ns"] = latency.feed_ns
        arrays.streams["feed_sigma"] = latency.sigma
        arrays.streams["feed_shift_ns"] = shift_ns

    def fill(self, k: int) -> None:
        """Bring stream k at least one more event, or the word that it has ended."""
        while (added := self.arrays.take_in(k)) == 0:
            stream = self.arrays.streams[k]
            if stream["chunk_at"] < stream["chunk_n"]:
                self.arrays.resize_buffers(2 * self.arrays.buffers.shape[1])
                continue
            chunk = next(self._chunks[k], None)
            if chunk is None:
                stream["eof"] = 1
                return
            self.arrays.give(k, chunk)
        if added < 0:
            event = self.arrays.event_of_chunk(k, -1 - added)
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
