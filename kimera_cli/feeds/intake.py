"""Frames of one connection to events that may be shown: read, checked, handed on.

A frame whose book is good goes from the kernel straight to the output. Everything else goes message
by message through the books' state machines (feeds/sync.py). The same class serves a live
connection and a recording of one, which is why each thing that may change what comes out is a
method of its own: `take` a frame, `answer` of a request, `silence`, `lost`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kimera_cli.feeds.dialect import KINDS, Kind
from kimera_cli.feeds.output import Output
from kimera_cli.feeds.reader import Checks, FrameReader, Payload, Take
from kimera_cli.feeds.sync import BookSync, mark
from kimera_cli.feeds.sync_audit import AuditSync
from kimera_cli.feeds.sync_count import Numbering
from kimera_cli.kernels.sync import COUNT, PASSED, SLOW, SYNC, VERDICT_BITS, check_message
from kimera_cli.layouts import (
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_LAST,
    MAX_INSTRUMENTS,
    STATUS,
    VENUES,
    Events,
)

_COUNT = (1 << VERDICT_BITS) - 1


def sync_rows() -> Events:
    """Return the SYNC records of a connection, by `event.instrument`."""
    return np.zeros(MAX_INSTRUMENTS, SYNC)


class Intake:
    """One connection. `books` are the state machines of those instruments whose depth is read.

    `lagging` is called when events have to wait, `full` when no more should be read.
    """

    def __init__(
        self,
        reader: FrameReader,
        checks: Checks,
        books: Mapping[int, BookSync],
        output: Output,
        numbering: Numbering | None = None,
    ) -> None:
        self.reader, self.books, self.output = reader, books, output
        self.numbering = numbering
        self.lagging: Callable[[], None] = lambda: None
        self.full: Callable[[], None] = lambda: None
        self.wanting: Callable[[], None] = lambda: None
        """Called when a book may want something of the venue."""
        self._syncs = checks.syncs.view(np.recarray)
        self._venue = VENUES.index(reader.dialect.venue)
        self.take: Take = reader.handing(output.take, self.waits, self._attend)
        """Read one frame: `take(payload, ts_local_ns)`; return how many events are in it, shown or
        not. 0: no market data, see `reader.control`. VenueError `venue.frame`: it cannot be read.
        """

    @property
    def direct(self) -> bool:
        """Whether frames may go past `take`, many in one call (feeds/lane.py)."""
        return self.reader.dialect.unpack != "gzip"

    def behind(self, found: int, passed: int, payload: Payload, ts_local_ns: int) -> int:
        """See to a frame of which the kernel said `found`, behind `passed` events of others.

        Returns and raises as `take` does.
        """
        events, count = self.reader.events, found & _COUNT
        if found > 0 and passed:
            events[:count] = events[passed : passed + count]
        return self._attend(self.reader.behind(found, payload, ts_local_ns), ts_local_ns)

    def begin(self, ts_local_ns: int) -> None:
        """Say for every book that there is none yet: what the consumer has is older."""
        for number in self.books:
            self._show([mark(number, self._venue, ts_local_ns)])

    def connected(self) -> None:
        """A new connection, on which the streams were asked for."""
        if self.numbering is not None:
            self.numbering.connected()
        for book in self.books.values():
            book.connected()

    def gap(self, ts_local_ns: int) -> None:
        """The connection is gone: nothing of it is good any more."""
        self._lose("the connection was lost", ts_local_ns)

    def _lose(self, reason: str, ts_local_ns: int) -> None:
        for book in self.books.values():
            self._show(book.lose(reason, ts_local_ns))

    def answer(self, number: int, payload: bytes, ts_local_ns: int) -> None:
        """Take the answer to a request for a book; VenueError `venue.frame`: it cannot be read."""
        events = self.reader.snapshot(payload, number, ts_local_ns)
        self._show(self.books[number].whole(events))

    def prove(self, number: int, payload: bytes, ts_local_ns: int) -> None:
        """Take the answer whether anything happened; VenueError `venue.frame`: cannot be read."""
        self.books[number].prove(self.reader.snapshot(payload, number, ts_local_ns))

    def watch(self, number: int) -> None:
        """A book is asked for, to compare the own one with."""
        self.books[number].watch()

    def told(self, number: int, payload: bytes, ts_local_ns: int) -> None:
        """Take that answer; VenueError `venue.frame`: it cannot be read."""
        events, book = self.reader.snapshot(payload, number, ts_local_ns), self.books[number]
        if isinstance(book, AuditSync):
            book.told(events)

    def judge(self, number: int, ts_local_ns: int) -> None:
        """The answer has been there for a while: compare."""
        book = self.books[number]
        if isinstance(book, AuditSync):
            self._show(book.judge(ts_local_ns))

    def silence(self, number: int, ts_local_ns: int) -> None:
        """The depth channel of an instrument was silent for too long."""
        book = self.books[number]
        book.counts.silences += 1
        told = ", and the venue's answer is another book" if book.doubted else ""
        self._show(book.lose(f"the channel is silent{told}", ts_local_ns))

    def heard(self, number: int, kind: Kind) -> int:
        """Return the local time of the last message of a channel, 0 before the first.

        A whole book does not count: it may be the answer to a subscription that is silent again.
        """
        return int(self._syncs[number].heard_ns[KINDS.index(kind)])

    def drain(self) -> int:
        """Hand on what waits, as far as there is room; return how many events still wait."""
        return self.output.drain()

    def beat(self) -> None:
        """Say that the feed is alive."""
        self.output.beat()

    @property
    def waiting(self) -> int:
        """Events that were taken and are not handed on yet."""
        return self.output.waiting

    @property
    def blocked(self) -> bool:
        """Whether no more should be read until something was drained."""
        return self.output.blocked

    def _attend(self, found: int, ts_local_ns: int) -> int:
        """Go through a frame that did not simply pass."""
        count, verdict = found & _COUNT, found >> VERDICT_BITS
        if self.numbering is not None and not self._in_turn(verdict, ts_local_ns):
            return count
        if not count:
            return 0
        events = self.reader.events[:count].copy()
        for message in messages_of(events) if verdict in (SLOW, COUNT) else (events,):
            rows, said = self._checked(message) if verdict in (SLOW, COUNT) else (message, verdict)
            self._show([rows] if said == PASSED else self._of(rows).take(rows, said))
        self.wanting()
        return count

    def _checked(self, message: Events) -> tuple[Events, int]:
        """Check a message as the kernel does while it reads; return it, and the verdict."""
        rows = np.concatenate((message, np.zeros_like(message)))
        found = int(check_message(self._syncs, rows.view(np.recarray), len(message)))
        return rows[: found & _COUNT], found >> VERDICT_BITS

    def _in_turn(self, verdict: int, ts_local_ns: int) -> bool:
        """Follow the connection's own numbers; tell whether the frame is to be read at all."""
        assert self.numbering is not None
        if verdict not in (SLOW, COUNT, PASSED):
            return True  # its number was right
        if self.numbering.take(self.reader.count):
            return not self.numbering.repeated
        self._lose("messages of the connection were lost", ts_local_ns)
        return True

    def _of(self, message: Events) -> BookSync:
        return self.books[int(message[0]["instrument"])]

    def _show(self, messages: Sequence[Events]) -> None:
        for message in messages:
            message[-1]["flags"] |= F_LAST
            if self.output.take(message, len(message)):
                self.waits()

    def waits(self) -> None:
        """Events wait that the output had no room for."""
        self.lagging()
        if self.output.blocked:
            self.full()


def messages_of(events: Events) -> list[Events]:
    """Return the messages of a frame, each of one instrument: a book, or trades, or quotes."""
    starts = [k for k in range(len(events)) if k == 0 or _begins(events[k - 1], events[k])]
    return [events[a:b].copy() for a, b in zip(starts, [*starts[1:], len(events)], strict=True)]


def _begins(before: Any, event: Any) -> bool:
    """Tell whether a message begins with `event`."""
    if before["instrument"] != event["instrument"] or before["kind"] == CHECKSUM:
        return True
    numbered = event["kind"] in (DEPTH, STATUS) and before["seq"] != event["seq"]
    return bool(event["kind"] == CLEAR or numbered)
