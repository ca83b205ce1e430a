"""Markouts: how the mid moved for or against a fill, with errors that know that fills overlap.

markout_h = s (m_h - p) / p in basis points, s = +1 for a buy and -1 for a sell, p the fill's price.
At h = 0 it is the spread that the fill earned (or paid). Two fills less than h apart share a part
of the same price move, so the standard error weighs each pair of fills by how much of their windows
overlap (a Bartlett kernel in time, twice the horizon wide; Newey & West 1987 with time in place of
lags).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kimera_cli.layouts import BID, F64, I64
from kimera_cli.report.sleeve import Sleeve
from kimera_cli.risk.metrics import Estimate, estimate, metric, missing

HORIZONS_S = (1, 10, 60)
GROUPS = ("all", "maker", "taker", "buy", "sell")
_BPS = 10_000.0
_SOURCE = "Huang & Stoll 1996 (realised spread); Newey & West 1987 (errors)"


class Markouts(NamedTuple):
    """Fills of one or more sleeves with their markouts in bps, NaN where the run ended before."""

    ts_ns: I64
    maker: NDArray[np.bool_]
    buy: NDArray[np.bool_]
    at: dict[int, F64]
    """Horizon in seconds (0: at the fill) -> bps, shape (n,)."""


def mids_after(sleeve: Sleeve, horizon_ns: int) -> F64:
    """Return the mid a horizon after each fill, in ticks, shape (n_fills,); NaN where not known."""
    mids = np.full(len(sleeve.fills), np.nan)
    rows = sleeve.markouts[sleeve.markouts["type"] == horizon_ns]
    where = np.searchsorted(sleeve.fills["seq"], rows["left_lots"])
    inside = where < len(mids)
    inside[inside] = sleeve.fills["seq"][where[inside]] == rows["left_lots"][inside]
    mids[where[inside]] = rows["mid_ticks"][inside]
    return mids


def markouts(sleeve: Sleeve) -> Markouts:
    """Return the markouts of one sleeve at 0, 1, 10 and 60 s."""
    fills, px = sleeve.fills, sleeve.fills["px_ticks"]
    mids = {0: fills["mid_ticks"]} | {h: mids_after(sleeve, h * 10**9) for h in HORIZONS_S}
    at = {h: sleeve.signs * (mid - px) / px * _BPS for h, mid in mids.items()}
    return Markouts(fills["ts_exch_ns"], fills["type"] == 1, fills["side"] == BID, at)


def together(parts: list[Markouts]) -> Markouts:
    """Return the markouts of several sleeves as one, in order of time."""
    ts = np.concatenate([p.ts_ns for p in parts]) if parts else np.empty(0, np.int64)
    order = np.argsort(ts, kind="stable")
    maker = np.concatenate([p.maker for p in parts]) if parts else np.empty(0, bool)
    buy = np.concatenate([p.buy for p in parts]) if parts else np.empty(0, bool)
    at = {
        h: np.concatenate([p.at[h] for p in parts])[order] if parts else np.empty(0)
        for h in (0, *HORIZONS_S)
    }
    return Markouts(ts[order], maker[order], buy[order], at)


@metric(
    "markout_0s",
    label="Spread earned at the fill",
    unit="bps",
    definition="Mean distance between fill price and mid at the fill; positive is in our favour.",
    source=_SOURCE,
    group="Markouts",
    better="higher",
)
@metric(
    "markout_1s",
    label="Markout 1 s",
    unit="bps",
    definition="Mean move from fill price to the mid 1 s later; positive is in our favour.",
    source=_SOURCE,
    group="Markouts",
    better="higher",
)
@metric(
    "markout_10s",
    label="Markout 10 s",
    unit="bps",
    definition="Mean move from fill price to the mid 10 s later; positive is in our favour.",
    source=_SOURCE,
    group="Markouts",
    better="higher",
)
@metric(
    "markout_60s",
    label="Markout 60 s",
    unit="bps",
    definition="Mean move from fill price to the mid 60 s later; positive is in our favour.",
    source=_SOURCE,
    group="Markouts",
    better="higher",
)
def mean_markout(found: Markouts, horizon_s: int, group: str = "all") -> Estimate:
    """Return the mean markout of a group of fills (GROUPS) in bps, each fill counted once."""
    values = found.at[horizon_s]
    chosen = _member(found, group) & np.isfinite(values)
    n = int(chosen.sum())
    if n == 0:
        return missing(_why_none(found, group, horizon_s))
    taken = values[chosen]
    error = sum_error(taken, found.ts_ns[chosen], 2 * horizon_s * 10**9)
    return estimate(float(taken.mean()), None if error is None else error / n, n)


def sum_error(values: F64, ts_ns: I64, reach_ns: int) -> float | None:
    """Return the standard error of sum(values), pairs weighted by max(0, 1 - |dt| / reach).

    `ts_ns` ascends. Reach 0 takes the fills as independent. None for fewer than 2 values.
    """
    n = values.size
    if n < 2:
        return None
    e = values - float(values.mean())
    variance = float(e @ e)
    if reach_ns > 0:
        t = (ts_ns - ts_ns[0]) / reach_ns
        first = np.searchsorted(t, t - 1.0, side="right")
        s = np.concatenate(([0.0], np.cumsum(e)))
        st = np.concatenate(([0.0], np.cumsum(e * t)))
        here = np.arange(n)
        pairs = (s[here] - s[first]) * (1.0 - t) + (st[here] - st[first])
        variance += 2.0 * float(e @ pairs)
    return math.sqrt(max(variance, 0.0) * n / (n - 1.0))


def _member(found: Markouts, group: str) -> NDArray[np.bool_]:
    masks: dict[str, NDArray[np.bool_]] = {
        "all": np.ones(found.ts_ns.size, bool),
        "maker": found.maker,
        "taker": ~found.maker,
        "buy": found.buy,
        "sell": ~found.buy,
    }
    return masks[group]


def _why_none(found: Markouts, group: str, horizon_s: int) -> str:
    if not _member(found, group).any():
        return "no fills" if group == "all" else f"no {group} fills"
    return (
        f"the run ended within {horizon_s} s of each fill" if horizon_s else "no mid at the fills"
    )
