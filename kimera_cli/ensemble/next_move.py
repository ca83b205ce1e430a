"""Member: the conditional expectation of the next move of the mid.

The estimate at a state is the value there of a plane fitted to the moves that followed nearby past
states (local linear regression, kernels/nearby.py), where near is measured in ranks: each feature
is replaced by its place among past values, -1 to 1. Past states are used twice, as they were and in
a mirror (odd features and the move change sign), as Stoikov (2018) does for the microprice: a
market that rose while it was learnt is no reason to expect a rise.

Moves beyond `clip_ticks` (a quantile of their size) count as that much: their tails are heavy, and
a handful of them would decide. The window's width is chosen by cross-validation over consecutive
blocks of the past, never by what comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kimera_cli.ensemble.states import States
from kimera_cli.errors import DataError
from kimera_cli.kernels.nearby import local_fits
from kimera_cli.layouts import BUY, F64, HOLD, I64, SELL, TABLE_AXES, TABLE_ODD

NO_OPINION = 2
"""Decision of a member that has seen too little near a state; no action of a table is equal to it.
"""

KNOTS = 65
WIDTHS = (0.3, 0.45, 0.7, 1.0, 1.4, 2.0)
FOLDS = 5
CLIP = 0.9
PRIOR = 2.0
EDGE = 0.1
LEAST_SUPPORT = 30.0
LEAST_STATES = 200
MOST_STATES = 4_096
"""Of more, this many are kept, evenly over the past: neighbours say much the same."""


@dataclass(frozen=True)
class NextMove:
    """A learnt member. Ranks and moves of the past are what it knows."""

    axes: tuple[int, ...]
    knots: tuple[F64, ...]
    """Per axis, quantiles of past values (of their size, for odd features), rising."""
    points: F64
    """Ranks of past states and their mirrors, shape (m, d), sorted by the first column."""
    moves: F64
    """Clipped next moves in ticks, shape (m,)."""
    width: float
    prior: float
    clip_ticks: float
    edge_ticks: float
    """Least expected move that is worth an action."""
    least_support: float

    def ranks(self, x: F64) -> F64:
        """Return the ranks of states x, shape (n, 8) to (n, d); NaN stays NaN."""
        return ranks_of(x, self.axes, self.knots)

    def expect_ranks(self, ranks: F64) -> tuple[F64, F64]:
        """Return expected move in ticks and effective observations, shape (n,) each."""
        means, supports = np.full(len(ranks), np.nan), np.zeros(len(ranks))
        known = np.isfinite(ranks).all(axis=1)
        m, s = np.zeros(int(known.sum())), np.zeros(int(known.sum()))
        queries = np.ascontiguousarray(ranks[known])
        room = _room(len(self.axes))
        local_fits(self.points, self.moves, self.width, self.prior, queries, room, m, s)
        means[known], supports[known] = m, s
        return means, supports

    def expect(self, x: F64) -> tuple[F64, F64]:
        """Return expected move and effective observations of states x, shape (n, 8)."""
        return self.expect_ranks(self.ranks(x))

    def decide(self, means: F64, supports: F64) -> I64:
        """Return BUY, SELL, HOLD or NO_OPINION for each estimate, shape (n,)."""
        side = np.where(
            means > self.edge_ticks, BUY, np.where(means < -self.edge_ticks, SELL, HOLD)
        )
        known = np.isfinite(means) & (supports >= self.least_support)
        return np.where(known, side, NO_OPINION).astype(np.int64)


def ranks_of(x: F64, axes: Sequence[int], knots: Sequence[F64]) -> F64:
    """Return where each feature lies among past ones, -1 to 1, shape (n, d)."""
    columns = []
    for axis, edges in zip(axes, knots, strict=True):
        values = x[:, axis]
        if axis < TABLE_ODD:
            size = np.interp(np.abs(values), edges, np.linspace(0.0, 1.0, len(edges)))
            columns.append(np.sign(values) * size)
        else:
            columns.append(np.interp(values, edges, np.linspace(-1.0, 1.0, len(edges))))
    return np.column_stack(columns)


def learn(
    states: States,
    axes: Sequence[int],
    *,
    edge: float = EDGE,
    least_support: float = LEAST_SUPPORT,
    widths: Sequence[float] = WIDTHS,
) -> NextMove:
    """Learn from past states (those that changed the book and whose next move is known).

    edge: least expected move for an action, as a share of the mean size of (clipped) moves.
    DataError `data.table_states` when there are fewer than LEAST_STATES.
    """
    past = states.part(states.resolved & states.book)
    past = past.part(np.isfinite(past.x[:, list(axes)]).all(axis=1))
    if len(past) < LEAST_STATES:
        raise DataError(
            "data.table_states",
            f"expected {LEAST_STATES} states with a known next move to learn from, was {len(past)}",
            "learn on a longer recording, or on more of it (--train)",
        )
    past = past.part(np.linspace(0, len(past) - 1, min(len(past), MOST_STATES)).astype(np.int64))
    clip = float(np.quantile(np.abs(past.next_move), CLIP))
    moves = np.clip(past.next_move, -clip, clip)
    knots = tuple(_knots(past.x[:, axis], axis) for axis in axes)
    ranks = ranks_of(past.x, axes, knots)
    odd = np.array([axis < TABLE_ODD for axis in axes])
    width = _best_width(ranks, moves, odd, widths)
    points, both = mirrored(ranks, moves, odd)
    least = edge * float(np.abs(moves).mean())
    return NextMove(tuple(axes), knots, points, both, width, PRIOR, clip, least, least_support)


def mirrored(ranks: F64, moves: F64, odd: F64) -> tuple[F64, F64]:
    """Return states and their mirrors with their moves, sorted by the first column."""
    points = np.concatenate([ranks, np.where(odd, -ranks, ranks)])
    order = np.argsort(points[:, 0], kind="stable")
    both = np.concatenate([moves, -moves])
    return np.ascontiguousarray(points[order]), np.ascontiguousarray(both[order])


def _knots(values: F64, axis: int) -> F64:
    sizes = np.abs(values) if axis < TABLE_ODD else values
    knots = np.quantile(sizes, np.linspace(0.0, 1.0, KNOTS))
    if axis < TABLE_ODD:
        knots[0] = 0.0
    if knots[0] == knots[-1]:
        raise DataError(
            "data.table_states",
            f"expected {TABLE_AXES[axis]} to take different values, was always {knots[0]:g}",
            "learn on other features (--axes)",
        )
    return np.asarray(knots, np.float64)


def _best_width(ranks: F64, moves: F64, odd: F64, widths: Sequence[float]) -> float:
    """Return the width of least squared error over consecutive blocks, each left out in turn."""
    fold = np.arange(len(ranks)) * FOLDS // len(ranks)
    errors, room = np.zeros(len(widths)), _room(ranks.shape[1])
    for k in range(FOLDS):
        points, both = mirrored(ranks[fold != k], moves[fold != k], odd)
        queries, target = np.ascontiguousarray(ranks[fold == k]), moves[fold == k]
        means, supports = np.zeros(len(queries)), np.zeros(len(queries))
        for w, width in enumerate(widths):
            local_fits(points, both, width, PRIOR, queries, room, means, supports)
            errors[w] += float(np.sum((target - means) ** 2))
    return float(widths[int(np.argmin(errors))])


def _room(d: int) -> F64:
    """Return what `local_fits` works in: a kernel allocates nothing."""
    return np.zeros((d + 1, d + 2))
