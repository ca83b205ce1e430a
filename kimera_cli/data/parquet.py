"""EVENT and OHLCV rows as Parquet columns, and back.

Columns are required (no nulls) and plain integers or floats of the width that the layout has; what
is the same for all rows of a dataset (venue, instrument) is not stored. Prices and line numbers are
delta encoded, the rest is left to zstd: measured best of ten encodings in size and in speed
(docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kimera_cli.data.importers.base import Rows
from kimera_cli.errors import DataError
from kimera_cli.layouts import EVENT, OHLCV, aligned_zeros

ROW_GROUP = 131_072
_NOT_STORED = ("instrument", "venue", "reserved")
_SMALL = ["kind", "side", "flags"]
_DELTA = {"px_ticks": "DELTA_BINARY_PACKED", "aux": "DELTA_BINARY_PACKED"}


def columns(dtype: np.dtype[Any]) -> list[str]:
    """Return the stored fields of EVENT or OHLCV, in order."""
    return [name for name in dtype.names or () if name not in _NOT_STORED]


def schema(dtype: np.dtype[Any], facts: dict[str, str]) -> pa.Schema:
    """Return the Arrow schema of a layout; `facts` go into the file's metadata."""
    fields = [
        pa.field(name, pa.from_numpy_dtype(dtype[name]), nullable=False) for name in columns(dtype)
    ]
    return pa.schema(fields, metadata=facts)


class PartWriter:
    """Writes rows to one Parquet file by row groups; memory holds one group at most."""

    def __init__(self, path: Path, dtype: np.dtype[Any], facts: dict[str, str]) -> None:
        self.path = path
        self.rows = 0
        self._held: list[Rows] = []
        self._held_rows = 0
        self._names = columns(dtype)
        self._schema = schema(dtype, facts)
        event = dtype == EVENT
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=_SMALL if event else False,
            column_encoding=_DELTA if event else None,
            write_statistics=["ts_exch_ns", "ts_local_ns"] if event else ["ts_ns"],
        )

    def write(self, rows: Rows) -> None:
        """Append rows."""
        self._held.append(rows)
        self._held_rows += len(rows)
        self.rows += len(rows)
        if self._held_rows >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a row group."""
        if not self._held_rows:
            return
        rows = np.concatenate(self._held)
        self._held, self._held_rows = [], 0
        arrays = [as_arrow(rows[name]) for name in self._names]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def abandon(self) -> None:
        """Let go of the file without finishing it: what is in it is worth nothing."""
        self._writer.is_open = False  # or its finaliser would try to write the footer

    def close(self) -> None:
        """Write the rest and the footer."""
        self.flush()
        self._writer.close()


def read_rows(path: Path, dtype: np.dtype[Any], size: int) -> Iterator[Rows]:
    """Yield the rows of a part, at most `size` at a time; columns that are not stored are zero.

    The next rows are unpacked on a second thread while the caller works on these.
    """
    with _opened(path) as file, ThreadPoolExecutor(1) as ahead:
        _same_columns(path, file.schema_arrow, dtype)
        batches = file.iter_batches(size)
        pending = ahead.submit(next, batches, None)
        while (batch := _result(path, pending)) is not None:
            pending = ahead.submit(next, batches, None)
            rows = aligned_zeros(len(batch), dtype)
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                rows[name] = as_numpy(column)
            yield rows


def as_arrow(values: Any) -> pa.Array:
    """Return integers or floats, shape (n,), as an Arrow array without nulls (NaN stays NaN).

    `pa.array` would do the same, but looks whether it was given pandas objects by importing pandas:
    0.2 s and 60 MB of every command that writes a file.
    """
    plain = np.ascontiguousarray(values)
    buffers = [None, pa.py_buffer(plain)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(plain.dtype), len(plain), buffers)


def as_numpy(array: pa.Array) -> Any:
    """Return an Arrow array of integers or floats without nulls as numpy, shape (n,), not copied.

    Like `to_numpy`, which imports pandas.
    """
    dtype = np.dtype(array.type.to_pandas_dtype())
    if not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except FileNotFoundError:
        raise DataError(
            "data.missing_part",
            f"expected a part of the dataset at {path}, was nothing",
            "remove the dataset and import its recordings again",
            file=str(path),
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _result(path: Path, pending: Any) -> pa.RecordBatch | None:
    try:
        return pending.result()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _same_columns(path: Path, found: pa.Schema, dtype: np.dtype[Any]) -> None:
    expected = schema(dtype, {})
    if not found.equals(expected, check_metadata=False):
        raise _damaged(path, f"columns {', '.join(found.names)}")


def _damaged(path: Path, why: object) -> DataError:
    return DataError(
        "data.damaged_part",
        f"expected an intact part of the dataset in {path}, was: {why}",
        "remove the dataset and import its recordings again",
        file=str(path),
    )


def layout_of(family: str) -> np.dtype[Any]:
    """Return EVENT for the families l2, l3 and trades, OHLCV for those of bars."""
    return EVENT if family in ("l2", "l3", "trades") else OHLCV
