"""Slow parser of Bybit v5's public streams."""

from __future__ import annotations

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.feeds.text_values import Id, Ms
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, NO_SIDE, QUOTE, STATUS, TRADE, Events
from kimera_cli.units import NS_PER_MS

Levels = list[tuple[str, str]]
_SIDES = {"Buy": BID, "Sell": ASK}
_IGNORED = ("tickers", "kline", "allLiquidation", "liquidation", "insurance", "priceLimit", "adl")


class Envelope(msgspec.Struct):
    """Any message: data have a topic; answers say whether they succeeded, or are a pong."""

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    type: str = ""
    ts: Ms = 0
    cts: Ms = 0
    data: msgspec.Raw = msgspec.Raw()


class Book(msgspec.Struct):
    """Levels that changed, or all of them."""

    s: str
    b: Levels
    a: Levels
    u: Id


class Whole(Book):
    """A book over REST."""

    ts: Ms = 0


class Answer(msgspec.Struct):
    """What `market/orderbook` answers over REST."""

    retCode: int  # noqa: N815
    retMsg: str = ""  # noqa: N815
    result: msgspec.Raw = msgspec.Raw()


class Trade(msgspec.Struct):
    """One trade; S is the taker's side."""

    T: Ms
    s: str
    S: str
    v: str
    p: str


_ENVELOPE = msgspec.json.Decoder(Envelope)


class BybitSlow(Slow):
    """Spot and contracts."""

    venue = "bybit"

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the updates of one frame."""
        message = _ENVELOPE.decode(payload)
        if not message.topic:
            return self._control(message)
        channel, _, rest = message.topic.partition(".")
        if channel == "orderbook":
            depth, _, symbol = rest.partition(".")
            return self._orderbook(message, depth, symbol)
        if channel == "publicTrade":
            trades = msgspec.json.decode(message.data, type=list[Trade])
            if not trades:
                raise self.bad("data", "at least one trade", "none")
            return [
                Update(self._same(rest, each.s), [_trade(each, self._side(each))])
                for each in trades
            ]
        if channel in _IGNORED:
            return Control(kind="status", text=message.topic)
        raise self.bad("topic", "a known topic", message.topic)

    def snapshot(self, payload: bytes, instrument: Instrument, ts_local_ns: int) -> Events:
        """Return the events of a REST book, whose `u` is not that of the channel."""
        try:
            answer = msgspec.json.decode(payload, type=Answer)
            if answer.retCode:
                raise self.frame_error(f"expected a book, was {answer.retMsg}", payload)
            whole = msgspec.json.decode(answer.result, type=Whole)
        except msgspec.MsgspecError as error:
            raise self.frame_error(f"expected a book: {error}", payload) from None
        rows = _book(whole, whole.ts * NS_PER_MS, snapshot=True)
        symbol = self._same(instrument.symbol, whole.s)
        return self.to_events([Update(symbol, rows)], ts_local_ns, payload)

    def _orderbook(self, message: Envelope, depth: str, symbol: str) -> list[Update]:
        if not depth.isdigit() or message.type not in ("snapshot", "delta"):
            raise self.bad("topic", "snapshot or delta of orderbook.N", f"{message.type} {depth}")
        whole = msgspec.json.decode(message.data, type=Book)
        ts = (message.cts or message.ts) * NS_PER_MS
        all_of_it = message.type == "snapshot"
        rows = _best(whole, ts, all_of_it) if depth == "1" else _book(whole, ts, all_of_it)
        return [Update(self._same(symbol, whole.s), rows)]

    def _same(self, topic: str, symbol: str) -> str:
        if topic != symbol:
            raise self.bad("s", f"the symbol of the topic, {topic}", symbol)
        return symbol

    def _side(self, trade: Trade) -> int:
        if trade.S not in _SIDES:
            raise self.bad("S", "Buy or Sell", trade.S)
        return _SIDES[trade.S]

    def _control(self, message: Envelope) -> Control:
        if message.op == "pong" or message.ret_msg == "pong":
            return Control(kind="pong")
        if message.success is None:
            raise self.bad("topic", "a topic, or an answer", "neither")
        return Control(kind="ack" if message.success else "refused", text=message.ret_msg)


def _book(whole: Book, ts_ns: int, snapshot: bool) -> list[Row]:
    snapshot = snapshot or whole.u == 1
    ref = 0 if snapshot else whole.u - 1
    levels = [
        Row(DEPTH, side, px, qty, whole.u, ref, ts_ns)
        for side, each in ((BID, whole.b), (ASK, whole.a))
        for px, qty in each
    ]
    return book(levels, snapshot=snapshot, seq=whole.u, ref=ref, ts_exch_ns=ts_ns)


def _best(whole: Book, ts_ns: int, snapshot: bool) -> list[Row]:
    """Return quotes of the levels that are there; in a delta a size of nought is one that left."""
    quotes = [
        Row(QUOTE, side, px, qty, whole.u, 0, ts_ns)
        for side, each in ((BID, whole.b), (ASK, whole.a))
        for px, qty in each
        if snapshot or qty.strip("0.")
    ]
    return quotes or [Row(STATUS, NO_SIDE, 0, 0, whole.u, 0, ts_ns)]


def _trade(trade: Trade, side: int) -> Row:
    return Row(TRADE, side, trade.p, trade.v, 0, 0, trade.T * NS_PER_MS)
