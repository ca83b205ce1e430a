"""Everything that a run writes about itself, kept out of the loop's way.

With durability `batch` nobody waits for the journal, so a thread of its own hashes and writes
while the compiled loop runs (the loop holds no interpreter lock). The queue between them is
short: a loop that outruns the disk waits, and memory stays flat. What is written does not depend
on the thread.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from typing import NamedTuple

from kimera_cli.engine.run_recorder import RunRecorder
from kimera_cli.errors import KimeraError
from kimera_cli.files import FileInfo
from kimera_cli.journal.journal import Journal, JournalEnd
from kimera_cli.journal.record_file import Rows
from kimera_cli.journal.trades import trade_hash_update

DEPTH = 8
"""Batches on their way to the thread."""


class Written(NamedTuple):
    """What a finished run wrote."""

    journal: JournalEnd
    files: dict[str, FileInfo]
    trade_hash: str


class RunWriter:
    """Journal, Parquet files and trade hash of one run. Not `threaded`: `write` itself writes."""

    def __init__(self, journal: Journal, recorder: RunRecorder, *, threaded: bool = True) -> None:
        self._journal = journal
        self._recorder = recorder
        self._trades = hashlib.sha256()
        self._failure: BaseException | None = None
        self._queue: queue.Queue[Rows | None] = queue.Queue(DEPTH)
        self._thread: threading.Thread | None = None
        if threaded and journal.durability == "batch":
            self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
            self._thread.start()

    def write(self, rows: Rows) -> None:
        """Take the loop's next rows; the caller must not change them afterwards.

        Raises the error of an earlier write, which with `batch` comes a few batches later.
        """
        if self._failure is not None:
            raise self._failure
        if not len(rows):
            return
        if self._thread is None:
            self._write(rows)
        else:
            self._queue.put(rows)

    def close(self) -> Written:
        """Write what is on its way, close journal and files, and say what they came to."""
        self._drain()
        if self._failure is not None:
            raise self._failure
        end = self._journal.close()
        return Written(end, self._recorder.close(), self._trades.hexdigest())

    def abort(self) -> JournalEnd:
        """End a failed run: the journal keeps what it can, the Parquet files go."""
        self._drain()
        self._recorder.abort()
        try:
            return self._journal.close()
        except KimeraError:
            return self._journal.end()

    def _write(self, rows: Rows) -> None:
        self._journal.append(rows)
        self._recorder.write(rows)
        trade_hash_update(self._trades, rows)

    def _serve(self) -> None:
        while (rows := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    self._write(rows)
                except BaseException as error:  # handed to the caller of `write` and `close`
                    self._failure = error

    def _drain(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
