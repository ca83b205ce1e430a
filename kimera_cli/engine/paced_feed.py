"""A recording as if it were live: events are published when their time has come, and not held back.

For trying out what a live feed does to a run: `--shape split --speed 10x` with
`run.backpressure = "conflate"`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kimera_cli.data.source import EventSource
from kimera_cli.engine.child import READY
from kimera_cli.engine.live import STOP
from kimera_cli.engine.pace import Pace
from kimera_cli.layouts import EVENT, Events
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.ring import ring_shape
from kimera_cli.shm.segment import Clocks

SLOTS = 1 << 15
SLEEP_S = 50e-6


class PacedArguments(NamedTuple):
    """What the feed process of a paced recording needs."""

    sources: tuple[EventSource, ...]
    speed: float
    start_ns: int


def publish_paced(
    wire: Any, told: PacedArguments, paths: Sequence[Path], clocks: Clocks
) -> dict[str, Any]:
    """Publish until STOP, or until everything is taken over; return what became of the events."""
    shape = ring_shape(EVENT, SLOTS)
    ends = [ConflatingProducer(path, shape, clocks) for path in paths]
    wire.send((READY, None))
    wire.recv()  # the engine is there: time begins
    pace = Pace(told.speed, told.start_ns, clocks.monotonic_ns, time.sleep)
    flows = [_Flow(s.chunks(), end) for s, end in zip(told.sources, ends, strict=True)]
    while not all(flow.done for flow in flows) and not (wire.poll(0) and wire.recv() == STOP):
        market_ns = pace.market_ns()
        if not sum(flow.move(market_ns) for flow in flows):
            time.sleep(SLEEP_S)
    for end in ends:
        end.close()
    names = [source.dataset for source in told.sources]
    return {n: end.conflation._asdict() for n, end in zip(names, ends, strict=True)}


class _Flow:
    """The events of one source on their way into its ring."""

    def __init__(self, chunks: Iterator[Events], end: ConflatingProducer) -> None:
        self._chunks, self._end = chunks, end
        self._rest: Events | None = next(chunks, None)

    @property
    def done(self) -> bool:
        """Whether everything is published."""
        return self._rest is None and not self._end.pending

    def move(self, market_ns: int) -> int:
        """Publish what is due by `market_ns`; return how many events that were."""
        if self._end.pending:
            self._end.drain()
        if self._rest is None:
            return 0
        times = self._rest["ts_local_ns"]
        due = int((times > market_ns).argmax()) if times[-1] > market_ns else len(times)
        n = self._end.put(self._rest[:due]) if due else 0
        self._rest = self._rest[n:] if n < len(self._rest) else next(self._chunks, None)
        return n
