"""A block of state: the last value of each record, with its time, whole for every reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import RunError, UsageError
from kimera_cli.kernels.seqlock import (
    STATE_BUSY,
    STATE_EMPTY,
    STATE_LEAD,
    state_read,
    state_write,
)
from kimera_cli.shm.block import Block, Side, writer_segment
from kimera_cli.shm.layout import LINE_BYTES, up_to
from kimera_cli.shm.segment import Clocks, Segment, Shape, open_segment

TRIES = 1000
"""A reader that fails this often met a writer that does nothing but write this record."""


class Stamped(NamedTuple):
    """One record as it was written: its value, its time, and how many were written before."""

    value: Any
    ts_ns: int
    version: int


def state_shape(dtype: np.dtype[Any], capacity: int = 1) -> Shape:
    """Return the shape of a block of `capacity` records of whole 8-byte words."""
    if dtype.itemsize % 8 or not dtype.itemsize:
        raise UsageError("usage.state", f"expected whole 8-byte words, was {dtype.itemsize} bytes")
    if capacity < 1:
        raise UsageError("usage.state", f"expected 1 record or more, was {capacity}")
    return Shape("state", dtype, STATE_LEAD + 2 * _copy_bytes(dtype), capacity)


def _copy_bytes(dtype: np.dtype[Any]) -> int:
    return up_to(8 + dtype.itemsize, LINE_BYTES)


class _Slots:
    """Where the records of a block are."""

    def __init__(self, segment: Segment, dtype: np.dtype[Any]) -> None:
        self.segment = segment  # addresses are good as long as it is mapped
        self.first = segment.address + int(segment.header["data_at"])
        self.stride = int(segment.header["stride"])
        self.capacity = int(segment.header["capacity"])
        self.words = dtype.itemsize // 8
        self.copy_bytes = _copy_bytes(dtype)

    def address(self, index: int) -> int:
        """Return the address of a slot, as `state_write` and `state_read` take it."""
        if not 0 <= index < self.capacity:
            raise UsageError(
                "usage.state", f"expected a record from 0 to {self.capacity - 1}, was {index}"
            )
        return self.first + index * self.stride


class StateWriter(Side):
    """The one writer. `slots` has what `state_write` takes: address, words, copy_bytes."""

    def __init__(self, path: Path, shape: Shape, clocks: Clocks, *, replace: bool = False) -> None:
        segment = writer_segment(path, shape, clocks, replace=replace)
        super().__init__(segment, clocks, "writer")
        self.dtype = shape.dtype
        self.slots = _Slots(segment, shape.dtype)

    def write(self, index: int, value: Any, ts_ns: int) -> None:
        """Write one record: an array of one row of the block's dtype."""
        row = np.ascontiguousarray(value, self.dtype).reshape(1)
        slots = self.slots
        state_write(
            slots.address(index), row.ctypes.data, slots.words, slots.copy_bytes, np.int64(ts_ns)
        )


class StateReader(Block):
    """A reader; maps the file read-only."""

    def __init__(self, path: Path, shape: Shape, clocks: Clocks) -> None:
        segment = open_segment(path, shape, writable=False)
        super().__init__(segment, clocks)
        self.slots = _Slots(segment, shape.dtype)
        self._row = np.zeros(1, np.dtype([("ts_ns", "i8"), ("value", shape.dtype)]))

    def read(self, index: int) -> Stamped | None:
        """Return a record, None when it was never written."""
        slots = self.slots
        version = int(
            state_read(
                slots.address(index), self._row.ctypes.data, slots.words, slots.copy_bytes, TRIES
            )
        )
        if version == STATE_EMPTY:
            return None
        if version == STATE_BUSY:
            raise RunError(
                "run.state_busy",
                f"expected record {index} of {self.segment.path} to stand still for one copy, "
                f"was written anew during each of {TRIES}",
                "read again; its writer should publish less often",
                file=str(self.segment.path),
            )
        row = self._row[0]
        return Stamped(row["value"].copy(), int(row["ts_ns"]), version)
