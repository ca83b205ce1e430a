"""The exchange's time: the host's clock plus an offset, or a clock that only moves when told.

All timestamps and timers of a venue server read this clock, so a test steps it instead of waiting.
"""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """UTC nanoseconds: `source()` plus an offset; without a source, time stands until stepped."""

    def __init__(self, source: Callable[[], int] | None = None, start_ns: int = 0) -> None:
        self._source = source
        self._offset_ns = start_ns

    def now_ns(self) -> int:
        """Return the exchange's time."""
        return self._offset_ns if self._source is None else self._source() + self._offset_ns

    def now_ms(self) -> int:
        """Return the exchange's time in whole milliseconds."""
        return self.now_ns() // 1_000_000

    def step(self, delta_ns: int) -> int:
        """Move the clock by delta_ns (a jump back is allowed) and return the new time."""
        self._offset_ns += delta_ns
        return self.now_ns()

    def set(self, now_ns: int) -> int:
        """Set the clock and return the new time."""
        return self.step(now_ns - self.now_ns())
