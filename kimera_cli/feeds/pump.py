"""Frames into the shared ring as they come: parse kernel, then the conflating producer.

Books are not kept in step here: numbers and snapshots are handed on, and whoever reads the ring
must follow them. feeds/intake.py is the one that shows only good books.
"""

from __future__ import annotations

from collections.abc import Callable

from kimera_cli.feeds.output import RingOutput
from kimera_cli.feeds.reader import FrameReader, Payload
from kimera_cli.feeds.sync import mark
from kimera_cli.layouts import VENUES
from kimera_cli.shm.conflate import ConflatingProducer

Take = Callable[[Payload, int], int]


class Pump:
    """Takes the frames of one connection. `lagging` is called whenever events have to wait, `full`
    when the caller must stop reading from the socket until `drain` says that nothing is left.
    """

    def __init__(
        self,
        reader: FrameReader,
        producer: ConflatingProducer,
        lagging: Callable[[], None] = lambda: None,
        full: Callable[[], None] = lambda: None,
    ) -> None:
        self.reader, self.producer = reader, producer
        self.lagging, self.full = lagging, full
        self.output = RingOutput(producer)
        self.gaps = 0
        """Books that were marked as not to be trusted."""
        self.take: Take = self._taker()
        """Read one frame and hand its events on: `take(payload, ts_local_ns)`; return how many.

        0: no market data, see `reader.control`. VenueError `venue.frame`: it cannot be read.
        DataError `data.block_broken`: the ring is damaged.
        """

    def _taker(self) -> Take:
        """Return `take`: a closure, for the same reason as the reader's."""
        reader, read, put, waits = self.reader, self.reader.take, self.output.take, self._waits

        def take(payload: Payload, ts_local_ns: int) -> int:
            n = read(payload, ts_local_ns)
            if n and put(reader.events, n):
                waits()
            return n

        return take

    def gap(self, ts_local_ns: int) -> None:
        """Say for every instrument that its book is not to be trusted until a snapshot."""
        venue = VENUES.index(self.reader.dialect.venue)
        for number in self.reader.numbers:
            self.gaps += 1
            if self.output.take(mark(number, venue, ts_local_ns), 1):
                self._waits()

    def drain(self) -> int:
        """Hand on what waits, as far as there is room; return how many events still wait."""
        return self.output.drain()

    def beat(self) -> None:
        """Say that the producer is alive."""
        self.producer.beat()

    @property
    def waiting(self) -> int:
        """Events that were read and are not in the ring yet."""
        return self.output.waiting

    @property
    def blocked(self) -> bool:
        """Whether events wait that the buffer had no room for."""
        return self.output.blocked

    def _waits(self) -> None:
        if self.output.blocked:
            self.full()
        self.lagging()
