"""Two states of a host compared by the delays that were measured in each, without believing it.

The states are visited in pairs, A B, B A, A B, ...: a host that gets busier or calmer meanwhile
counts for neither. What is compared is the p99.9 of each visit: the mean over the pairs of
log B - log A. It is called a difference only when two independent things say so:

- an expanded percentile bootstrap interval leaves out 1 (Hesterberg 2015, section 5.2: the plain
  percentile interval of a small sample is too narrow; its tail is taken at
  Phi(-sqrt(n / (n - 1)) t(n - 1)));
- flipping the pairs (Fisher 1935, section 21) finds a mean as far from 0 in at most 1 % of all
  ways to flip them. This holds for any distribution, and so for the few huge delays that make up a
  tail; the bootstrap of a handful of them alone does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kimera_cli.host.jitter import Measure
from kimera_cli.layouts import F64, I64
from kimera_cli.records import Jitter

CONFIDENCE = 0.99
"""Two measures are judged at once, and load comes in waves: 95 % would be wrong too often."""
RESAMPLES = 10_000
SEED = 20_261_122
FEWEST = 8
"""Pairs: with fewer, no flip test can be sure to 99 % (2 / 2^7 is 1.6 %)."""
_ENUMERATED = 14
"""Up to this many pairs all flips are tried, above as many as RESAMPLES are drawn."""
FLOOR = 0.05
"""A difference below this is none that a trader could use, however sure it is."""
NONE = "no difference measured"


class Difference(NamedTuple):
    """A ratio with its confidence interval, and the share of flips that are as far from 1."""

    ratio: float
    low: float
    high: float
    p_value: float

    @property
    def verdict(self) -> str:
        """`lower` or `higher` where interval and flips agree and the ratio is beyond the floor."""
        if self.low <= 1.0 <= self.high or self.p_value > 1.0 - CONFIDENCE:
            return NONE
        if abs(self.ratio - 1.0) < FLOOR:
            return NONE
        return "lower" if self.ratio < 1.0 else "higher"


def order(rounds: int) -> list[bool]:
    """Return the states in the order of their visits: A B, B A, A B, ...; True is B."""
    return [new for k in range(rounds) for new in ((False, True) if k % 2 == 0 else (True, False))]


def visit(
    measures: Sequence[Measure],
    switch: Callable[[bool], None],
    rounds: int,
    told: Callable[[], None] = lambda: None,
) -> dict[str, tuple[list[I64], list[I64]]]:
    """Measure each state `rounds` times; return the samples of A and of B by name of the measure.

    `switch(False)` brings the host to A, `switch(True)` to B. The host is left in B, whatever ends
    the measurement.
    """
    samples: dict[str, tuple[list[I64], list[I64]]] = {m.name: ([], []) for m in measures}
    try:
        for new in order(rounds):
            switch(new)
            for measure in measures:
                samples[measure.name][new].append(measure.sample())
            told()
    finally:
        switch(True)
    return samples


def judge(measure: Measure, samples: tuple[list[I64], list[I64]], compared: str) -> Jitter:
    """Return what the visits of one measure say: quantiles of all of A and of B, and the ratio."""
    before, after = (np.concatenate(visits) for visits in samples)
    logs = [np.log([tail(sample) for sample in visits]) for visits in samples]
    found = difference(logs[1] - logs[0])
    a, b = _summary(before), _summary(after)
    return Jitter(
        measure=measure.name,
        rounds=len(samples[0]),
        samples=len(before) + len(after),
        before_p50_ns=a[0],
        after_p50_ns=b[0],
        before_p99_ns=a[1],
        after_p99_ns=b[1],
        before_p999_ns=a[2],
        after_p999_ns=b[2],
        before_max_ns=a[3],
        after_max_ns=b[3],
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        verdict=found.verdict,  # type: ignore[arg-type]
        compared=compared,
        detail=dict(measure.detail),
    )


def tail(sample: I64) -> float:
    """Return the p99.9 of one visit in ns, at least 1 (a wake-up can be on time)."""
    return max(float(np.quantile(sample, 0.999, method="inverted_cdf")), 1.0)


def difference(logs: F64) -> Difference:
    """Return exp(mean) of the pairs' log ratios with its certainty; needs two pairs or more."""
    from scipy.special import ndtr, stdtrit

    n = len(logs)
    quantile = stdtrit(n - 1, (1.0 + CONFIDENCE) / 2.0) * math.sqrt(n / (n - 1))
    share = float(ndtr(-quantile))
    drawn = np.random.default_rng(SEED).choice(logs, (RESAMPLES, n)).mean(axis=1)
    low, high = np.quantile(drawn, [share, 1.0 - share])
    ratio = math.exp(logs.mean())
    return Difference(ratio, math.exp(low), math.exp(high), flip_test(logs))


def flip_test(logs: F64) -> float:
    """Return the share of sign flips whose mean is at least as far from 0 as the one measured."""
    n = len(logs)
    if n <= _ENUMERATED:
        signs = 1 - 2 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)
    else:
        drawn = np.random.default_rng(SEED).integers(0, 2, (RESAMPLES, n))
        signs = np.vstack([np.ones(n, np.int64), 1 - 2 * drawn])
    means = np.abs(signs @ logs)
    return float(np.mean(means >= abs(logs.sum()) * (1.0 - 1e-12)))


def _summary(sample: I64) -> list[float]:
    levels = [0.5, 0.99, 0.999, 1.0]
    return [float(x) for x in np.quantile(sample, levels, method="inverted_cdf")]
