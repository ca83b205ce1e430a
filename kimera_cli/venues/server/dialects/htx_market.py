"""Public data of HTX: symbols, books, trades, bars, tickers, currencies; numbers as Java's doubles.

Books may be added up to coarser steps: step0 has all prices, step1 those of ten ticks, and so on.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects import htx_errors as errors
from kimera_cli.venues.server.dialects import htx_shapes as shapes
from kimera_cli.venues.server.dialects.htx_text import ms, name_of, names, number, px, qty
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Candle, Market, Side, Ticker, Trade

PERIODS = {
    "1min": 60,
    "5min": 300,
    "15min": 900,
    "30min": 1800,
    "60min": 3600,
    "4hour": 14_400,
    "1day": 86_400,
    "1week": 604_800,
}
STEPS = {f"step{n}": 10**n for n in range(6)}
BOOK_LEVELS = 150
Query = dict[str, str]


def market_of(exchange: Exchange, query: Query) -> Market:
    """Return the market of a query; HtxError when there is none."""
    market = names(exchange.markets).get(query.get("symbol", ""))
    if market is None:
        raise errors.bad_symbol()
    return market


def _number(query: Query, name: str, default: int, most: int) -> int:
    try:
        found = int(query.get(name) or default)
    except ValueError:
        found = 0
    if not 1 <= found <= most:
        raise errors.HtxError("invalid-parameter", f"invalid {name}")
    return found


def symbols(exchange: Exchange) -> list[dict[str, Any]]:
    """Return all markets."""
    return [shapes.symbol(market) for market in exchange.markets]


def assets(exchange: Exchange) -> list[str]:
    """Return all assets of the markets."""
    return sorted({asset for m in exchange.markets for asset in (m.base, m.quote)})


def levels_text(market: Market, levels: Levels) -> str:
    """Return levels as JSON text: [[price, size], ...]."""
    return f"[{','.join(f'[{px(market, p)},{qty(market, n)}]' for p, n in levels)}]"


def stepped(levels: Levels, side: Side, step: int, n: int) -> Levels:
    """Return the best n levels, added up to prices that are multiples of `step` ticks."""
    if step == 1:
        return levels[:n]
    sums: dict[int, int] = {}
    for price, lots in levels:
        coarse = price // step * step if side == "buy" else -(-price // step) * step
        sums[coarse] = sums.get(coarse, 0) + lots
    return list(sums.items())[:n]


def depth_text(exchange: Exchange, market: Market, kind: str, n: int) -> str:
    """Return `bids` and `asks` of a book as JSON text, without braces."""
    bids, asks = exchange.book(market.symbol)
    step = STEPS[kind]
    return (
        f'"bids":{levels_text(market, stepped(bids, "buy", step, n))},'
        f'"asks":{levels_text(market, stepped(asks, "sell", step, n))}'
    )


def depth(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return a book of 150 levels (20, 10 or 5 when asked for)."""
    market, kind = market_of(exchange, query), query.get("type", "step0")
    if kind not in STEPS:
        raise errors.HtxError("invalid-parameter", "invalid type")
    n = BOOK_LEVELS
    if query.get("depth"):
        n = _number(query, "depth", 20, 20)
        if n not in (5, 10, 20):
            raise errors.HtxError("invalid-parameter", "invalid depth")
    sides = depth_text(exchange, market, kind, n)
    tick = f'{{"ts":{ms(now_ns)},"version":{market.seq},{sides}}}'
    return envelope(f"market.{name_of(market)}.depth.{kind}", "tick", tick, now_ns)


def envelope(channel: str, name: str, text: str, now_ns: int) -> dict[str, Any]:
    """Return an answer of market data around JSON text."""
    return {
        "ch": channel,
        "status": "ok",
        "ts": ms(now_ns),
        name: msgspec.Raw(text.encode()),
    }


def day_text(day: Ticker) -> str:
    """Return the last 24 hours as JSON text, without braces."""
    market = day.market
    amount, vol = amounts.decimal_of(day.lots * market.lot_atoms), amounts.decimal_of(day.quote)
    return (
        f'"low":{px(market, day.low_px)},"high":{px(market, day.high_px)},'
        f'"open":{px(market, day.open_px)},"close":{px(market, day.last_px)},'
        f'"vol":{_raw(vol)},"amount":{_raw(amount)},"version":{market.seq},"count":{day.trades}'
    )


def _raw(value: Any) -> str:
    return bytes(number(value)).decode()


