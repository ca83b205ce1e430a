"""Events of feeds that do not wait: into the loop's buffers, as they come.

All that had arrived when the clock was read is in the buffers before the loop may reach that
moment (`pause_ns`), which may also be the stamp of the last event taken: a feed stamps in order.
When the loop lags behind a feed process, books conflate there and trades queue
(shm/conflate.py); the overload breaker looks at how old events are when they are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.engine.arrivals import Arrivals
from kimera_cli.engine.breaker import OverloadBreaker
from kimera_cli.engine.child import Child
from kimera_cli.engine.live import GO, STOP
from kimera_cli.engine.outbound import Outbound
from kimera_cli.engine.pause import Pause
from kimera_cli.errors import DataError, KimeraError
from kimera_cli.kernels.state import FOREVER
from kimera_cli.layouts import F_LAST, Events
from kimera_cli.shm.ring import Consumer

BATCH = 4096
CLOSING_NS = 20_000_000_000
"""How long the end of a run waits for its orders to be taken back."""
LOOK_NS = 10_000_000
"""Longest wait, after which signals and the kill switch are looked at."""


class FeedEnd(Protocol):
    """Where a feed's events come out."""

    def keep(self, folder: Path, cores: frozenset[int]) -> None:
        """Write what will come into this new folder, if asked for before `begin`.

        `cores`: for a thread that writes; empty: any.
        """

    def begin(self) -> None:
        """The engine is there."""

    def batches(self) -> Iterator[tuple[Events, int]]:
        """Yield what has come, with the stream that instrument 0 of it is; good until the next."""

    def idle(self, seconds: float) -> None:
        """Wait a moment, at most so long; return early when something comes."""

    def ended(self) -> bool:
        """Whether nothing more will come."""

    def check(self) -> None:
        """Raise what has stopped the feed."""

    def notices(self) -> list[KimeraError]:
        """Return what was mended since the last call."""

    def finish(self) -> dict[str, Any]:
        """Stop the feed and return what became of its events."""


