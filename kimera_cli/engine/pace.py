"""Keeps a run to a multiple of real time: market time follows the wall clock."""

from __future__ import annotations

from collections.abc import Callable

SLICE_S = 0.02
"""Wall time between two looks at the clock: how late an event may be."""


class Pace:
    """Market time is `start_ns` plus `speed` times the wall time since the first look."""

    def __init__(
        self,
        speed: float,
        start_ns: int,
        monotonic_ns: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        self.speed = speed
        self.start_ns = start_ns
        self._now, self._sleep = monotonic_ns, sleep
        self._wall_ns: int | None = None

    def market_ns(self) -> int:
        """Return how far the market's clock may have come by now."""
        wall = self._now()
        if self._wall_ns is None:
            self._wall_ns = wall
        return self.start_ns + int((wall - self._wall_ns) * self.speed)

    def wait(self) -> None:
        """Let one slice of wall time pass."""
        self._sleep(SLICE_S)


def speed_of(text: str) -> float:
    """Return market seconds per wall second of `realtime` or `10x`; 0 for `max`: no pace."""
    if text == "max":
        return 0.0
    return 1.0 if text == "realtime" else float(text.removesuffix("x"))
