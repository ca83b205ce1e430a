"""Bybit's public REST: https://bybit-exchange.github.io/docs/v5/market/time and its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_cli.venues.server.dialects import bybit_shapes as shapes
from kimera_cli.venues.server.dialects.bybit_text import (
    NS_PER_MS,
    Names,
    check_category,
    name_of,
    size,
    wrong,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market, Ticker

MINUTE_NS = 60_000 * NS_PER_MS
INTERVALS = {
    "1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "120": 120, "240": 240, "360": 360,
    "720": 720, "D": 1440, "W": 10080,
}  # fmt: skip
"""Minutes of a bar; months are not served."""
MOST_BARS = 1000
MOST_LEVELS = 200
MOST_TRADES = 60

Query = dict[str, str]


class Days:
    """The last 24 hours of markets, kept until a trade or a minute passes."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._known: dict[str, tuple[int, int, Ticker]] = {}

    def of(self, market: Market) -> Ticker:
        """Return a market's day; its best prices may be older than the book's."""
        desk = self._exchange.desk(market.symbol)
        minute = self._exchange.clock.now_ns() // MINUTE_NS
        last = desk.trades.last_id
        known = self._known.get(market.symbol)
        if known is None or known[:2] != (minute, last):
            known = (minute, last, self._exchange.ticker(market.symbol))
            self._known[market.symbol] = known
        return known[2]


class Public:
    """Answers of the public methods, without their envelope."""

    def __init__(self, exchange: Exchange, names: Names) -> None:
        self._exchange = exchange
        self._names = names
        self.methods: dict[str, Callable[[Query], dict[str, Any]]] = {
            "market/time": self.time,
            "market/instruments-info": self.instruments,
            "market/tickers": self.tickers,
            "market/orderbook": self.book,
            "market/kline": self.bars,
            "market/recent-trade": self.trades,
            "system/status": self.status,
        }

    def time(self, _: Query) -> dict[str, str]:
        """Server time."""
        now = self._exchange.clock.now_ns()
        return {"timeSecond": str(now // 1_000_000_000), "timeNano": str(now)}

    def status(self, _: Query) -> dict[str, Any]:
        """Maintenance that is planned: none."""
        return {"list": []}

    def instruments(self, query: Query) -> dict[str, Any]:
        """Instruments; there are none but spot's."""
        chosen = [m for m in self._chosen(query) if m.status != "delisted"]
        entries = [shapes.instrument(market) for market in chosen]
        return {"category": query["category"], "list": entries, "nextPageCursor": ""}

    def tickers(self, query: Query) -> dict[str, Any]:
        """Last 24 hours."""
        found = [
            shapes.ticker(self._exchange.ticker(market.symbol)) for market in self._chosen(query)
        ]
        return {"category": query["category"], "list": found}

    def book(self, query: Query) -> dict[str, Any]:
        """The best levels of a book."""
        market = self._market(query)
        n = whole(query, "limit", 1)
        if not 1 <= n <= MOST_LEVELS:
            raise wrong("limit")
        bids, asks = self._exchange.book(market.symbol, n)
        now = self._exchange.clock.now_ns() // NS_PER_MS
        return {
            "s": name_of(market),
            "a": [[market.px_text(px), size(market, lots)] for px, lots in asks],
            "b": [[market.px_text(px), size(market, lots)] for px, lots in bids],
            "ts": now,
            "u": market.seq,
            "seq": market.seq,
            "cts": now,
        }

    def bars(self, query: Query) -> dict[str, Any]:
        """Bars from `start` to `end`, newest first."""
        market = self._market(query)
        minutes = INTERVALS.get(query.get("interval", ""))
        limit = whole(query, "limit", 200)
        if minutes is None:
            raise wrong("interval")
        if not 1 <= limit <= MOST_BARS:
            raise wrong("limit")
        since = whole(query, "start", 0) * NS_PER_MS if query.get("start") else None
        until = (whole(query, "end", 0) + 1) * NS_PER_MS if query.get("end") else None
        found = self._exchange.candles(
            market.symbol, minutes * MINUTE_NS, since_ns=since, until_ns=until, limit=limit
        )
        entries = [shapes.bar(market, each) for each in reversed(found)]
        return {"category": "spot", "symbol": name_of(market), "list": entries}

    def trades(self, query: Query) -> dict[str, Any]:
        """The newest trades, newest first."""
        market = self._market(query)
        n = whole(query, "limit", MOST_TRADES)
        if not 1 <= n <= MOST_TRADES:
            raise wrong("limit")
        tape = reversed(self._exchange.trades(market.symbol, n))
        return {"category": "spot", "list": [shapes.public_trade(each) for each in tape]}

    def _market(self, query: Query) -> Market:
        if not check_category(query):
            raise wrong("symbol")
        return self._names.listed(query.get("symbol"))

    def _chosen(self, query: Query) -> list[Market]:
        if not check_category(query):
            return []
        return [self._market(query)] if query.get("symbol") else self._exchange.markets


def whole(query: Query, name: str, default: int) -> int:
    """Return a whole number of the query."""
    text = query.get(name) or str(default)
    if not text.isdecimal():
        raise wrong(name)
    return int(text)
