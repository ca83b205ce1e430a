"""Tables of bars as columns, whatever file they come in.

A table is held as a whole (bars may come newest first): 72 bytes a row, half a gigabyte for 14
years of one-minute bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.data.importers.base import Rows, bad_line
from kimera_cli.data.importers.ohlcv_columns import KRAKEN, REQUIRED, SYMBOL, TIME, assign
from kimera_cli.data.importers.ohlcv_time import numbers_to_ns, texts_to_ns
from kimera_cli.data.streams import Progress, open_blocks, open_lines
from kimera_cli.errors import DataError
from kimera_cli.layouts import F64, OHLCV

_NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume")


class Table(NamedTuple):
    """Bars in the order of the file, and the symbol of each row where a column tells it."""

    bars: Rows
    symbols: Sequence[str] | None


def open_table(path: Path, head: bytes, progress: Progress | None) -> Table:
    """Read a Feather, Parquet or CSV table; DataError `data.columns` names the missing ones."""
    if head.startswith((b"ARROW1", b"PAR1")):
        return _arrow_table(path, progress)
    return _csv_table(path, head, progress)


def header_of(head: bytes) -> tuple[int, list[str]] | None:
    """Return (how many lines come before the data, names); Kraken's names where no header is.

    A title line (one field) may stand above the header. None when this is no table of bars.
    """
    lines = head.splitlines()[:2]
    for skip, line in enumerate(lines, 1):
        names = line.decode("utf-8", "replace").lstrip("\ufeff").split(",")
        if set(assign(names).values()) >= REQUIRED:
            return skip, names
        if len(names) > 1:
            break
    if lines and _is_kraken(lines[0]):
        return 0, list(KRAKEN)
    return None


def _is_kraken(line: bytes) -> bool:
    try:
        time, opened, high, low, close, volume, count = map(float, line.split(b","))
    except ValueError:
        return False
    ordered = 0 < low <= min(opened, close) and max(opened, close) <= high
    return 1e9 < time < 1e11 and time % 60 == 0 and ordered and volume >= 0 and count % 1 == 0


def _csv_table(path: Path, head: bytes, progress: Progress | None) -> Table:
    found = header_of(head)
    if found is None:
        names = head.partition(b"\n")[0].decode("utf-8", "replace").split(",")
        raise _columns_error(path, names)
    skip, names = found
    fields = assign(names) if skip else dict(enumerate(names))
    lines: list[int] = []
    rows: list[list[str]] = []
    for number, line in open_lines(path, progress):
        if number <= skip or not line.strip():
            continue
        values = line.decode("utf-8", "replace").split(",")
        if len(values) != len(names):
            raise bad_line(path, number, f"{len(names)} columns", line, "data.columns")
        lines.append(number)
        rows.append(values)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    by_field = {field: columns[index] for index, field in fields.items()}
    bars = np.zeros(len(rows), OHLCV)
    bars["ts_ns"] = texts_to_ns(path, by_field[TIME], lines)
    bars["line"] = lines
    return _filled(bars, by_field, _floats)


def _arrow_table(path: Path, progress: Progress | None) -> Table:
    import pyarrow as pa

    data = b"".join(open_blocks(path, progress))
    try:
        table = _parquet(data) if data.startswith(b"PAR1") else _feather(data)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            "data.damaged",
            f"expected an intact table in {path}, was: {str(error).splitlines()[0]}",
            "copy or fetch the file again",
            file=str(path),
        ) from None
    fields = assign(table.schema.names)
    if not set(fields.values()) >= REQUIRED:
        raise _columns_error(path, table.schema.names)
    columns = {field: table.column(index) for index, field in fields.items()}
    bars = np.zeros(table.num_rows, OHLCV)
    bars["line"] = np.arange(1, table.num_rows + 1)
    bars["ts_ns"] = _arrow_times(path, columns[TIME], bars["line"].tolist())
    return _filled(bars, columns, _arrow_floats)


def _parquet(data: bytes) -> Any:
    """Return the Arrow table in Parquet bytes.

    By a reader of Arrow's own and on this thread alone: Arrow's threads at a Python file object may
    end a process with SIGABRT at its exit, where one asks for an interpreter that is gone
    (apache/arrow #34314, #50482).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data), pre_buffer=False) as file:
        return file.read(use_threads=False)


def _feather(data: bytes) -> Any:
    """Return the Arrow table in Feather bytes, read as `_parquet` reads."""
    import pyarrow as pa
    import pyarrow.feather as feather

    return feather.read_table(pa.BufferReader(data), use_threads=False)


def _filled(bars: Rows, columns: dict[str, Any], floats: Callable[[Any], F64]) -> Table:
    for field in _NUMBERS:
        bars[field] = floats(columns[field]) if field in columns else np.nan
    trades = floats(columns["trades"]) if "trades" in columns else np.full(len(bars), np.nan)
    bars["trades"] = np.where(np.isfinite(trades), np.nan_to_num(trades), -1).astype(np.int64)
    symbols = [str(each).strip('"') for each in columns[SYMBOL]] if SYMBOL in columns else None
    return Table(bars, symbols)


def _floats(texts: Sequence[str]) -> F64:
    """Return numbers; NaN for what is none."""
    try:
        return np.array(texts, np.float64)
    except ValueError:
        return np.array([_float(text) for text in texts], np.float64)


def _float(text: str) -> float:
    try:
        return float(text.strip().strip('"'))
    except ValueError:
        return np.nan


def _arrow_floats(column: Any) -> F64:
    import pyarrow as pa

    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException:
        return _floats([str(value) for value in column.to_pylist()])


def _arrow_times(path: Path, column: Any, lines: Sequence[int]) -> Any:
    import pyarrow as pa

    if pa.types.is_temporal(column.type):
        return column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
    if pa.types.is_integer(column.type):
        values = column.to_numpy()
        return values if (values > 10**17).all() else numbers_to_ns(values)
    return texts_to_ns(path, [str(value) for value in column.to_pylist()], lines)


def _columns_error(path: Path, names: Sequence[str]) -> DataError:
    missing = sorted(REQUIRED - set(assign(names).values()))
    return DataError(
        "data.columns",
        f"expected columns time, open, high, low, close, volume in {path}, was without "
        f"{', '.join(missing)}: {', '.join(names)[:120]}",
        "rename the columns of the table",
        file=str(path),
        line=1,
    )
