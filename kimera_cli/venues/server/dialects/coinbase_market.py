"""Public data of Coinbase Advanced Trade: products, books, trades, bars, currencies, time."""

from __future__ import annotations

from typing import Any

from kimera_cli.units import NS_PER_MS, NS_PER_S
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects import coinbase_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_history import not_found
from kimera_cli.venues.server.dialects.coinbase_orders import invalid
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso,
    named_uuid,
    price,
    product_id,
    size,
    symbol_of,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Candle, Market, Trade

GRANULARITIES = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "FOUR_HOUR": 14_400,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
BARS = 350
"""Most bars of one answer."""
Query = dict[str, str]


def market_of(exchange: Exchange, product: str) -> Market:
    """Return a market by the venue's name; HttpError 404 when there is none."""
    desk = exchange.desks.get(symbol_of(product))
    if desk is None:
        raise not_found("valid product_id is required")
    return desk.market


def whole(query: Query, name: str, default: int, most: int) -> int:
    """Return a number of the query, at least 1 and at most `most`; HttpError 400 for no number."""
    try:
        return min(max(int(query.get(name) or default), 1), most)
    except ValueError:
        raise invalid(f"{name} must be a number") from None


def products(exchange: Exchange, query: Query) -> dict[str, Any]:
    """Return the products of a type; this venue has spot markets alone."""
    found = []
    if query.get("product_type", "SPOT") == "SPOT":
        found = [shapes.product(m, exchange.ticker(m.symbol)) for m in exchange.markets]
    return {"products": found, "num_products": len(found), "pagination": None}


def product(exchange: Exchange, name: str) -> dict[str, Any]:
    """Return one product."""
    market = market_of(exchange, name)
    return shapes.product(market, exchange.ticker(market.symbol))


def book(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the best levels of a product, all of them without a limit."""
    market = market_of(exchange, query.get("product_id", ""))
    limit = whole(query, "limit", 0, 1_000_000) if query.get("limit") else None
    bids, asks = exchange.book(market.symbol, limit)
    found: dict[str, Any] = {"pricebook": pricebook(market, bids, asks, now_ns)}
    if bids and asks:
        found |= _spread(market, bids[0][0], asks[0][0])
    return found


def _spread(market: Market, bid: int, ask: int) -> dict[str, str]:
    middle = (market.price(bid) + market.price(ask)) / 2
    wide = market.price(ask) - market.price(bid)
    return {
        "last": price(market, market.last_px),
        "mid_market": format(middle.normalize(), "f"),
        "spread_bps": f"{wide / middle * 10_000:.12f}",
        "spread_absolute": format(wide.normalize(), "f"),
    }


def pricebook(market: Market, bids: Levels, asks: Levels, now_ns: int) -> dict[str, Any]:
    """Return a book of levels."""

    def side(levels: Levels) -> list[dict[str, str]]:
        return [{"price": price(market, px), "size": size(market, n)} for px, n in levels]

    return {
        "product_id": product_id(market),
        "bids": side(bids),
        "asks": side(asks),
        "time": iso(now_ns),
    }


def best_bid_ask(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the best level of each side, of one product or of all."""
    chosen = query.get("product_ids")
    markets = [market_of(exchange, chosen)] if chosen else exchange.markets
    books = [pricebook(m, *exchange.book(m.symbol, 1), now_ns) for m in markets]
    return {"pricebooks": books}


def trade_body(trade: Trade) -> dict[str, str]:
    """Return a trade; `side` is the resting order's."""
    return {
        "trade_id": str(trade.id),
        "product_id": product_id(trade.market),
        "price": price(trade.market, trade.px_ticks),
        "size": size(trade.market, trade.qty_lots),
        "time": iso(trade.ts_ns),
        "side": trade.maker_side.upper(),
    }


def trades(exchange: Exchange, name: str, query: Query) -> dict[str, Any]:
    """Return the newest trades of a product, newest first, and its best prices."""
    market = market_of(exchange, name)
    found = exchange.trades(market.symbol, whole(query, "limit", 100, 1000))
    bids, asks = exchange.book(market.symbol, 1)
    more = {"bid": "", "ask": "", "exchange": "coinbase"}
    return {
        "trades": [trade_body(trade) | more for trade in found[::-1]],
        "best_bid": price(market, bids[0][0]) if bids else "",
        "best_ask": price(market, asks[0][0]) if asks else "",
    }


def candles(exchange: Exchange, name: str, query: Query) -> dict[str, Any]:
    """Return the bars that open from `start` to `end` (seconds), newest first."""
    market = market_of(exchange, name)
    step = GRANULARITIES.get(query.get("granularity", "UNKNOWN_GRANULARITY"))
    if step is None:
        raise invalid("granularity is not supported")
    limit = whole(query, "limit", BARS, BARS)
    start, end = _second(query, "start"), _second(query, "end")
    found = exchange.candles(
        market.symbol,
        step * NS_PER_S,
        since_ns=start * NS_PER_S if start else None,
        until_ns=end * NS_PER_S + 1 if end else None,
        limit=limit,
    )
    return {"candles": [candle_body(market, each) for each in found[::-1]]}


def candle_body(market: Market, candle: Candle) -> dict[str, str]:
    """Return a bar."""
    return {
        "start": str(candle.open_ns // NS_PER_S),
        "low": price(market, candle.low_px),
        "high": price(market, candle.high_px),
        "open": price(market, candle.open_px),
        "close": price(market, candle.close_px),
        "volume": size(market, candle.lots),
    }


def _second(query: Query, name: str) -> int:
    try:
        return int(float(query.get(name) or 0))
    except ValueError:
        raise invalid(f"{name} must be a UNIX time") from None


def assets(exchange: Exchange) -> list[str]:
    """Return all assets of the markets."""
    return sorted({asset for m in exchange.markets for asset in (m.base, m.quote)})


def fiat(exchange: Exchange) -> dict[str, Any]:
    """Return the government's currencies of the markets (/v2/currencies)."""
    found = [
        {"id": asset, "name": shapes.NAMES.get(asset, asset), "min_size": "0.01"}
        for asset in assets(exchange)
        if asset in shapes.FIAT
    ]
    return {"data": found}


def crypto(exchange: Exchange) -> dict[str, Any]:
    """Return the other currencies of the markets (/v2/currencies/crypto)."""
    chosen = [asset for asset in assets(exchange) if asset not in shapes.FIAT]
    return {
        "data": [
            {
                "asset_id": named_uuid("asset", asset),
                "code": asset,
                "name": shapes.NAMES.get(asset, asset),
                "color": "#0433FF",
                "sort_index": 100 + at,
                "exponent": 8,
                "type": "crypto",
                "address_regex": "",
            }
            for at, asset in enumerate(chosen)
        ]
    }


def rates(exchange: Exchange) -> dict[str, Any]:
    """Return what a US dollar buys of each asset that trades against it."""
    found = {"USD": "1"}
    for market in exchange.markets:
        if market.quote == "USD":
            found[market.base] = format((1 / market.price(market.last_px)).normalize(), "f")
    return {"data": {"currency": "USD", "rates": found}}


def time_v2(now_ns: int) -> dict[str, Any]:
    """Return the venue's time as the older interface has it."""
    seconds = now_ns // NS_PER_S
    return {"data": {"iso": f"{iso(now_ns)[:19]}Z", "epoch": seconds}}


def time_v3(now_ns: int) -> dict[str, str]:
    """Return the venue's time."""
    return {
        "iso": f"{iso(now_ns)[:19]}Z",
        "epochSeconds": str(now_ns // NS_PER_S),
        "epochMillis": str(now_ns // NS_PER_MS),
    }
