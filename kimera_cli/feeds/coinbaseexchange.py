"""Coinbase Exchange (once GDAX, Pro): level2 books, matches, tickers.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels: `level2_batch` sends the book every
50 ms and needs no signature; its messages have no number, and its snapshot no time. The `side` of a
match is the resting order's, so the taker is the other one; matches name their product behind
price and size and are read by the slow parser. REST tells the whole book, by which it is checked.
"""

from __future__ import annotations

from collections.abc import Sequence

from kimera_cli.feeds.dialect import BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument

_SNAPSHOT = '{"type":"snapshot","product_id":"<symbol>","asks":<asks>,"bids":<bids>'
_ENDS = ("}", ',"time":"<iso>"}')
_UPDATE = (
    '{"type":"l2update","product_id":"<symbol>","changes":[<each>["<side:buy|sell>","<px>",'
    '"<qty>"]<level><next>,"time":"<iso>"}'
)
_TICKER = (
    '{"type":"ticker","sequence":<seq>,"product_id":"<symbol>","price":"<text>",'
    '"open_24h":"<text>","volume_24h":"<text>","low_24h":"<text>","high_24h":"<text>",'
    '"volume_30d":"<text>","best_bid":"<px>","best_bid_size":"<qty>"<bid>,"best_ask":"<px>",'
    '"best_ask_size":"<qty>"<ask>,"side":"<text>","time":"<iso>","trade_id":<int>,'
    '"last_size":"<text>"}'
)

_CHANNELS: dict[Kind, str] = {"depth": "level2_batch", "trade": "matches", "quote": "ticker"}


def _ask(kind: str, instruments: Sequence[Instrument], channels: Sequence[str]) -> list[bytes]:
    products = [each.symbol for each in instruments]
    return [message(type=kind, product_ids=products, channels=list(channels))]


def _subscribe(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    """Return one message; heartbeats keep quiet markets from looking dead."""
    return _ask("subscribe", instruments, ("heartbeat", *(_CHANNELS[kind] for kind in kinds)))


def _unsubscribe(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    return _ask("unsubscribe", instruments, [_CHANNELS[kind] for kind in kinds])


_WIRE = Wire(
    url=lambda *_: "wss://ws-feed.exchange.coinbase.com",
    subscribe=_subscribe,
    unsubscribe=_unsubscribe,
)


def _book(instrument: Instrument) -> str:
    """Return the address of the whole book."""
    return f"https://api.exchange.coinbase.com/products/{instrument.symbol}/book?level=2"


COINBASE_EXCHANGE = Dialect(
    venue="coinbaseexchange",
    slow="kimera_cli.feeds.slow_coinbaseexchange:CoinbaseExchangeSlow",
    wire=_WIRE,
    books=BookRule("kimera_cli.feeds.sync_audit:AuditSync", proof=_book, audit=_book),
    messages=(
        *(Message("depth", _SNAPSHOT + end, snapshot=True) for end in _ENDS),
        Message("depth", _UPDATE),
        Message("quote", _TICKER),
    ),
)
