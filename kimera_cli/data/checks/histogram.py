"""Quantiles of a stream of integers in fixed memory.

Counted is the distance from the first value (a latency under a skewed clock is far from zero and
varies little): exactly below 256, and in 128 bins to each power of two above. So a quantile is off
by at most 0.8 % of its distance from the first value; least and largest are exact.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.layouts import I64

_EXACT = 256
_SUB = 128
_BINS = _EXACT + (63 - 8) * _SUB


class Histogram:
    """Counts of integers between -2^61 and 2^61."""

    def __init__(self) -> None:
        self.count = 0
        self.least = 0
        self.largest = 0
        self._first = 0
        self._below = np.zeros(_BINS, np.int64)
        self._above = np.zeros(_BINS, np.int64)

    def add(self, values: I64) -> None:
        """Count the values."""
        if not len(values):
            return
        low, high = int(values.min()), int(values.max())
        if not self.count:
            self._first = int(values[0])
        self.least = min(self.least, low) if self.count else low
        self.largest = max(self.largest, high) if self.count else high
        self.count += len(values)
        self._count(values - self._first, np.ones(len(values), np.int64))

    def merge(self, other: Histogram) -> None:
        """Count what another histogram counted; its values come with the error of their bins."""
        if not other.count:
            return
        if not self.count:
            self._first = other._first
        self.least = min(self.least, other.least) if self.count else other.least
        self.largest = max(self.largest, other.largest) if self.count else other.largest
        self.count += other.count
        for sign, counts in ((-1, other._below), (1, other._above)):
            bins = np.flatnonzero(counts)
            edges = np.array([sign * _edge(int(each)) for each in bins], np.int64)
            self._count(edges + (other._first - self._first), counts[bins])

    def quantile(self, q: float) -> int:
        """Return the value at or below which a fraction q of the values lies (nearest rank)."""
        rank = max(1, int(np.ceil(q * self.count)))
        if rank >= self.count:
            return self.largest
        below = int(self._below.sum())
        if rank <= below:
            bins = np.flatnonzero(np.cumsum(self._below[::-1]) >= rank)
            distance = -_edge(_BINS - 1 - int(bins[0]))
        else:
            bins = np.flatnonzero(np.cumsum(self._above) >= rank - below)
            distance = _edge(int(bins[0]))
        return min(max(self._first + distance, self.least), self.largest)

    def _count(self, distances: I64, counts: I64) -> None:
        down = distances < 0
        np.add.at(self._below, _bins(-distances[down]), counts[down])
        np.add.at(self._above, _bins(distances[~down]), counts[~down])


def _bins(values: I64) -> I64:
    """Return the bin of each value >= 0."""
    exponent = np.maximum(0, np.frexp(values.astype(np.float64))[1] - 8)
    # a float64 has 53 bits: beyond them rounding may raise the exponent by one, never more
    exponent = np.where((values >> exponent) < _SUB, np.maximum(exponent - 1, 0), exponent)
    bins = np.where(
        exponent == 0, values, _EXACT + (exponent - 1) * _SUB + (values >> exponent) - _SUB
    )
    return bins.astype(np.int64)


def _edge(bin_: int) -> int:
    """Return the largest value of a bin."""
    if bin_ < _EXACT:
        return bin_
    exponent, sub = divmod(bin_ - _EXACT, _SUB)
    return ((sub + _SUB + 1) << (exponent + 1)) - 1
