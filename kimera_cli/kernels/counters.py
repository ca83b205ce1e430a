"""Counters and log2 histograms that other processes read while they are counted.

Every cell has one writer, so counting is a load, an addition and a store of one word: no locked
instruction, and no reader sees half a number. A histogram of CELLS words: cell b (0 to 63) counts
values v with 2^(b-1) <= v < 2^b, cell 0 those of 0 and below, and the last cell is the sum of
all values. How many there are is the sum of the counts: there is no second number to disagree.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.bits import ctlz
from kimera_cli.kernels.fence import load_relaxed, store_relaxed

BUCKETS = 64
SUM = BUCKETS
CELLS = BUCKETS + 8
"""Words of one histogram: a whole number of lines, so that two writers never share one."""


@kernel
def count(cell, n):
    """Add n to the counter at an address."""
    store_relaxed(cell, load_relaxed(cell) + n)


@kernel
def gauge(cell, value):
    """Set the counter at an address."""
    store_relaxed(cell, value)


@kernel
def observe(histogram, value):
    """Count a value in the histogram at an address."""
    bucket = np.int64(0)
    if value > 0:
        bucket = np.int64(64) - np.int64(ctlz(np.uint64(value)))
    count(histogram + 8 * bucket, 1)
    count(histogram + 8 * SUM, value)
