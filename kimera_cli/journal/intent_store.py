"""The SQLite file of an intents journal: entries in a hash chain, and what follows from them.

Everything of one commit changes in one transaction. `synchronous` FULL waits for the disk; NORMAL
leaves that to the system, for a log in front of it holds what a killed process would lose.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import quote

import msgspec

from kimera_cli.errors import DataError
from kimera_cli.files import create_private
from kimera_cli.journal import intent_tables as tables
from kimera_cli.journal.failures import damaged_journal, write_failure

Synchronous = Literal["NORMAL", "FULL"]
_COLUMNS = "schema_version, session, venue, account, created_ns"
_SELECT_ENTRIES = (
    "SELECT seq, ts_ns, e.kind, e.number, body, hash, settled FROM entries e"
    " LEFT JOIN orders o ON o.number = e.number ORDER BY seq"
)
_SELECT_OWNER = (
    "SELECT o.number FROM fills f JOIN orders o ON o.number = f.number"
    " WHERE f.symbol = ? AND f.trade_id = ? AND o.settled"
)

S = TypeVar("S", bound="IntentStore")


class IntentsHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Whose journal it is; the chain starts from its hash."""

    schema_version: int = tables.SCHEMA_VERSION
    session: int
    venue: str
    account: str
    created_ns: int


class StoredEntry(NamedTuple):
    """One entry as bytes."""

    seq: int
    ts_ns: int
    kind: str
    number: int
    """The intent's number; 0 where the entry is about no order of ours."""
    body: bytes


class Rows(NamedTuple):
    """What one commit writes."""

    entries: Sequence[StoredEntry]
    orders: Sequence[tuple[Any, ...]] = ()
    fills: Sequence[tuple[Any, ...]] = ()


class IntentStore:
    """One connection to one journal file."""

    def __init__(self, path: Path, db: sqlite3.Connection, header: IntentsHeader) -> None:
        self.path, self.header, self._db = path, header, db
        self.seq, self._hash = _head(db, header)
        self._rows_since_checkpoint = 0

    @classmethod
    def open(cls, path: Path, make: Callable[[], IntentsHeader], synchronous: Synchronous) -> Self:
        """Open a journal for writing, made with the header that `make` gives if there is none."""
        try:
            if not path.exists():
                create_private(path).close()
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            if _is_empty(db):
                _create(db, make())
        except (sqlite3.Error, OSError) as error:
            raise write_failure(path, error) from error
        store = _checked(cls, path, db)
        try:
            for name in ("journal_mode=WAL", f"synchronous={synchronous}", "wal_autocheckpoint=0"):
                db.execute(f"PRAGMA {name}")
        except sqlite3.Error as error:
            db.close()
            raise write_failure(path, error) from error
        return store

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open a journal that another process may be writing; nothing can be written."""
        if not path.is_file():
            raise no_intents(path)
        db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        return _checked(cls, path, db)

    def entries(self) -> Iterator[tuple[StoredEntry, bool]]:
        """Yield all entries in order, each with whether its order is settled by now.

        DataError `data.journal` where the chain breaks.
        """
        previous = genesis(self.header)
        try:
            for *columns, stored, settled in self._db.execute(_SELECT_ENTRIES):
                entry = StoredEntry(*columns)
                is_bytes = isinstance(entry.body, bytes)
                previous = link(previous, entry) if is_bytes else b""
                if previous != stored:
                    raise damaged_journal(self.path, f"entry {entry.seq} was changed")
                yield entry, bool(settled)
        except sqlite3.Error as error:
            raise damaged_journal(self.path, str(error)) from error

    def settled_owner(self, symbol: str, trade_id: str) -> int:
        """Return the number of the settled order that a fill belongs to; 0 when there is none."""
        row = self._db.execute(_SELECT_OWNER, (symbol, trade_id)).fetchone()
        return 0 if row is None else int(row[0])

    def hold_still(self) -> None:
        """Read from here on what is committed now, whatever another process adds."""
        self._db.execute("BEGIN")

    def table(self, name: Literal["orders", "fills"]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table that follows from the entries, in the order of its key."""
        key = "number" if name == "orders" else "symbol, trade_id"
        try:
            yield from self._db.execute(f"SELECT * FROM {name} ORDER BY {key}")
        except sqlite3.Error as error:
            raise damaged_journal(self.path, str(error)) from error

    @property
    def head(self) -> str:
        """The hash of the last entry, as hex."""
        return self._hash.hex()

    def write(self, rows: Rows) -> None:
        """Write and commit; after an error nothing of it is in the file."""
        head = self._hash
        linked = []
        for entry in rows.entries:
            head = link(head, entry)
            linked.append((*entry, head))
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(tables.INSERT_ENTRY, linked)
            self._db.executemany(tables.UPSERT_ORDER, rows.orders)
            self._db.executemany(tables.UPSERT_FILL, rows.fills)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise write_failure(self.path, error) from error
        except BaseException:
            self._roll_back()
            raise
        self._hash = head
        self._rows_since_checkpoint += len(linked)
        if rows.entries:
            self.seq = rows.entries[-1].seq

    @property
    def reserved(self) -> int:
        """The highest intent number that may have been given."""
        (number,) = self._db.execute("SELECT reserved FROM header").fetchone()
        return int(number)

    def reserve(self, number: int) -> None:
        """Note, on the disk, that numbers up to this one may have been given."""
        (before,) = self._db.execute("PRAGMA synchronous").fetchone()
        try:
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("UPDATE header SET reserved = ?", (number,))
            self._db.execute(f"PRAGMA synchronous={before}")
        except sqlite3.Error as error:
            raise write_failure(self.path, error) from error

    def last_number(self) -> int:
        """Return the highest intent number of all entries."""
        (number,) = self._db.execute("SELECT coalesce(max(number), 0) FROM orders").fetchone()
        return int(number)

    def checkpoint(self, rows: int) -> None:
        """Fold the write-ahead log into the file, once that many rows have come."""
        if self._rows_since_checkpoint >= rows:
            self._rows_since_checkpoint = 0
            try:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                raise write_failure(self.path, error) from error

    def close(self) -> None:
        """Close; a finished journal is one file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def leave(self) -> None:
        """Close a journal that was only read, or that a failure has stopped."""
        self._db.close()

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def genesis(header: IntentsHeader) -> bytes:
    """Return the hash that the first entry follows: sha256 of the header's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(header, order="sorted")).digest()


