"""The overload breaker: no new risk while events wait too long before the loop takes them.

The age of an event is how long ago its frame arrived here. Each batch that the loop takes gives the
age of its oldest event; when the 99th percentile of a window passes the limit the breaker opens,
and it closes after `quiet` windows in a row below it. Cancels and orders that reduce pass always.
"""

from __future__ import annotations

from typing import Any

import numpy as np

WINDOW_NS = 1_000_000_000
QUIET = 3


class OverloadBreaker:
    """Sets `overload` in the gate (shape (1,), dtype GATE); the loop records each change."""

    def __init__(self, gate: Any, limit_ns: int, window_ns: int = WINDOW_NS) -> None:
        self._gate = gate
        self._window_ns = window_ns
        self._ages: list[int] = []
        self._ends_ns: int | None = None
        self._below = 0
        self.limit_ns = limit_ns
        self.worst_ns = 0
        """Largest percentile of a window so far."""
        self.opened = 0
        """How often it has opened."""
        gate[0]["queue_limit_ns"] = limit_ns

    def age(self, age_ns: int, now_ns: int) -> None:
        """Count the age of a batch's oldest event, taken at `now_ns`."""
        self._ages.append(max(0, age_ns))
        self.look(now_ns)

    def look(self, now_ns: int) -> None:
        """Judge the window when it is over; one without any event counts as quiet."""
        if self._ends_ns is None:
            self._ends_ns = now_ns + self._window_ns
        if now_ns < self._ends_ns:
            return
        self._ends_ns = now_ns + self._window_ns
        self._judge(int(np.percentile(self._ages, 99)) if self._ages else 0)
        self._ages.clear()

    def _judge(self, p99_ns: int) -> None:
        gate = self._gate[0]
        self.worst_ns = max(self.worst_ns, p99_ns)
        gate["queue_age_ns"] = p99_ns
        if p99_ns > self.limit_ns:
            self._below = 0
            if not gate["overload"]:
                gate["overload"] = 1
                self.opened += 1
            return
        self._below += 1
        if self._below >= QUIET:
            gate["overload"] = 0
