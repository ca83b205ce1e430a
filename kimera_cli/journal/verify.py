"""Finds any change in a journal file and says where it is.

One pass in seq order inside one read transaction: every entry's hash is computed anew from its
parts, every row of intents, orders and fills is compared with what its entry's body says, and the
head (and, for a run that ended, the manifest) says where the chain must stop.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.journal import tables
from kimera_cli.journal.chain import BODY_BYTES, Entry, Head, Header, genesis, link, unpack
from kimera_cli.journal.database import read_header
from kimera_cli.journal.reader import BATCH, connect
from kimera_cli.journal.record_file import Rows
from kimera_cli.journal.tables import Projection
from kimera_cli.journal.trades import trade_hash_update
from kimera_cli.layouts import R_FILL


class ProblemError(Exception):
    """The first place where a journal is not what was written."""

    def __init__(self, table: str, seq: int | None, what: str) -> None:
        super().__init__(what)
        self.table, self.seq, self.what = table, seq, what


class Expected(NamedTuple):
    """What the run folder states about a chain; None where it says nothing."""

    run: str | None = None
    profile_hash: str | None = None
    head: Head | None = None


class Verified(NamedTuple):
    """What a pass over one file found: the last good place and the first bad one, if any."""

    entries: int
    seq: int
    hash: str
    genesis: bytes
    fills: int
    trade_hash: str
    problem: ProblemError | None


class _Walk:
    """The state of one pass: the chain so far, the hash of fills, a cursor per projection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.head = Head(0, 0, b"")
        self.genesis = b""
        self.fills = 0
        self.trades = hashlib.sha256()
        self.cursors: dict[Projection, sqlite3.Cursor] = {}

    def run(self, expected: Expected) -> None:
        """Check everything in order; raises the first ProblemError."""
        header = _check_header(self.db, expected)
        self.genesis = genesis(header)
        self.head = Head(0, 0, self.genesis)
        self.cursors = {p: self.db.execute(p.select) for p in tables.projections(header.chain)}
        for entries in _batches(self.db):
            self._take(entries)
        for projection, cursor in self.cursors.items():
            if (row := cursor.fetchone()) is not None:
                raise ProblemError(projection.name, row[0], "a row without its audit entry")
        self._check_end(expected)

    def _take(self, entries: list[Entry]) -> None:
        for at, entry in enumerate(entries):
            if not isinstance(entry.body, bytes) or len(entry.body) != BODY_BYTES:
                self._accept(entries[:at])
                raise ProblemError("audit", entry.seq, f"a body that is not {BODY_BYTES} bytes")
        self._accept(entries)

    def _accept(self, entries: list[Entry]) -> None:
        """Check whole entries and their projections; the head stops before the first bad one."""
        if not entries:
            return
        rows = unpack([entry.body for entry in entries])
        good, problem = _first_break(entries, rows, self.head)
        for projection, cursor in self.cursors.items():
            _compare(projection, cursor, rows[:good])
        if good:
            last = entries[good - 1]
            self.head = Head(self.head.entries + good, last.seq, last.hash)
            self.fills += int(np.count_nonzero(rows["kind"][:good] == R_FILL))
            trade_hash_update(self.trades, rows[:good])
        if problem is not None:
            raise problem

    def _check_end(self, expected: Expected) -> None:
        heads = self.db.execute("SELECT entries, seq, hash FROM head").fetchall()
        if heads != [tuple(self.head)]:
            stated = heads[0] if heads else (0, 0)
            raise ProblemError("head", self.head.seq, _ends("the head row", stated, self.head))
        if expected.head is not None and expected.head != self.head:
            raise ProblemError(
                "audit", self.head.seq, _ends("the manifest", expected.head, self.head)
            )


def verify_file(path: Path, expected: Expected) -> Verified:
    """Check one journal file; DataError only when there is no file that SQLite can open."""
    with contextlib.closing(connect(path)) as db:
        walk = _Walk(db)
        try:
            db.execute("BEGIN")
            walk.run(expected)
            problem = None
        except ProblemError as found:
            problem = found
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            problem = ProblemError("database", walk.head.seq, f"unreadable after this seq: {error}")
    entries, seq, last = walk.head
    trade_hash = walk.trades.hexdigest()
    return Verified(entries, seq, last.hex(), walk.genesis, walk.fills, trade_hash, problem)


def _check_header(db: sqlite3.Connection, expected: Expected) -> Header:
    header = read_header(db)
    _check_schema(db, header.chain)
    stored = db.execute("SELECT genesis FROM header").fetchall()
    if stored != [(genesis(header),)]:
        raise ProblemError("header", None, "header fields do not give the genesis hash")
    for name in ("run", "profile_hash"):
        stated = getattr(expected, name)
        if stated is not None and getattr(header, name) != stated:
            raise ProblemError("header", None, f"{name} is not the manifest's {stated}")
    return header


def _check_schema(db: sqlite3.Connection, chain: str) -> None:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        for statement in tables.statements(chain):
            fresh.execute(statement)
        wanted = fresh.execute(query).fetchall()
    if db.execute(query).fetchall() != wanted:
        raise ProblemError("sqlite_master", None, "the tables are not those that kimera makes")


def _batches(db: sqlite3.Connection) -> Iterator[list[Entry]]:
    cursor = db.execute("SELECT seq, ts_ns, kind, body, prev_hash, hash FROM audit ORDER BY seq")
    while batch := cursor.fetchmany(BATCH):
        yield [Entry(*row) for row in batch]


def _first_break(entries: list[Entry], rows: Rows, head: Head) -> tuple[int, ProblemError | None]:
    """Return how many entries hold, and what is wrong with the next one."""
    previous = head.hash
    for at, (entry, computed) in enumerate(zip(entries, link(rows, previous), strict=True)):
        if entry.prev_hash != previous:
            after = f"seq {entries[at - 1].seq if at else head.seq}"
            return at, ProblemError(
                "audit",
                entry.seq,
                f"does not follow {after}: an entry is missing, moved or altered",
            )
        row = rows[at]
        if entry[:3] != (row["seq"], row["ts_ns"], row["kind"]):
            return at, ProblemError("audit", entry.seq, "seq, ts_ns or kind are not the body's")
        if entry.hash != computed:
            return at, ProblemError(
                "audit", entry.seq, "the entry does not give its hash: it was altered"
            )
        previous = computed
    return len(entries), None


def _compare(projection: Projection, cursor: sqlite3.Cursor, rows: Rows) -> None:
    wanted = tables.project(projection, rows)
    found = cursor.fetchmany(len(wanted)) if wanted else []
    if found == wanted:
        return
    for at, row in enumerate(wanted):
        if at >= len(found) or found[at][0] > row[0]:
            raise ProblemError(projection.name, row[0], "the row of this entry is missing")
        if found[at] != row:
            raise ProblemError(projection.name, found[at][0], _differs(projection, found[at], row))


def _differs(projection: Projection, found: tuple[Any, ...], wanted: tuple[Any, ...]) -> str:
    if found[0] != wanted[0]:
        return "a row without its audit entry"
    names = [n for n, a, b in zip(projection.columns, found, wanted, strict=True) if a != b]
    return f"{', '.join(names)} differ from the audit entry"


def _ends(who: str, stated: tuple[Any, ...], head: Head) -> str:
    return (
        f"the chain ends at seq {head.seq} after {head.entries} entries, {who} says "
        f"seq {stated[1]} after {stated[0]}: the end was cut off or altered"
    )
