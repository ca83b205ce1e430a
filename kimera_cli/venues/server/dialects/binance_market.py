"""Binance's public market data by request; REST and the websocket API share it.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
"""

from __future__ import annotations

from typing import Any

import msgspec

from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.dialects.binance_actions import Actions, Json, Params
from kimera_cli.venues.server.dialects.binance_errors import BinanceError, missing
from kimera_cli.venues.server.dialects.binance_info import exchange_info
from kimera_cli.venues.server.dialects.binance_tape import Tape
from kimera_cli.venues.server.model import Market

MINUTE_NS = 60_000_000_000
INTERVALS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360,
    "8h": 480, "12h": 720, "1d": 1440, "3d": 4320, "1w": 10080,
}  # fmt: skip
"""Bar lengths in minutes (1s and 1M are not offered)."""


class MarketData:
    """Answers about the markets of one exchange."""

    def __init__(self, actions: Actions, tapes: dict[str, Tape]) -> None:
        self.exchange = actions.exchange
        self.actions = actions
        self.tapes = tapes

    def ping(self, params: Params) -> Json:
        """GET /api/v3/ping."""
        return {}

    def time(self, params: Params) -> Json:
        """GET /api/v3/time."""
        return {"serverTime": self.exchange.clock.now_ms()}

    def system(self, params: Params) -> Json:
        """GET /sapi/v1/system/status; in maintenance nothing comes here."""
        return {"status": 0, "msg": "normal"}

    def info(self, params: Params) -> Json:
        """GET /api/v3/exchangeInfo."""
        names = self._names(params)
        symbols = None if names is None else [self._market(name).symbol for name in names]
        return exchange_info(self.exchange, symbols, self.exchange.clock.now_ms())

    def depth(self, params: Params) -> Json:
        """GET /api/v3/depth."""
        market = self.actions.market(params)
        bids, asks = self.exchange.book(market.symbol, min(_limit(params, 100), 5000))
        return {
            "lastUpdateId": market.seq,
            "bids": shapes.levels(market, bids),
            "asks": shapes.levels(market, asks),
        }

    def trades(self, params: Params) -> list[Json]:
        """GET /api/v3/trades and historicalTrades."""
        market = self.actions.market(params)
        tape, limit = self.exchange.desk(market.symbol).trades, _limit(params, 500)
        chosen = tape.newest(limit)
        if "fromId" in params:
            first = max(int(params["fromId"]), tape.ids.start)
            chosen = tape.between(first, first + limit)
        return [shapes.public_trade(trade) for trade in chosen]

    def agg_trades(self, params: Params) -> list[Json]:
        """GET /api/v3/aggTrades."""
        tape = self.tapes[self.actions.market(params).symbol]
        times = int(params.get("startTime", 0)), int(params.get("endTime", 1 << 62))
        chosen = tape.chosen(int(params.get("fromId", 0)), *times)
        limit = _limit(params, 500)
        from_start = "fromId" in params or "startTime" in params
        page = chosen[:limit] if from_start else chosen[max(0, len(chosen) - limit) :]
        return [tape.aggregate(row).shape() for row in page]

    def klines(self, params: Params) -> list[list[Any]]:
        """GET /api/v3/klines."""
        market = self.actions.market(params)
        interval_ns = interval_of(params.get("interval", "")) * MINUTE_NS
        since, until = params.get("startTime"), params.get("endTime")
        bars = self.exchange.candles(
            market.symbol,
            interval_ns,
            since_ns=None if since is None else int(since) * shapes.MS,
            until_ns=None if until is None else int(until) * shapes.MS + 1,
            limit=_limit(params, 500),
        )
        return [shapes.kline(market, bar, interval_ns) for bar in bars]

    def average(self, params: Params) -> Json:
        """GET /api/v3/avgPrice: by volume over five minutes."""
        market = self.actions.market(params)
        bars = self.exchange.candles(market.symbol, MINUTE_NS, limit=5)
        lots, quote = sum(b.lots for b in bars), sum(b.quote for b in bars)
        average = quote * 10**18 // (lots * market.lot_atoms) if lots else 0
        return {
            "mins": 5,
            "price": shapes.money(average) if lots else shapes.price(market, market.last_px),
            "closeTime": self.exchange.clock.now_ms(),
        }

    def day(self, params: Params) -> Any:
        """GET /api/v3/ticker/24hr."""
        return self._each(params, self.day_of)

    def day_of(self, market: Market) -> Json:
        """Return the last 24 hours of one market."""
        ids = self.exchange.desk(market.symbol).trades.ids
        first, last = (ids[0], ids[-1]) if ids else (-1, -1)
        return shapes.day(self.exchange.ticker(market.symbol), first, last)

    def last_price(self, params: Params) -> Any:
        """GET /api/v3/ticker/price."""
        return self._each(
            params,
            lambda m: {"symbol": shapes.name_of(m), "price": shapes.price(m, m.last_px)},
        )

    def best(self, params: Params) -> Any:
        """GET /api/v3/ticker/bookTicker."""
        return self._each(
            params,
            lambda m: {
                "symbol": shapes.name_of(m),
                **shapes.best(self.exchange.ticker(m.symbol)),
            },
        )

    def _each(self, params: Params, shape: Any) -> Any:
        if "symbol" in params:
            return shape(self.actions.market(params))
        names = self._names(params)
        chosen = self.exchange.markets if names is None else [self._market(n) for n in names]
        return [shape(market) for market in chosen if market.status != "delisted"]

    def _names(self, params: Params) -> list[str] | None:
        if "symbol" in params:
            return [params["symbol"]]
        if "symbols" not in params:
            return None
        try:
            return msgspec.json.decode(params["symbols"], type=list[str])
        except msgspec.DecodeError:
            raise missing("symbols") from None

    def _market(self, name: str) -> Market:
        return self.actions.market({"symbol": name})


def interval_of(name: str) -> int:
    """Return a bar's length in minutes."""
    if name not in INTERVALS:
        raise BinanceError(-1120, "Invalid interval.")
    return INTERVALS[name]


def _limit(params: Params, default: int) -> int:
    return max(1, min(int(params.get("limit", default)), 1000 if default == 500 else 5000))
