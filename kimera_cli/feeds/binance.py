"""Binance's public streams: depth diffs, trades, aggregate trades, best bid and ask.

Spot (https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams) and USD-M
futures (https://developers.binance.com/docs/derivatives/usds-margined-futures). `E` is when the
message was made, `T` when it happened; books follow `pu` (futures) or `U` - 1 (spot). `m` true: the
buyer was resting, so the seller took.
"""

from __future__ import annotations

from kimera_cli.feeds.dialect import Dialect, Message
from kimera_cli.instrument import Instrument

_SLOW = "kimera_cli.feeds.slow_binance:BinanceSlow"

_LEVELS = '"b":<bids>,"a":<asks>}'
_SPOT_DEPTH = '{"e":"depthUpdate","E":<ms>,"s":"<symbol>","U":<ref-1>,"u":<seq>,' + _LEVELS
_SPOT_TRADE = (
    '{"e":"trade","E":<int>,"s":"<symbol>","t":<seq>,"p":"<px>","q":"<qty>","T":<ms>,'
    '"m":<side:false|true>,"M":<bool>}<trade>'
)
_SPOT_AGGREGATE = (
    '{"e":"aggTrade","E":<int>,"s":"<symbol>","a":<seq>,"p":"<px>","q":"<qty>","f":<int>,'
    '"l":<int>,"T":<ms>,"m":<side:false|true>,"M":<bool>}<trade>'
)
_BEST = '"b":"<px>","B":"<qty>"<bid>,"a":"<px>","A":"<qty>"<ask>'
_SPOT_TICKER = '{"u":<seq>,"s":"<symbol>",' + _BEST + "}"

_USDM_DEPTH = (
    '{"e":"depthUpdate","E":<int>,"T":<ms>,"s":"<symbol>","U":<int>,"u":<seq>,"pu":<ref>,' + _LEVELS
)
_USDM_TRADE = (
    '{"e":"trade","E":<int>,"T":<ms>,"s":"<symbol>","t":<seq>,"p":"<px>","q":"<qty>",'
    '"X":"MARKET","m":<side:false|true>}<trade>'
)
_USDM_AGGREGATE = (
    '{"e":"aggTrade","E":<int>,"a":<seq>,"s":"<symbol>","p":"<px>","q":"<qty>","f":<int>,'
    '"l":<int>,"T":<ms>,"m":<side:false|true>}<trade>'
)
_USDM_TICKER = '{"e":"bookTicker","u":<seq>,"s":"<symbol>",' + _BEST + ',"T":<ms>,"E":<int>}'


def _stream(channel: str, message: str) -> str:
    """Return a message as combined streams wrap it."""
    return '{"stream":"<topic>@' + channel + '","data":' + message + "}"


def lower(instrument: Instrument) -> str:
    """Return the symbol as stream names have it."""
    return instrument.symbol.lower()


BINANCE = Dialect(
    venue="binance",
    slow=_SLOW,
    topic=lower,
    messages=(
        Message("depth", _stream("depth@100ms", _SPOT_DEPTH)),
        Message("depth", _stream("depth", _SPOT_DEPTH)),
        Message("trade", _stream("trade", _SPOT_TRADE)),
        Message("trade", _stream("aggTrade", _SPOT_AGGREGATE)),
        Message("quote", _stream("bookTicker", _SPOT_TICKER)),
    ),
)

BINANCE_USDM = Dialect(
    venue="binanceusdm",
    slow=_SLOW.replace("BinanceSlow", "BinanceUsdmSlow"),
    topic=lower,
    messages=(
        Message("depth", _stream("depth@0ms", _USDM_DEPTH)),
        Message("depth", _stream("depth@100ms", _USDM_DEPTH)),
        Message("depth", _stream("depth", _USDM_DEPTH)),
        Message("trade", _stream("trade", _USDM_TRADE)),
        Message("trade", _stream("aggTrade", _USDM_AGGREGATE)),
        Message("quote", _stream("bookTicker", _USDM_TICKER)),
    ),
)
