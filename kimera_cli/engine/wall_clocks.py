"""The clocks of a run, for every process of it.

A file of its own: whoever unpickles them imports this and nothing of the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WallClocks:
    """Two functions that can be pickled."""

    now_ns: Any
    monotonic_ns: Any
