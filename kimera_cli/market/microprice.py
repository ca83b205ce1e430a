"""Stoikov's microprice: the mid plus what it is expected to move from here.

Stoikov (2018), "The micro-price: a high-frequency estimator of future prices". The state is the
pair of queue imbalance (in equal bins) and spread (in ticks). From transitions between successive
quotes come Q (no move of the mid), R1 K (expected first move) and R2 (where a move leads). Then
G1 = (1 - Q)^-1 R1 K, B = (1 - Q)^-1 R2, and the adjustment is G* = sum over k of B^k G1. Data are
symmetrised under (I, S, dM) -> (1 - I, S, -dM), which makes the sum converge and G* odd in I - 1/2.

This is an offline estimate; the hot loop's `microprice_ticks` is the imbalance-weighted mid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.layouts import F64, I64


@dataclass(frozen=True)
class Microprice:
    """A fitted table: G* in ticks, shape (max_spread, bins); NaN in states that were never left."""

    adjustment: F64
    observations: I64

    def value(self, bid_ticks: I64, bid_lots: I64, ask_ticks: I64, ask_lots: I64) -> F64:
        """Return the microprice in ticks, shape (n,); NaN for states not in the table."""
        spread, bins = _state(bid_ticks, bid_lots, ask_ticks, ask_lots, self.adjustment.shape[1])
        known = (spread >= 1) & (spread <= len(self.adjustment))
        row = np.where(known, spread, 1) - 1
        adjustment = np.where(known, self.adjustment[row, bins], np.nan)
        result: F64 = (bid_ticks + ask_ticks) / 2 + adjustment
        return result


def fit_microprice(
    bid_ticks: I64,
    bid_lots: I64,
    ask_ticks: I64,
    ask_lots: I64,
    *,
    bins: int = 10,
    max_spread: int = 4,
    max_move: float = 1.0,
) -> Microprice:
    """Fit G* to successive quotes, arrays of shape (n,), all sizes above zero.

    Transitions that start or end at a spread above max_spread (or crossed), or move the mid by more
    than max_move ticks, are left out, as in the paper: they say little about the queues. Raises
    DataError `data.microprice` for arrays of unequal length, or when the mid never moves.
    """
    columns = [np.asarray(column) for column in (bid_ticks, bid_lots, ask_ticks, ask_lots)]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        shapes = ", ".join(str(column.shape) for column in columns)
        raise DataError("data.microprice", f"expected four arrays of one length, was {shapes}")
    spread, at = _state(columns[0], columns[1], columns[2], columns[3], bins)
    twice_mid = columns[0] + columns[2]
    valid = (spread >= 1) & (spread <= max_spread)
    use = valid[:-1] & valid[1:] & (np.abs(np.diff(twice_mid)) <= 2 * max_move)
    state = (spread - 1) * bins + at
    mirror = (spread - 1) * bins + (bins - 1 - at)
    move = np.diff(twice_mid)[use] / 2
    start = np.concatenate([state[:-1][use], mirror[:-1][use]])
    end = np.concatenate([state[1:][use], mirror[1:][use]])
    if not np.any(move):
        raise DataError(
            "data.microprice", f"expected moves of the mid, was none in {len(move)} rows"
        )
    seen, adjustment = _solve(start, end, np.concatenate([move, -move]), max_spread * bins)
    table = np.where(seen > 0, adjustment, np.nan).reshape(max_spread, bins)
    return Microprice((table - table[:, ::-1]) / 2, seen.reshape(max_spread, bins))


def _state(
    bid_ticks: I64, bid_lots: I64, ask_ticks: I64, ask_lots: I64, bins: int
) -> tuple[I64, I64]:
    """Return spread in ticks and bin of the imbalance, shapes (n,)."""
    share = bid_lots / np.maximum(bid_lots + ask_lots, 1)
    at = np.minimum((share * bins).astype(np.int64), bins - 1)
    return np.asarray(ask_ticks - bid_ticks, np.int64), at


def _solve(start: I64, end: I64, move: F64, n: int) -> tuple[I64, F64]:
    """Return how often each state was left, and G*, shapes (n,)."""
    seen = np.bincount(start, minlength=n)
    left = np.maximum(seen, 1).astype(float)
    moved = move != 0
    q, r2 = np.zeros((n, n)), np.zeros((n, n))
    np.add.at(q, (start[~moved], end[~moved]), 1)
    np.add.at(r2, (start[moved], end[moved]), 1)
    first = np.bincount(start, weights=move, minlength=n) / left
    stay = np.eye(n) - q / left[:, None]
    solved = np.linalg.lstsq(stay, np.column_stack([first, r2 / left[:, None]]), rcond=None)[0]
    # G = G1 + B G. B leads somewhere with certainty, so 1 - B annihilates constants; the solution
    # of least norm has none in it: it is the odd one, which is the sum of the series.
    adjustment = np.linalg.lstsq(np.eye(n) - solved[:, 1:], solved[:, 0], rcond=None)[0]
    return seen, adjustment
