"""Where the events of a feed go: a ring in shared memory, or a function in the same thread.

`take(events, n)` gets the rows events[:n], whole messages of one or more frames, good until it
returns: the same memory is used for the next frame. What an output cannot hand on at once it copies
and tells by a true answer; `blocked` asks the feed to read no more from its sockets until `drain`
has made room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kimera_cli.kernels.conflate import drain_at, put_at
from kimera_cli.kernels.conflate_state import CONFLATE
from kimera_cli.kernels.ring import RING_BROKEN
from kimera_cli.layouts import Events
from kimera_cli.shm.conflate import ConflatingProducer

_FIELDS: Mapping[str, Any] = CONFLATE.fields or {}
_PENDING, _OUT = (_FIELDS[name][1] // 8 for name in ("n_pending", "n_out"))
"""Words of the CONFLATE record that are nought when nothing waits."""


Take = Callable[[Events, int], object]


class Output(Protocol):
    """What a feed writes to."""

    take: Take
    """Take the events events[:n]; true when something waits now, so that `drain` is called soon."""

    @property
    def waiting(self) -> int:
        """Events that were taken and are not handed on yet."""

    @property
    def blocked(self) -> bool:
        """Whether no more should be read until something was drained."""

    def drain(self) -> int:
        """Hand on what waits, as far as there is room; return how many events still wait."""

    def beat(self) -> None:
        """Say that the feed is alive; called some times a second."""


class FunctionOutput:
    """Gives every frame to a function, in the feed's thread."""

    waiting = 0
    blocked = False

    def __init__(self, take: Callable[[Events, int], None]) -> None:
        self.take: Take = take

    def drain(self) -> int:
        """Nothing ever waits."""
        return 0

    def beat(self) -> None:
        """Nobody else listens."""


class RingOutput:
    """Writes into a ring that another process reads.

    While the consumer keeps up, events pass unchanged. When the ring is full the producer's buffer
    takes over (kernels/conflate.py): book updates conflate, trades wait, both are counted. What
    even the buffer has no room for waits here, in order. DataError `data.block_broken`: the ring is
    damaged.
    """

    def __init__(self, producer: ConflatingProducer) -> None:
        self.producer = producer
        self._left: deque[Events] = deque()
        self.take: Take = self._taker()

    def _taker(self) -> Take:
        """Return `take`: a closure, because looking names up on `self` costs a tenth of a call."""
        put, hand_on, left = put_at, self._hand_on, self._left
        state = memoryview(self.producer.buffer).cast("B").cast("q")
        buffer, end = self.producer.buffer_address, self.producer.end_address
        known: Events | None = None
        address = 0

        def take(events: Events, n: int) -> object:
            nonlocal known, address
            if events is not known:
                known, address = events, int(events.ctypes.data)
            if left:
                hand_on(events[:n], 0)
            elif (took := put(buffer, end, address, n)) != n:
                hand_on(events[:n], took)
            return state[_PENDING] or state[_OUT] or left

        return take

    @property
    def waiting(self) -> int:
        """Events that are not in the ring yet."""
        return self.producer.pending + sum(map(len, self._left))

    @property
    def blocked(self) -> bool:
        """Whether events wait that the buffer had no room for."""
        return bool(self._left)

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

    def beat(self) -> None:
        """Say that the producer is alive."""
        self.producer.beat()

    def _hand_on(self, events: Events, took: int) -> None:
        """Put events of which `took` (or a status) were accepted; keep what is not."""
        rows = events[self._checked(took) :]
        if not self._left:
            rows = rows[self.producer.put(rows) :]
        if len(rows):
            self._left.append(rows.copy())

    def _checked(self, result: int) -> int:
        if result == RING_BROKEN:
            self.producer.room()  # raises, and says what is broken
        return int(result)
