"""Denials that repeat, folded: a strategy that asks for the same thing at every message is told no
hundreds of times a second, and each no is 160 bytes in a journal that grows for days.

Of the denials of one strategy and instrument by one rule, the first is a record at once; after it
one in a second of the loop's time, which says how many before it had none of their own. What is
left at the end is a last record. So no number is lost, but that of the last second if the process
is killed. The rule looks at records alone, not at how they were cut into slices, so a recorded run
and its replay are folded alike (report/agreement.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import I64, R_DENIED, RECORD
from kimera_cli.units import NS_PER_S

FOLD_NS = NS_PER_S
"""Denials of one kind that come sooner than this after one with a record have none."""
_Key = tuple[int, int, int]
"""(strategy, instrument, code)"""


@dataclass
class _Told:
    """What is known of one kind of denial."""

    ts_ns: int
    """Of the last one that has a record."""
    n: int = 0
    """How many since then have none."""
    row: Rows | None = None
    """The newest of those, shape (1,)."""


class DenialFold:
    """Takes the records of a run as they come; `left_lots` of a denial is how many it stands for
    beside itself."""

    def __init__(self) -> None:
        self._told: dict[_Key, _Told] = {}

    def take(self, rows: Rows) -> Rows:
        """Return the records that are kept, in their order; `rows` is changed."""
        at = np.flatnonzero(rows["kind"] == R_DENIED)
        if not at.size:
            return rows
        kept = np.ones(len(rows), bool)
        keys, times = _keys(rows[at]), rows["ts_ns"][at].tolist()
        for i, key, ts_ns in zip(at.tolist(), keys, times, strict=True):
            kept[i] = self._keeps(rows[i : i + 1], key, ts_ns)
        left: Rows = rows[kept]
        return left

    def _keeps(self, row: Rows, key: _Key, ts_ns: int) -> bool:
        told = self._told.get(key)
        if told is None or ts_ns - told.ts_ns >= FOLD_NS:
            row["left_lots"] = 0 if told is None else told.n
            self._told[key] = _Told(ts_ns)
            return True
        told.n, told.row = told.n + 1, row.copy()
        return False

    def rest(self, seq: int) -> Rows:
        """Return the records of what is left, numbered from `seq` + 1; then nothing is."""
        left = [told for told in self._told.values() if told.row is not None]
        self._told.clear()
        if not left:
            return np.zeros(0, RECORD)
        rows = np.concatenate([told.row for told in left if told.row is not None])
        rows["left_lots"] = [told.n - 1 for told in left]
        rows = rows[np.argsort(rows["seq"])]
        rows["seq"] = seq + 1 + np.arange(len(rows))
        return rows


def numbers(denied: Rows) -> I64:
    """Return how many denials each record of one stands for, shape (n,)."""
    counts: I64 = 1 + denied["left_lots"]
    return counts


def _keys(denied: Rows) -> list[_Key]:
    names = ("strategy", "instrument", "code")
    return list(zip(*(denied[name].tolist() for name in names), strict=True))


def firsts(denied: Rows) -> NDArray[np.bool_]:
    """Return a mask of the denials that `take` keeps; on what it has kept already it is the same,
    but for the `rest`.

    `denied`: denials alone, in the order of `seq`.
    """
    last: dict[_Key, int] = {}
    found = np.zeros(len(denied), bool)
    for i, (key, ts_ns) in enumerate(zip(_keys(denied), denied["ts_ns"].tolist(), strict=True)):
        if key not in last or ts_ns - last[key] >= FOLD_NS:
            found[i], last[key] = True, ts_ns
    return found
