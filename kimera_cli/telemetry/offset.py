"""How far a venue's clock is from ours, from probes with four times (as NTP does it, RFC 5905).

We send at t0 (our clock), the venue receives at t1 and answers at t2 (its clock), we receive at t3.
With the offset o = venue's clock - ours and delays that cannot be negative,

    t2 - t3  <=  o  <=  t1 - t0,

whatever the delays are and however unequal the two ways: half the sum is NTP's offset, the width is
the probe's delay, (t3 - t0) - (t2 - t1). A window of probes is intersected, each bound loosened by
the drift that two clocks may have had since: so the lower bound comes from the fastest answer and
the upper bound from the fastest request, which may be different probes. NTP's filter takes the one
probe of least delay; this interval lies inside that probe's and is never wider.

The estimate is the middle, its uncertainty half the width. A constant difference of the two ways
cannot be seen from one end: it is inside the uncertainty and stays there.

A venue that tells one time only, in whole ms, is `t1 = t2` with `resolution_ns` = 1,000,000: its
true time is up to one ms later, and the upper bound says so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from kimera_cli.errors import VenueError

WINDOW = 32
DRIFT = 50e-6
"""What two ordinary clocks may run apart, as a fraction; NTP assumes 15e-6 of one."""


class Offset(NamedTuple):
    """Venue's clock less ours in ns, with the bound of its error and the delays it came from."""

    offset_ns: int
    uncertainty_ns: int
    delay_ns: int
    """Least round trip of the window, the venue's own time not counted."""
    probes: int
    steps: int
    """How often the clocks contradicted each other and the window was begun anew."""

    def to_local(self, venue_ns: int) -> int:
        """Return our time at a venue's time."""
        return venue_ns - self.offset_ns


class _Probe(NamedTuple):
    sent_ns: int
    low: int
    high: int
    delay_ns: int


@dataclass
class OffsetFilter:
    """Takes probes of one venue and says how far its clock is from ours."""

    window: int = WINDOW
    drift: float = DRIFT
    resolution_ns: int = 0
    steps: int = 0
    _probes: deque[_Probe] = field(default_factory=deque)

    def add(self, t0: int, t1: int, t2: int, t3: int) -> Offset:
        """Take in one probe and return the estimate as of t3.

        VenueError `venue.clock` when the times cannot be: an answer before its request.
        """
        probe = _Probe(t0, t2 - t3, t1 + self.resolution_ns - t0, max(0, t3 - t0 - (t2 - t1)))
        spare = 2 * self._looseness(probe, t3)
        if t3 < t0 or t2 < t1 or probe.low > probe.high + spare:
            raise VenueError(
                "venue.clock",
                f"expected an answer after its request, was sent {t0}, received {t1}, "
                f"answered {t2}, received {t3}",
                "probe again; a clock that goes back cannot be compared with",
            )
        if self._probes and not self._agrees(probe, t3):
            self._probes.clear()
            self.steps += 1
        self._probes.append(probe)
        while len(self._probes) > self.window:
            self._probes.popleft()
        return self.at(t3)

    def at(self, now_ns: int) -> Offset:
        """Return the estimate at our time `now_ns`; VenueError `venue.clock` before any probe."""
        if not self._probes:
            raise VenueError("venue.clock", "expected a probe of the venue's clock, was none")
        low, high = self._bounds(now_ns)
        least = min(p.delay_ns for p in self._probes)
        # Rounded outwards: the truth stays inside also where the width is odd.
        return Offset(
            (low + high) // 2, (high - low + 1) // 2, least, len(self._probes), self.steps
        )

    def _agrees(self, probe: _Probe, now_ns: int) -> bool:
        low, high = self._bounds(now_ns)
        own = self._looseness(probe, now_ns)
        return probe.low - own <= high and low <= probe.high + own

    def _bounds(self, now_ns: int) -> tuple[int, int]:
        loose = [(p, self._looseness(p, now_ns)) for p in self._probes]
        return max(p.low - w for p, w in loose), min(p.high + w for p, w in loose)

    def _looseness(self, probe: _Probe, now_ns: int) -> int:
        """Return what the clocks may have run apart since the probe began, and a ns of rounding."""
        return round(abs(now_ns - probe.sent_ns) * self.drift) + 1
