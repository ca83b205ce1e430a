"""Quantiles of commit latency in constant memory.

Buckets are log-linear: 32 per power of two, so a quantile is exact to about 3 %. The maximum is
exact.
"""

from __future__ import annotations

import numpy as np

_SUB_BITS = 5
_SUB = 1 << _SUB_BITS


class LatencyHistogram:
    """Counts of durations in ns."""

    def __init__(self) -> None:
        self._counts = np.zeros(64 * _SUB, np.int64)
        self.n = 0
        self.max_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration."""
        self._counts[_bucket(duration_ns)] += 1
        self.n += 1
        self.max_ns = max(self.max_ns, duration_ns)

    def quantile_ns(self, q: float) -> int:
        """Return the upper edge of the q-quantile's bucket; 0 when nothing was counted."""
        if not self.n:
            return 0
        rank = max(1, int(np.ceil(q * self.n)))
        at = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(_upper_edge(at), self.max_ns)


def _bucket(value: int) -> int:
    shift = max(value.bit_length() - 1 - _SUB_BITS, 0)
    return shift * _SUB + (value >> shift)


def _upper_edge(bucket: int) -> int:
    shift = max(bucket // _SUB - 1, 0)
    return ((bucket - shift * _SUB + 1) << shift) - 1
