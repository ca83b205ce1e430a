"""Out-of-sample quality: how well an expected next move foretells the one that came.

Only states after the end of what was learnt are judged. R2 is 1 - sum (y - p)^2 / sum (y - b)^2,
where the baseline b is the mean move of the past, as known at the time; `r2_clipped` is the same
with moves clipped as in learning. `direction` is the share of forecasts whose sign came true;
its baseline always says the sign of b.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from kimera_cli.ensemble.blocks import block_sums, estimate
from kimera_cli.ensemble.states import States
from kimera_cli.ensemble.table_file import TableFile
from kimera_cli.layouts import F64
from kimera_cli.records import TableQuality


def quality(
    dataset: str, of: Literal["table", "member"], table: TableFile, test: States, expected: F64
) -> TableQuality:
    """Return how good the forecasts were; states without one (NaN) or without an outcome do not
    count.

    expected: forecast in ticks of each state, shape (n,).
    """
    use = test.resolved & np.isfinite(expected)
    states, p = test.part(use), expected[use]
    y, base = states.next_move, table.learnt.mean_ticks
    clipped = np.clip(y, -table.clip_ticks, table.clip_ticks)
    b_clipped = float(np.clip(base, -table.clip_ticks, table.clip_ticks))
    right, said = (np.sign(p) == np.sign(y)) & (p != 0.0), p != 0.0
    columns = [(y - p) ** 2, (y - base) ** 2, (clipped - p) ** 2, (clipped - b_clipped) ** 2]
    columns += [np.ones_like(p), p, y, p * p, y * y, p * y, right, said]
    sums = block_sums(states.ts_ns, np.column_stack(columns).astype(np.float64))
    r2, r2_se = estimate(sums, lambda s: 1.0 - s[:, 0] / s[:, 1])
    clip, clip_se = estimate(sums, lambda s: 1.0 - s[:, 2] / s[:, 3])
    rho, rho_se = estimate(sums, _correlation)
    direction, direction_se = estimate(sums, lambda s: s[:, 10] / s[:, 11])
    return TableQuality(
        dataset=dataset,
        of=of,
        start_ns=int(states.ts_ns[0]) if len(p) else 0,
        end_ns=int(states.ts_ns[-1]) if len(p) else 0,
        states=len(p),
        moves=len(np.unique(states.resolved_ns)),
        blocks=len(sums),
        r2=r2,
        r2_se=r2_se,
        r2_clipped=clip,
        r2_clipped_se=clip_se,
        correlation=rho,
        correlation_se=rho_se,
        direction=direction,
        direction_se=direction_se,
        baseline_ticks=base,
        baseline_direction=float(np.mean(np.sign(y) == np.sign(base))) if len(p) else None,
    )


def _correlation(s: F64) -> F64:
    n, p, y, pp, yy, py = (s[:, k] for k in range(4, 10))
    covariance = n * py - p * y
    return np.asarray(covariance / np.sqrt((n * pp - p * p) * (n * yy - y * y)))
