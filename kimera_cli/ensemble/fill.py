"""Fills a table: asks a member about points all over each cell and writes down what it says.

Each cell is probed at its corners, at PROBES points spread evenly inside it (in ranks, so that they
are as dense as past states are), and at the past states that lay in it. The action distribution is
the share of these that would sell, hold and buy; the confidence is the share of the likeliest. A
cell in which the member has no opinion anywhere is left empty: its lookup is a miss.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.ensemble.next_move import NO_OPINION, NextMove
from kimera_cli.ensemble.quantiser import Quantiser
from kimera_cli.ensemble.states import States
from kimera_cli.kernels.table import seal_entries
from kimera_cli.layouts import BUY, F64, HOLD, I64, SELL, TABLE_SIDE

PROBES = 4
ACTIONS = (SELL, HOLD, BUY)


class Stamp(NamedTuple):
    """What every entry of one table has in common."""

    version: int
    learned_ns: int
    expires_ns: int


def fill(member: NextMove, quantiser: Quantiser, past: States, stamp: Stamp) -> Any:
    """Return a TABLE_SIDE, shape (1,), with an entry for every cell that the member knows.

    past: the states that the member learnt from.
    """
    side = np.zeros(1, TABLE_SIDE)
    quantiser.write(side)
    side["version"] = stamp.version
    points, cells = _probes(member, quantiser)
    seen = quantiser.cells_of(past.x)
    points = np.concatenate([points, member.ranks(past.x)[seen >= 0]])
    cells = np.concatenate([cells, seen[seen >= 0]])
    distinct, where = np.unique(points, axis=0, return_inverse=True)  # cells share corners
    means, supports = (column[where] for column in member.expect_ranks(distinct))
    _write(side, cells, means, supports, member.decide(means, supports), stamp)
    seal_entries(side.ctypes.data)
    return side


def _probes(member: NextMove, quantiser: Quantiser) -> tuple[F64, I64]:
    """Return corners and inner points of every cell in ranks, shape (n, d), and their cells."""
    boxes = [_bounds(member, quantiser, k) for k in range(len(quantiser.axes))]
    places = np.concatenate([_corners(len(boxes)), _inner(len(boxes))])
    bins = np.stack(np.unravel_index(np.arange(quantiser.cells), quantiser.bins), axis=1)
    columns = []
    for k, bounds in enumerate(boxes):
        low, high = bounds[bins[:, k]], bounds[bins[:, k] + 1]
        columns.append(low[:, None] + (high - low)[:, None] * places[None, :, k])
    points = np.stack(columns, axis=2).reshape(-1, len(boxes))
    return points, np.repeat(np.arange(quantiser.cells), len(places))


def _bounds(member: NextMove, quantiser: Quantiser, k: int) -> F64:
    """Return the bounds of the bins of one axis in ranks, shape (bins + 1,)."""
    x = np.zeros((len(quantiser.edges[k]), 8))
    x[:, quantiser.axes[k]] = quantiser.edges[k]
    return np.concatenate([[-1.0], member.ranks(x)[:, k], [1.0]])


def _corners(d: int) -> F64:
    return np.array(list(product((0.0, 1.0), repeat=d)))


def _inner(d: int) -> F64:
    """Return PROBES points of an additive recurrence (Roberts 2018), shape (PROBES, d)."""
    root = 2.0
    for _ in range(32):  # the root above 1 of x^(d + 1) = x + 1
        root = (1.0 + root) ** (1.0 / (d + 1))
    steps = root ** -np.arange(1.0, d + 1)
    return np.asarray((0.5 + np.arange(1, PROBES + 1)[:, None] * steps[None, :]) % 1.0)


def _write(side: Any, cells: I64, means: F64, supports: F64, actions: I64, stamp: Stamp) -> None:
    n = int(side["cells"][0])
    shares = np.stack([np.bincount(cells[actions == a], minlength=n) for a in ACTIONS], axis=1)
    total = np.bincount(cells, minlength=n)
    least = np.full(n, np.inf)
    np.minimum.at(least, cells, supports)
    silent = np.bincount(cells[actions == NO_OPINION], minlength=n)
    known = np.flatnonzero((total > 0) & (silent == 0))
    entry = side["entries"][0]
    share = shares[known] / total[known, None]
    for name, value in {
        "version": stamp.version,
        "learned_ns": stamp.learned_ns,
        "expires_ns": stamp.expires_ns,
        "expected_ticks": np.bincount(cells, weights=means, minlength=n)[known] / total[known],
        "p_sell": share[:, 0],
        "p_hold": share[:, 1],
        "p_buy": share[:, 2],
        "confidence": share.max(axis=1),
        "support": least[known],
        "action": np.array(ACTIONS)[share.argmax(axis=1)],
    }.items():
        entry[name][known] = value
