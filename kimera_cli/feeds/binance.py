"""Binance's public streams: depth diffs, trades, aggregate trades, best bid and ask.

Spot (https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams), USD-M and
COIN-M futures (https://developers.binance.com/docs/derivatives). `E` is when the
message was made, `T` when it happened; books follow `pu` (futures) or `U` - 1 (spot). `m` true: the
buyer was resting, so the seller took.
"""

from __future__ import annotations

from collections.abc import Sequence

from kimera_cli.feeds.dialect import BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument

_SLOW = "kimera_cli.feeds.slow_binance:BinanceSlow"

_LEVELS = '"b":<bids>,"a":<asks>}'
_SPOT_DEPTH = '{"e":"depthUpdate","E":<ms>,"s":"<symbol>","U":<ref-1>,"u":<seq>,' + _LEVELS
_SPOT_TRADE = (
    '{"e":"trade","E":<int>,"s":"<symbol>","t":<seq>,"p":"<px>","q":"<qty>",ORDERS"T":<ms>,'
    '"m":<side:false|true>,"M":<bool>}<trade>'
)
_ORDERS = ("", '"b":<int>,"a":<int>,')
"""Until 2023 spot trades told the ids of both orders."""
_SPOT_AGGREGATE = (
    '{"e":"aggTrade","E":<int>,"s":"<symbol>","a":<seq>,"p":"<px>","q":"<qty>","f":<int>,'
    '"l":<int>,"T":<ms>,"m":<side:false|true>,"M":<bool>}<trade>'
)
_BEST = '"b":"<px>","B":"<qty>"<bid>,"a":"<px>","A":"<qty>"<ask>'
_SPOT_TICKER = '{"u":<seq>,"s":"<symbol>",' + _BEST + "}"

_PAIRS = ("", '"ps":"<text>",')
_KINDS = ("", ',"st":<int>')
_NORMAL = ("", '"nq":"<text>",')
"""What futures messages may say besides: pair, kind of contract, quantity without RPI orders."""

_FUTURES_DEPTH = tuple(
    '{"e":"depthUpdate","E":<int>,"T":<ms>,"s":"<symbol>",'
    + f'{pair}"U":<int>,"u":<seq>,"pu":<ref>,"b":<bids>,"a":<asks>{kind}}}'
    for pair in _PAIRS
    for kind in _KINDS
)
_FUTURES_TRADE = tuple(
    '{"e":"trade","E":<int>,"T":<ms>,"s":"<symbol>","t":<seq>,"p":"<px>","q":"<qty>",'
    + f'"X":"MARKET","m":<side:false|true>{kind}}}<trade>'
    for kind in _KINDS
)
_FUTURES_AGGREGATE = tuple(
    '{"e":"aggTrade","E":<int>,"a":<seq>,"s":"<symbol>","p":"<px>","q":"<qty>",'
    + f'{normal}"f":<int>,"l":<int>,"T":<ms>,"m":<side:false|true>{kind}}}<trade>'
    for normal in _NORMAL
    for kind in _KINDS
)
_FUTURES_TICKER = tuple(
    f'{head},"s":"<symbol>",{pair}{_BEST},"T":<ms>,"E":<int>{kind}}}'
    for head in ('{"e":"bookTicker","u":<seq>', '{"u":<seq>,"e":"bookTicker"')
    for pair in _PAIRS
    for kind in _KINDS
)


def _stream(channel: str, message: str) -> str:
    """Return a message as combined streams wrap it."""
    return '{"stream":"<topic>@' + channel + '","data":' + message + "}"


def lower(instrument: Instrument) -> str:
    """Return the symbol as stream names have it."""
    return instrument.symbol.lower()


_CHANNELS: dict[Kind, str] = {"depth": "depth@100ms", "trade": "trade", "quote": "bookTicker"}


def _streams(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[str]:
    return [f"{lower(each)}@{_CHANNELS[kind]}" for each in instruments for kind in kinds]


def _subscribe(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    return [message(method="SUBSCRIBE", params=_streams(instruments, kinds), id=1)]


def _unsubscribe(instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    return [message(method="UNSUBSCRIBE", params=_streams(instruments, kinds), id=2)]


def _wire(url: str) -> Wire:
    ping = message(method="LIST_SUBSCRIPTIONS", id=3)
    return Wire(url=lambda *_: url, subscribe=_subscribe, unsubscribe=_unsubscribe, ping=ping)


def _books(url: str, limit: int) -> BookRule:
    return BookRule(
        "kimera_cli.feeds.sync_range:RangeSync",
        snapshot=lambda each: f"{url}?symbol={each.symbol}&limit={limit}",
        proof=lambda each: f"{url}?symbol={each.symbol}&limit=5",
        gap_s=0.1,
    )


BINANCE = Dialect(
    venue="binance",
    slow=_SLOW,
    topic=lower,
    messages=(
        Message("depth", _stream("depth@100ms", _SPOT_DEPTH)),
        Message("depth", _stream("depth", _SPOT_DEPTH)),
        *(Message("trade", _stream("trade", _SPOT_TRADE.replace("ORDERS", o))) for o in _ORDERS),
        Message("trade", _stream("aggTrade", _SPOT_AGGREGATE)),
        Message("quote", _stream("bookTicker", _SPOT_TICKER)),
    ),
    wire=_wire("wss://stream.binance.com:9443/stream"),
    books=_books("https://api.binance.com/api/v3/depth", 5000),
)


_FUTURES: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
    ("depth", "depth@0ms", _FUTURES_DEPTH),
    ("depth", "depth@100ms", _FUTURES_DEPTH),
    ("depth", "depth", _FUTURES_DEPTH),
    ("trade", "trade", _FUTURES_TRADE),
    ("trade", "aggTrade", _FUTURES_AGGREGATE),
    ("quote", "bookTicker", _FUTURES_TICKER),
)

BINANCE_USDM = Dialect(
    venue="binanceusdm",
    slow=_SLOW.replace("BinanceSlow", "BinanceUsdmSlow"),
    topic=lower,
    messages=tuple(
        Message(kind, _stream(channel, text)) for kind, channel, texts in _FUTURES for text in texts
    ),
    wire=_wire("wss://fstream.binance.com/stream"),
    books=_books("https://fapi.binance.com/fapi/v1/depth", 1000),
)

BINANCE_COINM = Dialect(
    venue="binancecoinm",
    slow=_SLOW.replace("BinanceSlow", "BinanceCoinmSlow"),
    topic=lower,
    messages=BINANCE_USDM.messages,
    wire=_wire("wss://dstream.binance.com/stream"),
    books=_books("https://dapi.binance.com/dapi/v1/depth", 1000),
)
