"""Checks of prices and sizes: a price is above zero, a size is not below it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.checker import Checker
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.layouts import ADD, DELETE, DEPTH, EXECUTE, MODIFY, QUOTE, TRADE
from kimera_cli.records import Check

PRICED = (DEPTH, TRADE, QUOTE, ADD, MODIFY, EXECUTE)
SIZED = (TRADE, ADD, EXECUTE)
"""Kinds that say nothing with a size of zero."""


class ValueChecks(Checker):
    """`prices` and `sizes` of one dataset."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._prices, self._sizes = Tally(subject), Tally(subject)

    def see(self, rows: NDArray[np.void]) -> None:
        """Look at each row that has a price or a size."""
        priced = rows[np.isin(rows["kind"], PRICED)]
        _count(self._prices, priced, priced["px_ticks"] <= 0, "px_ticks", "a price above zero")
        sized = rows[np.isin(rows["kind"], (*PRICED, DELETE))]
        least = np.isin(sized["kind"], SIZED).astype(np.int64)
        _count(self._sizes, sized, sized["qty_lots"] < least, "qty_lots", "a size above zero")

    def results(self) -> Iterator[Check]:
        """Yield both records."""
        yield self._prices.record("prices")
        yield self._sizes.record("sizes")


def _count(
    tally: Tally, rows: NDArray[np.void], wrong: NDArray[np.bool_], field: str, expected: str
) -> None:
    bad = np.flatnonzero(wrong)
    tally.good(len(rows) - len(bad))
    if len(bad):
        first = rows[int(bad[0])]
        tally.bad(
            int(first["aux"]), f"expected {expected}, was {int(first[field])} steps", len(bad)
        )
