"""Frames into the shared ring: parse kernel, then the conflating producer, two calls a frame.

While the consumer keeps up, events pass unchanged. When the ring is full the producer's buffer
takes over (kernels/conflate.py): book updates conflate, trades wait, both are counted. What even
the buffer has no room for waits here, in order, and `full` is called: the caller must stop reading
from the socket until `drain` says that nothing is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kimera_cli.feeds.reader import FrameReader, Payload
from kimera_cli.kernels.conflate import CONFLATE, drain_at, put_at
from kimera_cli.kernels.ring import RING_BROKEN
from kimera_cli.layouts import CLEAR, EVENT, F_GAP, F_LAST, F_NO_EXCH_TIME, NO_SIDE, VENUES, Events
from kimera_cli.shm.conflate import ConflatingProducer

Take = Callable[[Payload, int], int]

_FIELDS: Mapping[str, Any] = CONFLATE.fields or {}
_PENDING, _OUT = (_FIELDS[name][1] // 8 for name in ("n_pending", "n_out"))
"""Words of the CONFLATE record that are nought when nothing waits."""


class Pump:
    """Takes the frames of one connection. `lagging` is called whenever events have to wait."""

    def __init__(
        self,
        reader: FrameReader,
        producer: ConflatingProducer,
        lagging: Callable[[], None] = lambda: None,
        full: Callable[[], None] = lambda: None,
    ) -> None:
        self.reader = reader
        self.producer = producer
        self.lagging = lagging
        self.full = full
        self.gaps = 0
        """Books that were marked as not to be trusted."""
        self._left: deque[Events] = deque()
        self.take: Take = self._taker()
        """Read one frame and hand its events on: `take(payload, ts_local_ns)`; return how many.

        0: no market data, see `reader.control`. VenueError `venue.frame`: it cannot be read.
        DataError `data.block_broken`: the ring is damaged.
        """

    def _taker(self) -> Take:
        """Return `take`: a closure, for the same reason as the reader's."""
        read, put, hand_on = self.reader.take, put_at, self._hand_on
        buffer, end = self.producer.buffer_address, self.producer.end_address
        state = memoryview(self.producer.buffer).cast("B").cast("q")
        reader, left = self.reader, self._left
        events, address = reader.events, int(reader.events.ctypes.data)

        def take(payload: Payload, ts_local_ns: int) -> int:
            nonlocal events, address
            n = read(payload, ts_local_ns)
            if n:
                if reader.events is not events:  # a frame larger than any before
                    events, address = reader.events, int(reader.events.ctypes.data)
                if left:
                    hand_on(events[:n], 0)
                elif (took := put(buffer, end, address, n)) != n:
                    hand_on(events[:n], took)
                if state[_PENDING] or state[_OUT]:
                    self.lagging()
            return n

        return take

    def gap(self, ts_local_ns: int) -> None:
        """Say for every instrument that its book is not to be trusted until a snapshot."""
        count = len(self.reader.instruments)
        marks = np.zeros(count, EVENT)
        marks["ts_exch_ns"] = marks["ts_local_ns"] = ts_local_ns
        marks["instrument"] = np.arange(count)
        marks["venue"] = VENUES.index(self.reader.dialect.venue)
        marks["kind"], marks["side"] = CLEAR, NO_SIDE
        marks["flags"] = F_GAP | F_LAST | F_NO_EXCH_TIME
        self.gaps += count
        self._hand_on(marks, 0)
        if self.waiting:
            self.lagging()

    def drain(self) -> int:
        """Hand on what waits, as far as there is room; return how many events still wait."""
        while self._left:
            rows = self._left[0]
            took = self.producer.put(rows)
            if took < len(rows):
                self._left[0] = rows[took:]
                return self.waiting
            self._left.popleft()
        self._checked(drain_at(self.producer.buffer_address, self.producer.end_address))
        return self.waiting

    @property
    def waiting(self) -> int:
        """Events that were read and are not in the ring yet."""
        return self.producer.pending + sum(map(len, self._left))

    @property
    def blocked(self) -> bool:
        """Whether events wait that the buffer had no room for."""
        return bool(self._left)

    def _hand_on(self, events: Events, took: int) -> None:
        """Put events of which `took` (or a status) were accepted; keep what is not."""
        rows = events[self._checked(took) :]
        if not self._left:
            rows = rows[self.producer.put(rows) :]
        if len(rows):
            self._left.append(rows.copy())
            self.full()
            self.lagging()

    def _checked(self, result: int) -> int:
        if result == RING_BROKEN:
            self.producer.room()  # raises, and says what is broken
        return int(result)
