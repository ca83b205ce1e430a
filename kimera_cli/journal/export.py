"""A journal for other programs: both chains merged by seq, as JSON lines, CSV or Parquet.

Parquet has exactly the columns of events.parquet, so it can stand in for a lost one.
"""

from __future__ import annotations

import csv
import heapq
import io
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Literal

import msgspec

from kimera_cli.files import replacing, sha256_of
from kimera_cli.journal.chain import Entry, unpack
from kimera_cli.journal.decode import KINDS, Decoder
from kimera_cli.journal.journal import BULK, JOURNAL
from kimera_cli.journal.reader import BATCH, JournalReader
from kimera_cli.journal.record_file import RecordParquet, Rows
from kimera_cli.layouts import RECORD
from kimera_cli.records import Exported

ExportFormat = Literal["jsonl", "csv", "parquet"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("jsonl", "csv", "parquet")


def merged(folder: Path) -> Iterator[Entry]:
    """Yield the entries of journal.db and bulk.db in seq order."""
    with JournalReader(folder / JOURNAL) as audit, JournalReader(folder / BULK) as bulk:
        yield from heapq.merge(audit.entries(), bulk.entries(), key=attrgetter("seq"))


def merged_rows(folder: Path) -> Iterator[Rows]:
    """Yield the same as RECORD rows, BATCH at a time."""
    entries = merged(folder)
    while batch := list(islice(entries, BATCH)):
        yield unpack([entry.body for entry in batch])


def export(folder: Path, path: Path, to: ExportFormat, decoder: Decoder) -> Exported:
    """Write the whole journal to `path`, which appears only when it is complete."""
    if to == "parquet":
        rows = _parquet(folder, path)
    else:
        lines = _jsonl(folder, decoder) if to == "jsonl" else _csv(folder)
        rows = -1 if to == "csv" else 0  # the header is no row
        with replacing(path) as file:
            for line in lines:
                file.write(line)
                rows += 1
    return Exported(
        path=str(path), format=to, rows=rows, bytes=path.stat().st_size, sha256=sha256_of(path)
    )


def _parquet(folder: Path, path: Path) -> int:
    file = RecordParquet(path)
    try:
        for rows in merged_rows(folder):
            file.write(rows)
    except BaseException:
        file.abort()
        raise
    return file.close().rows


def _jsonl(folder: Path, decoder: Decoder) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for entry in merged(folder):
        yield encode(decoder.entry(entry)) + b"\n"


def _csv(folder: Path) -> Iterator[bytes]:
    """Yield the header, then a line per entry: hash, name of the kind, raw fields."""
    yield _csv_line(["hash", "kind_name", *(RECORD.names or ())])
    for entry in merged(folder):
        row = unpack([entry.body])[0]
        yield _csv_line([entry.hash.hex(), KINDS.get(entry.kind, ""), *row.tolist()])


def _csv_line(cells: list[object]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow("" if c != c else c for c in cells)
    return buffer.getvalue().encode()
