"""kimera's own parsers on the frames of a venue's dialect: kernel and slow parser agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.inflate import inflate
from kimera_cli.feeds.reader import FrameReader, slow_parser
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH
from kimera_cli.venues.server.frames import Frame
from kimera_cli.venues.server.model import Market


def instrument(venue: str, market: Market, symbol: str) -> Instrument:
    """Return kimera's description of a market."""
    return Instrument(
        venue=venue, symbol=symbol, kind="spot", tick=market.tick, lot=market.lot,
        base=market.base, quote=market.quote,
    )  # fmt: skip


class Reading:
    """What both parsers made of the frames of one connection."""

    def __init__(self, dialect: Dialect, about: Instrument) -> None:
        self.reader = FrameReader(dialect, [about])
        self.slow: Any = slow_parser(dialect, [about])
        self.by_kernel = 0
        self.events: list[Any] = []
        self.books: dict[int, dict[int, int]] = {BID: {}, ASK: {}}

    def read(self, frames: Iterable[Frame]) -> None:
        """Read frames; both parsers must say the same of each."""
        for frame in frames:
            before = self.reader.counts["fast"]
            n = self.reader.take(frame.payload, 1)
            fast = self.reader.events[:n].copy()
            packed = self.reader.dialect.unpack
            slow = self.slow.read(inflate(frame.payload) if packed else frame.payload, 1)
            if self.reader.counts["fast"] > before:
                self.by_kernel += 1
                assert isinstance(slow, np.ndarray), frame.plain
                np.testing.assert_array_equal(fast, slow, err_msg=repr(frame.plain))
            if isinstance(slow, np.ndarray):
                self.events.extend(slow)

    def apply(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the book that the depth events make: (px_ticks, lots), best first."""
        for event in self.events:
            if event["kind"] == CLEAR:
                self.books = {BID: {}, ASK: {}}
            elif event["kind"] == DEPTH:
                side = self.books[int(event["side"])]
                side[int(event["px_ticks"])] = int(event["qty_lots"])
        bids, asks = (
            sorted((p, n) for p, n in self.books[side].items() if n) for side in (BID, ASK)
        )
        return bids[::-1], asks
