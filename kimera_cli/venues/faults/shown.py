"""What a consumer of a feed sees of one market: its book, and whether it is shown as good."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.layouts import CLEAR, DEPTH, F_GAP, F_LAST, Events


class Shown:
    """One market's book, as a strategy's would be."""

    def __init__(self) -> None:
        self.book, self.good = LevelBook(), False
        self.marks = 0
        """How often the book was marked as not to be traded on."""
        self.events = self.messages = 0

    def take(self, event: Events) -> None:
        """Take in one event."""
        self.events += 1
        self.messages += bool(event["flags"] & F_LAST)
        if event["kind"] == CLEAR:
            self.book.clear(int(event["side"]))
            self.good = not event["flags"] & F_GAP
            self.marks += not self.good
        elif event["kind"] == DEPTH:
            self.book.set(int(event["side"]), int(event["px_ticks"]), int(event["qty_lots"]))


def take_all(screens: Sequence[Shown], events: Events, n: int) -> None:
    """Take in a feed's events; their `instrument` is the index of a screen."""
    for event in events[:n]:
        screens[int(event["instrument"])].take(event)
