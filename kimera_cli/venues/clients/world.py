"""What a client may not reach for by itself: clocks, chance, waiting, and whom to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kimera_cli.errors import KimeraError


@dataclass(frozen=True)
class World:
    """Surroundings of all clients of a process."""

    now_ns: Callable[[], int]
    """UTC, as this host has it."""
    monotonic_ns: Callable[[], int]
    """For timeouts and budgets: never goes back, whatever is done to the clock."""
    random_bytes: Callable[[int], bytes]
    report: Callable[[KimeraError], None]
    """Takes what went wrong and is mended without the caller."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def random(self) -> float:
        """Return a number from [0, 1)."""
        return int.from_bytes(self.random_bytes(7), "big") / (1 << 56)
