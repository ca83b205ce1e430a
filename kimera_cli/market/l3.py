"""Order-by-order books by name: who stands where in which queue (kernels/l3.py)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.kernels.l3 import L3_FULL, l3_normalise
from kimera_cli.kernels.l3_book import l3_dtype, l3_find, l3_level, l3_reindex
from kimera_cli.layouts import EVENT, Events
from kimera_cli.market.book import Book


class RestingOrder(NamedTuple):
    """One order in its queue; `priority` is its arrival number in this book."""

    id: int
    qty_lots: int
    priority: int


def new_l3(orders: int = 1 << 17) -> Any:
    """Return an empty state with room for `orders`, a power of two from 8."""
    if orders < 8 or orders & (orders - 1):
        raise DataError("data.l3", f"expected a power of two from 8 for the orders, was {orders}")
    return np.zeros(1, l3_dtype(orders)).view(np.recarray)[0]


class L3Normaliser:
    """Turns a feed's order events into level quantities and priorities, slice by slice.

    The state grows as it fills. What the feed got wrong is counted: `unknown_ids`,
    `duplicate_ids`, `over_executed`, `bad_events`.
    """

    def __init__(self, orders: int = 1 << 17) -> None:
        self.state = new_l3(orders)

    def normalise(self, events: Events) -> Events:
        """Return the events retold (see kernels/l3.py), shape (n,) with n <= 2 len(events)."""
        if events.dtype != EVENT:
            raise DataError("data.events", f"expected events of dtype EVENT, was {events.dtype}")
        out: Any = np.zeros(2 * len(events), EVENT).view(np.recarray)
        rest: Any = events.view(np.recarray)
        n = 0
        while True:
            n += int(l3_normalise(rest, len(rest), self.state, out[n:]))
            if self.state.status != L3_FULL:
                return np.asarray(out[:n])
            rest = rest[int(self.state.consumed) :]
            self.state = _enlarged(self.state)

    @property
    def unknown_ids(self) -> int:
        """Events that named an order that is not in the book."""
        return int(self.state.unknown_ids)

    @property
    def duplicate_ids(self) -> int:
        """ADD events of an order that is in the book already."""
        return int(self.state.duplicate_ids)

    @property
    def over_executed(self) -> int:
        """Executions larger than the order."""
        return int(self.state.over_executed)

    @property
    def bad_events(self) -> int:
        """ADD events without a side, a size or a price."""
        return int(self.state.bad_events)


def _enlarged(state: Any) -> Any:
    """Return the same book in twice the room. Positions stay; only the indices are laid anew."""
    grown = new_l3(2 * (len(state.orders) - 1))
    for name in state.dtype.names:
        if name in ("orders", "levels"):
            grown[name][: len(state[name])] = state[name]
        elif name not in ("order_slots", "level_slots"):
            grown[name] = state[name]
    l3_reindex(grown)
    return grown


class L3Book:
    """One order-by-order book with its price levels. Prices are ticks, quantities lots."""

    def __init__(self) -> None:
        self.feed = L3Normaliser()
        self.levels = Book()

    def apply(self, events: Events) -> Events:
        """Take in the next raw events; returns them normalised."""
        told = self.feed.normalise(events)
        self.levels.apply(told)
        return told

    def orders(self, side: int, px_ticks: int) -> list[RestingOrder]:
        """Return the orders of a level, front of the queue first; empty where there is no level."""
        state = self.feed.state
        at_level = int(l3_level(state, side, np.int64(px_ticks)))
        found = []
        at = int(state.levels[at_level].head) if at_level else 0
        while at:
            order = state.orders[at]
            found.append(RestingOrder(int(order.id), int(order.qty_lots), int(order.priority)))
            at = int(order.next)
        return found

    def ahead(self, order_id: int) -> int:
        """Return the lots that stand before the order in its level's queue."""
        state = self.feed.state
        at = int(l3_find(state, np.int64(order_id)))
        if not at:
            raise DataError("data.unknown_order", f"expected an order in the book, was {order_id}")
        lots, at = 0, int(state.orders[at].prev)
        while at:
            lots += int(state.orders[at].qty_lots)
            at = int(state.orders[at].prev)
        return lots

    def __len__(self) -> int:
        return int(self.feed.state.n_orders)

    def __contains__(self, order_id: int) -> bool:
        return bool(l3_find(self.feed.state, np.int64(order_id)))
