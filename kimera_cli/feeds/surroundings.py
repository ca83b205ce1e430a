"""What a feed may not reach for by itself: clocks, chance, waiting, REST, and whom to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kimera_cli.errors import KimeraError

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns the body of a GET; VenueError when there is none, with `retry_after_s` in its details
where the venue named a pause.
"""


@dataclass(frozen=True)
class Surroundings:
    """Given to every part of a feed."""

    now_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    random: Callable[[], float]
    report: Callable[[KimeraError], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
