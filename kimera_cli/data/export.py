"""Datasets for other programs: decimals instead of ticks, names instead of numbers.

Parquet gets exact decimal columns, CSV their text, JSON lines the records `event` and `bar`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kimera_cli.data.source import EventSource
from kimera_cli.errors import DataError
from kimera_cli.layouts import EVENT, I64
from kimera_cli.records import Bar, Event, Exported

Format = Literal["parquet", "csv", "jsonl"]
FORMATS: tuple[Format, ...] = ("parquet", "csv", "jsonl")

KINDS = (
    *("", "depth", "trade", "quote", "clear", "checksum", "add", "modify", "delete", "execute"),
    *("funding", "mark", "status"),
)
SIDES = ("bid", "ask", "")
FLAGS = ("last", "snapshot", "gap", "hidden", "no_exch_time", "stale", "half_tick", "conflated")


def tables(source: EventSource) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a dataset with readable columns."""
    for rows in source.chunks():
        yield _events(source, rows) if rows.dtype == EVENT else _bars(rows)


def records(source: EventSource) -> Iterator[Event | Bar]:
    """Yield one record per row."""
    for batch in tables(source):
        make = Event if "kind" in batch.schema.names else Bar
        names = batch.schema.names
        for values in zip(*(_plain(column) for column in batch.columns), strict=True):
            yield make(dataset=source.dataset, **dict(zip(names, values, strict=True)))


def write(source: EventSource, to: Format, sink: BinaryIO) -> None:
    """Write a dataset as Parquet or CSV into an open stream."""
    batches = tables(source)
    first = next(batches)
    make = pq.ParquetWriter if to == "parquet" else pc.CSVWriter
    options = {"compression": "zstd"} if to == "parquet" else {}
    with make(sink, first.schema, **options) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def write_file(source: EventSource, to: Format, path: Path) -> Exported:
    """Write a dataset to a file, which appears whole or not at all; DataError `data.write`."""
    import msgspec

    temporary = path.with_name(f".{path.name}.new")
    try:
        try:
            with temporary.open("wb") as sink:
                if to == "jsonl":
                    encoder = msgspec.json.Encoder()
                    sink.writelines(encoder.encode(each) + b"\n" for each in records(source))
                else:
                    write(source, to, sink)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            "data.write",
            f"expected to write {path}, was: {error.strerror or error}",
            "make room or name another file with -o; nothing was written",
            file=str(path),
        ) from None
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = path.stat().st_size
    return Exported(path=str(path), format=to, rows=source.rows, bytes=size, sha256=digest)


def _events(source: EventSource, rows: NDArray[np.void]) -> pa.RecordBatch:
    instrument = source.instrument
    columns = {
        "ts_exch_ns": pa.array(rows["ts_exch_ns"]),
        "ts_local_ns": pa.array(rows["ts_local_ns"]),
        "kind": _names(rows["kind"], KINDS),
        "side": _names(rows["side"], SIDES),
        "px": _decimals(rows["px_ticks"], instrument.tick),
        "qty": _decimals(rows["qty_lots"], instrument.lot),
        "seq": pa.array(rows["seq"]),
        "ref": pa.array(rows["ref"]),
        "flags": _flags(rows["flags"]),
        "line": pa.array(rows["aux"]),
    }
    return pa.RecordBatch.from_pydict(columns)


def _bars(rows: NDArray[np.void]) -> pa.RecordBatch:
    columns = {
        name: pa.array(np.ascontiguousarray(rows[name]), from_pandas=True)  # NaN becomes null
        for name in rows.dtype.names or ()
    }
    columns["trades"] = pa.array(rows["trades"], mask=rows["trades"] < 0)
    return pa.RecordBatch.from_pydict(columns)


def _names(codes: NDArray[Any], names: tuple[str, ...]) -> pa.Array:
    return pa.array(names).take(pa.array(np.ascontiguousarray(codes)))


def _flags(codes: NDArray[Any]) -> pa.Array:
    values, index = np.unique(codes, return_inverse=True)
    texts = [
        "|".join(name for bit, name in enumerate(FLAGS) if int(value) >> bit & 1)
        for value in values
    ]
    return pa.array(texts).take(pa.array(index))


def _decimals(steps: I64, step: Decimal) -> pa.Array:
    """Return steps * step as exact decimals with the step's own number of places."""
    places = max(0, -int(step.as_tuple().exponent))
    factor = int(step.scaleb(places))
    low = steps * factor
    words = np.stack([low, low >> 63], axis=1)  # 128-bit two's complement, little endian
    return pa.Array.from_buffers(
        pa.decimal128(38, places), len(steps), [None, pa.py_buffer(words.tobytes())]
    )


def _plain(column: pa.Array) -> list[Any]:
    if pa.types.is_decimal(column.type):
        return [f"{value:f}" for value in column.to_pylist()]
    return column.to_pylist()  # type: ignore[no-any-return]
