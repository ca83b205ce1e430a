"""Bars from Feather, Parquet and CSV tables.

Column names are recognised in the spellings that exchanges and freqtrade use. What is certain is
put right (order of rows, unit of times, a title line above the header); everything else stays as it
is, for the checks to report: a bad price stays, a text that is no number becomes NaN, rows are
never dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kimera_cli.data.importers.base import MAX_ROWS, Batch, Importer, ImportOptions, Rows
from kimera_cli.data.importers.ohlcv_name import describe, family_of
from kimera_cli.data.importers.ohlcv_table import Table, header_of, open_table
from kimera_cli.data.streams import read_head
from kimera_cli.errors import DataError


class Ohlcv(Importer):
    """Tables with a time, open, high, low, close and volume; a symbol column may name several."""

    name = "ohlcv"
    summary = "bars: Feather, Parquet or CSV with time, open, high, low, close, volume"

    def matches(self, path: Path, head: bytes) -> bool:
        """Tell by the magic of Feather and Parquet, or by the header of a CSV."""
        return head.startswith((b"ARROW1", b"PAR1")) or header_of(head) is not None

    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the bars of each symbol, oldest first."""
        table = open_table(path, read_head(path), options.progress)
        if not len(table.bars):
            raise DataError("data.empty_file", f"expected rows in {path}, was none")
        for symbol, unsorted in _by_symbol(table):
            bars = unsorted[np.argsort(unsorted["ts_ns"], kind="stable")]
            instrument = describe(path, options, symbol, bars)
            family = family_of(path, bars)
            for start in range(0, len(bars), MAX_ROWS):
                yield Batch(instrument, family, bars[start : start + MAX_ROWS])


def _by_symbol(table: Table) -> Iterator[tuple[str | None, Rows]]:
    if table.symbols is None:
        yield None, table.bars
        return
    symbols = np.array(table.symbols)
    for symbol in dict.fromkeys(table.symbols):
        yield symbol, table.bars[symbols == symbol]
