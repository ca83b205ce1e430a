"""Order events against the best prices that the recording states after each message (LOBSTER).

The orders make up levels (`LevelBook`, kept by `OrderChecks`); these checks look at them before
and after each message.
"""

from __future__ import annotations

from collections.abc import Iterator

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.layouts import ASK, BID, EXECUTE
from kimera_cli.records import Check

Level = tuple[int, int]

DEEP = 2
"""Levels per side that a recording must show for `best_level`: with one, the level behind the
best comes from nowhere, and no message can foretell it."""


class StatedBook:
    """`executions_at_best`, `size_deltas`, `best_level` of one dataset."""

    def __init__(self, subject: Subject) -> None:
        names = ("executions_at_best", "size_deltas", "best_level")
        self._tallies = {name: Tally(subject) for name in names}

    def start(self, levels: LevelBook) -> None:
        """Begin with an empty book."""
        self._levels = levels
        self._stated: list[Level | None] = [None, None]
        self._deep = False
        self._made_up = True
        self._forget()

    def _forget(self) -> None:
        self._before = [self._levels.best(BID), self._levels.best(ASK)]
        self._foretold = list(self._before)
        self._event: tuple[int, int, int] | None = None

    def event(self, kind: int, side: int, px_ticks: int, change: int, line: int) -> None:
        """One named order was changed, by `change` lots at its price."""
        best = self._before[side]
        if kind == EXECUTE and not self._made_up:
            tally = self._tallies["executions_at_best"]
            if best and best[0] == px_ticks:
                tally.good()
            else:
                tally.bad(line, f"expected an execution at the best price {best}, was {px_ticks}")
        self._event = (side, px_ticks, change)
        self._foretold = [self._levels.best(BID), self._levels.best(ASK)]

    def quote(self, side: int, px_ticks: int, qty_lots: int) -> None:
        """The recording states the best price of a side as it is from this message on."""
        self._stated[side] = (px_ticks, qty_lots)

    def snapshot(self) -> None:
        """The book before the first message follows."""
        self._made_up = True

    def message(self, line: int) -> None:
        """A message is complete: compare, unless the book before it was worked out from it."""
        if self._made_up:
            self._made_up = not any(self._stated)
            self._deep = min(len(self._levels.top(side, DEEP)) for side in (BID, ASK)) >= DEEP
        else:
            self._compare_size(line)
            if self._deep:
                self._compare_best(line)
        self._forget()

    def _compare_size(self, line: int) -> None:
        """At an unchanged best price the stated size changes by just what the message says."""
        if self._event is None:
            return
        side, px_ticks, change = self._event
        before, after = self._before[side], self._stated[side]
        if not before or not after or before[0] != px_ticks or after[0] != px_ticks:
            return
        if after[1] - before[1] == change:
            self._tallies["size_deltas"].good()
        else:
            said = f"expected {change:+} lots at {px_ticks} ticks, was {after[1] - before[1]:+}"
            self._tallies["size_deltas"].bad(line, said)

    def _compare_best(self, line: int) -> None:
        if self._foretold == self._stated:
            self._tallies["best_level"].good()
        else:
            said = f"expected the best levels {self._stated}, was {self._foretold} by the messages"
            self._tallies["best_level"].bad(line, said)

    def results(self) -> Iterator[Check]:
        """Yield the three records."""
        for name, tally in self._tallies.items():
            yield tally.record(name, "" if tally.total else "the recording shows one level only")
