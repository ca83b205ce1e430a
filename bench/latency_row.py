"""What the latency benchmarks have in common: repeats put together, and the record made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kimera_cli.records import Bench
from kimera_cli.telemetry import histogram

from . import cdf
from .request import Request
from .targets import Goal, judge


@dataclass
class Gathered:
    """Repeats of one measurement: all of them together, and each one's median."""

    total: Any = field(default_factory=histogram.new_histogram)
    medians_ns: list[int] = field(default_factory=list)

    def add(self, one: Any) -> None:
        """Take in one repeat."""
        histogram.add(self.total, one)
        self.medians_ns.append(histogram.summarise(one).median_ns)


def holds(response_ns: int, service_ns: int, most_ns: int, quiet: bool) -> bool | None:
    """Judge a quantile; None on a host on which empty stamps alone take longer than the goal.

    A service time over the goal is a miss on any host: no waiting is in it.
    """
    if response_ns <= most_ns:
        return True
    return False if quiet or service_ns > most_ns else None


def figures(row: Any) -> dict[str, Any]:
    """Return n and the quantiles of a HISTOGRAM record, as rows have them in `detail`."""
    found = histogram.summarise(row)
    return {
        "n": found.n,
        "median_ns": found.median_ns,
        "p99_ns": found.p99_ns,
        "p999_ns": found.p999_ns,
        "max_ns": found.max_ns,
    }


def latency_row(
    request: Request,
    name: str,
    gathered: Mapping[str, Gathered],
    goals: list[Goal],
    limit_ratio: float | None = None,
    *,
    kind: str = "single messages, from the time they were due (open loop)",
    peer: tuple[str, float] = ("", 0.0),
    **detail: Any,
) -> Bench:
    """Make the record of `response` (from the due time) and `service` (from the take-up).

    `peer`: its name, and how many times ours its time is.
    """
    target, met = judge(goals)
    response, service = gathered["response"], gathered["service"]
    found, served = histogram.summarise(response.total), figures(service.total)
    served.pop("n")
    return Bench(
        name=name,
        n=found.n,
        median_ns=found.median_ns,
        p99_ns=found.p99_ns,
        p999_ns=found.p999_ns,
        max_ns=found.max_ns,
        rate_per_s=float(f"{1e9 / max(1, found.median_ns):.6g}"),
        peer=peer[0],
        peer_ratio=peer[1] or None,
        limit_ratio=limit_ratio,
        target=target,
        met=met,
        machine=request.machine,
        commit=request.commit,
        detail={
            "kind": kind,
            "repeats_ns": response.medians_ns,
            "mean_ns": round(found.mean_ns, 1),
            "cdf": cdf.of_histogram(response.total),
            "service": served,
            "load_1m": request.load,
            **detail,
        },
    )
