"""What a background market does to its book: played once, then told again for each run.

An act of the background goes through the exchange (orders, funds, matching, checks), which takes
many times longer than to tell what it did to the book. A script keeps that: which levels each
request changed, and what was there then. Telling it, the venue's dialect writes its messages as
ever, with numbers and times that go on; the matching engine alone is not asked again. To begin
anew the book is set back to where the script began.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server.model import BookChanged, Event, RequestDone, Side

Changes = tuple[tuple[Side, int, int], ...]
"""Side, price in ticks, and the lots that are there now."""
SIDES: tuple[Side, ...] = ("buy", "sell")


class Script:
    """Acts of one market's background; it must not act by itself from then on."""

    def __init__(self, flow: Any, acts: int) -> None:
        self.exchange, self.market = flow.exchange, flow.market
        self.depth = self.exchange.desk(self.market.symbol).depth
        self.mean_lots = flow.mean_lots
        self._start = self._levels()
        self._acts: list[list[Changes]] = []
        self._at = 0
        leave = self.exchange.subscribe(self._note)
        for _ in range(acts):
            self._acts.append([])
            flow.act()
        leave()

    def __len__(self) -> int:
        return len(self._acts)

    @property
    def left(self) -> int:
        """Acts that are left until it has to begin anew."""
        return len(self._acts) - self._at

    def _note(self, event: Event) -> None:
        if isinstance(event, BookChanged) and event.market is self.market:
            self._acts[-1].append(event.changes)

    def rewind(self) -> None:
        """Set the book back to where the script begins."""
        now, self._at = self._levels(), 0
        gone = ((*level, 0) for level in now if level not in self._start)
        there = ((*level, lots) for level, lots in self._start.items() if now.get(level) != lots)
        self._tell((*gone, *there))  # what goes, goes first: the book is never crossed

    def act(self) -> None:
        """Tell the next act."""
        if not self.left:
            self.rewind()
        for changes in self._acts[self._at]:
            self._tell(changes)
        self._at += 1

    def mark(self) -> tuple[int, int]:
        """Add to the best bid; return its price in ticks and what is there now."""
        while (px := self.depth.best("buy")) is None:
            self.act()
        lots = self.depth.lots("buy", px) + 4 * self.mean_lots + 7
        self._tell((("buy", px, lots),))
        return px, lots

    def _levels(self) -> dict[tuple[Side, int], int]:
        return {(side, px): lots for side in SIDES for px, lots in self.depth.levels(side)}

    def _tell(self, changes: Changes) -> None:
        if not changes:
            return
        for side, px, lots in changes:
            self.depth.add(side, px, lots - self.depth.lots(side, px))
        market, now = self.market, self.exchange.clock.now_ns()
        first = market.seq + 1
        market.seq += len(changes)
        self.exchange.emit(BookChanged(market, first, market.seq, changes, now))
        self.exchange.emit(RequestDone(now))
