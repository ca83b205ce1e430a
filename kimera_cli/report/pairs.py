"""Orders and fills of a run against those of its replay, one by one.

An order is the same when strategy, market, side, kind and price are, and it was decided within the
window. Fills of the same order are paired in their order, whatever the time between them. What is
left is paired with the nearest in venue time within the window, on the same side. A fill may be
paired in parts, because one run may fill at once what the other fills bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kimera_cli.layouts import F64, I64, R_DENIED, R_INTENT
from kimera_cli.report.run import Rows
from kimera_cli.report.sleeve import Sleeve

BY_ORDER, BY_TIME = 0, 1
WINDOW_NS = 1_000_000_000


@dataclass(frozen=True)
class Orders:
    """The orders of one sleeve that passed the gate, in both runs, and which are the same."""

    run: Rows
    replay: Rows
    """First rows of each order, by time."""
    pairs: dict[int, int]
    """Order id in the replay, by that in the run."""

    @property
    def back(self) -> dict[int, int]:
        """Order id in the run, by that in the replay."""
        return {there: here for here, there in self.pairs.items()}


@dataclass(frozen=True)
class Pairs:
    """Fills that are the same, shape (n,) each, and how much of each fill has no match."""

    run: I64
    """Index into the run's fills."""
    replay: I64
    lots: I64
    how: I64
    """BY_ORDER or BY_TIME."""
    run_left: I64
    """Lots without a match, shape (fills of the run,)."""
    replay_left: I64


def same_orders(run: Sleeve, replay: Sleeve, window_ns: int = WINDOW_NS) -> Orders:
    """Return which orders are in both."""
    one, two = sent(run), sent(replay)
    pairs: dict[int, int] = {}
    keys = ("side", "type", "px_ticks")
    groups = _grouped(one, keys), _grouped(two, keys)
    for key, here in groups[0].items():
        there = groups[1].get(key)
        if there is None:
            continue
        for i, j in nearest(one["ts_ns"][here], two["ts_ns"][there], window_ns):
            pairs[int(one["order_id"][here[i]])] = int(two["order_id"][there[j]])
    return Orders(one, two, pairs)


def sent(sleeve: Sleeve) -> Rows:
    """Return the first row of each order that the gate let pass, by time."""
    rows = sleeve.orders
    intents = rows[rows["kind"] == R_INTENT]
    _, first = np.unique(intents["order_id"], return_index=True)
    passed = intents[np.sort(first)]
    denied = rows["order_id"][(rows["kind"] == R_DENIED) & (rows["order_id"] > 0)]
    kept: Rows = passed[~np.isin(passed["order_id"], denied)]
    return kept


def _grouped(rows: Rows, keys: tuple[str, ...]) -> dict[tuple[int, ...], I64]:
    """Return the indices of rows, ascending, by their values of `keys`."""
    found: dict[tuple[int, ...], list[int]] = {}
    columns = [rows[key].tolist() for key in keys]
    for i, key in enumerate(zip(*columns, strict=True)):
        found.setdefault(key, []).append(i)
    return {key: np.asarray(members, dtype=np.int64) for key, members in found.items()}


def candidates(one: I64, two: I64, window_ns: int) -> tuple[I64, I64]:
    """Return (i, j) of all times at most `window_ns` apart; both arrays ascend."""
    low = np.searchsorted(two, one - window_ns, side="left")
    high = np.searchsorted(two, one + window_ns, side="right")
    many = high - low
    i = np.repeat(np.arange(one.size), many)
    starts = np.repeat(np.cumsum(many) - many, many)
    j = np.arange(i.size) - starts + np.repeat(low, many)
    return i, j.astype(np.int64)


def nearest(one: I64, two: I64, window_ns: int) -> list[tuple[int, int]]:
    """Return pairs of the nearest times, closest first, each time in one pair at most."""
    i, j = candidates(one, two, window_ns)
    taken: tuple[set[int], set[int]] = set(), set()
    found = []
    for k in np.argsort(np.abs(one[i] - two[j]), kind="stable"):
        a, b = int(i[k]), int(j[k])
        if a not in taken[0] and b not in taken[1]:
            taken[0].add(a)
            taken[1].add(b)
            found.append((a, b))
    return found


class _Matching:
    """Pairs as they are found."""

    def __init__(self, run: Rows, replay: Rows) -> None:
        self.run, self.replay = run, replay
        self.left = run["qty_lots"].copy(), replay["qty_lots"].copy()
        self.found: list[tuple[int, int, int, int]] = []

    def pair(self, i: int, j: int, how: int) -> None:
        """Pair as much of two fills as both have left."""
        lots = int(min(self.left[0][i], self.left[1][j]))
        if lots > 0:
            self.left[0][i] -= lots
            self.left[1][j] -= lots
            self.found.append((i, j, lots, how))

    def result(self) -> Pairs:
        """Return what was found, by time of the run's fills."""
        table = np.asarray(sorted(self.found), dtype=np.int64).reshape(-1, 4)
        return Pairs(table[:, 0], table[:, 1], table[:, 2], table[:, 3], *self.left)


def same_fills(run: Rows, replay: Rows, orders: Orders, window_ns: int = WINDOW_NS) -> Pairs:
    """Return which fills of one sleeve are in both."""
    matching = _Matching(run, replay)
    theirs = _grouped(replay, ("order_id",))
    for (order,), here in _grouped(run, ("order_id",)).items():
        there = theirs.get((orders.pairs.get(order, -1),))
        if there is not None:
            for i in here:
                for j in there:
                    matching.pair(int(i), int(j), BY_ORDER)
    for side in (0, 1):
        _by_time(matching, side, window_ns)
    return matching.result()


def _by_time(matching: _Matching, side: int, window_ns: int) -> None:
    """Pair what is left of one side, the nearest in time first, then in price."""
    here, there = (
        np.flatnonzero((rows["side"] == side) & (left > 0))
        for rows, left in zip((matching.run, matching.replay), matching.left, strict=True)
    )
    here = here[np.argsort(matching.run["ts_exch_ns"][here], kind="stable")]
    there = there[np.argsort(matching.replay["ts_exch_ns"][there], kind="stable")]
    one, two = matching.run[here], matching.replay[there]
    i, j = candidates(one["ts_exch_ns"], two["ts_exch_ns"], window_ns)
    apart: F64 = np.abs(one["px_ticks"][i] - two["px_ticks"][j])
    late = np.abs(one["ts_exch_ns"][i] - two["ts_exch_ns"][j])
    for k in np.lexsort((apart, late)):
        matching.pair(int(here[i[k]]), int(there[j[k]]), BY_TIME)
