"""What every side of a block can do: attach alone, beat, say how the other side is, close."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from kimera_cli.errors import DataError, RunError
from kimera_cli.kernels.fence import load_relaxed, store_relaxed
from kimera_cli.shm.layout import READER_BEAT_AT, SIDE_ATTACHED, SIDE_CLOSED, WRITER_BEAT_AT
from kimera_cli.shm.process import STALE_NS, Peer, enter, peer_of
from kimera_cli.shm.segment import Clocks, Segment, Shape, create_segment, open_segment

SideName = Literal["writer", "reader"]
_BEAT_AT = {"writer": WRITER_BEAT_AT, "reader": READER_BEAT_AT}


class Block:
    """An open block, looked at from outside; sides of it derive from this."""

    def __init__(self, segment: Segment, clocks: Clocks) -> None:
        self.segment = segment
        self.clocks = clocks

    def peer(self, side: SideName, stale_ns: int = STALE_NS) -> Peer:
        """Return who is that side of the block and whether it lives."""
        beat = load_relaxed(self.segment.address + _BEAT_AT[side])
        record = self.segment.header[side]
        return peer_of(record, int(beat), self.clocks.monotonic_ns(), stale_ns)

    def word(self, offset: int) -> int:
        """Return a word of the header, whole."""
        return int(load_relaxed(self.segment.address + offset))


class Side(Block):
    """This process as writer or reader of a block. `found` is who was there before it."""

    def __init__(self, segment: Segment, clocks: Clocks, side: SideName) -> None:
        super().__init__(segment, clocks)
        self.side = side
        self.beat_address = segment.address + _BEAT_AT[side]
        """Where a kernel that has a clock may store its heartbeat (monotonic ns)."""
        with segment.locked():
            self.found = self._take()

    def _take(self) -> Peer:
        found = refuse_living(self, self.side)
        self.beat()
        offset = self.clocks.now_ns() - self.clocks.monotonic_ns()
        enter(self.segment.header[self.side], SIDE_ATTACHED, offset)
        return found

    @property
    def epoch(self) -> int:
        """How many processes have been this side of the block, this one included."""
        return int(self.segment.header[self.side]["epoch"])

    def beat(self) -> None:
        """Say that this process lives; at least twice a second, or it shows as stalled."""
        store_relaxed(self.beat_address, self.clocks.monotonic_ns())

    def close(self) -> None:
        """Say that this side has ended. What was published stays readable."""
        self.beat()
        self.segment.header[self.side]["state"] = SIDE_CLOSED


def writer_segment(path: Path, shape: Shape, clocks: Clocks, *, replace: bool) -> Segment:
    """Return the block to write; with `replace` a new one, unless a living process writes the old.

    Replacing is the mend of a file of another layout, so an old file that cannot be read is none.
    """
    if replace and path.exists():
        try:
            old = Block(open_segment(path, shape.kind, writable=False), clocks)
        except DataError:
            return create_segment(path, shape, clocks, replace=True)
        refuse_living(old, "writer")
    return create_segment(path, shape, clocks, replace=replace)


def refuse_living(block: Block, side: SideName) -> Peer:
    """Return who was that side; RunError `run.block_busy` while its process exists."""
    found = block.peer(side)
    if found.state in ("live", "stalled"):
        raise RunError(
            "run.block_busy",
            f"expected {block.segment.path} to have no {side}, was {found}",
            f"stop process {found.pid} first, or wait until it has ended",
            file=str(block.segment.path),
            pid=found.pid,
        )
    return found


def private(dtype: np.dtype[Any], **values: int) -> Any:
    """Return one zeroed record of private memory, shape (1,), with these values."""
    record = np.zeros(1, dtype)
    for name, value in values.items():
        record[name] = value
    return record
