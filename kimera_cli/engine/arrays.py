"""The loop's memory: every array that the kernel reads or writes, allocated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kimera_cli.kernels.audit import RECORD_MARGIN
from kimera_cli.kernels.entry import addresses, advance, prepare
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
from kimera_cli.layouts import EVENT, FEATURES, INSTRUMENT, NO_ASK, NO_BID, RECORD, VIEW
from kimera_cli.market.book import new_books
from kimera_cli.market.features import new_features

Array = NDArray[Any]

BUFFER_EVENTS = 16_384
"""Events per stream that are in memory at once (1 MiB: two streams fit a level-2 cache)."""
RECORD_ROOM = 65_536


@dataclass
class LoopArrays:
    """All state of one run; field order is the order of the kernel's arguments."""

    loop: Array
    gate: Array
    streams: Array
    buffers: Array
    venue_books: Array
    books: Array
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

    def __post_init__(self) -> None:
        self._seal()

    def _seal(self) -> None:
        self._all = tuple(getattr(self, f.name) for f in fields(self))
        self._table = addresses(self._all)
        self._words = self.buffers.view(np.int64).reshape(*self.buffers.shape, -1)

    def advance(self) -> int:
        """Run the loop until it needs something; return why (kernels/state.py)."""
        return advance(self._table, self._all)

    def prepare(
        self, k: int, span: tuple[int, int], latency: tuple[int, int, float], shift_ns: int
    ) -> int:
        """Put the feed latency on new events of stream k; return the index of a bad time or -1."""
        return prepare(self._table, self._all, k, span, latency, shift_ns)

    def put(self, k: int, at: int, events: Array) -> None:
        """Copy events into stream k's buffer; as words, which numpy copies four times as fast."""
        words = self._words[k, at : at + len(events)]
        if events.flags.c_contiguous:
            words[...] = events.view(np.int64).reshape(words.shape)
        else:
            self.buffers[k, at : at + len(events)] = events

    def drop_passed(self, k: int) -> int:
        """Move what is still wanted of stream k to the start of its buffer; return its length."""
        stream = self.streams[k]
        low = int(min(stream["head_exch"], stream["head_local"]))
        n = int(stream["n"])
        if low:
            self._words[k, : n - low] = self._words[k, low:n]
            for head in ("head_exch", "head_local", "n"):
                stream[head] -= low
        return n - low

    def grow_buffers(self) -> None:
        """Double the stream buffers: more events are on the wire at once than they hold."""
        old = self.buffers
        self.buffers = np.zeros((old.shape[0], 2 * old.shape[1]), old.dtype)
        self.buffers[:, : old.shape[1]] = old
        self._seal()


def allocate(instruments: Sequence[Array], n_strategies: int, n_sleeves: int) -> LoopArrays:
    """Return zeroed state for these instruments (rows of dtype INSTRUMENT, shape (1,) each)."""
    k = len(instruments)
    arrays = LoopArrays(
        loop=np.zeros(1, LOOP),
        gate=np.zeros(1, GATE),
        streams=np.zeros(k, STREAM),
        buffers=np.zeros((k, BUFFER_EVENTS), EVENT),
        venue_books=new_books(k),
        books=new_books(k),
        features=new_features(k),
        instruments=np.concatenate(list(instruments)).astype(INSTRUMENT),
        own=np.zeros((k, OWN_CAP), OWN),
        requests=np.zeros((k, REQUEST_CAP), REQUEST),
        messages=np.zeros(MESSAGE_CAP, MESSAGE),
        markouts=np.zeros((k, MARKOUT_CAP), MARKOUT),
        views=np.zeros(n_sleeves, VIEW),
        sleeves=np.zeros(n_sleeves, SLEEVE),
        strategies=np.zeros(n_strategies, STRATEGY),
        records=np.zeros(RECORD_ROOM + RECORD_MARGIN, RECORD),
    )
    arrays.streams["own_best_bid"] = NO_BID
    arrays.streams["own_best_ask"] = NO_ASK
    arrays.streams["markout_due_ns"] = FOREVER
    arrays.loop["pause_ns"] = FOREVER
    arrays.features["mid_ticks"] = np.nan
    assert arrays.features.dtype == FEATURES
    return arrays
