"""Standard errors of ratios of sums over states that depend on their neighbours.

States close in time wait for the same move, so they are no independent observations. They are cut
into blocks of time, and whole blocks are drawn anew with replacement (Künsch 1989): what happens
inside a block stays together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.units import NS_PER_S

BLOCK_S = 5
DRAWS = 1_000
LEAST_BLOCKS = 8
"""Fewer say too little about their own spread: no error is given."""
SEED = 1


def block_sums(ts_ns: I64, columns: F64) -> F64:
    """Return sums of the columns, shape (n, k), over blocks of BLOCK_S seconds, shape (b, k)."""
    block = (ts_ns - ts_ns[0]) // (BLOCK_S * NS_PER_S) if len(ts_ns) else ts_ns
    _, at = np.unique(block, return_inverse=True)
    sums = np.zeros((int(at.max()) + 1 if len(at) else 0, columns.shape[1]))
    np.add.at(sums, at, columns)
    return sums


def estimate(sums: F64, ratio: Callable[[F64], F64]) -> tuple[float | None, float | None]:
    """Return a statistic of the total sums and its standard error; None where undefined.

    A statistic that is the same in every draw (no single failure was seen) has not shown how much
    it varies: its error is None, not 0.

    ratio: takes sums, shape (m, k), returns the statistic, shape (m,), NaN where undefined.
    """
    with np.errstate(all="ignore"):
        value = float(ratio(sums.sum(axis=0)[None, :])[0]) if len(sums) else math.nan
        if not math.isfinite(value):
            return None, None
        if len(sums) < LEAST_BLOCKS:
            return value, None
        rng = np.random.default_rng(SEED)
        drawn = rng.multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), DRAWS)
        values = ratio(drawn @ sums)
    values = values[np.isfinite(values)]
    spread = float(values.std(ddof=1)) if len(values) > DRAWS // 2 else 0.0
    return value, spread or None
