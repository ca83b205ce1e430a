"""Kraken's public REST: https://docs.kraken.com/api-reference/market-data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from kimera_cli.venues.server.dialects import kraken_names as names
from kimera_cli.venues.server.dialects import kraken_shapes as shapes
from kimera_cli.venues.server.dialects.kraken_auth import bad
from kimera_cli.venues.server.dialects.kraken_text import COST_DIGITS, NS, seconds
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market

MINUTE_NS = 60 * NS
DAY_NS = 1440 * MINUTE_NS
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080)
"""Minutes of a bar; Kraken's 21600 has no fixed beginning and is not served."""
MOST_BARS = 720
MOST_TRADES = 1000
MOST_LEVELS = 500

Query = dict[str, str]


class Public:
    """Answers of the public methods, without their envelope."""

    def __init__(self, exchange: Exchange, pairs: names.Pairs) -> None:
        self._exchange = exchange
        self._pairs = pairs
        self.methods: dict[str, Callable[[Query], Any]] = {
            "Time": self.time,
            "SystemStatus": self.status,
            "Assets": self.assets,
            "AssetPairs": self.asset_pairs,
            "Ticker": self.tickers,
            "Depth": self.depth,
            "OHLC": self.bars,
            "Trades": self.trades,
        }

    def time(self, _: Query) -> dict[str, Any]:
        """Server time."""
        now = self._exchange.clock.now_ns() // NS
        text = format_datetime(datetime.fromtimestamp(now, UTC))
        return {"unixtime": now, "rfc1123": text[:12] + text[14:]}  # a year of two digits

    def status(self, _: Query) -> dict[str, str]:
        """Whether the venue trades."""
        return {"status": "online", "timestamp": seconds(self._exchange.clock.now_ns())}

    def assets(self, query: Query) -> dict[str, Any]:
        """Assets by their name."""
        known = dict.fromkeys(
            each for market in self._exchange.markets for each in (market.base, market.quote)
        )
        wanted = query["asset"].split(",") if query.get("asset") else None
        return {
            names.asset(each): shapes.asset(each)
            for each in known
            if wanted is None or names.asset(each) in wanted or names.alternative(each) in wanted
        }

    def asset_pairs(self, query: Query) -> dict[str, Any]:
        """Pairs by their key."""
        return {names.key(m): shapes.pair(m, self._exchange.rules) for m in self._wanted(query)}

    def tickers(self, query: Query) -> dict[str, Any]:
        """Last 24 hours of pairs, and today."""
        return {names.key(m): self._ticker(m) for m in self._wanted(query)}

    def depth(self, query: Query) -> dict[str, Any]:
        """The best levels of a book."""
        market = self._pair(query)
        n = _whole(query, "count", 100)
        if not 1 <= n <= MOST_LEVELS:
            raise bad("count")
        now = self._exchange.clock.now_ns() // NS
        sides = [
            [[market.px_text(px, COST_DIGITS), market.qty_text(q, 3), now] for px, q in side]
            for side in self._exchange.book(market.symbol, n)
        ]
        return {names.key(market): {"asks": sides[1], "bids": sides[0]}}

    def bars(self, query: Query) -> dict[str, Any]:
        """The newest bars since a time, the open one last; `last` is the newest that is closed."""
        market = self._pair(query)
        minutes = _whole(query, "interval", 1)
        if minutes not in INTERVALS:
            raise bad("interval")
        width = minutes * MINUTE_NS
        since = (_whole(query, "since", 0) + 1) * NS if query.get("since") else 0
        found = [
            candle
            for candle in self._exchange.candles(market.symbol, width, limit=MOST_BARS)
            if candle.open_ns >= since
        ]
        last = found[-2].open_ns // NS if len(found) > 1 else since // NS
        return {names.key(market): [shapes.bar(market, each) for each in found], "last": last}

    def trades(self, query: Query) -> dict[str, Any]:
        """Trades after a time in ns (or s), oldest first, else the newest."""
        market = self._pair(query)
        n = _whole(query, "count", MOST_TRADES)
        if not 1 <= n <= MOST_TRADES:
            raise bad("count")
        since = _since_ns(query)
        tape = self._exchange.desk(market.symbol).trades
        found = tape.after(since)[:n] if since else tape.newest(n)
        last = str(found[-1].ts_ns if found else since)
        return {names.key(market): [shapes.public_trade(each) for each in found], "last": last}

    def _ticker(self, market: Market) -> dict[str, Any]:
        now = self._exchange.clock.now_ns()
        begin = now // DAY_NS * DAY_NS
        today = self._exchange.candles(market.symbol, DAY_NS, since_ns=begin, limit=1)[0]
        return shapes.ticker(self._exchange.ticker(market.symbol), today)

    def _pair(self, query: Query) -> Market:
        return self._pairs.find(query.get("pair", ""))

    def _wanted(self, query: Query) -> list[Market]:
        if not query.get("pair"):
            return self._exchange.markets
        return [self._pairs.find(each) for each in query["pair"].split(",")]


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not text.isdecimal():
        raise bad(name)
    return int(text)


def _since_ns(query: Query) -> int:
    """Return `since`, which may be in seconds with decimals or in nanoseconds."""
    text = query.get("since") or "0"
    try:
        seconds_since = float(text)
    except ValueError:
        raise bad("since") from None
    return int(text) if text.isdecimal() and seconds_since > 1e15 else int(seconds_since * NS)
