"""One SQLite file with one chain: the audit entries, their projections, and the head.

Entries, projections and head change in one transaction, so a process killed at any moment leaves
a file that verifies up to its last commit. The writer is one connection; readers may come and go
(WAL).
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Literal, Self

import numpy as np

from kimera_cli.errors import DataError, RunError
from kimera_cli.files import create_private
from kimera_cli.journal import tables
from kimera_cli.journal.chain import Head, Header, genesis, link, pack
from kimera_cli.journal.failures import damaged_journal, write_failure
from kimera_cli.journal.record_file import Rows

Synchronous = Literal["NORMAL", "FULL"]

_INSERT_HEADER = "INSERT INTO header VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT_HEADER = (
    "SELECT schema_version, run, profile_hash, chain, durability, created_ns, layout FROM header"
)


class ChainDatabase:
    """The writing side of one journal file."""

    def __init__(
        self, path: Path, db: sqlite3.Connection, header: Header, head: Head, sync: Synchronous
    ) -> None:
        self.path = path
        self.header = header
        self.head = head
        """The chain's end as committed."""
        self._db = db
        self._next = head
        self._projections = tables.projections(header.chain)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={sync}")

    @classmethod
    def create(cls, path: Path, header: Header, synchronous: Synchronous) -> Self:
        """Make a new file (mode 0600) whose chain is empty."""
        try:
            create_private(path).close()
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            start = Head(0, 0, genesis(header))
            for statement in ("BEGIN", *tables.statements(header.chain)):
                db.execute(statement)
            db.execute(_INSERT_HEADER, (*_header_values(header), start.hash))
            db.execute("INSERT INTO head VALUES (1, ?, ?, ?)", start)
            db.execute("COMMIT")
            return cls(path, db, header, start, synchronous)
        except (sqlite3.Error, OSError) as error:
            raise write_failure(path, error) from error

    @classmethod
    def open(cls, path: Path, synchronous: Synchronous) -> Self:
        """Open an existing file to go on with its chain."""
        if not path.is_file():
            raise no_journal(path)
        try:
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            return cls(path, db, read_header(db), read_head(db), synchronous)
        except sqlite3.Error as error:
            raise damaged_journal(path, str(error)) from error

    def append(self, rows: Rows) -> None:
        """Add rows to the open transaction (one begins when there is none); see `commit`."""
        if not len(rows):
            return
        refuse_backwards(rows, self._next.seq)
        hashes = link(rows, self._next.hash)
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            self._insert(rows, hashes)
        except sqlite3.Error as error:
            self.rollback()
            raise write_failure(self.path, error) from error
        except BaseException:
            self.rollback()
            raise
        self._next = Head(self._next.entries + len(rows), int(rows["seq"][-1]), hashes[-1])

    def commit(self) -> None:
        """Make all that was appended last; nothing to do when nothing was."""
        if not self._db.in_transaction:
            return
        try:
            self._db.execute("UPDATE head SET entries = ?, seq = ?, hash = ?", self._next)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self.rollback()
            raise write_failure(self.path, error) from error
        self.head = self._next

    def rollback(self) -> None:
        """Forget what was appended since the last commit."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._next = self.head

    def close(self) -> None:
        """Fold the WAL into the file, so that a finished journal is one file that can be copied."""
        # Refused while a reader holds the file or the disk is full: file and WAL serve then.
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def _insert(self, rows: Rows, hashes: list[bytes]) -> None:
        columns = (rows[name].tolist() for name in ("seq", "ts_ns", "kind"))
        previous = [self._next.hash, *hashes[:-1]]
        entries = zip(*columns, pack(rows), previous, hashes, strict=True)
        self._db.executemany(tables.INSERT_AUDIT, entries)
        for projection in self._projections:
            self._db.executemany(projection.insert, tables.project(projection, rows))


def refuse_backwards(rows: Rows, last: int) -> None:
    """Raise `run.journal_order` unless the rows' seq rise and start above `last`."""
    if rows["seq"][0] <= last or np.any(np.diff(rows["seq"]) <= 0):
        raise RunError(
            "run.journal_order",
            f"expected journal rows with rising seq above {last}, was "
            f"{rows['seq'][0]}..{rows['seq'][-1]}",
            "this is a defect of kimera: please report it",
        )


def _header_values(header: Header) -> tuple[object, ...]:
    return tuple(getattr(header, name) for name in header.__struct_fields__)


def read_header(db: sqlite3.Connection) -> Header:
    """Return the header row."""
    row = db.execute(_SELECT_HEADER).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("a journal without its header row")
    return Header(**dict(zip(Header.__struct_fields__, row, strict=True)))


def read_head(db: sqlite3.Connection) -> Head:
    """Return the head row."""
    row = db.execute("SELECT entries, seq, hash FROM head").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("a journal without its head row")
    return Head(*row)


def no_journal(path: Path) -> DataError:
    """Return the error of a run folder without its journal."""
    return DataError(
        "data.journal",
        f"expected the journal {path}, was no such file",
        "name a run folder that kimera run wrote",
        file=str(path),
    )
