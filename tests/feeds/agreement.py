"""Both parsers of a venue on the same frames: what the kernel accepts, the slow parser says too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kimera_cli.errors import VenueError
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.inflate import inflate
from kimera_cli.feeds.reader import FrameReader, slow_parser
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import Events

NOW = 1_800_000_000_000_000_000
FIELDS = ("kind", "side", "px_ticks", "qty_lots", "seq", "ref", "ts_exch_ns", "flags")


def rows(events: Any) -> list[tuple[int, ...]]:
    """The fields of each event that a venue's text decides."""
    return [tuple(int(event[name]) for name in FIELDS) for event in events]


class Pair:
    """A reader and, beside it, the slow parser alone."""

    def __init__(self, dialect: Dialect, instruments: Sequence[Instrument], **room: int) -> None:
        self.reader = FrameReader(dialect, instruments, **room)
        self.slow = slow_parser(dialect, instruments)

    def fast(self, payload: bytes) -> Events | None:
        """The events of the kernel; None: it would not read the frame."""
        before = self.reader.counts["fast"]
        try:
            n = self.reader.take(payload, NOW)
        except VenueError:
            n = 0
        return self.reader.events[:n].copy() if self.reader.counts["fast"] > before else None

    def slowly(self, payload: bytes) -> Events | Control | VenueError:
        """What the slow parser says."""
        packed = self.reader.dialect.unpack
        try:
            return self.slow.read(inflate(payload) if packed else payload, NOW)
        except VenueError as error:
            return error

    def both(self, payload: bytes) -> Events | Control | VenueError:
        """What the slow parser says, after a check that the kernel agrees or passed it on."""
        fast, slow = self.fast(payload), self.slowly(payload)
        if fast is not None:
            frame = inflate(payload) if self.reader.dialect.unpack else payload
            assert isinstance(slow, np.ndarray), (frame, slow)
            np.testing.assert_array_equal(fast, slow, err_msg=repr(frame))
            assert self.reader.count == self.slow.count
        return slow
