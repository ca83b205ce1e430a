"""What a metric is: name, unit, one sentence, source; and an estimate with standard error.

Every metric that kimera prints is declared once with `@metric` on the function that computes it.
Tooltips, records and docs/reference/metrics.md read the same entry, so a number never travels
without its definition. A metric that has too little data is an `Estimate` without value that says
why; it is never 0 and never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

Function = TypeVar("Function", bound=Callable[..., object])
Better = Literal["higher", "lower", ""]

CURRENCY = "currency"
"""Unit of money: shown as the currency of the portfolio."""
OWN = "kimera"
"""Source of metrics that are plain counts and sums."""


class Estimate(NamedTuple):
    """A value, its standard error (None: not defined), the sample size, and why it is missing."""

    value: float | None
    se: float | None = None
    n: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Definition:
    """One entry of the registry. `better` tells in which direction a reader is glad."""

    name: str
    label: str
    unit: str
    definition: str
    source: str
    group: str
    better: Better


REGISTRY: dict[str, Definition] = {}
"""All metrics by name, in the order of declaration."""


def metric(
    name: str,
    *,
    label: str,
    unit: str,
    definition: str,
    source: str,
    group: str,
    better: Better = "",
) -> Callable[[Function], Function]:
    """Declare the function below as the metric `name`; two metrics may not share a name."""

    def declare(function: Function) -> Function:
        if name in REGISTRY:
            raise ValueError(f"expected metric names to be unique, was {name} twice")
        REGISTRY[name] = Definition(name, label, unit, definition, source, group, better)
        return function

    return declare


def estimate(value: float, se: float | None = None, n: int = 0, why: str = "undefined") -> Estimate:
    """Return an Estimate; a value that is not finite becomes a missing one because of `why`."""
    if not math.isfinite(value):
        return Estimate(None, None, n, why)
    return Estimate(float(value), _finite(se), n)


def missing(reason: str, n: int = 0) -> Estimate:
    """Return an Estimate without value."""
    return Estimate(None, None, n, reason)


def proportion(hits: int, n: int, why: str) -> Estimate:
    """Return hits / n and its error sqrt(p (1 - p) / n); missing because of `why` when n is 0.

    None or all of n give no error: the formula would say 0.
    """
    if n == 0:
        return missing(why)
    p = hits / n
    return Estimate(p, math.sqrt(p * (1 - p) / n) if 0 < hits < n else None, n)


def _finite(se: float | None) -> float | None:
    return float(se) if se is not None and math.isfinite(se) else None
