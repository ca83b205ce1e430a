"""Venue updates (decimal text) into rows of events, one instrument at a time.

Here the text becomes ticks and lots, book ids are followed (F_GAP), a book is cut to the depth
that its channel keeps, and a REST snapshot is joined with the stream: it answers late, so
updates that came before it but are newer are told again behind it (F_SNAPSHOT), and later ones
that it already holds are F_STALE.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from kimera_cli.data.importers.base import off_grid
from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.decimal_text import OffGridError, Scale
from kimera_cli.data.importers.depth_limit import DepthLimit
from kimera_cli.data.sequence import Chain, Step
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    F_STALE,
    NO_SIDE,
    STATUS,
)

REPLAYED = 1024
"""Book updates kept per instrument, to be applied again behind a snapshot that does not hold
them."""

EventRow = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]
"""One event, fields in the order of layouts.EVENT."""


class Row(NamedTuple):
    """One event with decimal text; CHECKSUM and STATUS rows carry integers in px and qty."""

    kind: int
    side: int
    px: str | int
    qty: str | int
    seq: int = 0
    ref: int = 0
    ts_exch_ns: int = 0
    flags: int = 0


class Update(NamedTuple):
    """What one message does to one instrument."""

    symbol: str
    rows: list[Row]
    depth: int = 0
    """Levels per side that the channel keeps without saying what it drops; 0: all or said."""
    lost: bool = False
    """The connection lost messages before this one."""


def book(
    levels: list[Row], *, snapshot: bool, seq: int = 0, ref: int = 0, ts_exch_ns: int = 0
) -> list[Row]:
    """Return the rows of one book message: a snapshot clears first; an empty update still
    counts."""
    if snapshot:
        clear = Row(CLEAR, NO_SIDE, 0, 0, seq, 0, ts_exch_ns, F_SNAPSHOT)
        return [clear, *(row._replace(flags=F_SNAPSHOT) for row in levels)]
    return levels or [Row(STATUS, NO_SIDE, 0, 0, seq, ref, ts_exch_ns)]


class InstrumentRows:
    """Turns the updates of one instrument into event rows."""

    def __init__(
        self, instrument: Instrument, venue: int, *, nearest: bool, snapshots: bool
    ) -> None:
        self.instrument = instrument
        self.rows: list[EventRow] = []
        self._venue = venue
        self._px = Scale(instrument.tick)
        self._qty = Scale(instrument.lot, nearest=nearest)
        self._chain = Chain()
        self._limit: DepthLimit | None = None
        self._behind = 0
        self._recent: deque[tuple[Message, Update]] = deque(maxlen=REPLAYED if snapshots else 0)

    def add(self, message: Message, update: Update) -> None:
        """Append the rows of one update; behind a REST snapshot also the updates that it
        misses."""
        first = update.rows[0]
        self._append(message, update, message.ts_ns)
        if message.url:
            self._behind = first.seq
            for earlier, later in self._recent:
                if later.rows[0].seq > first.seq:
                    self._append(earlier, later, message.ts_ns, F_SNAPSHOT)
            self._recent.clear()
        elif first.kind in (DEPTH, STATUS):
            self._recent.append((message, update))

    def _append(self, message: Message, update: Update, ts_local_ns: int, flags: int = 0) -> None:
        first, start = update.rows[0], len(self.rows)
        stale = first.kind in (DEPTH, STATUS) and 0 < first.seq <= self._behind
        flags |= F_STALE if stale else 0
        self.rows += self._converted(message, update, ts_local_ns, flags)
        if update.lost or (not stale and self._gap(first)):
            self._flag(start, F_GAP)
        self._flag(-1, F_LAST)

    def _gap(self, first: Row) -> bool:
        if first.kind == CLEAR:
            self._chain.snapshot(first.seq)
        elif first.kind in (DEPTH, STATUS):
            return self._chain.step(first.seq, first.ref) is Step.GAP
        return False

    def _flag(self, at: int, flag: int) -> None:
        row = self.rows[at]
        self.rows[at] = (*row[:10], row[10] | flag, *row[11:])

    def _converted(
        self, message: Message, update: Update, ts_local_ns: int, flags: int
    ) -> Iterator[EventRow]:
        line = -message.line if message.url else message.line
        if update.depth and self._limit is None:
            self._limit = DepthLimit(update.depth)
        for row in update.rows:
            if row.kind == CHECKSUM:
                yield from self._dropped(update.rows[0], ts_local_ns, line)
            px, qty = self._steps(message, row)
            if update.depth:
                self._keep(row, px, qty)
            yield self._event(row, px, qty, ts_local_ns, line, flags)
        if update.depth and update.rows[-1].kind != CHECKSUM:
            yield from self._dropped(update.rows[0], ts_local_ns, line)

    def _keep(self, row: Row, px_ticks: int, qty_lots: int) -> None:
        assert self._limit is not None
        if row.kind == CLEAR:
            self._limit.clear(row.side)
        elif row.kind == DEPTH:
            self._limit.set(row.side, px_ticks, qty_lots)

    def _dropped(self, like: Row, ts_local_ns: int, line: int) -> Iterator[EventRow]:
        """Yield the deletions of levels that fell behind the channel's depth."""
        if self._limit is not None:
            for side, px_ticks in self._limit.overflow():
                row = like._replace(kind=DEPTH, side=side, flags=0)
                yield self._event(row, px_ticks, 0, ts_local_ns, line)

    def _steps(self, message: Message, row: Row) -> tuple[int, int]:
        if isinstance(row.px, int) or isinstance(row.qty, int):
            return int(row.px), int(row.qty)
        try:
            px = self._px.steps(row.px)
        except OffGridError:
            raise off_grid(
                message.path, message.line, "price", row.px, self.instrument.tick
            ) from None
        try:
            return px, self._qty.steps(row.qty)
        except OffGridError:
            raise off_grid(
                message.path, message.line, "size", row.qty, self.instrument.lot
            ) from None

    def _event(
        self, row: Row, px_ticks: int, qty_lots: int, ts_local_ns: int, line: int, flags: int = 0
    ) -> EventRow:
        flags, ts_exch_ns = flags | row.flags, row.ts_exch_ns
        if not ts_exch_ns:
            flags, ts_exch_ns = flags | F_NO_EXCH_TIME, ts_local_ns
        times = (ts_exch_ns, ts_local_ns)
        ids = (row.seq, row.ref, 0, self._venue)
        return (*times, px_ticks, qty_lots, *ids, row.kind, row.side, flags, 0, line)
