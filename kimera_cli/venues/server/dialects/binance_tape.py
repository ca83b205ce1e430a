"""Binance's aggregate trades: fills of one taker order at one price are one trade."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.model import BUY, SELL, Market, Side, Trade
from kimera_cli.venues.server.ring import Ring

FIRST_ID = 100_001
KEPT = 10_000
FIRST, LAST, PX, LOTS, TS, SOLD = range(6)
"""Columns of an aggregate: numbers of its first and last trade, price, size, time, whether the
taker sold."""
Row = tuple[int, list[int]]
"""Number and columns."""


@dataclass(slots=True, eq=False)
class Aggregate:
    """Consecutive trades of one taker at one price; first and last are their numbers."""

    id: int
    market: Market
    first: int
    last: int
    px_ticks: int
    lots: int
    ts_ns: int
    side: Side

    def shape(self) -> dict[str, Any]:
        """Return it as GET /api/v3/aggTrades shows it."""
        return {
            "a": self.id,
            "p": shapes.price(self.market, self.px_ticks),
            "q": shapes.size(self.market, self.lots),
            "f": self.first,
            "l": self.last,
            "T": self.ts_ns // shapes.MS,
            "m": self.side == "sell",
            "M": True,
        }


@dataclass(slots=True)
class Tape:
    """Aggregate trades of one market."""

    market: Market
    fresh: list[Aggregate] = field(default_factory=list)
    """Of the present request, not yet told."""
    _kept: Ring = field(default_factory=lambda: Ring(6, KEPT, FIRST_ID))

    def add(self, trade: Trade) -> None:
        """Count a trade."""
        last = self.fresh[-1] if self.fresh else None
        if last is not None and last.px_ticks == trade.px_ticks:  # one request has one taker
            last.last = trade.id
            last.lots += trade.qty_lots
            return
        number = self._kept.ids.stop + len(self.fresh)
        self.fresh.append(
            Aggregate(
                number, self.market, trade.id, trade.id, trade.px_ticks, trade.qty_lots,
                trade.ts_ns, trade.side,
            )
        )  # fmt: skip

    def take_fresh(self) -> list[Aggregate]:
        """Return the aggregates of the request that ends here, and keep them."""
        fresh, self.fresh = self.fresh, []
        for each in fresh:
            sold = int(each.side == SELL)
            self._kept.append((each.first, each.last, each.px_ticks, each.lots, each.ts_ns, sold))
        return fresh

    def chosen(self, from_id: int, first_ms: int, last_ms: int) -> list[Row]:
        """Return those from a number on and within a time, oldest first."""
        rows = self._kept.between(from_id, self._kept.ids.stop)
        return [each for each in rows if first_ms <= each[1][TS] // shapes.MS <= last_ms]

    def aggregate(self, row: Row) -> Aggregate:
        """Return what a row of this tape says."""
        number, (first, last, px, lots, ts, sold) = row
        side = SELL if sold else BUY
        return Aggregate(number, self.market, first, last, px, lots, ts, side)
