"""Venues that join a run: until one has, the gate takes no order there (`risk.venue_away`).

With orders at venues each joins when its account's journal and the venue agree. On paper those are
awaited that did not answer before the run. Whoever does that is a process of the run
(kimera_cli/live/joining.py); this is the engine's side.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kimera_cli.errors import KimeraError
from kimera_cli.instrument import Instrument

if TYPE_CHECKING:  # processes that tell of venues read this file, too, and have no loop
    from kimera_cli.engine.arrays import LoopArrays
    from kimera_cli.engine.child import Child
    from kimera_cli.settings import Fees

AWAY, JOINED, LEFT_OUT = "venue.away", "venue.joined", "venue.left_out"
"""Codes of notices that a person is told at once, whatever the run's records go to."""


class Arrival(NamedTuple):
    """A venue is there: orders may go to it."""

    venue: str
    clock_ahead_ns: int
    """The venue's clock minus this host's."""
    clock_uncertainty_ns: int
    fees: Mapping[str, tuple[float, float]] = {}
    """By symbol: maker and taker fee of the account; empty: as they were known."""
    units_left: float = math.inf
    """What new orders may take of the venue's budget at `told_ns`, where the gate counts as the
    venue does (engine/paces.py): what a start takes back there was counted already.
    """
    told_ns: int = 0
    """Of this host's clock."""


class Arrivals:
    """Lets venues in. `clocks`, as the run's summary tells them, is added to."""

    def __init__(
        self,
        arrays: LoopArrays,
        instruments: Sequence[Instrument],
        away: Collection[str],
        child: Child | None,
        *,
        fees: Fees,
        clocks: dict[str, Any],
        notices: Sequence[KimeraError] = (),
    ) -> None:
        self._arrays, self._instruments, self._child = arrays, instruments, child
        self._fees, self._clocks, self._notices = fees, clocks, list(notices)
        self.away = set(away)
        for k, each in enumerate(instruments):
            arrays.streams[k]["away"] = int(each.venue in self.away)

    def look(self) -> None:
        """Let those in that have come; raise what ended the process that waits for them."""
        if not self.away or self._child is None:
            return
        self._child.check()
        while self._child.news:
            self._join(self._child.news.pop(0))

    def notices(self) -> list[KimeraError]:
        """Return what there is to tell since the last call."""
        found, self._notices = self._notices, []
        if self._child is not None:
            found += self._child.notes
            self._child.notes = []
        return found

    def _join(self, arrival: Arrival) -> None:
        self.away.discard(arrival.venue)
        self._clocks[arrival.venue] = {
            "ahead_ns": arrival.clock_ahead_ns,
            "uncertainty_ns": arrival.clock_uncertainty_ns,
        }
        for k, each in enumerate(self._instruments):
            if each.venue == arrival.venue:
                stream = self._arrays.streams[k]
                stream["venue_shift_ns"] = -arrival.clock_ahead_ns
                if each.symbol in arrival.fees:
                    self._charge(k, *arrival.fees[each.symbol])
                stream["away"] = 0
                if stream["pace"] and arrival.units_left < math.inf:
                    pace = self._arrays.gate[0]["paces"][stream["pace"] - 1]
                    pace["tokens"] = min(float(pace["token_burst"]), arrival.units_left)
                    pace["token_ts_ns"] = arrival.told_ns

    def _charge(self, k: int, maker: float, taker: float) -> None:
        """Set the fees of instrument k, but for those that the profile says."""
        told = {"maker_fee": maker, "taker_fee": taker}
        fixed = {"maker_fee": self._fees.maker, "taker_fee": self._fees.taker}
        of_k = self._arrays.views["instrument"] == k
        for name, value in told.items():
            if fixed[name] is None:
                self._arrays.instruments[name][k] = value
                self._arrays.views[name][of_k] = value
