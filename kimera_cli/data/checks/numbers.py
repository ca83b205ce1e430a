"""Checks of the numbers that a venue puts on its messages: nothing lost, nothing twice, in
order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.checker import Checker, columns
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.data.sequence import Chain, Step
from kimera_cli.layouts import (
    CLEAR,
    DEPTH,
    F_GAP,
    F_LAST,
    F_SNAPSHOT,
    QUOTE,
    STATUS,
    TRADE,
)
from kimera_cli.records import Check

CONSECUTIVE_TRADES = (
    "binance",
    "binanceusdm",
    "binancecoinm",
    "coinbase",
    "coinbaseexchange",
    "okx",
    "htx",
)
"""Venues that number the trades of one instrument without holes."""
NUMBERED_CONNECTION = ("bitfinex",)
"""Venues that number the messages of a connection: the importer marks holes (F_GAP)."""

_FIELDS = ("kind", "seq", "ref", "flags", "aux")


class NumberChecks(Checker):
    """`sequence`, `trade_ids`, `duplicates`, `order` of one dataset."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        names = ("sequence", "trade_ids", "duplicates", "order")
        self._tallies = {name: Tally(subject) for name in names}
        self._consecutive = subject.instrument.venue in CONSECUTIVE_TRADES
        self._connection = subject.instrument.venue in NUMBERED_CONNECTION
        self.start()

    def start(self) -> None:
        """Begin new chains."""
        self._chain = Chain()
        self._open = False
        self._last = {DEPTH: 0, QUOTE: 0, TRADE: 0}

    def see(self, rows: NDArray[np.void]) -> None:
        """Take the first row of each message, and every trade."""
        last = (rows["flags"] & F_LAST) != 0
        first = np.concatenate(([not self._open], last[:-1]))
        self._open = not bool(last[-1])
        wanted = first | (rows["kind"] == TRADE)
        starts = first[wanted].tolist()
        for (kind, seq, ref, flags, line), start in zip(
            columns(rows[wanted], *_FIELDS), starts, strict=True
        ):
            if start and flags & F_GAP and not ref:
                self._tallies["sequence"].bad(line, "messages before this one were lost")
            if kind == CLEAR:
                self._chain.snapshot(seq)
            elif kind == DEPTH or (kind == STATUS and ref):
                self._book(seq, ref, flags, line)
            elif seq and kind == QUOTE:
                self._in_order(QUOTE, seq, line)
            elif seq and (kind == TRADE or (kind == STATUS and self._consecutive)):
                self._trade(seq, line)

    def _book(self, seq: int, ref: int, flags: int, line: int) -> None:
        if flags & F_SNAPSHOT:
            if ref:
                self._chain.step(seq, ref)  # told before, now again behind the snapshot
            return
        before = self._chain.last
        step = self._chain.step(seq, ref)
        sequence = self._tallies["sequence"]
        if step is Step.GAP:
            sequence.bad(
                line, f"expected the update that follows {before}, was the one after {ref}"
            )
        elif step is Step.FOLLOWS or (self._connection and seq and not flags & F_GAP):
            sequence.good()
        if seq:
            self._in_order(DEPTH, seq, line)

    def _trade(self, seq: int, line: int) -> None:
        before = self._last[TRADE]
        if not self._in_order(TRADE, seq, line) or not self._consecutive or not before:
            return
        if seq == before + 1:
            self._tallies["trade_ids"].good()
        else:
            lost = f"expected trade {before + 1}, was {seq}: {seq - before - 1} lost"
            self._tallies["trade_ids"].bad(line, lost)

    def _in_order(self, kind: int, seq: int, line: int) -> bool:
        """Count a number that must grow; tell whether it did."""
        before = self._last[kind]
        self._last[kind] = max(before, seq)
        if seq == before:
            self._tallies["duplicates"].bad(line, f"expected a new number, was {seq} again")
        else:
            self._tallies["duplicates"].good()
        if seq < before:
            self._tallies["order"].bad(line, f"expected a number after {before}, was {seq}")
        else:
            self._tallies["order"].good()
        return seq > before

    def results(self) -> Iterator[Check]:
        """Yield the four records."""
        for name, tally in self._tallies.items():
            yield tally.record(name, "" if tally.total else "the feed has no such numbers")
