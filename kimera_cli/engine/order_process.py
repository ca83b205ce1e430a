"""The order side of a split run: a process takes every record out of a ring and keeps it.

Intents come first in the ring as in the journal. With durability `process` or `disk` the engine
goes on when what it wrote is durable: the order process gives slots back after the commit and not
before. A live executor sends from here, after the journal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.engine.child import READY, Child
from kimera_cli.engine.pause import Pause
from kimera_cli.engine.run_recorder import RunRecorder
from kimera_cli.engine.run_writer import RunWriter, Written
from kimera_cli.journal.journal import Journal, JournalEnd
from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import RECORD
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.shm.segment import Clocks

SLOTS = 1 << 15
BATCH = 4096
ABORT = "abort"
LINES = np.dtype(
    {"names": ["record"], "formats": [RECORD], "offsets": [0], "itemsize": 192}, align=True
)
"""A record in whole cache lines."""


class JournalTerms(NamedTuple):
    """What a run's journal is made with."""

    folder: Path
    run: str
    profile: dict[str, Any]
    created_ns: int
    durability: str
    group_commit_ms: float
    max_commit_ms: float

    def open(self, clocks: Clocks, *, threaded: bool) -> RunWriter:
        """Make journal and record files, and the writer of both."""
        journal = Journal.create(
            self.folder,
            run=self.run,
            profile=self.profile,
            created_ns=self.created_ns,
            durability=self.durability,  # type: ignore[arg-type]
            monotonic_ns=clocks.monotonic_ns,
            group_commit_ms=self.group_commit_ms,
            max_commit_ms=self.max_commit_ms,
        )
        return RunWriter(journal, RunRecorder(self.folder), threaded=threaded)


class OrderProcess:
    """The engine's end: takes rows as RunWriter does."""

    def __init__(
        self, terms: JournalTerms, folder: Path, clocks: Clocks, cores: frozenset[int]
    ) -> None:
        path = folder / "records.ring"
        self._end = Producer(path, ring_shape(LINES, SLOTS), clocks)
        self._wait = terms.durability != "batch"
        self.child = Child("order", keep, (terms, path, clocks), cores)
        try:
            self.child.await_ready()
        except BaseException:
            self._end.close()
            raise

    def write(self, rows: Rows) -> None:
        """Publish the loop's next rows; with a durability, return when they are durable."""
        lines: Rows = np.zeros(len(rows), LINES)
        lines["record"] = rows
        pause = Pause()
        while len(lines):
            if n := self._end.push(lines):
                lines = lines[n:]
                pause.end()
            elif pause.take():
                self.child.check()
        while self._wait and self._end.room() < self._end.capacity:
            if pause.take():
                self.child.check()

    def close(self) -> Written:
        """Let the order process keep the rest, and return what the run wrote."""
        self._end.close()
        written: Written = self.child.result()
        return written

    def abort(self) -> JournalEnd:
        """End a failed run: the journal keeps what it can, the Parquet files go."""
        self.child.tell(ABORT)
        self._end.close()
        end: JournalEnd = self.child.result()
        return end


def keep(wire: Any, terms: JournalTerms, path: Path, clocks: Clocks) -> Written | JournalEnd:
    """Keep every record until the engine ends; runs in the order process.

    When the engine is killed, what it had published is kept all the same.
    """
    writer = terms.open(clocks, threaded=False)
    end = Consumer(path, ring_shape(LINES, SLOTS), clocks)
    wire.send((READY, None))
    pause = Pause()
    while True:
        lines = end.peek(BATCH)
        if len(lines):
            writer.write(np.ascontiguousarray(lines["record"]))
            end.release(len(lines))
            pause.end()
        elif end.ended():
            break
        elif pause.take() and end.peer("writer").state == "dead":
            return writer.abort()
    aborted = wire.poll(0) and wire.recv() == ABORT
    return writer.abort() if aborted else writer.close()
