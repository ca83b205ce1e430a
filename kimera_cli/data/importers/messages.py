"""Venue messages of one instrument, gathered and turned into EVENT rows many at a time.

A message is a few integers and its price levels, bids first. Python touches each message once;
everything per level (grid, sides, flags) is done on arrays when a batch is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.importers.base import MAX_ROWS, Batch, bad_line, off_grid
from kimera_cli.data.importers.grid import to_grid
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    CLEAR,
    F64,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    I64,
    NO_SIDE,
    STATUS,
    VENUES,
    Events,
    empty_events,
)

Level = tuple[float, float]
"""Price and quantity in the venue's units."""
NOTHING: tuple[Level, ...] = ((0.0, 0.0),)
"""The one row of a message that carries no price: CLEAR, STATUS."""

_COLUMNS = 9


class Messages:
    """Gathers messages of one instrument of one file; `take` returns them as batches."""

    def __init__(self, path: Path, instrument: Instrument, family: str = "l2") -> None:
        self.path = path
        self.instrument = instrument
        self.family = family
        self.rows = 0
        self._venue = VENUES.index(instrument.venue)
        self._scalars: list[int] = []
        self._levels: list[Sequence[Level]] = []

    def add(
        self,
        kind: int,
        ts_exch_ns: int,
        ts_local_ns: int,
        line: int,
        bids: Sequence[Level],
        asks: Sequence[Level] = (),
        seq: int = 0,
        ref: int = 0,
        flags: int = F_LAST,
    ) -> None:
        """Add one message of at least one row; ts_exch_ns 0: the venue told no time.

        Of the flags, F_LAST goes to the last row and F_GAP to the first, others to all rows.
        """
        if not ts_exch_ns:
            ts_exch_ns, flags = ts_local_ns, flags | F_NO_EXCH_TIME
        bid_rows = len(bids)
        rows = bid_rows + len(asks)
        self._scalars += (
            *(kind, ts_exch_ns, ts_local_ns, line, seq, ref, flags),
            *(bid_rows, rows),
        )
        self._levels.append(bids)
        self._levels.append(asks)
        self.rows += rows

    def take(self) -> Iterator[Batch]:
        """Yield what was gathered, at most MAX_ROWS rows at a time, and forget it."""
        if not self.rows:
            return
        events = self._events()
        self._scalars, self._levels, self.rows = [], [], 0
        for start in range(0, len(events), MAX_ROWS):
            yield Batch(self.instrument, self.family, events[start : start + MAX_ROWS])

    def _events(self) -> Events:
        scalars = np.array(self._scalars, np.int64).reshape(-1, _COLUMNS).T
        kind, ts_exch, ts_local, line, seq, ref, flags, bid_rows, rows = scalars
        flat = np.fromiter(
            chain.from_iterable(chain.from_iterable(self._levels)), np.float64, 2 * self.rows
        )
        events = empty_events(self.rows)
        of_message = np.repeat(np.arange(len(rows)), rows)
        ends = np.cumsum(rows)
        starts = ends - rows
        events["kind"], events["flags"] = kind[of_message], flags[of_message]
        events["ts_exch_ns"], events["ts_local_ns"] = ts_exch[of_message], ts_local[of_message]
        events["seq"], events["ref"] = seq[of_message], ref[of_message]
        events["aux"], events["venue"] = line[of_message], self._venue
        events["side"] = np.arange(self.rows) >= (starts + bid_rows)[of_message]
        events["flags"][np.delete(np.arange(self.rows), starts)] &= ~np.uint16(F_GAP)
        events["flags"][np.delete(np.arange(self.rows), ends - 1)] &= ~np.uint16(F_LAST)
        bare = (events["kind"] == CLEAR) | (events["kind"] == STATUS)
        events["side"][bare] = NO_SIDE
        self._put_grid(events, flat[0::2], flat[1::2], bare)
        return events

    def _put_grid(self, events: Events, px: F64, qty: F64, bare: NDArray[np.bool_]) -> None:
        lines = events["aux"]
        ticks = self._steps(px, "price", lines)
        lots = self._steps(qty, "quantity", lines)
        bad = (ticks <= 0) & ~bare
        if bad.any():
            first = int(np.argmax(bad))
            raise bad_line(
                self.path, int(lines[first]), "a price above zero", px[first], "data.price"
            )
        if (lots < 0).any():
            first = int(np.argmax(lots < 0))
            raise bad_line(
                self.path, int(lines[first]), "no negative quantity", qty[first], "data.quantity"
            )
        events["px_ticks"], events["qty_lots"] = ticks, lots

    def _steps(self, values: F64, what: str, lines: I64) -> I64:
        step = self.instrument.tick if what == "price" else self.instrument.lot
        steps, bad = to_grid(values, step)
        if bad < 0:
            return steps
        line, value = int(lines[bad]), float(values[bad])
        if not np.isfinite(value):
            raise bad_line(self.path, line, f"a finite {what}", value, f"data.{what}")
        raise off_grid(self.path, line, what, value, step)
