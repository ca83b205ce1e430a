"""What a run is asked to do. Built for the command by `build` or `repeat`, used by the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kimera_cli.data.source import EventSource
from kimera_cli.settings import Profile
from kimera_cli.strategies.protocol import StrategySpec

if TYPE_CHECKING:
    from kimera_cli.engine.live import LivePlan
    from kimera_cli.engine.tables import RunTable


@dataclass(frozen=True)
class Sleeved:
    """A strategy with the values of its parameters, as this run uses it."""

    spec: StrategySpec
    params: dict[str, float]


class Repeated(NamedTuple):
    """The run that is done again, and its trade hash (empty: it did not come to its own end)."""

    run: str
    trade_hash: str


@dataclass(frozen=True)
class RunRequest:
    """One run. `duration_ns` and `max_events`: 0 means no limit."""

    source: str
    """`demo`, `replay` or `venue`."""
    sources: Sequence[EventSource]
    strategies: Sequence[Sleeved]
    profile: Profile
    seed: int
    duration_ns: int = 0
    max_events: int = 0
    out: Path | None = None
    speed: float = 0.0
    """Market seconds per wall second; 0: as fast as possible."""
    command: Sequence[str] = ()
    profile_name: str = ""
    host: dict[str, Any] = field(default_factory=dict)
    kill_file: Path | None = None
    """A latch: while this file exists no new risk is taken and everything is cancelled."""
    repeats: Repeated | None = None
    tables: Sequence[RunTable] = ()
    """Decision tables, at most one per instrument."""
    shape: str = "threads"
    """`threads`, `single` or `split`: engine/shape.py."""
    runtime: Path | None = None
    """Where a split run makes its rings."""
    live: LivePlan | None = None
    """The feed of a run whose events do not wait for it."""
    clocks: dict[str, Any] = field(default_factory=dict)
    """Live venues: how far each one's clock is from ours, as measured before the run."""
