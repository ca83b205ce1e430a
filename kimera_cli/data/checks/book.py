"""Checks that need the rebuilt book: the feed's checksums, its own best prices, crossed books."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks import checksum
from kimera_cli.data.checks.bbo import NUMBERED_QUOTES, BestPrices
from kimera_cli.data.checks.checker import Checker, columns
from kimera_cli.data.checks.checksum import Digits
from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.checks.observer import Best, BookObserver
from kimera_cli.data.checks.subject import Subject
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_LAST,
    F_STALE,
    NO_SIDE,
    QUOTE,
    STATUS,
)
from kimera_cli.records import Check

_FIELDS = ("kind", "side", "px_ticks", "qty_lots", "seq", "ref", "flags", "aux")


class Crossed(BookObserver):
    """`crossed`: after each message the best bid is below the best ask."""

    name = "crossed"

    def message(self, seq: int, ref: int, line: int) -> None:
        """Compare the two best prices."""
        if not self.book.crossed():
            self.tally.good()
            return
        bid, ask = self.book.top(BID, 1)[0][0], self.book.top(ASK, 1)[0][0]
        self.tally.bad(line, f"expected the best bid below the best ask, was {bid} and {ask} ticks")


class Checksums(BookObserver):
    """`checksum`: the rebuilt book has the checksum that the feed sent with the message."""

    name = "checksum"

    def __init__(self, subject: Subject, book: LevelBook) -> None:
        super().__init__(subject, book)
        self._instrument = subject.instrument
        self._digits: dict[tuple[int, int], tuple[Digits, Digits]] = {}

    def message(self, seq: int, ref: int, line: int) -> None:
        """Wait for the checksum, which follows the levels."""

    def checksum(self, px_decimals: int, qty_decimals: int, crc: int, line: int) -> None:
        """Compare with the checksum of the rebuilt book."""
        own = checksum.checksum(self._text(px_decimals, qty_decimals))
        if own == crc:
            self.tally.good()
        else:
            self.tally.bad(line, f"expected checksum {crc}, was {own}")

    def _text(self, px_decimals: int, qty_decimals: int) -> str:
        count = max(checksum.KRAKEN_LEVELS, checksum.OKX_LEVELS)
        bids, asks = self.book.top(BID, count), self.book.top(ASK, count)
        if self._instrument.venue == "okx":
            return checksum.okx_text(bids, asks, self._instrument.tick, self._instrument.lot)
        key = (px_decimals, qty_decimals)
        if key not in self._digits:
            px, qty = Digits(self._instrument.tick, key[0]), Digits(self._instrument.lot, key[1])
            self._digits[key] = (px, qty)
        return checksum.kraken_text(bids, asks, *self._digits[key])


class BookChecks(Checker):
    """Rebuilds the book from the rows and shows it to the observers."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._book = LevelBook()
        self._observers: list[BookObserver] = [Crossed(subject, self._book)]
        if subject.instrument.venue in NUMBERED_QUOTES:
            self._observers.append(BestPrices(subject, self._book))
        if subject.instrument.venue in ("kraken", "okx"):
            self._observers.append(Checksums(subject, self._book))
        self.start()

    def start(self) -> None:
        """Begin with an empty book, which is trusted from its first snapshot on."""
        self._book.clear(NO_SIDE)
        self._quote: Best = []
        self._trusted = self._changed = False
        for observer in self._observers:
            observer.start()

    def see(self, rows: NDArray[np.void]) -> None:
        """Apply the rows; stale ones do not touch the book."""
        for kind, side, px, qty, seq, ref, flags, line in columns(rows, *_FIELDS):
            if kind == DEPTH and not flags & F_STALE:
                self._book.set(side, px, qty)
                self._changed = True
            elif kind == STATUS and ref and not flags & F_STALE:
                self._changed = True  # a numbered update without levels is an update
            elif kind == CLEAR:
                self._book.clear(side)
                self._trusted = self._changed = True
            elif kind == QUOTE:
                self._quote.append((px, qty))
                if flags & F_LAST:
                    self._quoted(seq)
            elif kind == CHECKSUM and self._trusted:
                for observer in self._observers:
                    observer.checksum(px, ref, qty, line)
            if flags & F_LAST and self._changed:
                self._message(seq, ref, line)

    def _message(self, seq: int, ref: int, line: int) -> None:
        self._changed = False
        if self._trusted:
            for observer in self._observers:
                observer.message(seq, ref, line)

    def _quoted(self, seq: int) -> None:
        best, self._quote = self._quote, []
        if len(best) == 2:
            for observer in self._observers:
                observer.quote(seq, best)

    def results(self) -> Iterator[Check]:
        """Yield `crossed`, `bbo`, `checksum`, as far as the feed has them."""
        for observer in self._observers:
            yield observer.result()
