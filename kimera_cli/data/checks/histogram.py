"""Quantiles of a stream of integers in fixed memory.

Values are counted in bins that are exact below 256 and then 128 to each power of two, so that a
quantile is at most 0.8 % too large in size; least and largest are exact.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.layouts import I64

_EXACT = 256
_SUB = 128
_BINS = _EXACT + (63 - 8) * _SUB


class Histogram:
    """Counts of int64 values, negative ones too."""

    def __init__(self) -> None:
        self.count = 0
        self.least = 0
        self.largest = 0
        self._negative = np.zeros(_BINS, np.int64)
        self._positive = np.zeros(_BINS, np.int64)

    def add(self, values: I64) -> None:
        """Count the values; |value| < 2^63."""
        if not len(values):
            return
        low, high = int(values.min()), int(values.max())
        self.least = min(self.least, low) if self.count else low
        self.largest = max(self.largest, high) if self.count else high
        self.count += len(values)
        negative = values < 0
        self._negative += np.bincount(_bins(-values[negative]), minlength=_BINS)
        self._positive += np.bincount(_bins(values[~negative]), minlength=_BINS)

    def merge(self, other: Histogram) -> None:
        """Count what another histogram counted."""
        if other.count:
            self.least = min(self.least, other.least) if self.count else other.least
            self.largest = max(self.largest, other.largest) if self.count else other.largest
            self.count += other.count
            self._negative += other._negative
            self._positive += other._positive

    def quantile(self, q: float) -> int:
        """Return the value below or at which a fraction q of the values lies (nearest rank)."""
        rank = max(1, int(np.ceil(q * self.count)))
        if rank >= self.count:
            return self.largest
        from_below = int(self._negative.sum())
        if rank <= from_below:
            bins = np.flatnonzero(np.cumsum(self._negative[::-1]) >= rank)
            value = -_edge(_BINS - 1 - int(bins[0]))
        else:
            bins = np.flatnonzero(np.cumsum(self._positive) >= rank - from_below)
            value = _edge(int(bins[0]))
        return min(max(value, self.least), self.largest)


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
