"""Where an own order stands in its level's queue, from what the feed shows.

L2 feeds show the level's total only. Risk-averse: only trades advance us, a cancel was always
behind us.
Probabilistic: a decrease that no trade explains is split by f(back) / (f(back) + f(front)), with
f(x) = x^n
("power") or log(1 + x) ("log") (Rigtorp 2013; hftbacktest order_fill documentation). L3: exact
(kernels/venue).
Invariants: 0 <= ahead, ahead never rises, front + own + back = level.
"""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.state import QUEUE_LOG, QUEUE_POWER


@kernel
def behind_share(model, exponent, front, back):
    """Return the probability that a cancelled lot stood behind us."""
    if model == QUEUE_POWER:
        b = back**exponent
        f = front**exponent
    else:
        b = math.log1p(back)
        f = math.log1p(front)
    total = b + f
    if total <= 0.0:
        return 1.0
    return b / total


@kernel
def queue_after_level(model, exponent, ahead, traded, before, after):
    """Return the quantity ahead after the level's total went from `before` to `after` lots.

    `traded` is what trades already took from `ahead` since the level was last reported; that part
    of the
    decrease is explained. The result never exceeds `ahead` or `after`.
    """
    result = ahead
    if model == QUEUE_POWER or model == QUEUE_LOG:
        change = before - after - traded
        if change > 0.0:
            back = max(0.0, before - traded - ahead)
            share = behind_share(model, exponent, ahead, back)
            result = ahead - (1.0 - share) * change + min(back - share * change, 0.0)
    return max(0.0, min(result, float(after)))
