"""Statistics of timings: quantiles that were observed, and ratios that say how sure they are.

Nothing is fitted and nothing is trimmed: a quantile is a value that occurred. The spread of a
ratio is a percentile bootstrap over repeats (Efron 1979) with a fixed seed, so that the same files
give the same verdict.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

RESAMPLES = 2_000
CONFIDENCE = 0.95
NOISE_FLOOR = 0.05
"""Repeats of one process agree better than two processes do: below this a difference is noise."""

Verdict = Literal["faster", "slower", "noise"]


def quantile(values: Sequence[float], q: float) -> float:
    """Return the smallest observed value that at least the share `q` of `values` does not exceed.

    With fewer than 1 / (1 - q) values this is the maximum: no tail is invented that was not seen.
    """
    ordered = sorted(values)
    rank = math.ceil(q * len(ordered) - 1e-9)
    return ordered[min(max(rank - 1, 0), len(ordered) - 1)]


@dataclass(frozen=True)
class Ratio:
    """How many times longer `b` took than `a`, with the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out 1."""
        return self.low > 1.0 or self.high < 1.0


def ratio(before: Sequence[float], after: Sequence[float]) -> Ratio:
    """Return median(after) / median(before) with its bootstrap interval; both in ns, above zero."""
    rng = random.Random(20_240_808)
    drawn = sorted(_median(rng, after) / _median(rng, before) for _ in range(RESAMPLES))
    tail = (1.0 - CONFIDENCE) / 2.0
    return Ratio(
        statistics.median(after) / statistics.median(before),
        quantile(drawn, tail),
        quantile(drawn, 1.0 - tail),
    )


def verdict(change: Ratio, floor: float = NOISE_FLOOR) -> Verdict:
    """Say whether a change of time is real: outside its own interval and larger than `floor`."""
    if not change.certain or abs(change.value - 1.0) < floor:
        return "noise"
    return "slower" if change.value > 1.0 else "faster"


def _median(rng: random.Random, values: Sequence[float]) -> float:
    return statistics.median(rng.choices(values, k=len(values)))
