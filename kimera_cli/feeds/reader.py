"""Frames of one connection to events: the kernel first, the slow parser for what it will not read.

reader = FrameReader(BINANCE, instruments)
n = reader.take(payload, ts_local_ns)
events = reader.events[:n]          # valid until the next frame

A reader that is given `checks` also looks whether each frame's book is in step (kernels/sync.py):
its `take` returns n | verdict << 32, and SLOW for what the slow parser read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numba
import numpy as np

from kimera_cli.errors import VenueError
from kimera_cli.feeds.connection import feed_record
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.inflate import inflate
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.frames import BATCH_EVENTS
from kimera_cli.kernels.parse import read_frame
from kimera_cli.kernels.parse_bytes import PAD
from kimera_cli.kernels.parse_entry import enter, table_of
from kimera_cli.kernels.parse_layout import OVERSIZE, REASONS, REG_COUNT
from kimera_cli.kernels.sync import SLOW, VERDICT_BITS, enter_checked, read_checked
from kimera_cli.layouts import I64, Events, empty_events

Payload = bytes | memoryview
Take = Callable[[Payload, int], int]
Put = Callable[[Events, int], object]
Attend = Callable[[int, int], int]

FRAME_BYTES = 1 << 18
"""Frames up to here are read by the kernel: a book of 4,000 levels. Larger ones go the slow way."""
EVENTS = 8_192
"""Events of one frame that the kernel may write."""


@dataclass(frozen=True)
class Checks:
    """What the kernel checks frames against: SYNC by `event.instrument`, and one LINK."""

    syncs: Any
    link: Any


class FrameReader:
    """Reads the frames of one connection. `feed`, `frame` and `events` are what the kernel uses.

    `numbers` are the instruments' `event.instrument`; without them 0, 1, 2 ...
    """

    def __init__(
        self,
        dialect: Dialect,
        instruments: Sequence[Instrument],
        frame_bytes: int = FRAME_BYTES,
        events: int = EVENTS,
        *,
        numbers: Sequence[int] = (),
        checks: Checks | None = None,
    ) -> None:
        self.dialect = dialect
        self.instruments = tuple(instruments)
        self.numbers = tuple(numbers) or tuple(range(len(instruments)))
        self.feed = feed_record(dialect, instruments, frame_bytes)
        self.feed["symbols"]["instrument"][0, : len(self.numbers)] = self.numbers
        self._checks = checks
        self.frame = np.zeros(frame_bytes + PAD, np.uint8)
        self.events: Events = empty_events(events + (0 if checks is None else BATCH_EVENTS))
        self.control: Control | None = None
        self.table = self._addresses()
        """What the kernel enters with; the same array for the life of the reader."""
        self._slow: Slow = slow_parser(dialect, instruments)
        self._controls = 0
        self._bad = 0
        take = self._taker()
        self.take: Take = self._unpacking(take) if dialect.unpack == "gzip" else take
        """Read one frame; return how many events are in `events`: `take(payload, ts_local_ns)`.

        0: a message without market data, see `control`. VenueError `venue.frame`: the frame cannot
        be read; it is counted, and the next one may be taken.
        """

    def _taker(self) -> Take:
        """Return `take`: a closure, because looking names up on `self` costs a tenth of a call."""
        window, capacity = self.frame.data, len(self.frame) - PAD
        read, mark = self._plain if numba.config.DISABLE_JIT else enter, 0
        if self._checks is not None:
            read = self._plain_checked if numba.config.DISABLE_JIT else enter_checked
            mark = SLOW << VERDICT_BITS
        address, counts, slowly = int(self.table.ctypes.data), self.feed["counts"][0], self._slowly

        def take(payload: Payload, ts_local_ns: int) -> int:
            n = len(payload)
            if n <= capacity:
                window[:n] = payload
                count: int = read(address, n, ts_local_ns)
                if count > 0:
                    return count
            else:
                counts[OVERSIZE] += 1
            count = slowly(bytes(payload), ts_local_ns)
            return count | mark if count else 0

        return take

    def _unpacking(self, take: Take) -> Take:
        """Return `take` for frames that come compressed."""

        def unpack_and_take(payload: Payload, ts_local_ns: int) -> int:
            try:
                unpacked = inflate(payload)
            except VenueError:
                self._bad += 1
                raise
            return take(unpacked, ts_local_ns)

        return unpack_and_take

    def handing(self, put: Put, waits: Callable[[], None], attend: Attend) -> Take:
        """Return a `take` that hands on what it reads: each call of Python costs 0.1 us.

        A frame that simply passes goes to `put(events, n)`, and `waits()` follows when that is
        true. `attend(found, ts_local_ns)` gets what `take` returns of every other frame, and
        returns how many events were in it. Only for a reader with `checks`.
        """
        window, capacity = self.frame.data, len(self.frame) - PAD
        read = self._plain_checked if numba.config.DISABLE_JIT else enter_checked
        address, counts, behind = int(self.table.ctypes.data), self.feed["counts"][0], self.behind
        events, most = self.events, (1 << VERDICT_BITS) - 1

        def take(payload: Payload, ts_local_ns: int) -> int:
            nonlocal events
            n, found = len(payload), 0
            if n <= capacity:
                window[:n] = payload
                found = read(address, n, ts_local_ns)
                if 0 < found <= most:
                    if put(events, found):
                        waits()
                    return found
            else:
                counts[OVERSIZE] += 1
            found = behind(found, payload, ts_local_ns)
            events = self.events
            return attend(found, ts_local_ns)

        return self._unpacking(take) if self.dialect.unpack == "gzip" else take

    def behind(self, found: int, payload: Payload, ts_local_ns: int) -> int:
        """Return what a checked `take` does, for a frame of which a kernel said `found`.

        What the kernel did not read is read slowly.
        """
        if found > 0:
            return found
        found = self._slowly(bytes(payload), ts_local_ns)
        return found | SLOW << VERDICT_BITS if found else 0

    @property
    def counts(self) -> dict[str, int]:
        """Frames so far: `fast`, those read slowly by reason (`slow.shape`), without market data
        (`control`, among the slow ones), unreadable (`bad`, likewise).
        """
        counts = self.feed["counts"][0].tolist()
        slow = {f"slow.{name}": counts[k] for k, name in enumerate(REASONS) if k and counts[k]}
        return {"fast": counts[0], **slow, "control": self._controls, "bad": self._bad}

    @property
    def count(self) -> int:
        """The connection's own number of the last message, of all channels; -1: it has none."""
        return int(self.feed["registers"][0, REG_COUNT])

    def snapshot(self, payload: bytes, number: int, ts_local_ns: int) -> Events:
        """Return the events of a REST answer with the book of instrument `number`.

        VenueError `venue.frame` when it cannot be read.
        """
        instrument = self.instruments[self.numbers.index(number)]
        return self._numbered(self._slow.snapshot(payload, instrument, ts_local_ns))

    def _numbered(self, events: Events) -> Events:
        events["instrument"] = np.asarray(self.numbers)[events["instrument"]]
        return events

    def _slowly(self, payload: bytes, ts_local_ns: int) -> int:
        self.control = None
        try:
            found = self._slow.read(payload, ts_local_ns)
        except VenueError:
            self._bad += 1
            raise
        finally:
            self.feed["registers"][0, REG_COUNT] = self._slow.count
        if isinstance(found, Control):
            self._controls += 1
            self.control = found
            return 0
        self._make_room(len(found))
        self.events[: len(found)] = self._numbered(found)
        return len(found)

    def _make_room(self, needed: int) -> None:
        if needed > len(self.events):
            self.events = empty_events(needed)
            self.table[:] = self._addresses()

    def _addresses(self) -> I64:
        """Return the table that the kernel enters with."""
        table = table_of(self.feed, self.frame, self.events)
        if self._checks is None:
            return table
        arrays = (self._checks.syncs, self._checks.link)
        more = [word for array in arrays for word in (array.ctypes.data, len(array))]
        return np.concatenate((table, np.array(more, np.int64)))

    def _plain(self, address: int, n: int, ts_local_ns: int) -> int:
        feed = self.feed.view(np.recarray)[0]
        out = self.events.view(np.recarray)
        return int(read_frame(feed, self.frame, n, ts_local_ns, out))

    def _plain_checked(self, _address: int, n: int, ts_local_ns: int) -> int:
        assert self._checks is not None
        feed, out, syncs, link = (
            array.view(np.recarray)
            for array in (self.feed, self.events, self._checks.syncs, self._checks.link)
        )
        return int(read_checked(feed[0], self.frame, n, ts_local_ns, out, syncs, link[0]))


def slow_parser(dialect: Dialect, instruments: Sequence[Instrument]) -> Slow:
    """Return the slow parser that the dialect names."""
    module, _, name = dialect.slow.partition(":")
    parser: Slow = getattr(import_module(module), name)(instruments)
    return parser
