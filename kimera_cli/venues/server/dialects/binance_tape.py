"""Binance's aggregate trades: fills of one taker order at one price are one trade."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.model import Market, Trade

FIRST_ID = 100_001
KEPT = 10_000


@dataclass(slots=True, eq=False)
class Aggregate:
    """Consecutive trades of one taker at one price."""

    id: int
    first: Trade
    last: Trade
    lots: int

    def takes(self, trade: Trade) -> bool:
        """Whether a trade belongs to this one."""
        same_taker = trade.taker is self.first.taker and trade.ts_ns == self.first.ts_ns
        return same_taker and trade.px_ticks == self.first.px_ticks

    def shape(self) -> dict[str, Any]:
        """Return it as GET /api/v3/aggTrades shows it."""
        market = self.first.market
        return {
            "a": self.id,
            "p": shapes.price(market, self.first.px_ticks),
            "q": shapes.size(market, self.lots),
            "f": self.first.id,
            "l": self.last.id,
            "T": self.first.ts_ns // shapes.MS,
            "m": self.first.side == "sell",
            "M": True,
        }


@dataclass(slots=True)
class Tape:
    """Aggregate trades of one market."""

    market: Market
    kept: deque[Aggregate] = field(default_factory=lambda: deque(maxlen=KEPT))
    fresh: list[Aggregate] = field(default_factory=list)
    """Of the present request, not yet told."""
    _next_id: int = FIRST_ID

    def add(self, trade: Trade) -> None:
        """Count a trade."""
        if self.fresh and self.fresh[-1].takes(trade):
            self.fresh[-1].last = trade
            self.fresh[-1].lots += trade.qty_lots
            return
        aggregate = Aggregate(self._next_id, trade, trade, trade.qty_lots)
        self._next_id += 1
        self.fresh.append(aggregate)
        self.kept.append(aggregate)

    def take_fresh(self) -> list[Aggregate]:
        """Return the aggregates of the request that ends here."""
        fresh, self.fresh = self.fresh, []
        return fresh
