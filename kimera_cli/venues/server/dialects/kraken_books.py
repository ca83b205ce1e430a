"""Kraken's book channel: the subscribed depth, and the CRC32 of the ten best levels.

https://docs.kraken.com/api/docs/guides/spot-ws-book-v2: the receiver keeps its depth by dropping
what new levels push out, levels that come into view are sent. The checksum is over asks, then bids,
each as the digits of price and quantity with the pair's decimals, without point and leading zeros.
"""

from __future__ import annotations

from collections import Counter
from zlib import crc32

from kimera_cli.venues.server.dialects.depth_window import Delta, DepthWindow
from kimera_cli.venues.server.dialects.kraken_text import moment
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, text_frame
from kimera_cli.venues.server.model import BookChanged, Event, Market

DEPTHS = (10, 25, 100, 500, 1000)
_CHECKED = 10


class Books:
    """The books that somebody watches; each event is encoded once per depth."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._windows: dict[str, DepthWindow] = {}
        self._watchers: dict[str, Counter[int]] = {}
        self._frames: dict[tuple[str, int], Frame] = {}

    def watch(self, market: Market, depth: int) -> Frame:
        """Count a watcher and return the snapshot."""
        window = self._windows.get(market.symbol)
        if window is None:
            window = DepthWindow(*self._exchange.book(market.symbol))
            self._windows[market.symbol] = window
            self._watchers[market.symbol] = Counter()
        self._watchers[market.symbol][depth] += 1
        bids, asks = window.best(depth)
        whole = Delta(bids, asks, frozenset())
        return _frame(market, "snapshot", whole, window, self._exchange.clock.now_ns())

    def unwatch(self, market: Market, depth: int) -> None:
        """Count a watcher less."""
        watchers = self._watchers[market.symbol]
        watchers[depth] -= 1
        if not watchers[depth]:
            del watchers[depth]
        if not watchers:
            del self._windows[market.symbol], self._watchers[market.symbol]

    def see(self, event: Event) -> None:
        """Take an event; frames of the previous one are forgotten."""
        if not isinstance(event, BookChanged):
            return
        self._frames.clear()
        market = event.market
        window = self._windows.get(market.symbol)
        if window is None:
            return
        depths = tuple(self._watchers[market.symbol])
        for depth, delta in zip(depths, window.apply(event.changes, depths), strict=True):
            told = delta.without_pushed_out()
            if told:
                frame = _frame(market, "update", told, window, event.ts_ns)
                self._frames[market.symbol, depth] = frame

    def frame(self, market: Market, depth: int) -> Frame | None:
        """Return what a depth sees of the present event, None when it sees nothing."""
        return self._frames.get((market.symbol, depth))


def _frame(market: Market, kind: str, delta: Delta, window: DepthWindow, ts_ns: int) -> Frame:
    return text_frame(
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{market.symbol}",'
        f'"bids":[{_levels(market, delta.bids)}],"asks":[{_levels(market, delta.asks)}],'
        f'"checksum":{checksum(market, window)},"timestamp":"{moment(ts_ns)}"}}]}}'
    )


def _levels(market: Market, levels: list[tuple[int, int]]) -> str:
    return ",".join(
        f'{{"price":{market.px_text(px)},"qty":{market.qty_text(lots)}}}' for px, lots in levels
    )


def checksum(market: Market, window: DepthWindow) -> int:
    """Return the CRC32 of the ten best levels of each side."""
    px_step = market.tick_atoms // 10 ** (18 - market.px_digits)
    qty_step = market.lot_atoms // 10 ** (18 - market.qty_digits)
    bids, asks = window.best(_CHECKED)
    text = "".join(f"{px * px_step}{lots * qty_step}" for px, lots in (*asks, *bids))
    return crc32(text.encode())
