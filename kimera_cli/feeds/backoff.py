"""How long to wait before the next attempt to connect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Doubling waits with jitter, so that many clients do not come back in one moment.

    The wait before attempt k (from 0) lies evenly between half and the whole of
    min(most_s, first_s * 2**k).
    """

    first_s: float = 0.25
    most_s: float = 30.0

    def wait_s(self, attempt: int, random: Callable[[], float]) -> float:
        """Return the wait in seconds; `random` gives numbers from [0, 1)."""
        doubled = self.first_s * 2.0 ** min(attempt, 60)
        return min(self.most_s, doubled) * (0.5 + 0.5 * random())
