"""Reading a journal, also while its run goes on, and never changing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from kimera_cli.journal.chain import Entry, Head, Header
from kimera_cli.journal.database import no_journal, read_head, read_header
from kimera_cli.journal.failures import damaged_journal

BATCH = 4096

_SELECT = "SELECT seq, ts_ns, kind, body, prev_hash, hash FROM audit WHERE seq > ? AND ts_ns >= ?"


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal file read-only; DataError when there is none or it cannot be read."""
    if not path.is_file():
        raise no_journal(path)
    # A closed journal has no WAL. Immutable then, because SQLite would leave new side files behind.
    closed = not path.with_name(path.name + "-wal").exists()
    mode = "immutable=1" if closed else "mode=ro"
    try:
        db = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?{mode}", uri=True, isolation_level=None
        )
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise damaged_journal(path, str(error)) from error
    return db


class JournalReader:
    """Entries of one journal file in seq order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = connect(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    @property
    def header(self) -> Header:
        """The file's header, as it stands (`verify` checks it)."""
        try:
            return read_header(self._db)
        except sqlite3.Error as error:
            raise damaged_journal(self.path, str(error)) from error

    @property
    def head(self) -> Head:
        """The chain's end as committed."""
        try:
            return read_head(self._db)
        except sqlite3.Error as error:
            raise damaged_journal(self.path, str(error)) from error

    def entries(
        self, *, after_seq: int = 0, since_ns: int = 0, kinds: Collection[int] = ()
    ) -> Iterator[Entry]:
        """Yield entries above `after_seq` from `since_ns` on, of some kinds or of all."""
        wanted = f" AND kind IN ({', '.join(str(int(k)) for k in kinds)})" if kinds else ""
        query = f"{_SELECT}{wanted} ORDER BY seq LIMIT {BATCH}"
        while True:
            batch = self._fetch(query, after_seq, since_ns)
            yield from batch
            if len(batch) < BATCH:
                return
            after_seq = batch[-1].seq

    def _fetch(self, query: str, after_seq: int, since_ns: int) -> list[Entry]:
        try:
            return [Entry(*row) for row in self._db.execute(query, (after_seq, since_ns))]
        except sqlite3.Error as error:
            raise damaged_journal(self.path, str(error)) from error
