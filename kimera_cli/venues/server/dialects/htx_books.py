"""The numbered books of HTX's feed (`mbp.N`): one chain per market and depth, for all subscribers.

Books of 5 and 20 levels tell each change at once. Books of 150 and 400 levels tell the difference
between two looks, 100 ms apart, even when there is none; a whole book that a client asks for is the
one of the last look, so that its number is some message's `prevSeqNum`.
"""

from __future__ import annotations

import gzip
from typing import NamedTuple

from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects.depth_window import Delta, DepthWindow
from kimera_cli.venues.server.dialects.htx_market import levels_text
from kimera_cli.venues.server.dialects.htx_text import ms, name_of
from kimera_cli.venues.server.frames import OP_BINARY, Frame
from kimera_cli.venues.server.model import BookChanged, Market, Side

AT_ONCE = (5, 20)
LOOKS = (150, 400)
LOOK_NS = 100 * NS_PER_MS


def packed(text: str) -> Frame:
    """Return a frame of gzipped text."""
    plain = text.encode()
    return Frame(gzip.compress(plain, 1, mtime=0), OP_BINARY, plain)


class Told(NamedTuple):
    """A message of one chain."""

    topic: str
    frame: Frame


class Book:
    """The chains of one market."""

    def __init__(self, market: Market, book: tuple[Levels, Levels]) -> None:
        self.market = market
        self.now = DepthWindow(*book)
        self.looked = DepthWindow(*book)
        self.seq = dict.fromkeys((*AT_ONCE, *LOOKS), market.seq)
        """Number of the last message, by depth."""
        self._pending: dict[tuple[Side, int], int] = {}

    def change(self, event: BookChanged) -> list[Told]:
        """Take a change; return the messages of the depths that tell it at once."""
        self._pending.update({(side, px): lots for side, px, lots in event.changes})
        deltas = self.now.apply(event.changes, AT_ONCE)
        found = zip(AT_ONCE, deltas, strict=True)
        return [self._tell(d, delta, event.last_seq, event.ts_ns) for d, delta in found if delta]

    def look(self, now_ns: int) -> list[Told]:
        """Return the messages of the depths that tell what changed since the last look."""
        changes = [(side, px, lots) for (side, px), lots in self._pending.items()]
        self._pending.clear()
        deltas = self.looked.apply(changes, LOOKS)
        found = zip(LOOKS, deltas, strict=True)
        return [self._tell(depth, delta, self.market.seq, now_ns) for depth, delta in found]

    def whole(self, depth: int) -> tuple[int, str]:
        """Return number and sides (JSON text without braces) of the book as last told."""
        window = self.now if depth in AT_ONCE else self.looked
        return self.seq[depth], self._sides(*window.best(depth))

    def refresh(self, depth: int) -> str:
        """Return the best levels now, as JSON text without braces."""
        return self._sides(*self.now.best(depth))

    def _tell(self, depth: int, delta: Delta, seq: int, ts_ns: int) -> Told:
        before, self.seq[depth] = self.seq[depth], seq
        if depth in AT_ONCE:
            both = (("bids", delta.bids), ("asks", delta.asks))
            sides = ",".join(
                f'"{name}":{levels_text(self.market, levels)}' for name, levels in both if levels
            )
        else:
            sides = self._sides(delta.bids, delta.asks)
        topic = f"market.{name_of(self.market)}.mbp.{depth}"
        text = (
            f'{{"ch":"{topic}","ts":{ms(ts_ns)},"tick":{{"seqNum":{seq},'
            f'"prevSeqNum":{before},{sides}}}}}'
        )
        return Told(topic, packed(text))

    def _sides(self, bids: Levels, asks: Levels) -> str:
        return f'"bids":{levels_text(self.market, bids)},"asks":{levels_text(self.market, asks)}'
