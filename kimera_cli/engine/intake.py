"""What a run does when the loop wants events, or wants time to pass.

A recording waits for the loop: `Replay`. A live feed does not: engine/live_intake.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.engine.arrivals import Arrivals
from kimera_cli.engine.breaker import OverloadBreaker
from kimera_cli.engine.feed import Feed
from kimera_cli.engine.live_intake import LiveClock, LiveIntake
from kimera_cli.engine.pace import Pace

if TYPE_CHECKING:
    from kimera_cli.engine.request import RunRequest
    from kimera_cli.engine.shape import RunShape
    from kimera_cli.errors import KimeraError


class Intake(Protocol):
    """Where the loop's events and its time come from."""

    def begin(self) -> int:
        """The run begins: time passes from now on. Return the market time at which it does."""

    def fill(self, k: int) -> None:
        """Bring stream k at least one more event, or the word that it has ended."""

    def wait(self) -> None:
        """Let time pass, until something has come or the loop's next moment is reached."""

    def look(self) -> None:
        """Between slices: follow the clock."""

    def notices(self) -> list[KimeraError]:
        """Return what the feed mended since the last call."""

    def send(self) -> None:
        """Hand the loop's requests to an executor outside."""

    def may_end(self) -> bool:
        """Whether the loop's end is the run's."""

    def end(self) -> None:
        """Nothing more is to come: let the loop reach its end."""

    def finish(self) -> dict[str, Any]:
        """After the loop: end the feed; return what became of its events, if it did not wait."""


class Replay:
    """Recordings or the synthetic market, as fast as the loop goes or at a pace."""

    def __init__(self, feed: Feed, pace: Pace, arrays: LoopArrays) -> None:
        self._feed, self._pace, self._arrays = feed, pace, arrays

    def begin(self) -> int:
        """Let market time begin, if it follows a pace; it does so with the first event."""
        self.look()
        return self._pace.start_ns

    def fill(self, k: int) -> None:
        """Bring stream k at least one more event, or the word that it has ended."""
        self._feed.fill(k)

    def wait(self) -> None:
        """Let a slice of wall time pass."""
        self._pace.wait()

    def look(self) -> None:
        """Let market time go as far as the pace says."""
        if self._pace.speed > 0:
            self._arrays.loop[0]["pause_ns"] = self._pace.market_ns()

    def end(self) -> None:
        """Let the loop end at its next moment."""
        self._arrays.loop[0]["max_events"] = 1

    def notices(self) -> list[KimeraError]:
        """A recording has nothing to mend."""
        return []

    def send(self) -> None:
        """The simulated venue is inside of the loop."""
        raise AssertionError("a replay has no executor outside")

    def may_end(self) -> bool:
        """Nothing of a replay is anywhere else."""
        return True

    def finish(self) -> dict[str, Any]:
        """Nothing to tell: every event was waited for."""
        return {}


class Around(NamedTuple):
    """Clocks and waiting, as injected."""

    now_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    sleep: Callable[[float], None]
    arrived: Callable[[Any], None]
    """Is told how old live messages were when they were taken."""


def open_intake(
    request: RunRequest, shape: RunShape, arrays: LoopArrays, shift_ns: int, around: Around
) -> Intake:
    """Return the intake of a run."""
    if request.live is None:
        return _replay(request, shape, arrays, shift_ns, around)
    paced = request.speed > 0
    start_ns = min(s.start_ns for s in request.sources) + shift_ns if paced else around.now_ns()
    pace = Pace(request.speed, start_ns, around.monotonic_ns, around.sleep)
    clock = (
        LiveClock(pace.market_ns, shift_ns, request.speed) if paced else LiveClock(around.now_ns)
    )
    arrays.streams["feed_shift_ns"] = shift_ns
    if request.live.venue_shift_ns:
        arrays.streams["venue_shift_ns"] = request.live.venue_shift_ns
    breaker = OverloadBreaker(arrays.gate, request.profile.risk.max_queue_age_ns)
    assert shape.feed is not None
    return LiveIntake(
        shape.feed,
        arrays,
        breaker,
        clock,
        request.live.hold_ns,
        around.arrived,
        shape.outbound,
        _arrivals(request, shape, arrays),
    )


def _arrivals(request: RunRequest, shape: RunShape, arrays: LoopArrays) -> Arrivals | None:
    """Return what lets venues in; None when all are there and nothing is to be told."""
    instruments = [source.instrument for source in request.sources]
    assert request.live is not None
    child, away = shape.late, set(request.live.away)
    if shape.outbound is not None:
        child, away = shape.outbound.child, {each.venue for each in instruments}
    if child is None and not request.live.notices:
        return None
    return Arrivals(
        arrays,
        instruments,
        away,
        child,
        fees=request.profile.fees,
        clocks=request.clocks,
        notices=request.live.notices,
    )


def _replay(
    request: RunRequest, shape: RunShape, arrays: LoopArrays, shift_ns: int, around: Around
) -> Intake:
    feed = Feed(shape.sources, arrays, request.profile.latency, shift_ns)
    for k in range(len(request.sources)):
        feed.fill(k)
    firsts = [
        int(arrays.buffers[k, 0]["ts_local_ns"]) for k, n in enumerate(arrays.streams["n"]) if n
    ]
    start_ns = min(firsts, default=0)
    pace = Pace(request.speed, start_ns, around.monotonic_ns, around.sleep)
    return Replay(feed, pace, arrays)
