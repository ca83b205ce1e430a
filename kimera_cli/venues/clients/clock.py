"""How far a venue's clock is from ours, from its own time endpoint, and when that is too far.

The estimate is telemetry/offset.py's interval. Requests carry this host's time corrected by what is
certain: where zero lies inside of the interval (a venue that tells whole seconds), nothing is
corrected. Beyond one second no new order is signed: either the venue or this host is wrong, and a
signed request could stay valid for longer than meant.

When this host's clock is set between two probes, its steady clock tells: requests (cancels) carry
the right time nevertheless, the limit holds from that moment on, and another probe is due.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kimera_cli.errors import VenueError
from kimera_cli.telemetry.offset import Offset, OffsetFilter
from kimera_cli.venues.clients.world import World

LIMIT_NS = 1_000_000_000
"""Offset beyond which nothing new is sent."""
PROBES = 5
RENEW_NS = 30 * 60 * 1_000_000_000
"""Age of the last probe after which another is due."""
STEP_NS = 100_000_000
"""A difference of wall clock and steady clock that is a step: reading both takes time."""


@dataclass
class VenueClock:
    """The clock of one venue."""

    venue: str
    world: World
    resolution_ns: int = 1_000_000
    """Step in which the venue tells its time."""
    probed_ns: int = 0
    """When the last probe came back, by the monotonic clock."""
    _filter: OffsetFilter = field(init=False)
    _offset: Offset | None = None
    _certain_ns: int = 0
    """The offset, where zero lies outside of its interval."""
    _ahead_ns: int = 0
    """Wall clock minus steady clock at the last probe."""
    _anew: bool = False

    def __post_init__(self) -> None:
        self._filter = OffsetFilter(resolution_ns=self.resolution_ns)

    def add(self, sent_ns: int, venue_ns: int, received_ns: int) -> Offset:
        """Take in one probe: our time, the venue's, our time."""
        if self._anew or self.stepped_ns:
            self._filter, self._anew = OffsetFilter(resolution_ns=self.resolution_ns), False
        self._offset = self._filter.add(sent_ns, venue_ns, venue_ns, received_ns)
        certain = abs(self._offset.offset_ns) > self._offset.uncertainty_ns
        self._certain_ns = self._offset.offset_ns if certain else 0
        self.probed_ns = self.world.monotonic_ns()
        self._ahead_ns = self.world.now_ns() - self.probed_ns
        return self._offset

    @property
    def offset(self) -> Offset | None:
        """The estimate; None before any probe."""
        return self._offset

    @property
    def stepped_ns(self) -> int:
        """By how much this host's clock was set since the last probe."""
        if self._offset is None:
            return 0
        step = self.world.now_ns() - self.world.monotonic_ns() - self._ahead_ns
        return step if abs(step) > STEP_NS else 0

    @property
    def correction_ns(self) -> int:
        """What is added to our time in requests."""
        return self._certain_ns - self.stepped_ns

    def now_ns(self) -> int:
        """Return the venue's time."""
        now = self.world.now_ns()
        if self._offset is None:
            return now
        step = now - self.world.monotonic_ns() - self._ahead_ns
        return now + self._certain_ns - (step if abs(step) > STEP_NS else 0)

    @property
    def due(self) -> bool:
        """Whether the venue should be asked (again)."""
        if self._offset is None or self.stepped_ns:
            return True
        return self.world.monotonic_ns() - self.probed_ns > RENEW_NS

    def forget(self) -> None:
        """Begin anew with the next probe: the venue refused our time."""
        self._anew = True

    def check(self) -> None:
        """VenueError `venue.clock` when the clocks differ by more than a second for certain."""
        offset = self._offset
        if offset is None:
            return
        ahead_ns = offset.offset_ns - self.stepped_ns
        if abs(ahead_ns) - offset.uncertainty_ns <= LIMIT_NS:
            return
        raise VenueError(
            "venue.clock",
            f"expected the clock of {self.venue} within 1 s of this host's, "
            f"was {ahead_ns / 1e9:+.3f} s (by {offset.uncertainty_ns / 1e9:.3f} s)",
            "set this host's clock (chronyc makestep, timedatectl); no order is sent until then",
            venue=self.venue,
        )
