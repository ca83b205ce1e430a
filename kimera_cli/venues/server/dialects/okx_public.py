"""OKX's public REST: https://www.okx.com/docs-v5/en/#order-book-trading-market-data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.desk import engine_side
from kimera_cli.venues.server.dialects import okx_shapes as shapes
from kimera_cli.venues.server.dialects.okx_text import (
    NS_PER_MS,
    Names,
    empty,
    ms,
    price,
    size,
    wrong,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market, Side

MINUTE_NS = 60_000 * NS_PER_MS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
BARS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240,
    "6Hutc": 360, "12Hutc": 720, "1Dutc": 1440, "1Wutc": 10080,
}  # fmt: skip
"""Minutes of a bar; from six hours on, only those that begin by UTC are served."""
MOST_BARS = 300
MOST_TRADES = 500
MOST_LEVELS = 400
MOST_FULL_LEVELS = 5000

Query = dict[str, str]
Row = list[str]


class Days:
    """The last 24 hours of markets, kept until a trade or a minute passes."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._known: dict[str, tuple[int, int, dict[str, str]]] = {}

    def ticker(self, market: Market) -> dict[str, str]:
        """Return a market's ticker."""
        now = self._exchange.clock.now_ns()
        desk = self._exchange.desk(market.symbol)
        mark = now // MINUTE_NS, desk.trades.last_id
        known = self._known.get(market.symbol)
        if known is None or known[:2] != mark:
            day = shapes.ticker(self._exchange.ticker(market.symbol))
            known = (*mark, {**day, **self._starts(market, now)})
            self._known[market.symbol] = known
        return {**known[2], **self._best(market), "ts": ms(now)}

    def _starts(self, market: Market, now_ns: int) -> dict[str, str]:
        """Return the prices at which the day began in London's winter and in Hong Kong."""
        begins = {
            "sodUtc0": now_ns // DAY_NS * DAY_NS,
            "sodUtc8": (now_ns + 8 * HOUR_NS) // DAY_NS * DAY_NS - 8 * HOUR_NS,
        }
        first = {
            name: self._exchange.candles(market.symbol, HOUR_NS, since_ns=at, limit=1)[0]
            for name, at in begins.items()
        }
        return {name: price(market, bar.open_px) for name, bar in first.items()}

    def _best(self, market: Market) -> dict[str, str]:
        best: dict[str, str] = {}
        for side, levels in zip(("bid", "ask"), self._exchange.book(market.symbol, 1), strict=True):
            px, lots = levels[0] if levels else (0, 0)
            best[f"{side}Px"] = price(market, px) if px else ""
            best[f"{side}Sz"] = size(market, lots) if px else ""
        return best


class Public:
    """Answers of the public methods, without their envelope."""

    def __init__(self, exchange: Exchange, names: Names, days: Days) -> None:
        self._exchange = exchange
        self._names = names
        self._days = days
        self.methods: dict[str, Callable[[Query], list[Any]]] = {
            "public/time": self.time,
            "public/instruments": self.instruments,
            "system/status": lambda _: [],
            "market/ticker": lambda query: [self._days.ticker(self._market(query))],
            "market/tickers": self.tickers,
            "market/books": lambda query: self.book(query, MOST_LEVELS),
            "market/books-full": lambda query: self.book(query, MOST_FULL_LEVELS),
            "market/candles": self.bars,
            "market/history-candles": self.bars,
            "market/trades": self.trades,
            "market/history-trades": self.trades,
        }

    def time(self, _: Query) -> list[dict[str, str]]:
        """Server time."""
        return [{"ts": ms(self._exchange.clock.now_ns())}]

    def instruments(self, query: Query) -> list[dict[str, Any]]:
        """Instruments of a type; there are spot markets only."""
        if not query.get("instType"):
            raise empty("instType")
        if query["instType"] not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            raise wrong("instType")
        if query["instType"] != "SPOT":
            return []
        chosen = [self._market(query)] if query.get("instId") else self._exchange.markets
        return [shapes.instrument(m, self._names.code(m)) for m in chosen if m.status != "delisted"]

    def tickers(self, query: Query) -> list[dict[str, str]]:
        """Tickers of all instruments of a type."""
        if not query.get("instType"):
            raise empty("instType")
        spot = query["instType"] == "SPOT"
        return [self._days.ticker(m) for m in self._exchange.markets if spot]

    def book(self, query: Query, most: int) -> list[dict[str, Any]]:
        """The best levels of a book."""
        market = self._market(query)
        n = whole(query, "sz", 1)
        if not 1 <= n <= most:
            raise wrong("sz")
        bids, asks = self._exchange.book(market.symbol, n)
        now = ms(self._exchange.clock.now_ns())
        return [
            {
                "asks": rows(self._exchange, market, "sell", asks),
                "bids": rows(self._exchange, market, "buy", bids),
                "ts": now,
                "seqId": market.seq,
            }
        ]

    def bars(self, query: Query) -> list[Row]:
        """Bars between `before` and `after` (both excluded), newest first."""
        market = self._market(query)
        minutes = BARS.get(query.get("bar") or "1m")
        limit = whole(query, "limit", 100)
        if minutes is None:
            raise wrong("bar")
        if not 1 <= limit <= MOST_BARS:
            raise wrong("limit")
        width, now = minutes * MINUTE_NS, self._exchange.clock.now_ns()
        since = whole(query, "before", -1) * NS_PER_MS + NS_PER_MS if query.get("before") else None
        until = whole(query, "after", 0) * NS_PER_MS if query.get("after") else now + 1
        found = self._exchange.candles(market.symbol, width, until_ns=until, limit=limit)
        return [
            shapes.bar(market, each, each.open_ns + width <= now)
            for each in reversed(found)
            if since is None or each.open_ns >= since
        ]

    def trades(self, query: Query) -> list[dict[str, str]]:
        """Trades, newest first; `after` and `before` are trade ids, both excluded."""
        market = self._market(query)
        limit = whole(query, "limit", 100)
        if not 1 <= limit <= MOST_TRADES:
            raise wrong("limit")
        older = whole(query, "after", 0) if query.get("after") else None
        newer = whole(query, "before", 0)
        tape = self._exchange.desk(market.symbol).trades
        end = tape.next_id if older is None else min(older, tape.next_id)
        found = tape.between(max(newer + 1, end - limit), end)
        return [shapes.public_trade(each) for each in reversed(found)]

    def _market(self, query: Query) -> Market:
        return self._names.of(query)


def rows(exchange: Exchange, market: Market, side: Side, levels: Levels) -> list[Row]:
    """Return levels as OKX writes them: price, size, a field without use, number of orders."""
    engine = exchange.desk(market.symbol).engine
    return [
        [price(market, px), size(market, lots), "0", _count(engine, side, px) if lots else "0"]
        for px, lots in levels
    ]


def _count(engine: Any, side: Side, px_ticks: int) -> str:
    return str(max(1, len(engine.queue(engine_side(side), px_ticks))))


def whole(query: Query, name: str, default: int) -> int:
    """Return a whole number of the query."""
    text = query.get(name) or str(default)
    if not text.removeprefix("-").isdecimal():
        raise wrong(name)
    return int(text)
