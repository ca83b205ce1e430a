"""Markets with something to learn."""

from __future__ import annotations

import numpy as np

from kimera_cli.ensemble.states import States, next_moves
from kimera_cli.layouts import TABLE_AXES

QI, OFI = TABLE_AXES.index("queue_imbalance"), TABLE_AXES.index("ofi")
DT = 50_000_000
T0 = 1_700_000_000_000_000_000


def leaning_states(n: int, seed: int, strength: float = 1.0) -> States:
    """States whose next move of 4 ticks goes up with probability (1 + strength * lean) / 2."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, len(TABLE_AXES)))
    x[:, QI], x[:, OFI] = rng.uniform(-1, 1, n), rng.normal(0, 100, n)
    up = rng.uniform(-1, 1, n) < strength * x[:, QI]
    mid = 100_000.0 + np.concatenate([[0.0], np.cumsum(np.where(up, 4.0, -4.0))[:-1]])
    ts_ns = T0 + DT * np.arange(n)
    move, resolved = next_moves(ts_ns, mid)
    return States(ts_ns, x, mid, np.ones(n, bool), move, resolved)
