"""The newest rows of a market's history as packed numbers: 8 bytes each, instead of an object."""

from __future__ import annotations

from typing import Any

import numpy as np


class Ring:
    """The newest `kept` rows of integers (64 bits), numbered without holes from `first` on.

    Its memory is given by the system as rows are written, and is then written anew.
    """

    def __init__(self, columns: int, kept: int, first: int) -> None:
        self._rows = np.zeros((kept, columns), np.int64)
        self._kept = kept
        self._first = self._next = first

    def append(self, row: tuple[int, ...]) -> None:
        """Add a row."""
        self._rows[self._next % self._kept] = row
        self._next += 1

    @property
    def ids(self) -> range:
        """Numbers of the rows that are kept."""
        return range(max(self._first, self._next - self._kept), self._next)

    def between(self, first: int, end: int) -> list[tuple[int, list[int]]]:
        """Return (number, row) of the kept rows numbered in [first, end), oldest first."""
        ids = self.ids
        begin = min(max(first, ids.start), ids.stop)
        found = range(begin, max(begin, min(end, ids.stop)))
        return list(zip(found, self._rows[self._places(found)].tolist(), strict=True))

    def column(self, column: int) -> Any:
        """Return one number of each row that is kept, oldest first: array of int64."""
        return self._rows[self._places(self.ids), column]

    def _places(self, ids: range) -> Any:
        return np.arange(ids.start, ids.stop) % self._kept
