"""The loop's memory: every array that the kernel reads or writes, allocated once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kimera_cli.kernels.audit import RECORD_MARGIN
from kimera_cli.kernels.entry import addresses, advance, take_in
from kimera_cli.kernels.stages import STAGES
from kimera_cli.kernels.state import (
    FOREVER,
    GATE,
    LOOP,
    MARKOUT,
    MARKOUT_CAP,
    MESSAGE,
    MESSAGE_CAP,
    OWN,
    OWN_CAP,
    REQUEST,
    REQUEST_CAP,
    SLEEVE,
    STRATEGY,
    STREAM,
)
from kimera_cli.layouts import (
    EVENT,
    FEATURES,
    INSTRUMENT,
    NO_ASK,
    NO_BID,
    RECORD,
    VIEW,
    aligned_zeros,
)
from kimera_cli.market.book import new_books
from kimera_cli.market.features import new_features

Array = NDArray[Any]
Zeros = Callable[[Any, Any], Array]
"""Makes a zeroed array of a shape and a dtype that begins on a cache line."""

BUFFER_EVENTS = 4096
"""Events of all streams that the loop has at hand: 256 KiB, which stay in a level-2 cache."""
FEWEST_EVENTS = 256
"""Of each stream. A stream that has more on their way gets more (`resize_buffers`)."""
RECORD_ROOM = 65_536


@dataclass
class LoopArrays:
    """All state of one run; field order is the order of the kernel's arguments."""

    loop: Array
    gate: Array
    streams: Array
    buffers: Array
    books: Array
    states: Array
    wire_at: Array
    wire: Array
    features: Array
    instruments: Array
    own: Array
    requests: Array
    messages: Array
    markouts: Array
    views: Array
    sleeves: Array
    strategies: Array
    records: Array
    stages: Array

    def __post_init__(self) -> None:
        self._chunks: list[Array] = [np.zeros(0, EVENT)] * len(self.streams)
        self._seal()

    def _seal(self) -> None:
        self._all = tuple(getattr(self, f.name) for f in fields(self))
        self._table = addresses(self._all)

    def advance(self) -> int:
        """Run the loop until it needs something; return why (kernels/state.py)."""
        return advance(self._table, self._all, self._chunks)

    def give(self, k: int, chunk: Array) -> None:
        """Let stream k take its next events from `chunk`, shape (n,) of dtype EVENT."""
        self._chunks[k] = np.ascontiguousarray(chunk)
        stream = self.streams[k]
        stream["chunk_address"] = self._chunks[k].ctypes.data
        stream["chunk_n"] = len(chunk)
        stream["chunk_at"] = 0

    def take_in(self, k: int) -> int:
        """Move events of stream k's chunk into its buffer; return as kernels/feed.py `refill`."""
        return take_in(self._table, self._all, self._chunks, k)

    def take_live(self, events: Array, first: int, origin: int) -> int:
        """Append live events to their streams; return as kernels/outside.py `take_live`."""
        from kimera_cli.kernels.live_entry import take_events

        return take_events(self._table, self._all, events, first, origin)

    def bring(self, told: Array) -> int:
        """Let one answer of a venue, shape (1,) of dtype TOLD, in; return 0 unless no room."""
        from kimera_cli.kernels.live_entry import bring_answer

        return bring_answer(self._table, self._all, told)

    def event_of_chunk(self, k: int, index: int) -> Array:
        """Return one event of stream k's chunk."""
        event: Array = self._chunks[k][index]
        return event

    def resize_buffers(self, size: int) -> None:
        """Give each stream's buffer room for `size` events; what is in it stays."""
        old, wire_at, wire = self.buffers, self.wire_at, self.wire
        n = old.shape[0]
        self.buffers = aligned_zeros((n, size), EVENT)
        self.wire_at = np.zeros((n, size + 1), wire_at.dtype)
        self.wire = aligned_zeros((n, size + 1), FEATURES)
        for new, held in (
            (self.buffers, old),
            (self.wire_at, wire_at),
            (self.wire, wire),
        ):
            kept = min(new.shape[1], held.shape[1])
            new[:, :kept] = held[:, :kept]
        self._seal()


def allocate(
    instruments: Sequence[Array], n_strategies: int, n_sleeves: int, zeros: Zeros = aligned_zeros
) -> LoopArrays:
    """Return zeroed state for these instruments (rows of dtype INSTRUMENT, shape (1,) each)."""
    k = len(instruments)
    room = max(FEWEST_EVENTS, BUFFER_EVENTS // k)
    arrays = LoopArrays(
        loop=zeros(1, LOOP),
        gate=zeros(1, GATE),
        streams=zeros(k, STREAM),
        buffers=zeros((k, room), EVENT),
        books=new_books(k, zeros),
        states=new_features(k, zeros),
        wire_at=zeros((k, room + 1), np.dtype(np.int64)),
        wire=zeros((k, room + 1), FEATURES),
        features=new_features(k, zeros),
        instruments=np.concatenate(list(instruments)).astype(INSTRUMENT),
        own=zeros((k, OWN_CAP), OWN),
        requests=zeros((k, REQUEST_CAP), REQUEST),
        messages=zeros(MESSAGE_CAP, MESSAGE),
        markouts=zeros((k, MARKOUT_CAP), MARKOUT),
        views=zeros(n_sleeves, VIEW),
        sleeves=zeros(n_sleeves, SLEEVE),
        strategies=zeros(n_strategies, STRATEGY),
        records=zeros(RECORD_ROOM + RECORD_MARGIN, RECORD),
        stages=zeros(1, STAGES),
    )
    arrays.streams["own_best_bid"] = NO_BID
    arrays.streams["own_best_ask"] = NO_ASK
    arrays.streams["own_worst_bid"] = NO_ASK
    arrays.streams["own_worst_ask"] = NO_BID
    arrays.streams["ready_ns"] = FOREVER
    arrays.streams["markout_due_ns"] = FOREVER
    arrays.loop["pause_ns"] = FOREVER
    arrays.features["mid_ticks"] = np.nan
    arrays.states["mid_ticks"] = np.nan
    assert arrays.features.dtype == FEATURES
    return arrays
