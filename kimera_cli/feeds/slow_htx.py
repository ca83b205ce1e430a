"""Slow parser of HTX's spot channels; frames come here unpacked."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.htx import lower
from kimera_cli.feeds.slow import LARGEST_STEPS, Control, Number, Slow
from kimera_cli.feeds.text_values import Id, Ms, ms_ns
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, QUOTE, TRADE
from kimera_cli.units import NS_PER_MS

Level = tuple[Decimal, Decimal]


class Envelope(msgspec.Struct):
    """Any message: a push (`ch`), an answer (`rep`, `subbed`), a ping, an error."""

    ch: str = ""
    rep: str = ""
    ts: int = 0
    tick: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    status: str = ""
    ping: int | None = None
    pong: int | None = None
    subbed: str = ""
    unsubbed: str = ""
    message: Annotated[str, msgspec.Meta()] = msgspec.field(default="", name="err-msg")


class Depth(msgspec.Struct):
    """`depth.stepN`: the whole visible book."""

    bids: list[Level]
    asks: list[Level]
    version: Id
    ts: Ms


class Mbp(msgspec.Struct):
    """`mbp.N`: changes since `prevSeqNum`, or a whole book without it."""

    seqNum: Id  # noqa: N815
    prevSeqNum: Id | None = None  # noqa: N815
    bids: list[Level] | None = None
    asks: list[Level] | None = None


class Trade(msgspec.Struct):
    """One trade; `direction` is the taker's."""

    ts: Ms
    tradeId: Id  # noqa: N815
    amount: Decimal
    price: Decimal
    direction: str


class Trades(msgspec.Struct):
    """`trade.detail`, newest first."""

    data: Annotated[list[Trade], msgspec.Meta(min_length=1)]


class Best(msgspec.Struct):
    """`bbo`."""

    seqId: Id  # noqa: N815
    ask: Decimal
    askSize: Decimal  # noqa: N815
    bid: Decimal
    bidSize: Decimal  # noqa: N815
    quoteTime: Ms  # noqa: N815
    symbol: str


_ENVELOPE = msgspec.json.Decoder(Envelope)
_SIDES = {"buy": BID, "sell": ASK}
_SANE = range(-40, 18)
"""Powers of ten of sizes that are put on the grid."""
_decode: Any = msgspec.json.decode


class HtxSlow(Slow):
    """Books, trades and best prices; what other channels say is a status."""

    venue = "htx"

    def symbol(self, instrument: Instrument) -> str:
        """Return the symbol as channels have it."""
        return lower(instrument)

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the update of one frame."""
        envelope = _ENVELOPE.decode(payload)
        if envelope.ping is not None:
            reply = msgspec.json.encode({"pong": envelope.ping})
            return Control(kind="ping", text=str(envelope.ping), reply=reply)
        if envelope.pong is not None:
            return Control(kind="pong", text=str(envelope.pong))
        if envelope.status == "error":
            return Control(kind="refused", text=envelope.message)
        if envelope.subbed or envelope.unsubbed:
            return Control(kind="ack", text=envelope.subbed or envelope.unsubbed)
        return self._data(envelope)

    def _data(self, envelope: Envelope) -> list[Update] | Control:
        parts = (envelope.ch or envelope.rep).split(".")
        if len(parts) < 3 or parts[0] != "market":
            raise self.bad("ch", "a channel such as market.btcusdt.bbo", ".".join(parts))
        body = bytes(envelope.tick if envelope.ch else envelope.data)
        symbol, kind = parts[1:3]
        if kind == "depth":
            rows = _depth(_decode(body, type=Depth))
        elif kind == "mbp":
            rows = _mbp(_decode(body, type=Mbp), envelope)
        elif kind == "trade" and envelope.ch:
            rows = [self._trade(each) for each in reversed(_decode(body, type=Trades).data)]
        elif kind == "bbo":
            rows = self._best(_decode(body, type=Best), symbol)
        else:
            return Control(kind="status", text=".".join(parts))
        return [Update(symbol, rows)]

    def _trade(self, trade: Trade) -> Row:
        if trade.direction not in _SIDES:
            raise self.bad("direction", "buy or sell", trade.direction)
        side, ts = _SIDES[trade.direction], trade.ts * NS_PER_MS
        return Row(TRADE, side, str(trade.price), str(trade.amount), trade.tradeId, 0, ts)

    def _best(self, best: Best, symbol: str) -> list[Row]:
        if best.symbol != symbol:
            raise self.bad("symbol", f"the {symbol} of `ch`", best.symbol)
        seq, ts = best.seqId, best.quoteTime * NS_PER_MS
        sides = ((BID, best.bid, best.bidSize), (ASK, best.ask, best.askSize))
        return [Row(QUOTE, side, str(px), str(size), seq, 0, ts) for side, px, size in sides]

    def _steps(self, value: Number, step: Decimal, field: str) -> int:
        """Return ticks, or the nearest number of lots: the venue sends sizes finer than its lot.

        What is above zero stays above zero, or a level would vanish.
        """
        exact = Decimal(str(value))
        if field != "size" or not exact.is_finite() or exact.adjusted() not in _SANE:
            return super()._steps(value, step, field)
        above, below = exact.as_integer_ratio()
        over, under = step.as_integer_ratio()
        lots, rest = divmod(above * under, below * over)
        if rest == 0 or above < 0:
            return super()._steps(value, step, field)
        if lots >= LARGEST_STEPS:
            raise self.bad(field, f"at most {LARGEST_STEPS} steps of {step}", value)
        return max(1, lots + (2 * rest >= below * over))


def _levels(bids: list[Level], asks: list[Level], seq: int, ref: int, ts: int) -> list[Row]:
    return [
        Row(DEPTH, side, str(px), str(qty), seq, ref, ts)
        for side, levels in ((BID, bids), (ASK, asks))
        for px, qty in levels
    ]


def _depth(tick: Depth) -> list[Row]:
    seq, ts = tick.version, tick.ts * NS_PER_MS
    levels = _levels(tick.bids, tick.asks, seq, 0, ts)
    return book(levels, snapshot=True, seq=seq, ts_exch_ns=ts)


def _mbp(tick: Mbp, envelope: Envelope) -> list[Row]:
    whole = tick.prevSeqNum is None or bool(envelope.rep)
    seq, ref = tick.seqNum, 0 if whole else tick.prevSeqNum or 0
    ts = ms_ns(envelope.ts, "ts")
    levels = _levels(tick.bids or [], tick.asks or [], seq, ref, ts)
    return book(levels, snapshot=whole, seq=seq, ref=ref, ts_exch_ns=ts)
