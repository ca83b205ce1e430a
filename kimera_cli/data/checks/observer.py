"""What looks at the rebuilt book while the rows go by."""

from __future__ import annotations

from abc import ABC, abstractmethod

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.records import Check

Best = list[tuple[int, int] | None]
"""Best bid and best ask as (px_ticks, qty_lots); None for an empty side."""


class BookObserver(ABC):
    """Looks at the rebuilt book while the rows go by."""

    name: str

    def __init__(self, subject: Subject, book: LevelBook) -> None:
        self.book = book
        self.tally = Tally(subject)

    @abstractmethod
    def message(self, seq: int, ref: int, line: int) -> None:
        """The book is consistent after one message that changed it."""

    def quote(self, seq: int, best: Best) -> None:  # noqa: B027 - most have nothing to do
        """The feed's own best prices and sizes."""

    def checksum(self, px_decimals: int, qty_decimals: int, crc: int, line: int) -> None:  # noqa: B027 - most have nothing to do
        """The feed's own checksum of the book as it is now."""

    def start(self) -> None:  # noqa: B027 - most have nothing to do
        """A new source begins."""

    def end(self) -> None:  # noqa: B027 - most have nothing to do
        """No row comes any more."""

    def result(self) -> Check:
        """Return the record of this check."""
        self.end()
        return self.tally.record(self.name)
