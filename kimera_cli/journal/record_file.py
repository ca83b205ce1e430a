"""Loop records in Parquet files: a stream in, an array out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kimera_cli.errors import DataError
from kimera_cli.files import FileInfo, create_private, sha256_of, temporary_name, write_error
from kimera_cli.layouts import RECORD

Rows = NDArray[np.void]
"""Structured array of dtype RECORD, shape (n,), in seq order."""

ROW_GROUP = 8_192
"""Rows held in memory before they are written: 1.3 MiB in each of four files. Larger groups make
files no smaller, and reading and writing no faster.
"""


class RecordParquet:
    """Streams RECORD rows into one Parquet file, a column per field; memory stays flat."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.rows = 0
        self._held: list[Rows] = []
        self._n_held = 0
        self._schema = pa.schema(
            [(name, pa.from_numpy_dtype(RECORD[name])) for name in RECORD.names or ()]
        )
        try:
            self._file = create_private(temporary_name(path))
            self._writer = pq.ParquetWriter(
                self._file, self._schema, compression="zstd", compression_level=1
            )
        except OSError as error:
            raise write_error(path, error) from error

    def write(self, rows: Rows) -> None:
        """Take rows; they reach the file in groups of ROW_GROUP."""
        if not len(rows):
            return
        self._held.append(rows.copy())
        self._n_held += len(rows)
        if self._n_held >= ROW_GROUP:
            self._write_group()

    def close(self) -> FileInfo:
        """Write the rest and the footer, flush to the disk and give the file its name."""
        try:
            if self._n_held:
                self._write_group()
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            temporary = temporary_name(self.path)
            info = FileInfo(self.rows, temporary.stat().st_size, sha256_of(temporary))
            temporary.replace(self.path)
        except OSError as error:
            raise write_error(self.path, error) from error
        return info

    def abort(self) -> None:
        """Forget the file: nothing under its final name, nothing under the temporary one."""
        for closing in (self._writer.close, self._file.close):
            try:
                closing()
            except OSError:
                continue  # a full disk: the footer of a file that is being deleted does not matter
        temporary_name(self.path).unlink(missing_ok=True)

    def _write_group(self) -> None:
        import pyarrow as pa

        from kimera_cli.data.parquet import as_arrow

        rows = np.concatenate(self._held)
        columns = [as_arrow(rows[name]) for name in self._schema.names]
        try:
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        except OSError as error:
            raise write_error(self.path, error) from error
        self.rows += len(rows)
        self._held, self._n_held = [], 0


def read_parquet(path: Path) -> Rows:
    """Return all rows of a record file as RECORD, shape (n,); DataError names file and mend."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # not read_table, which imports pandas
            table = file.read()
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, pa.ArrowInvalid) as error:
        raise damaged(path, f"unreadable Parquet ({str(error).splitlines()[0]})") from error
    return _as_records(path, table)


def _as_records(path: Path, table: Any) -> Rows:
    import pyarrow as pa

    from kimera_cli.data.parquet import as_numpy

    names = RECORD.names or ()
    if absent := [name for name in names if name not in table.column_names]:
        raise damaged(path, f"a table without {', '.join(absent)}")
    rows = np.empty(table.num_rows, RECORD)
    for name in names:
        column = table.column(name)
        if column.null_count:
            raise damaged(path, f"{column.null_count} empty cells in column {name}")
        if column.type != pa.from_numpy_dtype(RECORD[name]):
            raise damaged(path, f"a column {name} of type {column.type}")
        start = 0
        for chunk in column.chunks:
            rows[name][start : start + len(chunk)] = as_numpy(chunk)
            start += len(chunk)
    return rows


def missing(path: Path) -> DataError:
    """Return the error of a file that a finished run has and this folder has not."""
    return DataError(
        "data.run_file",
        f"expected {path}, was no such file: the run was cut off or the file was removed",
        _RECOVER.format(path.parent),
        file=str(path),
    )


def damaged(path: Path, what: str) -> DataError:
    """Return the error of a file that cannot be what the run wrote."""
    return DataError(
        "data.run_file",
        f"expected {path} as the run wrote it, was {what}",
        _RECOVER.format(path.parent),
        file=str(path),
    )


_RECOVER = (
    "the journal holds the same records: kimera journal verify {0}, "
    "then kimera journal export {0} --to parquet"
)
