"""The rebuilt best prices and sizes against the feed's own (Binance bookTicker).

After update (ref, u] the bookTicker with the largest update id at or below u is taken; when its
id is above `ref`, it describes the book inside this update, so that prices and sizes must be
equal. Tickers and updates come on different streams: the ticker may be some messages late, so
an update waits until a newer one was seen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.checks.observer import Best, BookObserver
from kimera_cli.data.checks.subject import Subject
from kimera_cli.layouts import ASK, BID

NUMBERED_QUOTES = ("binance", "binanceusdm", "binancecoinm")
"""Venues whose bookTicker carries the update id of the book that it describes."""
WAITING = 4_096
"""Updates that wait for a later ticker at most."""
REMEMBERED = 65_536
"""Tickers that wait for their update at most."""


@dataclass
class Waiting:
    """An update whose ticker may still come."""

    seq: int
    ref: int
    line: int
    rebuilt: Best
    said: tuple[int, Best] | None


class BestPrices(BookObserver):
    """`bbo`: the rebuilt best prices and sizes equal the feed's own."""

    name = "bbo"

    def __init__(self, subject: Subject, book: LevelBook) -> None:
        super().__init__(subject, book)
        self._quotes: deque[tuple[int, Best]] = deque(maxlen=REMEMBERED)
        self._waiting: deque[Waiting] = deque()

    def start(self) -> None:
        """Compare what still waits; the new source has nothing to do with it."""
        self.end()
        self._quotes.clear()

    def quote(self, seq: int, best: Best) -> None:
        """Take a bookTicker: updates before it wait no longer, the others may be described by
        it."""
        while self._waiting and self._waiting[0].seq < seq:
            self._compare(self._waiting.popleft())
        for update in self._waiting:
            update.said = (seq, best)
        if not self._waiting:
            self._quotes.append((seq, best))

    def message(self, seq: int, ref: int, line: int) -> None:
        """Take the book after one update; one without `ref` is a snapshot."""
        if not ref:
            return
        said = None
        while self._quotes and self._quotes[0][0] <= seq:
            said = self._quotes.popleft()
        update = Waiting(seq, ref, line, [self.book.best(BID), self.book.best(ASK)], said)
        if self._quotes:
            self._compare(update)
            return
        self._waiting.append(update)
        if len(self._waiting) > WAITING:
            self._compare(self._waiting.popleft())

    def end(self) -> None:
        """Compare what still waits."""
        while self._waiting:
            self._compare(self._waiting.popleft())

    def _compare(self, update: Waiting) -> None:
        if update.said is None or update.said[0] <= update.ref:
            return
        number, best = update.said
        if update.rebuilt == best:
            self.tally.good()
            return
        self.tally.bad(
            update.line,
            f"expected best bid and ask (ticks, lots) {best} as bookTicker {number} says, "
            f"was {update.rebuilt}",
        )
