"""Coinbase Advanced Trade: level2 books, market trades, tickers.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels: each
message carries `sequence_num`, which numbers all messages of the connection whatever their
channel. A book update's time is the newest `event_time` among its levels; a snapshot's is the
message's own (its levels may say 1970). The `side` of a trade is the resting order's, so the taker
is the other one. Snapshots of trades, newest first, are left to the slow parser.
"""

from __future__ import annotations

from collections.abc import Sequence

from kimera_cli.feeds.dialect import BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument


def _push(channel: str, numbers: str, event: str) -> str:
    """Return a message of one event; `numbers` are its time and number."""
    begin = '{"channel":"' + channel + '","client_id":"",' + numbers
    return begin + ',"events":[' + event + "]}"


def _levels(kind: str, time: str) -> str:
    level = (
        '{"side":"<side:bid|offer>","event_time":"' + time + '","price_level":"<px>",'
        '"new_quantity":"<qty>"}<level>'
    )
    begin = '{"type":"' + kind + '","product_id":"<symbol>","updates":['
    return begin + "<each>" + level + "<next>}"


_BOOK_NUMBERS = '"timestamp":"<iso>","sequence_num":<seq:count>'
_TRADE_NUMBERS = '"timestamp":"<text>","sequence_num":<count>'
_PRICE = '"price":"<px>","size":"<qty>",'
_TAKER = '"side":"<side:SELL|BUY>"'
_TRADES = (
    '{"product_id":"<symbol>","trade_id":"<seq>",' + _PRICE + '"time":"<iso>",' + _TAKER + "}",
    '{"trade_id":"<seq>","product_id":"<symbol>",' + _PRICE + _TAKER + ',"time":"<iso>"}',
)
_TICKER = (
    '"tickers":[{"type":"ticker","product_id":"<symbol>","price":"<text>","volume_24_h":"<text>",'
    '"low_24_h":"<text>","high_24_h":"<text>","low_52_w":"<text>","high_52_w":"<text>",'
    '"price_percent_chg_24_h":"<text>","best_bid":"<px>","best_bid_quantity":"<qty>"<bid>,'
    '"best_ask":"<px>","best_ask_quantity":"<qty>"<ask>}]}'
)


def _books() -> tuple[Message, ...]:
    snapshot, update = _levels("snapshot", "<text>"), _levels("update", "<iso:newest>")
    return (
        Message("depth", _push("l2_data", _BOOK_NUMBERS, snapshot), snapshot=True),
        Message("depth", _push("l2_data", _BOOK_NUMBERS, update)),
    )


def _trades(trade: str) -> Message:
    event = '{"type":"update","trades":[<each>' + trade + "<trade><next>}"
    return Message("trade", _push("market_trades", _TRADE_NUMBERS, event))


def _ticker(kind: str) -> Message:
    event = '{"type":"' + kind + '",' + _TICKER
    return Message("quote", _push("ticker", _BOOK_NUMBERS, event))


_TOLD = 1000
"""Levels of a side that are asked for over REST: a book of more is not proved."""
_CHANNELS: dict[Kind, str] = {"depth": "level2", "trade": "market_trades", "quote": "ticker"}


def _subscribe(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    """Return one message per channel; heartbeats keep quiet markets from looking dead."""
    products = [each.symbol for each in instruments]
    channels = ["heartbeats", *(_CHANNELS[kind] for kind in kinds)]
    return [message(type="subscribe", channel=name, product_ids=products) for name in channels]


def _unsubscribe(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    products = [each.symbol for each in instruments]
    return [
        message(type="unsubscribe", channel=_CHANNELS[kind], product_ids=products) for kind in kinds
    ]


_WIRE = Wire(
    url=lambda *_: "wss://advanced-trade-ws.coinbase.com",
    subscribe=_subscribe,
    unsubscribe=_unsubscribe,
)


def _proof(instrument: Instrument) -> str:
    base = "https://api.coinbase.com/api/v3/brokerage/market/product_book"
    return f"{base}?product_id={instrument.symbol}&limit={_TOLD}"


COINBASE = Dialect(
    venue="coinbase",
    slow="kimera_cli.feeds.slow_coinbase:CoinbaseSlow",
    wire=_WIRE,
    books=BookRule("kimera_cli.feeds.sync_count:CountSync", proof=_proof, numbered=True),
    messages=(*_books(), *map(_trades, _TRADES), _ticker("snapshot"), _ticker("update")),
)
