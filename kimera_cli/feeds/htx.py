"""HTX spot: whole books, numbered incremental books, trades, best bid and ask; gzip frames.

https://www.htx.com/en-us/opend/newApiPages: `depth.step0` and `mbp.refresh.N` send the whole
visible book each time, `mbp.N` sends changes that name the one before (`prevSeqNum`). Numbers are
JSON numbers as Java writes doubles: below 0.001 and from ten million on with an exponent
(1.7E-4), which is this venue's ordinary text and is read exactly. A trade message lists its newest
trade first; events go oldest first. Sizes finer than the lot (market orders by value) go to the
nearest lot, in the slow parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kimera_cli.feeds.dialect import BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument

_STEPS = ("step0", "step1", "step2", "step3", "step4", "step5")
_DEPTHS = (5, 10, 20, 150, 400)
_BIDS, _ASKS = '"bids":<bids:java>', '"asks":<asks:java>'
_SIDES = (f"{_BIDS},{_ASKS}", f"{_ASKS},{_BIDS}")


def lower(instrument: Instrument) -> str:
    """Return the symbol as channels have it."""
    return instrument.symbol.lower()


def _push(channel: str, ts: str, tick: str) -> str:
    return '{"ch":"market.<symbol>.' + channel + '","ts":' + ts + ',"tick":{' + tick + "}}"


_WHOLE = _SIDES[0] + ',"version":<seq>,"ts":<ms>'
_CHANGE = '"seqNum":<seq>,"prevSeqNum":<ref>,'
_TRADES = (
    '"id":<number>,"ts":<int>,"data":[<each:newest>{"id":<number>,"ts":<ms>,"tradeId":<seq>,'
    '"amount":<qty:java>,"price":<px:java>,"direction":"<side:buy|sell>"}<trade><next>'
)
_BEST = (
    '"seqId":<seq>,"ask":<px:java>,"askSize":<qty:java><ask>,"bid":<px:java>,'
    '"bidSize":<qty:java><bid>,"quoteTime":<ms>,"symbol":"<symbol>"'
)


def _whole(step: str) -> Message:
    return Message("depth", _push(f"depth.{step}", "<int>", _WHOLE), snapshot=True)


def _changes(depth: int) -> tuple[Message, ...]:
    """Return the changes of a book; a side without any may be left out."""
    ways = (*_SIDES, _BIDS, _ASKS)
    return tuple(Message("depth", _push(f"mbp.{depth}", "<ms>", _CHANGE + way)) for way in ways)


def _refresh(depth: int) -> Message:
    tick = '"seqNum":<seq>,' + _SIDES[0]
    return Message("depth", _push(f"mbp.refresh.{depth}", "<ms>", tick), snapshot=True)


_CHANNELS: dict[Kind, str] = {"depth": "mbp.150", "trade": "trade.detail", "quote": "bbo"}
"""`mbp.N` is on another address than the rest, and begins with a book that must be asked for."""


def _name(instrument: Instrument, kind: Kind) -> str:
    return f"market.{lower(instrument)}.{_CHANNELS[kind]}"


def _ask(verb: str, instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    names = [_name(each, kind) for each in instruments for kind in kinds]
    return [message(**{verb: name, "id": str(k)}) for k, name in enumerate(names, 1)]


def _url(_instrument: Instrument, kind: Kind) -> str:
    return "wss://api.huobi.pro/feed" if kind == "depth" else "wss://api.huobi.pro/ws"


_WIRE = Wire(url=_url, subscribe=partial(_ask, "sub"), unsubscribe=partial(_ask, "unsub"))

HTX = Dialect(
    venue="htx",
    slow="kimera_cli.feeds.slow_htx:HtxSlow",
    unpack="gzip",
    wire=_WIRE,
    books=BookRule(
        "kimera_cli.feeds.sync_range:RangeSync",
        request=lambda each: message(req=_name(each, "depth"), id="book"),
    ),
    symbol=lower,
    topic=lower,
    messages=(
        *map(_whole, _STEPS),
        *(message for depth in _DEPTHS for message in _changes(depth)),
        *map(_refresh, _DEPTHS[:3]),
        Message("trade", _push("trade.detail", "<int>", _TRADES)),
        Message("quote", _push("bbo", "<int>", _BEST)),
    ),
)
