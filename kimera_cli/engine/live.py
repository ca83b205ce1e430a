"""What a run on feeds that do not wait is made of; built above the engine, where sockets are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kimera_cli.engine.live_intake import FeedEnd
    from kimera_cli.errors import KimeraError
    from kimera_cli.settings import Latency
    from kimera_cli.shm.segment import Clocks

HOLD_NS = 20_000_000
"""Simulated venue on a live feed: what a silent feed has not told within this did not happen."""


def hold_of(latency: Latency) -> int:
    """Return how long the simulated venue waits for a feed to tell what a request met there.

    As long as the answer is under way in any case, waiting costs nothing; less 2 ns, so that it is
    on its way in time.
    """
    return max(HOLD_NS, latency.response_ns - 2 if latency.response == "constant" else 0)


@dataclass(frozen=True)
class LivePlan:
    """A feed process and its rings. All of it is pickled to the process.

    `task(wire, arguments, paths, clocks)` runs there: it makes one ring per entry of `origins`,
    sends READY, waits for (GO, folder to keep in what comes, or None), publishes events whose
    instrument numbers count from the ring's origin, and on the word STOP returns what became of
    them (a JSON-safe dict).
    """

    task: Callable[..., Any]
    arguments: Any
    origins: tuple[int, ...]
    in_thread: Callable[[Any, Clocks], FeedEnd] | None = None
    """Makes the same feed in the loop's thread, of arguments and clocks, for the other shapes."""
    venue_shift_ns: tuple[int, ...] = ()
    """Per stream: added to the venue's stamps, because its clock is not ours."""
    hold_ns: int = HOLD_NS
    order_task: Callable[..., Any] | None = None
    """Runs in the order process: `order_task(wire, arguments, paths, clocks)`; None: simulated."""
    order_arguments: Any = None
    record: bool = False
    """Whether the feed keeps what it receives, in the run's folder."""
    away: tuple[str, ...] = ()
    """Venues that did not answer before the run: it begins without them (engine/arrivals.py)."""
    late_task: Callable[..., Any] | None = None
    """Waits for these where there is no order process, which else does:
    `late_task(wire, arguments, clocks)` sends READY, and (NEWS, Arrival) for each that is there."""
    late_arguments: Any = None
    notices: tuple[KimeraError, ...] = ()
    """What the run is to tell first: what was found before it."""


RECORDING = "recording"
"""The folder within a run's where its feed keeps what it receives."""
GO = "go"
STOP = "stop"
"""Words that a feed process hears: the engine is there; it needs no more."""
