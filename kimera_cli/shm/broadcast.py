"""A broadcast: one writer that never waits, any number of readers that only map the file to read.

A reader that was overrun counts what it lost, is told so once, and goes on near the newest: what it
shows must then be taken anew from a state block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.errors import DataError, UsageError
from kimera_cli.kernels.broadcast import (
    CAST_BROKEN,
    CAST_END,
    CAST_LOST,
    cast_read_at,
    cast_write_at,
)
from kimera_cli.layouts import RECORD
from kimera_cli.shm.block import Block, Side, private, writer_segment
from kimera_cli.shm.layout import CLAIM_AT, LINE_BYTES, TAIL_AT, up_to
from kimera_cli.shm.segment import Clocks, Segment, Shape, open_segment

Rows = np.ndarray[Any, np.dtype[Any]]


def broadcast_shape(dtype: np.dtype[Any] = RECORD, capacity: int = 1 << 14) -> Shape:
    """Return the shape of a broadcast of `capacity` (a power of two) records of whole words."""
    if capacity < 4 or capacity & (capacity - 1):
        raise UsageError("usage.ring", f"expected a power of two from 4 on, was {capacity} slots")
    if dtype.itemsize % 8 or not dtype.itemsize:
        raise UsageError("usage.ring", f"expected whole 8-byte words, was {dtype.itemsize} bytes")
    return Shape("broadcast", dtype, up_to(dtype.itemsize, LINE_BYTES), capacity)


def _end(segment: Segment, position: int, **more: int) -> Any:
    head = segment.header
    return private(
        CAST_END,
        claim=segment.address + CLAIM_AT,
        tail=segment.address + TAIL_AT,
        slots=segment.address + int(head["data_at"]),
        capacity=int(head["capacity"]),
        words=int(head["record_bytes"]) // 8,
        stride=int(head["stride"]),
        position=position,
        **more,
    )


class Broadcaster(Side):
    """The writer; `end` is the CAST_END that kernels take. With `replace`, begin a new file."""

    def __init__(self, path: Path, shape: Shape, clocks: Clocks, *, replace: bool = False) -> None:
        segment = writer_segment(path, shape, clocks, replace=replace)
        super().__init__(segment, clocks, "writer")
        self.dtype = shape.dtype
        self.end = _end(segment, self.word(TAIL_AT), floor=self.word(CLAIM_AT))
        self.end_address = int(self.end.ctypes.data)

    @property
    def position(self) -> int:
        """How many records were published since the file was made."""
        return int(self.end["position"][0])

    def write(self, rows: Rows) -> None:
        """Publish rows: contiguous, of the broadcast's dtype."""
        if rows.dtype != self.dtype or rows.ndim != 1 or not rows.flags.c_contiguous:
            raise UsageError(
                "usage.ring",
                f"expected contiguous rows of {self.dtype.itemsize} bytes, "
                f"was {rows.dtype} {rows.shape}",
            )
        cast_write_at(self.end_address, rows.ctypes.data, len(rows))


class Listener(Block):
    """A reader. `from_newest`: begin with what comes next, else with the oldest that is safe.

    When it is overrun it keeps the newest `keep` records, at most half of the capacity.
    """

    def __init__(
        self,
        path: Path,
        shape: Shape,
        clocks: Clocks,
        *,
        from_newest: bool = True,
        keep: int = 0,
    ) -> None:
        segment = open_segment(path, shape, writable=False)
        super().__init__(segment, clocks)
        if not 0 <= keep <= shape.capacity // 2:
            raise UsageError(
                "usage.ring", f"expected to keep 0 to {shape.capacity // 2} records, was {keep}"
            )
        self.dtype = shape.dtype
        tail = self.word(TAIL_AT)
        oldest = max(0, self.word(CLAIM_AT) - shape.capacity // 2)
        self.end = _end(segment, tail if from_newest else min(tail, oldest), keep=keep)
        self.end_address = int(self.end.ctypes.data)
        self._rows = np.empty(shape.capacity // 2, shape.dtype)

    @property
    def position(self) -> int:
        """Number of the next record to read, counted since the file was made."""
        return int(self.end["position"][0])

    @property
    def lost(self) -> int:
        """Records that were overwritten before this reader came to them."""
        return int(self.end["lost"][0])

    def read(self, n: int) -> Rows | None:
        """Return copies of up to n records; None when records were lost (`lost` has grown)."""
        n = min(n, len(self._rows))
        taken = int(cast_read_at(self.end_address, self._rows.ctypes.data, n))
        if taken == CAST_LOST:
            return None
        if taken == CAST_BROKEN:
            raise DataError(
                "data.block_broken",
                f"expected {self.segment.path} to have {self.position} records or more, "
                f"was {self.word(TAIL_AT)}",
                "open it again: its writer began anew",
                file=str(self.segment.path),
            )
        return self._rows[:taken].copy()
