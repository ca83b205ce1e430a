"""OKX's book channels: books (400 levels, changes), books5 and bbo-tbt (whole states).

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel: a change names
the message before (prevSeqId), a snapshot none (-1). A quiet book is told again every minute, empty
and with both numbers alike. The checksum is the CRC32, signed, of the 25 best bids and asks in
turn, price:size, as they are written.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest
from zlib import crc32

import msgspec

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects.book_channel import BookChannel
from kimera_cli.venues.server.dialects.depth_window import Delta
from kimera_cli.venues.server.dialects.okx_public import rows
from kimera_cli.venues.server.dialects.okx_text import ms, name_of
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, text_frame
from kimera_cli.venues.server.model import Market, Side

NS_PER_MS = 1_000_000
QUIET_NS = 60_000 * NS_PER_MS
_CHECKED = 25
CHANNELS = {
    "books": (400, 100 * NS_PER_MS),
    "books5": (5, 100 * NS_PER_MS),
    "bbo-tbt": (1, 10 * NS_PER_MS),
    "books50-l2-tbt": (50, 10 * NS_PER_MS),
    "books-l2-tbt": (400, 10 * NS_PER_MS),
}
"""Levels and interval of each channel."""
WHOLE = ("books5", "bbo-tbt")
"""Channels that tell whole states."""


class BookWriter:
    """Writes the messages of book channels."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def change(self, channel: BookChannel, delta: Delta) -> Frame:
        """Return the message of a change."""
        if channel.name in WHOLE:
            return self._state(channel)
        return self._message(channel, "update", (delta.bids, delta.asks), channel.before)

    def snapshot(self, channel: BookChannel) -> Frame:
        """Return the message that a subscription begins with."""
        if channel.name in WHOLE:
            return self._state(channel)
        return self._message(channel, "snapshot", channel.window.best(channel.depth), -1)

    def quiet(self, channel: BookChannel) -> Frame:
        """Return the message of a book without changes."""
        if channel.name in WHOLE:
            return self._state(channel)
        return self._message(channel, "update", ([], []), channel.seq)

    def _state(self, channel: BookChannel) -> Frame:
        """Return a whole state: without action, and without a number before."""
        name, market = channel.name, channel.market
        bids, asks = channel.window.best(channel.depth)
        instrument = f'"instId":"{name_of(market)}",' if name == "books5" else ""
        return text_frame(
            f'{{"arg":{{"channel":"{name}","instId":"{name_of(market)}"}},"data":[{{'
            f'"asks":{self._rows(market, "sell", asks)},"bids":{self._rows(market, "buy", bids)},'
            f'{instrument}"ts":"{ms(channel.ts_ns)}","seqId":{channel.seq}}}]}}'
        )

    def _message(
        self, channel: BookChannel, action: str, sides: tuple[Levels, Levels], before: int
    ) -> Frame:
        name, market, (bids, asks) = channel.name, channel.market, sides
        return text_frame(
            f'{{"arg":{{"channel":"{name}","instId":"{name_of(market)}"}},"action":"{action}",'
            f'"data":[{{"asks":{self._rows(market, "sell", asks)},'
            f'"bids":{self._rows(market, "buy", bids)},"ts":"{ms(channel.ts_ns)}",'
            f'"checksum":{checksum(channel)},"seqId":{channel.seq},"prevSeqId":{before}}}]}}'
        )

    def _rows(self, market: Market, side: Side, levels: Levels) -> str:
        return msgspec.json.encode(rows(self._exchange, market, side, levels)).decode()


def checksum(channel: BookChannel) -> int:
    """Return the checksum of a channel's best levels."""
    tick, lot = channel.market.tick_atoms, channel.market.lot_atoms
    bids, asks = (
        [_level(px * tick, lots * lot) for px, lots in side]
        for side in channel.window.best(_CHECKED)
    )
    text = ":".join(each for pair in zip_longest(bids, asks) for each in pair if each is not None)
    unsigned = crc32(text.encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


@lru_cache(maxsize=1 << 16)
def _level(px_atoms: int, size_atoms: int) -> str:
    return f"{amounts.text(px_atoms)}:{amounts.text(size_atoms)}"
