"""Bybit's order book topics: a snapshot, then changes numbered one by one.

https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook: `u` counts the messages of a
topic, 1 says that the service began anew; `seq` is the market's own number. The topic of one level
sends the whole of it, at the latest every three seconds.
"""

from __future__ import annotations

from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects.book_channel import BookChannel
from kimera_cli.venues.server.dialects.bybit_text import NS_PER_MS, name_of, size
from kimera_cli.venues.server.dialects.depth_window import Delta
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, text_frame
from kimera_cli.venues.server.model import Market

DEPTHS = {1: 10 * NS_PER_MS, 50: 20 * NS_PER_MS, 200: 100 * NS_PER_MS, 1000: 200 * NS_PER_MS}
"""Levels, and the interval of each."""
QUIET_NS = 3_000 * NS_PER_MS
FIRST = 2
"""`u` of a topic's first message."""


class BookWriter:
    """Writes the messages of book topics."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def change(self, channel: BookChannel, delta: Delta) -> Frame:
        """Return the message of a change."""
        if channel.depth == 1:
            return self.snapshot(channel)
        return self._message(channel, "delta", (delta.bids, delta.asks), self._number(channel))

    def snapshot(self, channel: BookChannel) -> Frame:
        """Return the message of the whole topic."""
        levels = channel.window.best(channel.depth)
        return self._message(channel, "snapshot", levels, self._number(channel))

    def anew(self, channel: BookChannel) -> Frame:
        """Return the message of a service that begins anew."""
        return self._message(channel, "snapshot", channel.window.best(channel.depth), 1)

    @staticmethod
    def _number(channel: BookChannel) -> int:
        return FIRST + channel.count

    def _message(
        self, channel: BookChannel, kind: str, sides: tuple[Levels, Levels], number: int
    ) -> Frame:
        market, (bids, asks) = channel.market, sides
        now = self._exchange.clock.now_ns() // NS_PER_MS
        symbol = name_of(market)
        return text_frame(
            f'{{"topic":"orderbook.{channel.depth}.{symbol}","ts":{now},"type":"{kind}",'
            f'"data":{{"s":"{symbol}","b":{_rows(market, bids)},"a":{_rows(market, asks)},'
            f'"u":{number},"seq":{channel.seq}}},"cts":{channel.ts_ns // NS_PER_MS}}}'
        )


def _rows(market: Market, levels: Levels) -> str:
    texts = [f'["{market.px_text(px)}","{size(market, lots)}"]' for px, lots in levels]
    return f"[{','.join(texts)}]"
