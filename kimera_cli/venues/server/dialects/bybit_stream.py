"""What Bybit's public topics say besides books: trades, tickers, bars."""

from __future__ import annotations

from kimera_cli.venues.server.dialects.bybit_public import INTERVALS, MINUTE_NS, Days
from kimera_cli.venues.server.dialects.bybit_shapes import figures
from kimera_cli.venues.server.dialects.bybit_text import NS_PER_MS, money, name_of, size
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, json_frame, text_frame
from kimera_cli.venues.server.model import Market, Trade


class Stream:
    """Writes messages that are the same for all subscribers."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._days = Days(exchange)

    def trade(self, trade: Trade) -> Frame:
        """Return the message of a trade, in spot's order of keys."""
        market = trade.market
        symbol, at = name_of(market), trade.ts_ns // NS_PER_MS
        return text_frame(
            f'{{"topic":"publicTrade.{symbol}","ts":{at},"type":"snapshot","data":[{{'
            f'"i":"{trade.id}","T":{at},"p":"{market.px_text(trade.px_ticks)}",'
            f'"v":"{size(market, trade.qty_lots)}","S":"{trade.side.capitalize()}",'
            f'"seq":{trade.serial},"s":"{symbol}","BT":false,"RPI":false}}]}}'
        )

    def ticker(self, market: Market) -> Frame:
        """Return the message of a ticker."""
        return json_frame(
            {
                "topic": f"tickers.{name_of(market)}",
                "ts": self._exchange.clock.now_ms(),
                "type": "snapshot",
                "cs": market.seq,
                "data": figures(self._days.of(market)),
            }
        )

    def bar(self, market: Market, interval: str) -> Frame:
        """Return the message of the bar that is open."""
        width, now = INTERVALS[interval] * MINUTE_NS, self._exchange.clock.now_ns()
        bar = self._exchange.candles(market.symbol, width, limit=1)[0]
        data = {
            "start": bar.open_ns // NS_PER_MS,
            "end": (bar.open_ns + width) // NS_PER_MS - 1,
            "interval": interval,
            "open": market.px_text(bar.open_px),
            "close": market.px_text(bar.close_px),
            "high": market.px_text(bar.high_px),
            "low": market.px_text(bar.low_px),
            "volume": size(market, bar.lots),
            "turnover": money(bar.quote),
            "confirm": bar.open_ns + width <= now,
            "timestamp": now // NS_PER_MS,
        }
        topic = f"kline.{interval}.{name_of(market)}"
        return json_frame(
            {"type": "snapshot", "topic": topic, "data": [data], "ts": now // NS_PER_MS}
        )