class RingFeed:
    """A feed process behind rings; instrument i of a ring is stream `origin` + i of the loop."""

    def __init__(self, rings: Sequence[tuple[Consumer, int]], child: Child) -> None:
        self._rings, self._child = list(rings), child
        self._pause = Pause()
        self._folder: Path | None = None

    def keep(self, folder: Path, cores: frozenset[int]) -> None:
        """The process writes into the folder what comes; it has its own core."""
        self._folder = folder

    def begin(self) -> None:
        """The engine is there."""
        self._child.tell((GO, self._folder))

    def batches(self) -> Iterator[tuple[Events, int]]:
        """Yield what is in the rings."""
        for consumer, origin in self._rings:
            if ready := consumer.ready():  # asked first: `pop` allocates, and this is polled
                self._pause.end()
                yield consumer.pop(min(ready, BATCH)), origin

    def idle(self, seconds: float) -> None:
        """Look again at once, a few times; then sleep, which never takes longer than 50 us."""
        self._pause.take()

    def ended(self) -> bool:
        """Whether the feed has closed all rings and everything was taken."""
        return all(consumer.ended() for consumer, _ in self._rings)

    def check(self) -> None:
        """Raise what ended the process."""
        self._child.check()

    def notices(self) -> list[KimeraError]:
        """Return what the process mended since the last call."""
        found, self._child.notes = self._child.notes, []
        return found

    def finish(self) -> dict[str, Any]:
        """Stop the process and return its result."""
        self._child.tell(STOP)
        told: dict[str, Any] = self._child.result()
        return told


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
    """Takes what the feed has brought whenever the loop has nothing left to do."""

    def __init__(
        self,
        feed: FeedEnd,
        arrays: LoopArrays,
        breaker: OverloadBreaker,
        clock: LiveClock,
        hold_ns: int,
        arrived: Callable[[Any], None],
        outbound: Outbound | None = None,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._arrivals = arrivals
        self._feed, self._arrays, self._breaker = feed, arrays, breaker
        self._clock, self._now_ns = clock, clock.now_ns
        self._arrived, self._outbound = arrived, outbound
        self._closing_until_ns = 0
        self._over = False
        self.taken = 0
        loop = arrays.loop[0]
        loop["live"] = 1
        loop["hold_ns"] = hold_ns
        loop["pause_ns"] = 0
        if outbound is not None:
            outbound.attach(arrays)

    def begin(self) -> int:
        """Let the feed begin, and time."""
        self._feed.begin()
        start_ns = self._now_ns()
        self.look()
        return start_ns

    def fill(self, k: int) -> None:
        """A live loop never asks for data."""
        raise AssertionError(f"stream {k} of a live run asked for data")

    def wait(self) -> None:
        """Return when events have come, the loop's next moment is reached, or after LOOK_NS."""
        now = self._now_ns()
        until = min(int(self._arrays.loop[0]["wake_ns"]), now + LOOK_NS)
        while not self._take() and (now := self._now_ns()) < until:
            self._feed.idle((until - now) / self._clock.speed * 1e-9)

    def look(self) -> None:
        """Take what has come, and see whether the feeds live."""
        if not self._take() and self._feed.ended():
            self._arrays.streams["eof"] = 1
            self._arrays.loop[0]["live"] = 0
        self._breaker.look(self._now_ns())
        self._feed.check()
        if self._outbound is not None and not self._outbound.closed:
            self._outbound.child.check()
        if self._arrivals is not None and not self._closing_until_ns:
            self._arrivals.look()
        if self._closing_until_ns:
            self.end()

    def notices(self) -> list[KimeraError]:
        """Return what feed and executor mended since the last call."""
        found = self._feed.notices() + (self._outbound.notices() if self._outbound else [])
        return found + (self._arrivals.notices() if self._arrivals else [])

    def finish(self) -> dict[str, Any]:
        """Stop the feed and return what became of its events, and of orders at venues."""
        told = self._feed.finish()
        return told | ({"orders": self._outbound.finish()} if self._outbound else {})

    def send(self) -> None:
        """Hand the loop's requests to the executor."""
        assert self._outbound is not None
        self._outbound.send()

    def may_end(self) -> bool:
        """Whether nothing of the run is at a venue any more; else see to it."""
        if self._outbound is None or self._outbound.closed:
            return True
        self.end()
        return self._closed

    def end(self) -> None:
        """Take orders back, then nothing more: the loop ends as if the feeds had ended.

        With orders at venues it ends behind the last answer, for that may be a fill.
        """
        loop = self._arrays.loop[0]
        if self._outbound is not None and not self._closed:
            if not self._closing_until_ns:
                self._closing_until_ns = self._now_ns() + CLOSING_NS
                loop["closing"], loop["end_ns"], loop["max_events"] = 1, FOREVER, 0
                loop["finished"] = 0  # the last sample comes behind the last fill
                self._outbound.close()
            return
        self._over = True
        self._arrays.streams["eof"] = 1
        loop["live"] = 0
        if self._outbound is None:
            loop["max_events"] = max(1, int(loop["n_events"]))

    @property
    def _closed(self) -> bool:
        assert self._outbound is not None
        return self._outbound.closed or 0 < self._closing_until_ns <= self._now_ns()

    def _take(self) -> int:
        """Take what has come; return how many events that were.

        `arrived` is told the age in ns of each message among them, of the loop's time.
        """
        known = self._now_ns()
        taken = 0
        for rows, origin in () if self._over else self._feed.batches():
            self._judge(rows)
            self._put(rows, origin)
            taken += len(rows)
            known = max(known, int(rows[-1]["ts_local_ns"]) + self._clock.shift_ns)
        self.taken += taken
        if self._outbound is not None:
            taken += self._outbound.answers()
        self._arrays.loop[0]["pause_ns"] = known
        return taken

    def _judge(self, rows: Events) -> None:
        """Look at how long events have waited until now."""
        now, clock = self._now_ns(), self._clock
        self._breaker.age(clock.age_ns(int(rows[0]["ts_local_ns"]), now), now)
        last = (rows["flags"] & F_LAST) != 0
        self._arrived(now - clock.shift_ns - rows["ts_local_ns"][last])

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
