"""Checks of an order-by-order feed (L3): every event is about an order that rests, as it rests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.checker import Checker, columns
from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.checks.stated_book import StatedBook
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.layouts import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    F_LAST,
    F_SNAPSHOT,
    MODIFY,
    NO_SIDE,
    QUOTE,
)
from kimera_cli.records import Check

STATED_BOOKS = ("nasdaq",)
"""Venues whose recordings state the best prices after each message (LOBSTER's orderbook file)."""

_FIELDS = ("kind", "side", "px_ticks", "qty_lots", "ref", "flags", "aux")


class Resting(NamedTuple):
    """An order in the book."""

    side: int
    px_ticks: int
    qty_lots: int


class OrderChecks(Checker):
    """`orders_known`, `orders_unique`, `order_sizes`, `order_growth`, and those of
    `StatedBook`."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        names = ("orders_known", "orders_unique", "order_sizes")
        self._tallies = {name: Tally(subject) for name in names}
        self._changes = self._grown = self._earlier = 0
        stated = subject.instrument.venue in STATED_BOOKS
        self._stated = StatedBook(subject) if stated else None
        self.start()

    def start(self) -> None:
        """Begin with an empty book."""
        self._orders: dict[int, Resting] = {}
        self._complete = False
        self._first_id: int | None = None
        self._levels = LevelBook()
        if self._stated:
            self._stated.start(self._levels)

    def see(self, rows: NDArray[np.void]) -> None:
        """Apply the rows."""
        stated = self._stated
        for kind, side, px, qty, ref, flags, line in columns(rows, *_FIELDS):
            if kind == CLEAR:
                self._complete = True
                self._orders.clear()
                self._levels.clear(NO_SIDE)
                if stated:
                    stated.snapshot()
            elif ADD <= kind <= EXECUTE:
                change = self._order(kind, Resting(side, px, qty), ref, flags, line)
                if stated and not flags & F_SNAPSHOT:
                    stated.event(kind, side, px, change, line)
            elif kind == QUOTE and stated:
                stated.quote(side, px, qty)
            if stated and flags & F_LAST:
                stated.message(line)

    def _order(self, kind: int, said: Resting, ref: int, flags: int, line: int) -> int:
        """Apply one event to the orders and levels; return the change of size at its price."""
        before = self._orders.get(ref)
        if kind == ADD:
            if before is not None:
                self._tallies["orders_unique"].bad(line, f"expected a new order, was {ref} again")
            else:
                self._tallies["orders_unique"].good()
            if self._first_id is None:
                self._first_id = ref
            return self._put(ref, before, said)
        if before is None:
            self._unknown(ref, line)
            return 0
        self._tallies["orders_known"].good()
        if kind == MODIFY:
            self._changes += not flags & F_SNAPSHOT
            self._grown += not flags & F_SNAPSHOT and said.qty_lots >= before.qty_lots
            return self._put(ref, before, said)
        return self._take(kind, ref, before, said.qty_lots, line)

    def _unknown(self, ref: int, line: int) -> None:
        """Count an order that does not rest; one from before a recording without snapshot is
        told.

        Ids grow with time, so an id below the first new order's was there before.
        """
        if not self._complete and (self._first_id is None or ref < self._first_id):
            self._earlier += 1
        else:
            self._tallies["orders_known"].bad(line, f"expected an order that rests, was {ref}")

    def _take(self, kind: int, ref: int, before: Resting, qty_lots: int, line: int) -> int:
        sizes = self._tallies["order_sizes"]
        left = 0 if kind == DELETE else before.qty_lots - qty_lots
        if left < 0 or (kind == DELETE and qty_lots not in (0, before.qty_lots)):
            said = f"expected at most the {before.qty_lots} lots of order {ref}, was {qty_lots}"
            sizes.bad(line, said)
        else:
            sizes.good()
        return self._put(ref, before, before._replace(qty_lots=max(0, left)))

    def _put(self, ref: int, before: Resting | None, after: Resting) -> int:
        """Put an order as it is now; return the change of size at its price."""
        self._add(before, -1)
        self._add(after, 1)
        if after.qty_lots:
            self._orders[ref] = after
        else:
            self._orders.pop(ref, None)
        return after.qty_lots - (before.qty_lots if before else 0)

    def _add(self, order: Resting | None, sign: int) -> None:
        if order and order.qty_lots:
            held = self._levels.qty(order.side, order.px_ticks)
            self._levels.set(order.side, order.px_ticks, held + sign * order.qty_lots)

    def results(self) -> Iterator[Check]:
        """Yield the records; growing orders are told, not judged."""
        earlier = f"{self._earlier} orders from before the recording are left out"
        for name, tally in self._tallies.items():
            yield tally.record(name, earlier if name == "orders_known" and self._earlier else "")
        yield Check(
            check="order_growth",
            dataset=self.subject.dataset,
            passed=self._changes - self._grown,
            total=self._changes,
            ok=True,
            detail=f"{self._grown} changes did not lower the size" if self._grown else "",
        )
        if self._stated:
            yield from self._stated.results()
