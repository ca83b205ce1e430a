"""Market states of a recording as a strategy meets them, and what the mid did next.

A state is kept for every message that wakes strategies (levels or trades); its features are the hot
loop's own (kernels/features.py), so they know nothing of what came later. The next move of the mid
is the first change after the state, in ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kimera_cli.data.source import EventSource
from kimera_cli.errors import DataError
from kimera_cli.layouts import (
    DEPTH,
    F64,
    F_LAST,
    F_SNAPSHOT,
    F_STALE,
    FEATURES,
    I64,
    STATUS,
    TABLE_AXES,
    TRADE,
    Events,
)
from kimera_cli.market.features import FeatureStream

_SPREAD = TABLE_AXES.index("spread_ticks")


@dataclass(frozen=True)
class States:
    """n states in the order of time."""

    ts_ns: I64
    x: F64
    """Features, shape (n, 8), columns as TABLE_AXES; NaN while they are not known."""
    mid_ticks: F64
    book: Any
    """Shape (n,), True where the message changed levels (and not only traded)."""
    next_move: F64
    """Ticks to the next other mid; NaN when it never changed again."""
    resolved_ns: I64
    """When that other mid came; the largest int64 when it never did."""

    def __len__(self) -> int:
        return len(self.ts_ns)

    def part(self, keep: Any) -> States:
        """Return the states of an index or a mask."""
        names = self.__dataclass_fields__
        return States(**{name: getattr(self, name)[keep] for name in names})

    def rows(self) -> Any:
        """Return FEATURES records that hold these states, shape (n,)."""
        rows = np.zeros(len(self), FEATURES)
        for axis, name in enumerate(TABLE_AXES):
            if axis != _SPREAD:
                rows[name] = self.x[:, axis]
        known = np.isfinite(self.x[:, _SPREAD])
        rows["best_ask_ticks"] = np.where(known, self.x[:, _SPREAD], 0)
        return rows

    @property
    def resolved(self) -> Any:
        """Shape (n,), True where the next move is known and the state is complete."""
        return np.isfinite(self.next_move) & np.isfinite(self.x[:, : _SPREAD + 1]).all(axis=1)


def states_of(source: EventSource) -> States:
    """Return the states of a level-2 dataset.

    DataError `data.family` for anything else, `data.table_states` when the mid never moves.
    """
    if source.family != "l2":
        raise DataError(
            "data.family",
            f"expected a recording of price levels (l2), was {source.dataset}",
            "name an l2 dataset; see: kimera fetch list",
        )
    stream = FeatureStream()
    parts = [_chunk(stream, events) for events in source.chunks()]
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    if not joined or not len(joined[0]):
        raise DataError("data.table_states", f"expected states in {source.dataset}, was none")
    ts_ns, x, mid, book = joined
    move, resolved = next_moves(ts_ns, mid)
    if not np.isfinite(move).any():
        raise DataError(
            "data.table_states", f"expected the mid of {source.dataset} to move, was still"
        )
    return States(ts_ns, x, mid, book, move, resolved)


def next_moves(ts_ns: I64, mid: F64) -> tuple[F64, I64]:
    """Return the first later change of the mid and its time, shape (n,) each; see States."""
    n = len(mid)
    moves, resolved = np.full(n, np.nan), np.full(n, np.iinfo(np.int64).max)
    known = np.flatnonzero(np.isfinite(mid))
    if known.size > 1:
        changed = known[1:][np.diff(mid[known]) != 0.0]
        at = np.searchsorted(changed, known, side="right")
        some = at < changed.size
        source, target = known[some], changed[at[some]]
        moves[source] = mid[target] - mid[source]
        resolved[source] = ts_ns[target]
    return moves, resolved


def _chunk(stream: FeatureStream, events: Events) -> tuple[I64, F64, F64, Any]:
    """Return time, features, mid and whether levels changed, of each message that wakes."""
    events = events.copy()
    retold = (events["kind"] == TRADE) & (events["flags"] & F_SNAPSHOT != 0)
    events["kind"][retold | (events["flags"] & F_STALE != 0)] = STATUS
    rows = np.asarray(stream.advance(events))
    last = np.flatnonzero(events["flags"] & F_LAST != 0)
    message = np.searchsorted(last, np.arange(len(events)))
    levels = np.bincount(message[events["kind"] == DEPTH], minlength=len(last) + 1)[: len(last)]
    trades = np.bincount(message[events["kind"] == TRADE], minlength=len(last) + 1)[: len(last)]
    wakes = (levels > 0) | (trades > 0)
    rows, ts_ns = rows[wakes], events["ts_local_ns"][last][wakes]
    x = np.column_stack([_column(rows, name) for name in TABLE_AXES])
    return ts_ns, x, rows["mid_ticks"].copy(), levels[wakes] > 0


def _column(rows: Any, name: str) -> F64:
    if name != "spread_ticks":
        return np.asarray(rows[name], np.float64)
    spread = (rows["best_ask_ticks"] - rows["best_bid_ticks"]).astype(np.float64)
    return np.where(np.isfinite(rows["mid_ticks"]), spread, np.nan)
