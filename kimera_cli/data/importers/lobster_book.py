"""The L3 events of a LOBSTER pair, with the orders that no message names made good.

What the orderbook file shows beyond the orders known from messages stands as one order per price,
with a negative id (`nameless_id`); messages about orders that never entered act on it. A sample of
N levels does not tell of orders that leave while they are out of sight: when their level is seen
again without them they are taken out, the newest first. Such events carry F_SNAPSHOT: they state
what is there, nothing happened at the venue just then. The nameless order's place in the queue is
where it was first seen: exact for the first row, an estimate for levels that come into sight later.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from kimera_cli.data.importers.base import Batch, bad_line
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    EVENT,
    EXECUTE,
    F_HALF_TICK,
    F_HIDDEN,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    MODIFY,
    NO_SIDE,
    QUOTE,
    STATUS,
    TRADE,
    VENUES,
)

PRICE_PER_TICK = 100
"""LOBSTER writes dollars times 10,000; a tick is a cent."""

Visible = tuple[dict[int, int], dict[int, int]]
"""What the orderbook file shows: ({bid price: size}, {ask price: size}), in ticks."""
Levels = dict[int, dict[int, int]]
"""Price -> order id -> size, orders in the order of their arrival."""

SUBMIT, REDUCE, CANCEL, FILL, HIDDEN, CROSS, HALT = range(1, 8)


class Message(NamedTuple):
    """One row of the message file; `price` as written; `bid`: the resting order buys."""

    line: int
    ts_ns: int
    kind: int
    order: int
    size: int
    price: int
    bid: bool


class Row(NamedTuple):
    """One row of the orderbook file: ask price, size, bid price, size, level by level."""

    line: int
    numbers: list[int]


def nameless_id(side: int, px_ticks: int) -> int:
    """Return the id of the order that stands for what no message names at a price: below zero."""
    return -(px_ticks * 2 + side + 1)


class LobsterBook:
    """Applies message after message and gathers the events; `take` hands them out."""

    def __init__(self, path: Path, instrument: Instrument) -> None:
        self.path = path
        self.instrument = instrument
        self._events: list[tuple[int, ...]] = []
        self._venue = VENUES.index(instrument.venue)
        self._levels: tuple[Levels, Levels] = ({}, {})
        self._where: dict[int, tuple[int, int]] = {}  # order id -> side, price
        self._shown: Visible = ({}, {})
        self._quote: tuple[int, ...] = ()
        self._empty = True

    @property
    def rows(self) -> int:
        """Events gathered."""
        return len(self._events)

    def take(self) -> Batch:
        """Return the gathered events and forget them."""
        events = np.array(self._events, EVENT)
        self._events = []
        return Batch(self.instrument, "l3", events)

    def apply(self, message: Message, row: Row) -> None:
        """Add one message and what the orderbook file shows after it."""
        levels = _visible(row)
        if self._empty:
            self._seed(message, levels)
        self._happen(message)
        self._reconcile(message, levels)
        self._state_best(message, levels)
        self._end_message()

    def _seed(self, message: Message, levels: Visible) -> None:
        """State the book as it was before the first message: the first row with it undone."""
        self._empty = False
        before = (dict(levels[BID]), dict(levels[ASK]))
        side = BID if message.bid else ASK
        change = {SUBMIT: -message.size, REDUCE: message.size, CANCEL: message.size}
        change[FILL] = message.size
        if delta := change.get(message.kind, 0):
            price = self._ticks(message)
            before[side][price] = max(0, before[side].get(price, 0) + delta)
        self._emit(message, CLEAR, NO_SIDE, 0, 0, flags=F_SNAPSHOT)
        for side in (BID, ASK):
            for price, size in before[side].items():
                self._state_level(message, side, price, size)
        self._end_message()

    def _happen(self, message: Message) -> None:
        side = BID if message.bid else ASK
        if message.kind == HALT:
            self._emit(message, STATUS, NO_SIDE, 0, message.price + 1)  # 0 halt, 1 quotes, 2 trades
        elif message.kind == CROSS:
            self._emit(message, TRADE, NO_SIDE, self._ticks(message), message.size, flags=F_HIDDEN)
        elif message.kind == HIDDEN:
            half = F_HALF_TICK if message.price % PRICE_PER_TICK else 0
            aggressor = ASK if message.bid else BID
            price = self._ticks(message, half=True)
            self._emit(message, TRADE, aggressor, price, message.size, flags=F_HIDDEN | half)
        elif message.kind == SUBMIT:
            self._set(message.order, side, self._ticks(message), message.size)
            price = self._ticks(message)
            self._emit(message, ADD, side, price, message.size, message.order)
        else:
            self._shrink(message, side, self._ticks(message))

    def _shrink(self, message: Message, side: int, price: int) -> None:
        """Take size from an order: part cancelled, deleted, or executed."""
        where = self._where.get(message.order)
        if where is not None and where != (side, price):
            raise bad_line(self.path, message.line, f"order {message.order} at its price", price)
        order = nameless_id(side, price) if where is None else message.order
        held = self._levels[side].get(price, {}).get(order, 0)
        if held < message.size:  # it was there, out of sight
            self._set(order, side, price, message.size)
            kind = MODIFY if held else ADD
            self._emit(message, kind, side, price, message.size, order, F_SNAPSHOT)
        left = max(0, held - message.size)
        self._set(order, side, price, left)
        if message.kind == FILL:
            self._emit(message, EXECUTE, side, price, message.size, order)
        elif left:
            self._emit(message, MODIFY, side, price, left, order)
        else:
            self._emit(message, DELETE, side, price, message.size, order)

    def _reconcile(self, message: Message, levels: Visible) -> None:
        """Make each visible level as large as the file says; what is beyond is left as it is."""
        for side in (BID, ASK):
            shown, before = levels[side], self._shown[side]
            own = message.bid == (side == BID)
            if not own and shown == before:
                continue
            for price, size in shown.items():
                self._state_level(message, side, price, size)
            if not shown:
                continue
            worst = min(shown) if side == BID else max(shown)
            # only a changed range of prices or the message itself can uncover a level that is gone
            same = shown.keys() == before.keys()
            held = self._levels[side]
            touched = [message.price // PRICE_PER_TICK] if same else list(held)
            for price in touched:
                better = price > worst if side == BID else price < worst
                if better and price in held and price not in shown:
                    self._state_level(message, side, price, 0)
        self._shown = levels

    def _state_level(self, message: Message, side: int, price: int, size: int) -> None:
        """Change what stands at a price until it is `size`: the nameless order first."""
        orders = self._levels[side].get(price, {})
        delta = size - sum(orders.values())
        if not delta:
            return
        nameless = nameless_id(side, price)
        for order in (nameless, *(order for order in reversed(orders) if order != nameless)):
            before = orders.get(order, 0)
            after = max(0, before + delta)
            if before == after:
                continue
            delta -= after - before
            kind = MODIFY if before and after else ADD if after else DELETE
            self._set(order, side, price, after)
            self._emit(message, kind, side, price, after or before, order, F_SNAPSHOT)
            if not delta:
                return

    def _set(self, order: int, side: int, price: int, size: int) -> None:
        if size:
            self._levels[side].setdefault(price, {})[order] = size
            self._where[order] = (side, price)
            return
        orders = self._levels[side].get(price, {})
        orders.pop(order, None)
        self._where.pop(order, None)
        if not orders:
            self._levels[side].pop(price, None)

    def _state_best(self, message: Message, levels: Visible) -> None:
        bid, ask = max(levels[BID], default=0), min(levels[ASK], default=0)
        quote = (bid, levels[BID].get(bid, 0), ask, levels[ASK].get(ask, 0))
        if quote == self._quote:
            return
        self._quote = quote
        if bid:
            self._emit(message, QUOTE, BID, bid, quote[1])
        if ask:
            self._emit(message, QUOTE, ASK, ask, quote[3])

    def _ticks(self, message: Message, *, half: bool = False) -> int:
        ticks, rest = divmod(message.price, PRICE_PER_TICK)
        if rest and not (half and rest * 2 == PRICE_PER_TICK):
            raise bad_line(self.path, message.line, "a price in cents", message.price, "data.step")
        return ticks

    def _emit(
        self,
        message: Message,
        kind: int,
        side: int,
        px_ticks: int,
        qty_lots: int,
        order: int = 0,
        flags: int = 0,
    ) -> None:
        ts, line = message.ts_ns, message.line
        flags |= F_NO_EXCH_TIME
        row = (ts, ts, px_ticks, qty_lots, 0, order, 0, self._venue, kind, side, flags, 0, line)
        self._events.append(row)

    def _end_message(self) -> None:
        *rest, flags, reserved, line = self._events[-1]
        self._events[-1] = (*rest, flags | F_LAST, reserved, line)


def _visible(row: Row) -> Visible:
    """Return the levels of a row; those without orders are left out."""
    numbers = row.numbers
    asks, bids = zip(numbers[0::4], numbers[1::4]), zip(numbers[2::4], numbers[3::4])  # noqa: B905
    return (
        {price // PRICE_PER_TICK: size for price, size in bids if size and price > 0},
        {price // PRICE_PER_TICK: size for price, size in asks if size and price > 0},
    )
