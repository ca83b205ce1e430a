"""Kraken's websocket v2: books with CRC32, trades, tickers.

https://docs.kraken.com/api/docs/websocket-v2/book: numbers are JSON numbers, times are RFC 3339
text, a level with `qty` 0 is gone. The book holds the subscribed depth and says nothing of levels
that fall behind it: the receiver drops them (data/importers/depth_limit.py). The checksum is over
the ten best levels, written with the pair's own decimals, so its event carries those. Book
messages have no number of their own; what is lost shows in the checksum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kimera_cli.feeds.dialect import BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument, common_name


def pair(instrument: Instrument) -> str:
    """Return the name of a pair in v2, such as BTC/USD; REST keeps Kraken's own asset names."""
    return f"{common_name(instrument.base)}/{common_name(instrument.quote)}"


def _push(channel: str, kind: str, data: str) -> str:
    return '{"channel":"' + channel + '","type":"' + kind + '","data":[' + data + "}"


_BOOK = (
    '{"symbol":"<symbol>","bids":<bids:named>,"asks":<asks:named>,"checksum":<checksum:decimals>'
)
_TIMED = ',"timestamp":"<iso>"}]'
_TRADE = (
    '<each>{"symbol":"<symbol>","side":"<side:buy|sell>","price":<px>,"qty":<qty>,'
    '"ord_type":"<text>","trade_id":<seq>,"timestamp":"<iso>"}<trade><next>'
)
_TICKER = (
    '{"symbol":"<symbol>","bid":<px>,"bid_qty":<qty><bid>,"ask":<px>,"ask_qty":<qty><ask>,'
    '"last":<number>,"volume":<number>,"vwap":<number>,"low":<number>,"high":<number>,'
    '"change":<number>,"change_pct":<number>'
)

DEPTH = 100
"""Levels of a side that are subscribed."""
_CHANNELS: dict[Kind, dict[str, object]] = {
    "depth": {"channel": "book", "depth": DEPTH},
    "trade": {"channel": "trade", "snapshot": False},
    "quote": {"channel": "ticker", "event_trigger": "bbo"},
}


def _ask(method: str, instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    symbols = [pair(each) for each in instruments]
    return [message(method=method, params={**_CHANNELS[kind], "symbol": symbols}) for kind in kinds]


_WIRE = Wire(
    url=lambda *_: "wss://ws.kraken.com/v2",
    subscribe=partial(_ask, "subscribe"),
    unsubscribe=partial(_ask, "unsubscribe"),
    ping=message(method="ping"),
    ping_every_s=30.0,
)

KRAKEN = Dialect(
    venue="kraken",
    slow="kimera_cli.feeds.slow_kraken:KrakenSlow",
    wire=_WIRE,
    books=BookRule("kimera_cli.feeds.sync_crc:CrcSync", again=True),
    symbol=pair,
    topic=pair,
    messages=(
        Message("depth", _push("book", "snapshot", _BOOK + "}]"), snapshot=True),
        Message("depth", _push("book", "snapshot", _BOOK + _TIMED), snapshot=True),
        Message("depth", _push("book", "update", _BOOK + _TIMED)),
        Message("trade", _push("trade", "snapshot", _TRADE), snapshot=True),
        Message("trade", _push("trade", "update", _TRADE)),
        *(
            Message("quote", _push("ticker", kind, _TICKER + tail))
            for kind in ("snapshot", "update")
            for tail in ("}]", _TIMED)
        ),
    ),
)
