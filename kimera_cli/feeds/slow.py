"""The slow parser of a venue: any JSON that means the same, read with msgspec, exact and explained.

It takes what the kernel would not: another key order, new keys, white space, escapes, numbers with
exponents or many digits. What it cannot read either is a VenueError `venue.frame` that names venue,
field and position. Both make the same rows of what both accept; tests hold them to that.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from kimera_cli.data.importers.cryptofeed_rows import Row, Update
from kimera_cli.errors import UsageError, VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    CHECKSUM,
    CLEAR,
    EVENT,
    F_LAST,
    F_NO_EXCH_TIME,
    NO_SIDE,
    STATUS,
    TRADE,
    VENUES,
    Events,
)

Number = str | int | Decimal
"""A price or size as the venue wrote it: quoted text, or a number that msgspec read exactly."""
LARGEST_STEPS = (1 << 62) - 1
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SHOWN = 60
_LONGEST = 80
"""Most digits of a number that is read, and most places that its exponent moves the point."""
_SANE = 10**_LONGEST


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A message without market data; `reply` is what the venue wants to hear back, if anything."""

    kind: Literal["ack", "refused", "ping", "pong", "heartbeat", "status"]
    text: str = ""
    reply: bytes = b""


class Slow(ABC):
    """Reads the frames of one connection; `instruments` are those subscribed on it."""

    venue: ClassVar[str]

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._index = {self.symbol(each): (k, each) for k, each in enumerate(instruments)}
        self.count = -1
        """The connection's own number of the last message, of all channels; -1: it has none."""

    def symbol(self, instrument: Instrument) -> str:
        """Return the name by which `Update.symbol` will call the instrument."""
        return instrument.symbol

    @abstractmethod
    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return what the frame says, sizes and prices still text; raise `bad` for nonsense."""

    def read(self, payload: bytes, ts_local_ns: int) -> Events | Control:
        """Return the frame's events; VenueError `venue.frame` when it cannot be read."""
        try:
            found = self.updates(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.frame_error(f"expected {self._what()}: {error}", payload) from None
        except VenueError as error:
            raise self.frame_error(error.message, payload) from None
        if isinstance(found, Control):
            return found
        return self.to_events(found, ts_local_ns, payload)

    def snapshot(self, payload: bytes, instrument: Instrument, ts_local_ns: int) -> Events:
        """Return the events of a REST answer with a whole book.

        UsageError `usage.feed`: the venue's books do not begin with one.
        """
        raise UsageError(
            "usage.feed", f"expected a venue with REST books, was {self.venue} {instrument.symbol}"
        )

    def to_events(self, updates: list[Update], ts_local_ns: int, payload: bytes) -> Events:
        """Return the rows of updates on their instruments' grids, one venue message."""
        try:
            rows = [row for update in updates for row in self._rows(update, ts_local_ns)]
        except VenueError as error:
            raise self.frame_error(error.message, payload) from None
        events = np.array(rows, EVENT)
        if len(events):
            events["flags"][-1] |= F_LAST
        return events

    def bad(self, field: str, expected: str, was: object) -> VenueError:
        """Return the error of one field."""
        shown = str(was)
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
        return VenueError("venue.frame", f"expected {expected} in {field}, was {shown}")

    def frame_error(self, message: str, payload: bytes) -> VenueError:
        """Return the error of a frame: what, of which venue, and how the frame begins."""
        begin = payload[:_SHOWN].decode("utf-8", "backslashreplace")
        return VenueError(
            "venue.frame",
            f"{message}; a frame of {self.venue} with {len(payload)} bytes that begins {begin}",
            "the venue may have changed its messages: update kimera, or report the frame",
            venue=self.venue,
            bytes=len(payload),
        )

    def _what(self) -> str:
        return f"a message of {self.venue}"

    def _rows(self, update: Update, ts_local_ns: int) -> list[tuple[Any, ...]]:
        if update.symbol not in self._index:
            raise self.bad("symbol", f"one of {', '.join(self._index)}", update.symbol)
        index, instrument = self._index[update.symbol]
        return [self._event(row, index, instrument, ts_local_ns) for row in update.rows]

    def _event(
        self, row: Row, index: int, instrument: Instrument, ts_local_ns: int
    ) -> tuple[Any, ...]:
        kind, side, flags, px, qty = row.kind, row.side, row.flags, 0, 0
        if kind == CHECKSUM:
            px, qty = int(row.px), int(row.qty)
        elif kind not in (CLEAR, STATUS):
            px = self._steps(row.px, instrument.tick, "price")
            qty = self._steps(row.qty, instrument.lot, "size")
            if px <= 0:
                raise self.bad("price", "a price above zero", row.px)
            if kind == TRADE and qty == 0:
                kind, side, px = STATUS, NO_SIDE, 0
        ts_exch_ns = row.ts_exch_ns
        if not ts_exch_ns:
            ts_exch_ns, flags = ts_local_ns, flags | F_NO_EXCH_TIME
        ids = (row.seq, row.ref, index, VENUES.index(self.venue))
        return (ts_exch_ns, ts_local_ns, px, qty, *ids, kind, side, flags, 0, 0)

    def _steps(self, value: Number, step: Decimal, field: str) -> int:
        text = str(value)
        if _NUMBER.fullmatch(text) is None:
            raise self.bad(field, "a plain number, not negative", text)
        above, below = _ratio(text)
        if max(above, below) > _SANE:
            raise self.bad(field, "a number of sane size", text)
        over, under = _step_ratio(step)
        steps, rest = divmod(above * under, below * over)
        if rest:
            raise self.bad(field, f"a multiple of {step}", text)
        if steps > LARGEST_STEPS:
            raise self.bad(field, f"at most {LARGEST_STEPS} steps of {step}", text)
        return steps


def _ratio(text: str) -> tuple[int, int]:
    """Return a number as a fraction of whole numbers, not in lowest terms; huge where it is."""
    digits, _, exponent = text.replace("E", "e").partition("e")
    whole, _, fraction = digits.partition(".")
    places = len(fraction) - int(exponent or 0)
    if len(digits) > _LONGEST or abs(places) > _LONGEST:
        return _SANE + 1, 1
    number = int(whole + fraction)
    return (number, 10**places) if places >= 0 else (number * 10**-places, 1)


@lru_cache(maxsize=256)
def _step_ratio(step: Decimal) -> tuple[int, int]:
    return step.as_integer_ratio()
