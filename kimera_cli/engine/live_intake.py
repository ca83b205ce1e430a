"""Events of live feeds: out of rings into the loop's buffers, as they come.

All that had arrived when the clock was read is in the buffers before the loop may reach that
moment (`pause_ns`). The feed does not wait for the loop: when it lags, books conflate in the feed's
process and trades queue (shm/conflate.py), and the overload breaker looks at how old events are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.engine.breaker import OverloadBreaker
from kimera_cli.engine.child import Child
from kimera_cli.engine.live import GO, STOP
from kimera_cli.engine.pause import Pause
from kimera_cli.errors import DataError, KimeraError
from kimera_cli.layouts import Events
from kimera_cli.shm.ring import Consumer

BATCH = 4096
LOOK_NS = 10_000_000
"""Longest wait, after which signals and the kill switch are looked at."""


class LiveRing(NamedTuple):
    """One connection's events; its instrument number i is stream `origin` + i of the loop."""

    consumer: Consumer
    origin: int
    feed: Child


class LiveClock(NamedTuple):
    """The loop's time on a feed that does not wait: `shift_ns` later than the feed's stamps.

    `speed`: seconds of it in a second of the wall clock.
    """

    now_ns: Callable[[], int]
    shift_ns: int = 0
    speed: float = 1.0

    def age_ns(self, ts_local_ns: int, now_ns: int) -> int:
        """Return how long ago a stamp of the feed was taken, in wall time."""
        return int((now_ns - self.shift_ns - ts_local_ns) / self.speed)


class LiveIntake:
    """Takes what the rings hold whenever the loop has nothing left to do."""

    def __init__(
        self,
        rings: Sequence[LiveRing],
        arrays: LoopArrays,
        breaker: OverloadBreaker,
        clock: LiveClock,
        hold_ns: int,
    ) -> None:
        self._rings, self._arrays, self._breaker = list(rings), arrays, breaker
        self._clock, self._now_ns = clock, clock.now_ns
        self.taken = 0
        loop = arrays.loop[0]
        loop["live"] = 1
        loop["hold_ns"] = hold_ns
        loop["pause_ns"] = 0

    def begin(self) -> int:
        """Let the feed begin, and time."""
        self._rings[0].feed.tell(GO)
        start_ns = self._now_ns()
        self.look()
        return start_ns

    def fill(self, k: int) -> None:
        """A live loop never asks for data."""
        raise AssertionError(f"stream {k} of a live run asked for data")

    def wait(self) -> None:
        """Return when events have come, the loop's next moment is reached, or after LOOK_NS."""
        pause = Pause()
        until = min(int(self._arrays.loop[0]["wake_ns"]), self._now_ns() + LOOK_NS)
        while not self._take() and self._now_ns() < until:
            pause.take()

    def look(self) -> None:
        """Take what has come, and see whether the feeds live."""
        if not self._take() and all(ring.consumer.ended() for ring in self._rings):
            self._arrays.streams["eof"] = 1
            self._arrays.loop[0]["live"] = 0
        self._breaker.look(self._now_ns())
        for ring in self._rings:
            ring.feed.check()

    def notices(self) -> list[KimeraError]:
        """Return what the feeds mended since the last call."""
        found: list[KimeraError] = []
        for feed in {id(ring.feed): ring.feed for ring in self._rings}.values():
            found += feed.notes
            feed.notes.clear()
        return found

    def finish(self) -> dict[str, Any]:
        """Stop the feed and return what became of its events."""
        feed = self._rings[0].feed
        feed.tell(STOP)
        told: dict[str, Any] = feed.result()
        return told

    def end(self) -> None:
        """Take nothing more; the loop comes to its end as if the feeds had ended."""
        loop = self._arrays.loop[0]
        self._arrays.streams["eof"] = 1
        loop["live"] = 0
        loop["max_events"] = max(1, int(loop["n_events"]))

    def _take(self) -> int:
        """Take what is in the rings; return how many events that were."""
        now = self._now_ns()
        taken = 0
        for ring in self._rings:
            rows = ring.consumer.pop(BATCH)
            if len(rows):
                self._breaker.age(self._clock.age_ns(int(rows[0]["ts_local_ns"]), now), now)
                self._put(rows, ring.origin)
                taken += len(rows)
        self.taken += taken
        self._arrays.loop[0]["pause_ns"] = now
        return taken

    def _put(self, rows: Events, origin: int) -> None:
        arrays, done = self._arrays, 0
        while done < len(rows):
            took = arrays.take_live(rows, done, origin)
            if took < 0:
                raise _bad_time(rows[-1 - took])
            done += took
            if done < len(rows):
                arrays.resize_buffers(2 * arrays.buffers.shape[1])


def _bad_time(event: Events) -> DataError:
    return DataError(
        "data.time",
        f"expected a time of arrival after 1970, was {event['ts_local_ns']} ns",
        "set this machine's clock",
    )
