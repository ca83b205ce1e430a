"""A recorder whose reader of sockets never waits for a disk: a thread packs and writes.

Taking a line costs the feed about a microsecond. Packing and writing hold no interpreter lock. What
goes wrong there ends the recording, not the feed: `failure` says so once, and what was written
before stays in FILE.part.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from pathlib import Path

from kimera_cli.errors import DataError, KimeraError
from kimera_cli.feeds.reader import Payload
from kimera_cli.feeds.recorder import Recorded, Recorder
from kimera_cli.feeds.recording import Header, line_of

EVERY_S = 0.25
"""How often what was taken is written: a killed process loses no more than that."""
MOST_WAITING = 256 << 20
"""Bytes that may wait for a slow disk; beyond, the recording ends."""


class BackgroundRecorder:
    """Writes one recording behind the feed. DataError `data.write` when it cannot be begun.

    `cores`: where the thread is to run, if not where its maker does.
    """

    def __init__(self, path: Path, header: Header, cores: frozenset[int] = frozenset()) -> None:
        self._recorder = Recorder(path, header)
        self._lines: deque[bytes] = deque()
        self._taken = self._written = 0
        self._error: KimeraError | None = None
        self._told = False
        self._end = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(cores,), name="recorder", daemon=True
        )
        self._thread.start()

    @property
    def path(self) -> Path:
        """The file that a whole recording has."""
        return self._recorder.path

    @property
    def counts(self) -> Recorded:
        """What was taken so far."""
        return self._recorder.counts

    def note(
        self, connection: int, ts_ns: int, what: str, content: Payload, instrument: int
    ) -> KimeraError | None:
        """Take one line; return why the recording has ended, the first time that it is known."""
        if self._error is not None:
            return self._failure()
        line = line_of(ts_ns, connection, what, content, instrument)
        self._recorder.counts.take(what, len(content))
        self._lines.append(line)
        self._taken += len(line)
        if self._taken - self._written > MOST_WAITING:
            self._error = _too_slow(self._recorder.part)
        return None

    def close(self, ts_ns: int) -> KimeraError | None:
        """End the recording; return why it is not whole, unless that was said before."""
        self._end.set()
        self._thread.join()
        if self._error is None:
            try:
                self._recorder.close(ts_ns)
            except KimeraError as error:
                self._error = error
        return self._failure()

    @property
    def is_whole(self) -> bool:
        """Whether everything so far is, or will be, in the file."""
        return self._error is None

    def _failure(self) -> KimeraError | None:
        if self._told or self._error is None:
            return None
        self._told = True
        error = self._error
        return DataError(
            error.code,
            error.message,
            "the run goes on without its recording; what was written before is readable: "
            "kimera report fidelity RUN --partial",
            **error.details,
        )

    def _serve(self, cores: frozenset[int]) -> None:
        if cores and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, cores)  # of this thread alone
        while not self._end.wait(EVERY_S) and self._error is None:
            self._write()
        if self._error is None:
            self._write()

    def _write(self) -> None:
        lines = b"".join(self._lines.popleft() for _ in range(len(self._lines)))
        try:
            self._recorder.add(lines)
            self._recorder.flush()
        except KimeraError as error:
            self._error = error
        self._written += len(lines)


def _too_slow(path: Path) -> DataError:
    return DataError(
        "data.recording_slow",
        f"expected {path} to be written as fast as the feed comes, was {MOST_WAITING >> 20} MiB "
        "behind",
        file=str(path),
    )