def link(previous: bytes, entry: StoredEntry) -> bytes:
    """Return an entry's hash: sha256(previous, seq, ts_ns, number as 8 bytes, kind, 0, body)."""
    numbers = (entry.seq, entry.ts_ns, entry.number)
    head = b"".join(n.to_bytes(8, "little", signed=True) for n in numbers)
    return hashlib.sha256(previous + head + entry.kind.encode() + b"\0" + entry.body).digest()


def no_intents(path: Path) -> DataError:
    """Return the error of an account that never traded here."""
    return DataError(
        "data.journal",
        f"expected the orders journal {path}, was no such file",
        "it is made when the account sends its first order from here",
        file=str(path),
    )


def _is_empty(db: sqlite3.Connection) -> bool:
    """A kill while the file was made leaves one without tables."""
    (n,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not n


def _create(db: sqlite3.Connection, header: IntentsHeader) -> None:
    for statement in ("BEGIN IMMEDIATE", *tables.STATEMENTS):
        db.execute(statement)
    db.execute(tables.INSERT_HEADER, msgspec.structs.astuple(header))
    db.execute("COMMIT")


def _checked(cls: type[S], path: Path, db: sqlite3.Connection) -> S:
    try:
        row = db.execute(f"SELECT {_COLUMNS} FROM header").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("no header row")
        header = IntentsHeader(**dict(zip(IntentsHeader.__struct_fields__, row, strict=True)))
        if header.schema_version != tables.SCHEMA_VERSION:
            raise _other_version(path, header.schema_version)
        return cls(path, db, header)
    except sqlite3.Error as error:
        db.close()
        raise damaged_journal(path, str(error)) from error
    except BaseException:
        db.close()
        raise


def _head(db: sqlite3.Connection, header: IntentsHeader) -> tuple[int, bytes]:
    last = db.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return (0, genesis(header)) if last is None else (int(last[0]), bytes(last[1]))


def _other_version(path: Path, version: int) -> DataError:
    return DataError(
        "data.journal_version",
        f"expected an orders journal of version {tables.SCHEMA_VERSION}, was {version}",
        "use the kimera that wrote it",
        file=str(path),
    )
