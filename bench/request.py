"""What a benchmark is asked, and how its answer becomes a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimera_cli.records import Bench

from .harness import Case, Clock, Timing, measure
from .targets import Goal, judge


@dataclass(frozen=True)
class Request:
    """Options of `kimera bench`, with the surroundings that a benchmark may use."""

    clock: Clock
    repeats: int = 9
    events: int = 0
    peers: bool = False
    recordings: tuple[Path, ...] = ()
    machine: str = ""
    commit: str = ""
    load: float | None = None
    cache: Path = Path()
    """Where what is built for a benchmark is kept (the C++ yardsticks)."""
    note: Callable[[str], None] = field(default=lambda text: None)

    def size(self, default: int) -> int:
        """Return how many events to use: what was asked, else the benchmark's own number."""
        return self.events or default

    def measure(self, cases: list[Case], *, pin: bool = True) -> dict[str, Timing]:
        """Time the cases in turn, on one core unless told otherwise."""
        return measure(cases, self.repeats, self.clock, pin=pin)


@dataclass(frozen=True)
class Peer:
    """What kimera was measured against in the same process, in turn with it."""

    name: str
    timing: Timing
    at_least: float | None = None

    def ratio(self, ours: Timing) -> float:
        """How many times kimera's rate is the peer's."""
        return self.timing.median_ns / ours.median_ns


def row(
    request: Request,
    name: str,
    timing: Timing,
    *,
    kind: str,
    peer: Peer | None = None,
    limit: Timing | None = None,
    target: str = "",
    met: bool | None = None,
    goals: Sequence[Goal] = (),
    others: Sequence[Peer] = (),
    **detail: Any,
) -> Bench:
    """Build the record; `kind` says what the quantiles are over: batches or whole runs.

    `goals` become target and met. With a peer that sets a target, `met` is a further condition of
    it. `others` are more peers than the record has room for: they go into `detail.peers`.
    """
    if goals:
        target, met = judge(goals)
    if peer is not None and peer.at_least is not None:
        target = f">= {peer.at_least:g} x {peer.name}"
        met = peer.ratio(timing) >= peer.at_least and met is not False
    facts = _facts(request, timing, kind, peer, limit, others)
    return Bench(
        name=name,
        n=timing.n,
        median_ns=round(timing.median_ns, 3),
        p99_ns=round(timing.tail_ns(0.99), 3),
        p999_ns=round(timing.tail_ns(0.999), 3),
        max_ns=round(max(timing.batches_ns), 3),
        rate_per_s=float(f"{1e9 / timing.median_ns:.6g}"),
        peer=peer.name if peer else "",
        peer_ratio=round(peer.ratio(timing), 3) if peer else None,
        limit_ratio=round(timing.median_ns / limit.median_ns, 3) if limit else None,
        target=target,
        met=met,
        machine=request.machine,
        commit=request.commit,
        detail={**facts, **detail},
    )


def _facts(
    request: Request,
    timing: Timing,
    kind: str,
    peer: Peer | None,
    limit: Timing | None,
    others: Sequence[Peer],
) -> dict[str, Any]:
    """Return what a row says beside its fields: how it was measured, and against whom."""
    facts: dict[str, Any] = {
        "kind": kind,
        "batch": timing.batch,
        "batches": len(timing.batches_ns),
        "repeats_ns": [round(value, 3) for value in timing.repeats_ns],
        "load_1m": request.load,
    }
    if timing.preempted:
        facts["preempted"] = timing.preempted
    if peer is not None:
        facts["peer_repeats_ns"] = [round(value, 3) for value in peer.timing.repeats_ns]
        facts["peer_rate_per_s"] = float(f"{1e9 / peer.timing.median_ns:.6g}")
    if others:
        facts["peers"] = {
            other.name: {
                "median_ns": round(other.timing.median_ns, 3),
                "ratio": round(other.ratio(timing), 3),
            }
            for other in others
        }
    if limit is not None:
        facts["limit_ns"] = round(limit.median_ns, 3)
    return facts
