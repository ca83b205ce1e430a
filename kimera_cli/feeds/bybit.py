"""Bybit v5's public streams (spot and contracts): books, trades, best bid and ask.

https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook: a book begins with a snapshot;
deltas are numbered one by one (`u`), and 1 says that the service began anew with a whole book.
`cts` is when the matching engine made the data, `ts` when the message was. Spot and contracts write
the same keys in another order. `orderbook.1` is the best bid and ask: quotes, not a book. A channel
in which nothing happens is silent; the `u` of a book over REST counts another channel's messages,
so that it is its levels which tell whether ours is still the venue's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kimera_cli.feeds.dialect import PROOF_LEVELS, BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument

DEPTHS = (50, 200, 500, 1000)
"""Levels per side of the books; `orderbook.1` is apart."""

_HEADS = (
    '{"topic":"TOPIC.<symbol>","type":"KIND","ts":<ms>,"data":',
    '{"topic":"TOPIC.<symbol>","ts":<ms>,"type":"KIND","data":',
)
"""Contracts, spot."""
_BOOK = '{"s":"<symbol>","b":<bids>,"a":<asks>,"u":<seq>,"seq":<int>}'
_BEST = (
    '{"s":"<symbol>","b":[["<px>","<qty>"]]<bid>,"a":[["<px>","<qty>"]]<ask>,"u":<seq>,"seq":<int>}'
)
_ENDS = (',"cts":<ms>}', "}")
_TRADE = '{"T":<ms>,"s":"<symbol>","S":"<side:Buy|Sell>","v":"<qty>","p":"<px>","L":"<text>",'
_TRADES = (
    _TRADE + '"i":"<text>","BT":<bool>,"RPI":<bool>,"seq":<int>}<trade>',
    _TRADE + '"i":"<text>","BT":<bool>,"seq":<int>}<trade>',
    _TRADE + '"i":"<text>","BT":<bool>}<trade>',
)
_SPOT_TRADES = (
    '{"i":"<text>","T":<ms>,"p":"<px>","v":"<qty>","S":"<side:Buy|Sell>","seq":<int>,'
    '"s":"<symbol>","BT":<bool>,"RPI":<bool>}<trade>',
    '{"i":"<text>","T":<ms>,"p":"<px>","v":"<qty>","S":"<side:Buy|Sell>","s":"<symbol>",'
    '"BT":<bool>}<trade>',
)


def _heads(topic: str, kind: str) -> tuple[str, ...]:
    return tuple(head.replace("TOPIC", topic).replace("KIND", kind) for head in _HEADS)


def _books() -> list[Message]:
    return [
        Message(
            "depth",
            head + _BOOK + end,
            snapshot=kind == "snapshot",
            follows=kind == "delta",
            restart=kind == "delta",
        )
        for depth in DEPTHS
        for kind in ("snapshot", "delta")
        for head in _heads(f"orderbook.{depth}", kind)
        for end in _ENDS
    ]


def _quotes() -> list[Message]:
    heads = _heads("orderbook.1", "snapshot")
    return [Message("quote", head + _BEST + end) for head in heads for end in _ENDS]


def _trades() -> list[Message]:
    contracts, spot = _heads("publicTrade", "snapshot")
    return [
        Message("trade", f"{head}[<each>{trade}<next>}}")
        for head, trades in ((contracts, _TRADES), (spot, _SPOT_TRADES))
        for trade in trades
    ]


_CHANNELS: dict[Kind, str] = {
    "depth": "orderbook.50",
    "trade": "publicTrade",
    "quote": "orderbook.1",
}
_AT_ONCE = 10
"""Topics that spot takes in one request."""


def _url(instrument: Instrument, _kind: Kind) -> str:
    return f"wss://stream.bybit.com/v5/public/{instrument.kind}"


def _proof(instrument: Instrument) -> str:
    base, levels = "https://api.bybit.com/v5/market/orderbook", PROOF_LEVELS["bybit"]
    return f"{base}?category={instrument.kind}&symbol={instrument.symbol}&limit={levels}"


def _ask(op: str, instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    topics = [f"{_CHANNELS[kind]}.{each.symbol}" for each in instruments for kind in kinds]
    parts = [topics[k : k + _AT_ONCE] for k in range(0, len(topics), _AT_ONCE)]
    return [message(op=op, args=part) for part in parts]


BYBIT = Dialect(
    venue="bybit",
    slow="kimera_cli.feeds.slow_bybit:BybitSlow",
    messages=(*_books(), *_quotes(), *_trades()),
    wire=Wire(
        url=_url,
        subscribe=partial(_ask, "subscribe"),
        unsubscribe=partial(_ask, "unsubscribe"),
        ping=message(op="ping"),
        ping_every_s=20.0,
    ),
    books=BookRule("kimera_cli.feeds.sync_chain:ChainSync", proof=_proof, gap_s=0.05),
)
