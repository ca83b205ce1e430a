"""The two ends of a single-producer/single-consumer ring, checked.

Whoever comes first makes the file. A side that died is replaced by attaching again: the indices are
in the file, so the producer goes on after what was published and the consumer at what it had not
given back. A consumer that must handle each record once keeps its position with its own results and
attaches with `position`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.errors import DataError, RunError, UsageError
from kimera_cli.kernels.ring import (
    RING_BROKEN,
    RING_END,
    peek_at,
    pop_at,
    push_at,
    ready_at,
    release_at,
    room_at,
    wait_at,
)
from kimera_cli.layouts import EVENT
from kimera_cli.shm.block import Side, SideName, private
from kimera_cli.shm.layout import HEAD_AT, LINE_BYTES, TAIL_AT
from kimera_cli.shm.process import Peer, PeerState
from kimera_cli.shm.segment import Clocks, Segment, Shape, create_segment

Rows = np.ndarray[Any, np.dtype[Any]]


def ring_shape(dtype: np.dtype[Any] = EVENT, capacity: int = 1 << 16) -> Shape:
    """Return the shape of a ring of `capacity` (a power of two) records of whole 64-byte lines."""
    if capacity < 2 or capacity & (capacity - 1):
        raise UsageError("usage.ring", f"expected a power of two from 2 on, was {capacity} slots")
    if dtype.itemsize % LINE_BYTES or not dtype.itemsize:
        raise UsageError(
            "usage.ring",
            f"expected a record of whole 64-byte lines, was {dtype.itemsize} bytes",
            "pad its dtype with a reserved field",
        )
    return Shape("ring", dtype, dtype.itemsize, capacity)


class RingEnd(Side):
    """What both ends share. `end` is the RING_END that kernels take, `end_address` where it is."""

    def __init__(self, segment: Segment, clocks: Clocks, side: SideName, dtype: Any) -> None:
        super().__init__(segment, clocks, side)
        self.dtype = dtype
        tail, head = segment.address + TAIL_AT, segment.address + HEAD_AT
        own, other = (tail, head) if side == "writer" else (head, tail)
        self.end = private(
            RING_END,
            own=own,
            other=other,
            slots=segment.address + int(segment.header["data_at"]),
            capacity=int(segment.header["capacity"]),
            lines=dtype.itemsize // LINE_BYTES,
            position=self.word(own - segment.address),
            seen=self.word(other - segment.address),
        )
        self.end_address = int(self.end.ctypes.data)
        self._check_indices()

    def _check_indices(self) -> None:
        filled = self.word(TAIL_AT) - self.word(HEAD_AT)
        if not 0 <= filled <= self.capacity or self.word(HEAD_AT) < 0:
            self.close()
            raise self._broken()

    @property
    def capacity(self) -> int:
        """Slots of the ring."""
        return int(self.end["capacity"][0])

    @property
    def position(self) -> int:
        """Own index: how many records this side has published, or given back, since the start."""
        return int(self.end["position"][0])

    @property
    def waits(self) -> int:
        """How often this side found the ring full (producer) or empty (consumer)."""
        return int(self.end["waits"][0])

    def _count(self, result: int) -> int:
        if result == RING_BROKEN:
            raise self._broken()
        return int(result)

    def _broken(self) -> DataError:
        path = self.segment.path
        return DataError(
            "data.block_broken",
            f"expected head <= tail <= head + {self.capacity} in {path}, "
            f"was head {self.word(HEAD_AT)}, tail {self.word(TAIL_AT)}",
            "stop both processes, delete the file and start again; the journal has all decisions",
            file=str(path),
        )

    def _require(self, other: SideName, *ended: PeerState) -> Peer:
        peer = self.peer(other)
        if peer.state in ended:
            raise RunError(
                "run.peer_ended",
                f"expected a {other} of {self.segment.path}, was {peer}",
                f"start the {other} again; what was published is kept, this side need not stop",
                file=str(self.segment.path),
                pid=peer.pid,
            )
        return peer


class Producer(RingEnd):
    """The writing end. Rows are C-contiguous arrays of the ring's dtype."""

    def __init__(self, path: Path, shape: Shape, clocks: Clocks) -> None:
        super().__init__(create_segment(path, shape, clocks), clocks, "writer", shape.dtype)

    def push(self, rows: Rows) -> int:
        """Publish as many rows as there is room for, from the first on; return how many."""
        rows = checked_rows(rows, self.dtype)
        return self._count(push_at(self.end_address, rows.ctypes.data, len(rows)))

    def room(self) -> int:
        """Return how many rows `push` would take now."""
        return self._count(room_at(self.end_address))

    def require_consumer(self) -> Peer:
        """Return the consumer, which may be absent yet; RunError `run.peer_ended` when it ended."""
        return self._require("reader", "dead", "closed")


class Consumer(RingEnd):
    """The reading end. With `position`, go on there: RunError `run.ring_position` if it is gone."""

    def __init__(
        self, path: Path, shape: Shape, clocks: Clocks, position: int | None = None
    ) -> None:
        super().__init__(create_segment(path, shape, clocks), clocks, "reader", shape.dtype)
        if position is not None:
            self._go_to(position)

    def _go_to(self, position: int) -> None:
        tail = self.word(TAIL_AT)
        if not self.position <= position <= tail:
            self.close()
            raise RunError(
                "run.ring_position",
                f"expected a position from {self.position} to {tail} in {self.segment.path}, "
                f"was {position}",
                "results and ring are not of one run: begin both anew",
                file=str(self.segment.path),
            )
        release_at(self.end_address, position - self.position)

    def ready(self) -> int:
        """Return how many rows are published and not yet given back."""
        return self._count(ready_at(self.end_address))

    def wait(self, wanted: int = 1, spins: int = 1000) -> int:
        """Spin until that many rows are ready, at most `spins` times; return how many are."""
        return self._count(wait_at(self.end_address, wanted, spins))

    def peek(self, n: int) -> Rows:
        """Return copies of up to n rows and keep them in the ring until `release`."""
        return self._copy(peek_at, n)

    def pop(self, n: int) -> Rows:
        """Return copies of up to n rows and give their slots back."""
        return self._copy(pop_at, n)

    def _copy(self, kernel: Any, n: int) -> Rows:
        rows = np.empty(min(n, self.capacity), self.dtype)
        taken = self._count(kernel(self.end_address, rows.ctypes.data, len(rows)))
        return rows[:taken]

    def release(self, n: int) -> None:
        """Give n rows that were peeked back to the producer."""
        if not 0 <= n <= self.ready():
            raise UsageError("usage.ring", f"expected 0 to {self.ready()} rows, was {n}")
        release_at(self.end_address, n)

    def ended(self) -> bool:
        """Return whether the producer closed and everything was taken."""
        return self.peer("writer").state == "closed" and self.ready() == 0

    def require_producer(self) -> Peer:
        """Return the producer, which may be absent yet; RunError `run.peer_ended` when it died.

        A producer that closed is no error: see `ended`.
        """
        return self._require("writer", "dead")


def checked_rows(rows: Rows, dtype: np.dtype[Any]) -> Rows:
    """Return the rows, or UsageError when a kernel could not take them by their address."""
    if rows.dtype != dtype or rows.ndim != 1 or not rows.flags.c_contiguous:
        raise UsageError(
            "usage.ring",
            f"expected contiguous rows of {dtype.itemsize} bytes, was {rows.dtype} {rows.shape}",
        )
    return rows
