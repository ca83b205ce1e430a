"""Where a table lies while it is used: its memory, the one publisher, and readers with counts.

The memory is private (threads of one process) or a shared block (kimera_cli/shm). A publisher
prepares a whole TABLE_SIDE in its own time and hands it over in one swap (kernels/table.py);
readers, in any process, are never held up.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kimera_cli.errors import DataError, RunError
from kimera_cli.kernels.fence import load_acquire
from kimera_cli.kernels.table import (
    SEQUENCE_AT,
    SIDES_AT,
    count_damaged,
    look_run,
    table_look,
    table_publish,
)
from kimera_cli.layouts import I64, TABLE, TABLE_SIDE, TABLE_STATUSES, TABLE_USE
from kimera_cli.shm.block import Side
from kimera_cli.shm.segment import Clocks, Segment, Shape, create_segment, open_segment

SHAPE = Shape("table", TABLE, TABLE.itemsize, 1)
"""What a shared block of a table must be."""


class Memory(Protocol):
    """What holds a TABLE."""

    @property
    def address(self) -> int:
        """Address of the TABLE in this process."""


class PrivateMemory:
    """A table for the threads of this process (and for children forked from it)."""

    def __init__(self) -> None:
        self.table = page_aligned(TABLE)

    @property
    def address(self) -> int:
        """Address of the TABLE."""
        return int(self.table.ctypes.data)


class SharedMemory:
    """A table in a shared block; the writer makes it, readers find it.

    Errors of kimera_cli/shm: `data.block_*` for a file that is missing or no such block,
    `run.block_busy` when another process publishes there.
    """

    def __init__(self, path: Path, clocks: Clocks, *, writer: bool = False) -> None:
        self.segment: Segment = (
            create_segment(path, SHAPE, clocks)
            if writer
            else open_segment(path, SHAPE, writable=False)
        )
        self.side = Side(self.segment, clocks, "writer") if writer else None

    @property
    def address(self) -> int:
        """Address of the TABLE."""
        return self.segment.address + SHAPE.data_at

    def close(self) -> None:
        """Say that the writer has ended; what was published can still be read."""
        if self.side is not None:
            self.side.close()


class Publisher:
    """The one publisher of a table. Versions rise; a table that is damaged is not published."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.version = published_version(memory)
        self._lock = threading.Lock()

    def publish(self, side: NDArray[np.void]) -> int:
        """Swap in a TABLE_SIDE, shape (1,); return how many were published so far.

        DataError `data.table_damaged` when an entry does not match its checksum, RunError
        `run.table_version` when the version is not above the last one.
        """
        if side.dtype != TABLE_SIDE or side.shape != (1,) or not side.flags.c_contiguous:
            raise TypeError(f"expected one TABLE_SIDE, was {side.dtype} of shape {side.shape}")
        with self._lock:
            version, address = int(side["version"][0]), int(side.ctypes.data)
            if version <= self.version:
                raise RunError(
                    "run.table_version",
                    f"expected a version above {self.version}, was {version}",
                    "a newer table was published meanwhile; fill this one anew",
                )
            if damaged := int(count_damaged(address)):
                raise DataError(
                    "data.table_damaged",
                    f"expected entries that match their checksums, was {damaged} that do not",
                    "fill the table anew",
                )
            self.version = version
            return int(table_publish(self.memory.address, address))


def published_version(memory: Memory) -> int:
    """Return the version of the table that readers see now; 0 while there is none."""
    sequence = int(load_acquire(memory.address + SEQUENCE_AT))
    if sequence == 0:
        return 0
    return int(load_acquire(memory.address + SIDES_AT + (sequence & 1) * TABLE_SIDE.itemsize))


class Tally(NamedTuple):
    """Counts of one reader."""

    lookups: int
    hits: int
    by_status: dict[str, int]
    mean_age_ns: float
    max_age_ns: int
    dropped_samples: int


class Reader:
    """One reader of a table: what it asks for, and its counts. Keeps the memory alive.

    max_age_ns: 0 trusts the expiry alone. sample_every: keep one lookup in this many, 0 none.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        min_confidence: float = 0.0,
        max_age_ns: int = 0,
        min_version: int = 0,
        sample_every: int = 0,
    ) -> None:
        self.memory = memory
        self.array = page_aligned(TABLE_USE)
        self.use: Any = self.array.view(np.recarray)[0]
        self.use.table = memory.address
        self.use.min_confidence = min_confidence
        self.use.max_age_ns = max_age_ns
        self.use.min_version = min_version
        self.use.sample_every = sample_every

    @property
    def address(self) -> int:
        """Address of the TABLE_USE: what view.table holds."""
        return int(self.array.ctypes.data)

    def look(self, row: Any, now_ns: int) -> str:
        """Look up one FEATURES or VIEW record; the answer stands in `use`, its status is told."""
        return TABLE_STATUSES[int(table_look(self.address, row, np.int64(now_ns)))]

    def look_all(self, rows: NDArray[np.void], times: I64) -> I64:
        """Look up FEATURES rows, shape (n,), at their times; return status, action, cell (n, 3)."""
        rows, times = np.ascontiguousarray(rows), np.ascontiguousarray(times, np.int64)
        answers = np.zeros((len(rows), 3), np.int64)
        look_run(self.address, rows.ctypes.data, len(rows), times.ctypes.data, answers.ctypes.data)
        return answers

    def take_samples(self) -> NDArray[np.void]:
        """Return the lookups that were kept since the last call (dtype TABLE_SAMPLE)."""
        n = int(self.use.n_samples)
        rows = self.array["samples"][0, :n].copy()
        self.use.n_samples = 0
        return rows

    def tally(self) -> Tally:
        """Return the counts so far."""
        counts: Sequence[int] = [int(c) for c in self.array["counts"][0]]
        hits = counts[0]
        return Tally(
            lookups=sum(counts),
            hits=hits,
            by_status={name: counts[i] for i, name in enumerate(TABLE_STATUSES) if counts[i]},
            mean_age_ns=float(self.use.age_sum_ns) / hits if hits else 0.0,
            max_age_ns=int(self.use.age_max_ns),
            dropped_samples=int(self.use.dropped),
        )


def page_aligned(dtype: np.dtype[Any]) -> NDArray[np.void]:
    """Return one zeroed record of anonymous memory that begins a page, shape (1,)."""
    return np.frombuffer(mmap.mmap(-1, dtype.itemsize), dtype, count=1)