def merged(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the last 24 hours and the best prices."""
    market = market_of(exchange, query)
    day = exchange.ticker(market.symbol)
    tick = (
        f'{{"id":{market.seq},{day_text(day)},'
        f'"bid":[{px(market, day.bid_px)},{qty(market, day.bid_lots)}],'
        f'"ask":[{px(market, day.ask_px)},{qty(market, day.ask_lots)}]}}'
    )
    return envelope(f"market.{name_of(market)}.detail.merged", "tick", tick, now_ns)


def detail(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the last 24 hours."""
    market = market_of(exchange, query)
    tick = f'{{"id":{market.seq},{day_text(exchange.ticker(market.symbol))}}}'
    return envelope(f"market.{name_of(market)}.detail", "tick", tick, now_ns)


def tickers(exchange: Exchange, now_ns: int) -> dict[str, Any]:
    """Return the last 24 hours of all markets."""
    found = []
    for market in exchange.markets:
        day = exchange.ticker(market.symbol)
        vol, amount = amounts.decimal_of(day.quote), market.qty(day.lots)
        prices = {
            name: number(market.price(value))
            for name, value in (
                ("open", day.open_px), ("high", day.high_px), ("low", day.low_px),
                ("close", day.last_px), ("bid", day.bid_px), ("ask", day.ask_px),
            )
        }  # fmt: skip
        found.append(
            {
                "symbol": name_of(market),
                **prices,
                "amount": number(amount),
                "vol": number(vol),
                "count": day.trades,
                "bidSize": number(market.qty(day.bid_lots)),
                "askSize": number(market.qty(day.ask_lots)),
            }
        )
    return {"status": "ok", "ts": ms(now_ns), "data": found}


def trade_text(trade: Trade, trade_id: str) -> str:
    """Return a trade as JSON text; `trade_id` is how the field is called."""
    market = trade.market
    return (
        f'{{"id":{long_id(trade)},"ts":{ms(trade.ts_ns)},"{trade_id}":{trade.id},'
        f'"amount":{qty(market, trade.qty_lots)},"price":{px(market, trade.px_ticks)},'
        f'"direction":"{trade.side}"}}'
    )


def batch_id(trade: Trade) -> int:
    """Return the number of the message that told a trade."""
    return 100_000_000_000 + trade.id


def long_id(trade: Trade) -> str:
    """Return a trade's number among all trades: too long for 64 bits, as recorded."""
    return f"{batch_id(trade)}{trade.taker_id:015d}"


def last_trade(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the newest trade."""
    market = market_of(exchange, query)
    found = exchange.trades(market.symbol, 1)
    text = _batch(found[-1]) if found else "null"
    return envelope(f"market.{name_of(market)}.trade.detail", "tick", text, now_ns)


def trades(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the newest trades, newest first."""
    market = market_of(exchange, query)
    found = exchange.trades(market.symbol, _number(query, "size", 1, 2000))[::-1]
    text = ",".join(map(_batch, found))
    return envelope(f"market.{name_of(market)}.trade.detail", "data", f"[{text}]", now_ns)


def _batch(trade: Trade) -> str:
    inner = trade_text(trade, "trade-id")
    return f'{{"id":{batch_id(trade)},"ts":{ms(trade.ts_ns)},"data":[{inner}]}}'


def bar_text(market: Market, bar: Candle) -> str:
    """Return a bar as JSON text."""
    amount, vol = amounts.decimal_of(bar.lots * market.lot_atoms), amounts.decimal_of(bar.quote)
    return (
        f'{{"id":{bar.open_ns // NS_PER_S},"open":{px(market, bar.open_px)},'
        f'"close":{px(market, bar.close_px)},"low":{px(market, bar.low_px)},'
        f'"high":{px(market, bar.high_px)},"amount":{_raw(amount)},"vol":{_raw(vol)},'
        f'"count":{bar.trades}}}'
    )


def bars(exchange: Exchange, query: Query, now_ns: int) -> dict[str, Any]:
    """Return the newest bars, or those of a span (`from`, `to` in seconds), newest first."""
    market, period = market_of(exchange, query), query.get("period", "")
    if period not in PERIODS:
        raise errors.HtxError("invalid-parameter", "invalid period")
    begin, end = (_second(query, name) for name in ("from", "to"))
    found = exchange.candles(
        market.symbol,
        PERIODS[period] * NS_PER_S,
        since_ns=begin * NS_PER_S if begin else None,
        until_ns=(end + 1) * NS_PER_S if end else None,
        limit=_number(query, "size", 150, 2000),
    )
    text = ",".join(bar_text(market, bar) for bar in found[::-1])
    return envelope(f"market.{name_of(market)}.kline.{period}", "data", f"[{text}]", now_ns)


def _second(query: Query, name: str) -> int:
    try:
        return int(query.get(name) or 0)
    except ValueError:
        raise errors.HtxError("invalid-parameter", f"invalid {name}") from None
