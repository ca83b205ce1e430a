"""A producer for a consumer that may lag: books conflate, trades never drop, both are counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import UsageError
from kimera_cli.kernels.conflate import drain_at, put_at
from kimera_cli.kernels.conflate_state import CONFLATE, LASTS, MORE, PENDING
from kimera_cli.layouts import EVENT, MAX_INSTRUMENTS, aligned_zeros
from kimera_cli.shm.block import private
from kimera_cli.shm.ring import Producer, Rows, checked_rows
from kimera_cli.shm.segment import Clocks, Shape


class Conflation(NamedTuple):
    """What became of the events so far; all but the last two are numbers of events."""

    taken: int
    """Accepted."""
    passed: int
    """Of these, passed on unchanged and at once."""
    merged: int
    """Levels and quotes that were replaced before the consumer could see them."""
    delayed: int
    """Trades and others that had to wait: every one of them arrives."""
    unchecked: int
    """Checksums dropped, because the state that they speak of was never shown."""
    batches: int
    """How often the pending events were put together."""
    refused: int
    """How often not all could be accepted: the caller had to wait."""


class ConflatingProducer(Producer):
    """A producer of market events with room for `levels` pending levels and `kept` other events.

    Both are powers of two. `lossless` names the instruments that are not to be conflated: those of
    the L3 family, whose orders mean nothing without each other.
    """

    def __init__(
        self,
        path: Path,
        shape: Shape,
        clocks: Clocks,
        *,
        levels: int = 1 << 14,
        kept: int = 1 << 14,
        lossless: Sequence[int] = (),
    ) -> None:
        if shape.dtype != EVENT:
            raise UsageError("usage.ring", f"expected a ring of events, was {shape.dtype}")
        super().__init__(path, shape, clocks)
        self._memory = _arrays(levels, kept)
        self._memory["pending"]["lossless"][list(lossless)] = 1
        addresses = {name: int(array.ctypes.data) for name, array in self._memory.items()}
        self.buffer = private(CONFLATE, n_levels_max=levels, n_kept_max=kept, **addresses)
        self.buffer_address = int(self.buffer.ctypes.data)

    def put(self, rows: Rows) -> int:
        """Take events, which should end with a message; return how many were accepted.

        The rest must be given again, first, in the next call. Never waits.
        """
        rows = checked_rows(rows, self.dtype)
        taken = put_at(self.buffer_address, self.end_address, rows.ctypes.data, len(rows))
        return self._count(taken)

    def drain(self) -> int:
        """Move what is pending on, as far as there is room; return how many events still wait."""
        self._count(drain_at(self.buffer_address, self.end_address))
        return self.pending

    @property
    def pending(self) -> int:
        """Events that wait: those of the batch on its way, and absorbed ones."""
        c = self.buffer[0]
        return int(c["n_out"] - c["out_at"] + c["n_pending"])

    @property
    def oldest_ns(self) -> int | None:
        """Local time of the oldest event that waits; None when none does."""
        c = self.buffer[0]
        if c["out_at"] < c["n_out"]:
            return int(c["ts_out_ns"])
        return int(c["ts_first_ns"]) if c["n_pending"] else None

    @property
    def conflation(self) -> Conflation:
        """What became of the events so far."""
        return Conflation(*(int(self.buffer[0][f"n_{name}"]) for name in Conflation._fields))


def _arrays(levels: int, kept: int) -> dict[str, Any]:
    for what, size in (("levels", levels), ("kept events", kept)):
        if size < 1 or size & (size - 1):
            raise UsageError("usage.ring", f"expected a power of two of {what}, was {size}")
    made = {
        "levels": aligned_zeros(levels, EVENT),
        "link": aligned_zeros(levels, np.dtype(np.int64)),
        "cell_of": aligned_zeros(levels, np.dtype(np.int64)),
        "cells": aligned_zeros(2 * levels, np.dtype(np.int64)),
        "kept": aligned_zeros(kept, EVENT),
        "out": aligned_zeros(levels + kept + MORE, EVENT),
        "pending": aligned_zeros(MAX_INSTRUMENTS, PENDING),
        "lasts": aligned_zeros(LASTS * MAX_INSTRUMENTS, EVENT),
    }
    for array in made.values():
        array.view(np.uint8)[:] = 0  # the pages are there before the first lag, not during it
    made["pending"]["first"] = -1
    return made
