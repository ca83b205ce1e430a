"""A recorded book as the background of a market: its levels and trades, at the recorded pace.

One account keeps one order per recorded level, of the recorded size; another takes what the tape
says was traded. Orders of clients stand between them: they trade with what crosses them. The tape
begins when the server does, by the exchange's clock; after its last event the book stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from kimera_cli.data.source import EventSource
from kimera_cli.errors import DataError
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, F_LAST, NO_SIDE, TRADE
from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.desk import other_side
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import BUY, SELL, Market, OrderRequest, Reject, Side

SIDES: dict[int, Side] = {BID: BUY, ASK: SELL}
KEPT = 50
PLENTY = 10**12
"""Lots that each background account begins with, and what they cost."""
Row = tuple[int, int, int, int, int, int]
"""kind, side, price in ticks, lots, flags, local time."""


def rows_of(source: EventSource) -> Iterator[Row]:
    """Yield what a tape plays of a dataset."""
    names = ["kind", "side", "px_ticks", "qty_lots", "flags", "ts_local_ns"]
    for events in source.chunks():
        yield from zip(*(events[name].tolist() for name in names), strict=True)


def market_of(source: EventSource, symbol: str) -> Market:
    """Return the market that a recording was made of: its grid, around its first middle price."""
    if source.family != "l2":
        raise DataError(
            "data.family", f"expected a dataset of a book (l2), was {source.dataset}",
            "see: kimera fetch list",
        )  # fmt: skip
    best: dict[int, int] = {}
    for kind, side, px, lots, flags, _ in rows_of(source):
        if kind == DEPTH and lots > 0:
            better = max if side == BID else min
            best[side] = better(best.get(side, px), px)
        if flags & F_LAST and len(best) == 2:
            break
    else:
        raise DataError("data.tape", f"expected bids and asks in {source.dataset}, was without")
    grid = source.instrument
    middle = (best[BID] + best[ASK]) // 2 * grid.tick
    return Market(symbol, grid.tick, grid.lot, middle, max_qty=Decimal(10**12) * grid.lot)


class Tape:
    """Plays a recording on one market."""

    def __init__(self, exchange: Exchange, market: Market, source: EventSource) -> None:
        self.exchange = exchange
        self.market = market
        self.desk = exchange.desk(market.symbol)
        self.quoter = exchange.open_account(f"quoter {market.symbol}")
        self.taker = exchange.open_account(f"taker {market.symbol}")
        for account in (self.quoter, self.taker):
            account.kept, account.exempt = KEPT, True
            base = amounts.text(PLENTY * market.lot_atoms)
            exchange.deposit(account.id, market.base, base)
            quote = amounts.text(market.cost(market.last_px, PLENTY))
            exchange.deposit(account.id, market.quote, quote)
        self.levels: dict[tuple[Side, int], int] = {}
        """Id of the quoter's order at each level."""
        self.refused = 0
        """Levels that the market could not take (outside its price band)."""
        self._rows = rows_of(source)
        self._next: Row | None = next(self._rows, None)
        self._shift_ns = exchange.clock.now_ns() - (self._next[5] if self._next else 0)

    def tick(self, now_ns: int) -> None:
        """Play what is due, message by message."""
        while self._next is not None and self._next[5] + self._shift_ns <= now_ns:
            self._play(self._message())

    def _message(self) -> list[Row]:
        """Return the rows up to the next end of a message."""
        found: list[Row] = []
        while self._next is not None:
            row, self._next = self._next, next(self._rows, None)
            found.append(row)
            if row[4] & F_LAST:
                break
        return found

    def _play(self, rows: list[Row]) -> None:
        targets: dict[tuple[Side, int], int] = {}
        for kind, side, px, lots, _, _ in rows:
            if kind == CLEAR:
                targets |= dict.fromkeys((k for k in self.levels if _is_on(k, side)), 0)
            elif kind == DEPTH:
                targets[SIDES[side], px] = lots
            elif kind == TRADE and side in SIDES:
                self._take(SIDES[side], px, lots)
        for level, lots in sorted(targets.items(), key=lambda t: t[1] > 0):
            self._set(*level, lots)  # what goes, goes first: the book is never crossed by itself

    def _set(self, side: Side, px: int, lots: int) -> None:
        """Make the quoter's order at a level have so many lots."""
        order_id = self.levels.get((side, px))
        order = self.quoter.open.get(order_id) if order_id is not None else None
        if order is None:
            self.levels.pop((side, px), None)
            if lots:
                self._quote(side, px, lots)
        elif not lots:
            del self.levels[side, px]
            self.exchange.cancel(self.quoter.id, order.id)
        elif lots != order.left_lots:
            total = self.market.qty(order.filled_lots + lots)
            self.exchange.amend(self.quoter.id, order.id, qty=total)

    def _quote(self, side: Side, px: int, lots: int) -> None:
        order = self._place(self.quoter.id, side, px, lots, "gtc")
        if order is not None:
            self.levels[side, px] = order

    def _take(self, side: Side, px: int, lots: int) -> None:
        """Trade as the tape says, as far as the level still has it."""
        there = self.desk.depth.lots(other_side(side), px)
        if there:
            self._place(self.taker.id, side, px, min(lots, there), "ioc")

    def _place(self, account: int, side: Side, px: int, lots: int, tif: str) -> int | None:
        market = self.market
        request = OrderRequest(
            market.symbol, side, "limit", market.qty(lots), market.price(px),
            tif="ioc" if tif == "ioc" else "gtc", self_trade="cancel_oldest",
        )  # fmt: skip
        try:
            order = self.exchange.place(account, request)
        except Reject as reject:
            if reject.reason not in ("price_band", "funds", "halted", "cancel_only"):
                raise
            self.refused += 1
            return None
        return order.id if order.is_open else None


def _is_on(level: tuple[Side, int], side: int) -> bool:
    return side == NO_SIDE or level[0] == SIDES[side]
