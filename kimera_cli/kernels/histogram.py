"""An HDR histogram that the loop fills in place, in the bucket layout of HdrHistogram.

Values are whole ns from 0 to HIGHEST (68 s) with three significant digits: exact below 2,048, then
within 0.1 %. The cell of a value is found from its leading zeros (Tene's HdrHistogram; in
HdrHistogram_py `_counts_index_for`), so that library decodes `counts` as they are. A value outside
the range is not bent into it: it is counted in `under` or `over`.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.bits import ctlz

DIGITS = 3
HALF_MAGNITUDE = 10
"""log2 of half the cells of a bucket: 2,048 is the power of two at or above 2 * 10^DIGITS."""
BUCKETS = 26
CELLS = (BUCKETS + 1) << HALF_MAGNITUDE
HIGHEST = (2 << (HALF_MAGNITUDE + BUCKETS - 1)) - 1
"""Largest value with a cell of its own: 2^36 - 1 ns."""

HISTOGRAM = np.dtype(
    [
        ("under", "i8"),  # values below zero: the clock went back
        ("over", "i8"),  # values above HIGHEST
        ("largest_over", "i8"),
        ("reserved", "i8", (5,)),
        ("counts", "i8", (CELLS,)),
    ],
    align=True,
)
"""One histogram; 216 KiB, of which a latency touches a few cache lines."""

_MASK = np.uint64((2 << HALF_MAGNITUDE) - 1)
_TOP = np.uint64(64 - HALF_MAGNITUDE - 1)
_HALF = np.uint64(HALF_MAGNITUDE)


@kernel
def cell_of(value):
    """Return the index into `counts` of a value from 0 to HIGHEST."""
    v = np.uint64(value)
    bucket = _TOP - np.uint64(ctlz(v | _MASK))
    return (bucket << _HALF) + (v >> bucket)


@kernel
def histogram_add(h, value):
    """Count one value in ns."""
    if 0 <= value <= HIGHEST:
        h.counts[cell_of(value)] += 1
    elif value < 0:
        h.under += 1
    else:
        h.over += 1
        h.largest_over = max(h.largest_over, value)


@kernel
def histogram_add_all(h, values):
    """Count every value of an int64 array, shape (n,)."""
    for i in range(values.shape[0]):
        histogram_add(h, values[i])
