"""Public data of Coinbase Exchange: products, books, trades, bars, currencies, time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.dialect import Headers
from kimera_cli.venues.server.dialects import coinbaseexchange_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_shapes import FIAT
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso,
    iso_ns,
    order_uuid,
    price,
    product_id,
    size,
    symbol_of,
)
from kimera_cli.venues.server.dialects.coinbaseexchange_orders import failed, paged
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market, Side

GRANULARITIES = (60, 300, 900, 3600, 21_600, 86_400)
BARS = 300
Query = dict[str, str]


def market_of(exchange: Exchange, name: str) -> Market:
    """Return a market by the venue's name; HttpError 404 when there is none."""
    desk = exchange.desks.get(symbol_of(name))
    if desk is None:
        raise failed("NotFound", 404)
    return desk.market


def products(exchange: Exchange) -> list[dict[str, Any]]:
    """Return all products."""
    return [shapes.product(market) for market in exchange.markets]


def book(exchange: Exchange, name: str, query: Query, sequence: int, now_ns: int) -> dict[str, Any]:
    """Return a book: 1 the best level, 2 all levels, 3 all orders (no sizes added up)."""
    market = market_of(exchange, name)
    level = query.get("level", "1")
    if level not in ("1", "2", "3"):
        raise failed("Invalid level")
    if level == "3":
        bids, asks = (_orders(exchange, market, side) for side in ("buy", "sell"))
    else:
        bids, asks = _levels(exchange, market, 1 if level == "1" else None)
    return {
        "bids": bids,
        "asks": asks,
        "sequence": sequence,
        "auction_mode": False,
        "auction": None,
        "time": iso(now_ns),
    }


def _levels(exchange: Exchange, market: Market, n: int | None) -> tuple[list[Any], list[Any]]:
    """Return levels as [price, size, number of orders]."""
    resting = exchange.desk(market.symbol).resting.values()
    counts = Counter((order.side, order.px_ticks) for order in resting)
    sides: tuple[Side, Side] = ("buy", "sell")
    both = [
        [[price(market, px), size(market, lots), counts[side, px]] for px, lots in levels]
        for side, levels in zip(sides, exchange.book(market.symbol, n), strict=True)
    ]
    return both[0], both[1]


def _orders(exchange: Exchange, market: Market, side: str) -> list[Any]:
    """Return orders as [price, size, order id], best first, then oldest first."""
    resting = exchange.desk(market.symbol).resting.values()
    chosen = [order for order in resting if order.side == side]
    sign = -1 if side == "buy" else 1
    chosen.sort(key=lambda order: sign * order.px_ticks)  # stable: dicts keep the order of arrival
    return [
        [price(market, order.px_ticks), size(market, order.left_lots), order_uuid(order.id)]
        for order in chosen
    ]


def ticker(exchange: Exchange, name: str, now_ns: int) -> dict[str, Any]:
    """Return the last trade, the best prices and a day's volume."""
    market = market_of(exchange, name)
    day, last = exchange.ticker(market.symbol), exchange.trades(market.symbol, 1)
    return {
        "ask": price(market, day.ask_px),
        "bid": price(market, day.bid_px),
        "volume": shapes.eight(market, day.lots),
        "trade_id": last[-1].id if last else 0,
        "price": price(market, day.last_px),
        "size": size(market, day.last_lots),
        "time": iso(last[-1].ts_ns if last else now_ns),
    }


def stats(exchange: Exchange, name: str) -> dict[str, str]:
    """Return the last 24 hours of a product."""
    return shapes.stats(exchange.ticker(market_of(exchange, name).symbol))


def trades(exchange: Exchange, name: str, query: Query) -> tuple[list[Any], Headers]:
    """Return trades, newest first."""
    market = market_of(exchange, name)
    tape = exchange.desk(market.symbol).trades
    ids, headers = paged(tape.ids[::-1], query, lambda number: number)
    page = tape.between(ids[-1], ids[0] + 1)[::-1] if ids else []
    return [shapes.trade_body(trade) for trade in page], headers


def candles(exchange: Exchange, name: str, query: Query) -> list[Any]:
    """Return bars [seconds, low, high, open, close, volume], newest first."""
    market = market_of(exchange, name)
    try:
        step = int(query.get("granularity", "60"))
    except ValueError:
        step = 0
    if step not in GRANULARITIES:
        raise failed("Unsupported granularity")
    begin, end = query.get("start"), query.get("end")
    since = _time(begin, "start") if begin else None
    until = _time(end, "end") + 1 if end else None
    if since is not None and until is not None and until - since > BARS * step * NS_PER_S:
        raise failed(
            "granularity too small for the requested time range. Count of aggregations requested "
            f"exceeds {BARS}"
        )
    found = exchange.candles(
        market.symbol, step * NS_PER_S, since_ns=since, until_ns=until, limit=BARS
    )
    return [
        [
            bar.open_ns // NS_PER_S,
            *(number(price(market, px)) for px in (bar.low_px, bar.high_px)),
            *(number(price(market, px)) for px in (bar.open_px, bar.close_px)),
            number(size(market, bar.lots)),
        ]
        for bar in found[::-1]
    ]


def number(text: str) -> msgspec.Raw:
    """Return decimal text as a JSON number with the same digits."""
    return msgspec.Raw(text.encode())


def _time(text: str, what: str) -> int:
    return int(text) * NS_PER_S if text.isdecimal() else iso_ns(text, what)


def spark_lines(exchange: Exchange) -> dict[str, Any]:
    """Return a day of bars per product [seconds, low, high, open, close], newest first."""
    found = {}
    for market in exchange.markets:
        bars = exchange.candles(market.symbol, 900 * NS_PER_S, limit=96)[::-1]
        found[product_id(market)] = [
            [bar.open_ns // NS_PER_S]
            + [
                number(price(market, px))
                for px in (bar.low_px, bar.high_px, bar.open_px, bar.close_px)
            ]
            for bar in bars
        ]
    return found


def currencies(exchange: Exchange) -> list[dict[str, Any]]:
    """Return the assets of the markets."""
    names = sorted({asset for m in exchange.markets for asset in (m.base, m.quote)})
    return [shapes.currency(asset, asset in FIAT) for asset in names]


def time(now_ns: int) -> dict[str, Any]:
    """Return the venue's time."""
    ms = now_ns // 1_000_000
    return {"iso": f"{iso(now_ns)[:23]}Z", "epoch": number(f"{ms // 1000}.{ms % 1000:03d}")}
