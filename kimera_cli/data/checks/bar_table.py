"""Checks of the file that bars came from: what the importer put right is told here.

Bars are imported in order of time and in one unit, whatever the table had. Whoever reads the
same table with another program has to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.checker import Checker
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.importers.ohlcv_columns import TIME, assign
from kimera_cli.data.importers.ohlcv_table import header_of
from kimera_cli.data.streams import open_lines, read_head
from kimera_cli.records import Check

_UNITS = ((1e11, "seconds"), (1e14, "milliseconds"), (1e17, "microseconds"))
"""Below the limit an epoch time is one in this unit, as the importer reads it (ohlcv_time)."""


class BarTableChecks(Checker):
    """`row_order` of a table and, when it is a CSV file, `time_units`."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._ways: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        """Begin with the first row of a table."""
        self._last: tuple[int, int] | None = None

    def see(self, rows: NDArray[np.void]) -> None:
        """Follow the lines while the rows come in order of time."""
        times, lines = rows["ts_ns"], rows["line"]
        if self._last is not None:
            times, lines = np.append(self._last[0], times), np.append(self._last[1], lines)
        self._last = int(times[-1]), int(lines[-1])
        apart = np.diff(times) != 0  # bars of one time have no order
        down = np.diff(lines) < 0
        for way, here in (("oldest first", apart & ~down), ("newest first", apart & down)):
            self._ways[way] += int(here.sum())
            if here.any():
                self._first.setdefault(way, int(lines[int(np.argmax(here)) + 1]))

    def results(self) -> Iterator[Check]:
        """Yield `row_order`, and `time_units` of a text file that is there."""
        yield self._odd_ones_out("row_order", self._ways, self._first)
        path = self.subject.sources[0] if self.subject.sources else None
        if path is not None and path.is_file() and (found := _units(path)):
            yield self._odd_ones_out("time_units", *found)

    def _odd_ones_out(self, name: str, ways: Counter[str], first: dict[str, int]) -> Check:
        total = sum(ways.values())
        ranked = ways.most_common(2)
        usual = ranked[0] if ranked else ("", 0)
        other = ranked[1] if len(ranked) > 1 and ranked[1][1] else None
        file, line = self.subject.place(first[other[0]]) if other else ("", None)
        return Check(
            check=name,
            dataset=self.subject.dataset,
            passed=usual[1],
            total=total,
            ok=other is None,
            detail=f"expected {usual[0]}, was {other[0]} {other[1]} times" if other else usual[0],
            file=file,
            line=line,
        )


def _units(path: Path) -> tuple[Counter[str], dict[str, int]] | None:
    """Return (count, first line) by unit of the time column of a CSV file; None for other
    tables."""
    head = read_head(path)
    found = None if head.startswith((b"ARROW1", b"PAR1")) else header_of(head)
    if found is None:
        return None
    skip, names = found
    column = next(index for index, field in assign(names).items() if field == TIME)
    units: Counter[str] = Counter()
    first: dict[str, int] = {}
    for number, line in open_lines(path):
        if number > skip and line.strip():
            unit = _unit(line.split(b",")[column].strip(b' "'))
            units[unit] += 1
            first.setdefault(unit, number)
    return units, first


def _unit(text: bytes) -> str:
    try:
        value = float(text)
    except ValueError:
        return "dates"
    return next((unit for limit, unit in _UNITS if value < limit), "nanoseconds")
