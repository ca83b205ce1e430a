"""Kraken's other public channels: trades, tickers, bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.kraken_public import MINUTE_NS
from kimera_cli.venues.server.dialects.kraken_shapes import vwap
from kimera_cli.venues.server.dialects.kraken_text import moment, number
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, json_frame, text_frame
from kimera_cli.venues.server.model import Candle, Market, Ticker, Trade

SNAPSHOT_TRADES = 50
SNAPSHOT_BARS = 720
Best = tuple[tuple[int, int], tuple[int, int]]
"""Best bid and ask: price in ticks, lots."""


class Feed:
    """Encodes what is the same for all subscribers; a day's figures are kept for one minute."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._days: dict[str, tuple[int, int, Ticker]] = {}

    def trades(self, trades: Iterable[Trade], kind: str) -> Frame:
        """Return a message of trades."""
        entries = ",".join(
            f'{{"symbol":"{t.market.symbol}","side":"{t.side}",'
            f'"price":{t.market.px_text(t.px_ticks)},"qty":{t.market.qty_text(t.qty_lots)},'
            f'"ord_type":"{t.taker_kind}","trade_id":{t.id},"timestamp":"{moment(t.ts_ns)}"}}'
            for t in trades
        )
        return text_frame(f'{{"channel":"trade","type":"{kind}","data":[{entries}]}}')

    def best(self, market: Market) -> Best | None:
        """Return the best bid and ask (price, lots), None when a side is empty."""
        bids, asks = self._exchange.book(market.symbol, 1)
        return (bids[0], asks[0]) if bids and asks else None

    def ticker(self, market: Market, kind: str, best: Best) -> Frame:
        """Return a message of the ticker."""
        day, now = self._day(market), self._exchange.clock.now_ns()
        (bid, bid_lots), (ask, ask_lots) = best
        last = market.last_px
        px, qty = market.px_text, market.qty_text
        change = last - day.open_px
        percent = change * 10_000 // day.open_px
        return text_frame(
            f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{market.symbol}",'
            f'"bid":{px(bid)},"bid_qty":{qty(bid_lots)},"ask":{px(ask)},"ask_qty":{qty(ask_lots)},'
            f'"last":{px(last)},"volume":{qty(day.lots)},'
            f'"vwap":{vwap(market, day.quote, day.lots)},"low":{px(day.low_px)},'
            f'"high":{px(day.high_px)},"change":{px(change)},'
            f'"change_pct":{amounts.fixed(percent * amounts.ONE // 100, 2)},'
            f'"timestamp":"{moment(now)}"}}]}}'
        )

    def bars(self, market: Market, minutes: int, kind: str) -> Frame:
        """Return a message of bars: the newest ones, or the one that is open."""
        limit = SNAPSHOT_BARS if kind == "snapshot" else 1
        found = self._exchange.candles(market.symbol, minutes * MINUTE_NS, limit=limit)
        entries = [_bar(market, minutes, candle) for candle in found]
        return json_frame({"channel": "ohlc", "type": kind, "data": entries})

    def _day(self, market: Market) -> Ticker:
        desk = self._exchange.desk(market.symbol)
        minute = self._exchange.clock.now_ns() // MINUTE_NS
        last = desk.trades.last_id
        known = self._days.get(market.symbol)
        if known is None or known[:2] != (minute, last):
            known = (minute, last, self._exchange.ticker(market.symbol))
            self._days[market.symbol] = known
        return known[2]


def _bar(market: Market, minutes: int, candle: Candle) -> dict[str, Any]:
    return {
        "symbol": market.symbol,
        "interval": minutes,
        "interval_begin": moment(candle.open_ns).replace("Z", "000Z"),
        "open": number(market.px_text(candle.open_px)),
        "high": number(market.px_text(candle.high_px)),
        "low": number(market.px_text(candle.low_px)),
        "close": number(market.px_text(candle.close_px)),
        "volume": number(market.qty_text(candle.lots)),
        "vwap": number(vwap(market, candle.quote, candle.lots)),
        "trades": candle.trades,
    }
