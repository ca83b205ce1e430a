"""What a row promises: goals with their text, and whether the measurement reaches them.

A goal that could not be judged in this run (no compiler, no peer asked for) is neither met nor
missed: `met` is then None, unless another goal was missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .harness import Timing


@dataclass(frozen=True)
class Goal:
    """One promise in words, and whether it holds; None when this run cannot tell."""

    text: str
    holds: bool | None


def judge(goals: Iterable[Goal]) -> tuple[str, bool | None]:
    """Return the `target` and `met` of a row from its goals, in their order."""
    listed = list(goals)
    text = "; ".join(goal.text for goal in listed)
    if any(goal.holds is False for goal in listed):
        return text, False
    return text, None if not listed or any(g.holds is None for g in listed) else True


def rate(timing: Timing, per_s: float, unit: str) -> Goal:
    """At least `per_s` operations a second."""
    return Goal(f">= {_short(per_s)}{unit}/s", 1e9 / timing.median_ns >= per_s)


def quantile(timing: Timing, label: str, ns: float) -> Goal:
    """At most `ns` at the quantile called p50, p99, p99.9 or max."""
    q = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}[label]
    return Goal(f"{label} <= {_duration(ns)}", timing.tail_ns(q) <= ns)


def limit(timing: Timing, yardstick: Timing | None, factor: float) -> Goal:
    """At most `factor` times what the C++ yardstick takes."""
    holds = None if yardstick is None else timing.median_ns <= factor * yardstick.median_ns
    return Goal(f"<= {factor:g} x C++", holds)


def faster(timing: Timing, other: Timing | None, factor: float, name: str) -> Goal:
    """At least `factor` times the rate of a peer."""
    holds = None if other is None else other.median_ns >= factor * timing.median_ns
    return Goal(f">= {factor:g} x {name}", holds)


def _short(per_s: float) -> str:
    for size, letter in ((1e6, " M "), (1e3, " k ")):
        if per_s >= size:
            return f"{per_s / size:g}{letter}"
    return f"{per_s:g} "


def _duration(ns: float) -> str:
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns:g} ns"
