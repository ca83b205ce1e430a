"""Slow parser of OKX's public channels (v5)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.feeds.text_values import MOST, Id, ms_text_ns, whole_number
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CHECKSUM, DEPTH, NO_SIDE, QUOTE, TRADE, Events

_WORD = (1 << 32) - 1
Level = Annotated[list[str], msgspec.Meta(min_length=2)]
"""Price, size, and what else a level tells."""


class Arg(msgspec.Struct):
    """Which subscription a message belongs to."""

    channel: str
    instId: str = ""  # noqa: N815


class Envelope(msgspec.Struct):
    """Any message: data of a channel, or an event of the connection."""

    arg: Arg | None = None
    event: str = ""
    msg: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw()


class Book(msgspec.Struct):
    """One entry of a book channel."""

    asks: list[Level]
    bids: list[Level]
    ts: str
    checksum: Annotated[int, msgspec.Meta(ge=-_WORD, le=_WORD)] = 0
    seqId: Id = 0  # noqa: N815
    prevSeqId: Annotated[int, msgspec.Meta(ge=-1, le=MOST)] = 0  # noqa: N815
    instId: str = ""  # noqa: N815


class Answer(msgspec.Struct):
    """What `market/books` answers over REST."""

    code: str
    msg: str = ""
    data: list[Book] = []


class Trade(msgspec.Struct):
    """One entry of `trades`; `side` is the taker's."""

    instId: str  # noqa: N815
    tradeId: str  # noqa: N815
    px: str
    sz: str
    side: str
    ts: str


class Ticker(msgspec.Struct):
    """One entry of `tickers`; prices are empty where a side is."""

    instId: str  # noqa: N815
    askPx: str  # noqa: N815
    askSz: str  # noqa: N815
    bidPx: str  # noqa: N815
    bidSz: str  # noqa: N815
    ts: str


_ENVELOPE = msgspec.json.Decoder(Envelope)
_BOOKS = msgspec.json.Decoder(Annotated[list[Book], msgspec.Meta(min_length=1)])
_TRADES = msgspec.json.Decoder(Annotated[list[Trade], msgspec.Meta(min_length=1)])
_TICKERS = msgspec.json.Decoder(Annotated[list[Ticker], msgspec.Meta(min_length=1)])
_CONTROLS = ("subscribe", "unsubscribe", "channel-conn-count", "notice", "login")
_SNAPSHOTS = {"snapshot": True, "update": False, "": True}
_SIDES = {"buy": BID, "sell": ASK}


class OkxSlow(Slow):
    """Books, trades and best prices; what other channels say is a status."""

    venue = "okx"

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the updates of one frame."""
        if payload == b"pong":
            return Control(kind="pong")
        envelope = _ENVELOPE.decode(payload)
        if envelope.event:
            return self._event_of_connection(envelope)
        if envelope.arg is None:
            raise self.bad("arg", "a message with `arg` or `event`", "neither")
        return self._data(envelope, envelope.arg, bytes(envelope.data))

    def snapshot(self, payload: bytes, instrument: Instrument, ts_local_ns: int) -> Events:
        """Return the events of a REST book, which does not name its instrument."""
        try:
            answer = msgspec.json.decode(payload, type=Answer)
        except msgspec.MsgspecError as error:
            raise self.frame_error(f"expected a book: {error}", payload) from None
        if answer.code != "0" or len(answer.data) != 1:
            raise self.frame_error(f"expected a book, was {answer.msg or 'none'}", payload)
        rows = _levels(answer.data[0], snapshot=True)
        return self.to_events([Update(instrument.symbol, rows)], ts_local_ns, payload)

    def _event_of_connection(self, envelope: Envelope) -> Control:
        if envelope.event == "error":
            return Control(kind="refused", text=envelope.msg)
        if envelope.event not in _CONTROLS:
            raise self.bad("event", f"one of {', '.join(_CONTROLS)}", envelope.event)
        text = envelope.msg or (envelope.arg.channel if envelope.arg else envelope.event)
        if envelope.event.endswith("subscribe"):
            return Control(kind="ack", text=text)
        return Control(kind="status", text=text)

    def _data(self, envelope: Envelope, arg: Arg, data: bytes) -> list[Update] | Control:
        channel, symbol = arg.channel, arg.instId
        if channel.startswith("books"):
            if envelope.action not in _SNAPSHOTS:
                raise self.bad("action", "snapshot or update", envelope.action)
            books, snapshot = _BOOKS.decode(data), _SNAPSHOTS[envelope.action]
            self._same(symbol, *(each.instId or symbol for each in books))
            return [Update(symbol, _levels(each, snapshot)) for each in books]
        if channel == "bbo-tbt":
            return _known([Update(symbol, _best(each)) for each in _BOOKS.decode(data)])
        if channel in ("trades", "trades-all"):
            trades = _TRADES.decode(data)
            self._same(symbol, *(trade.instId for trade in trades))
            return [Update(symbol, [self._trade(trade) for trade in trades])]
        if channel == "tickers":
            tickers = _TICKERS.decode(data)
            self._same(symbol, *(ticker.instId for ticker in tickers))
            return _known([Update(symbol, _quotes(ticker)) for ticker in tickers])
        return Control(kind="status", text=channel)

    def _same(self, symbol: str, *others: str) -> None:
        for other in others:
            if other != symbol:
                raise self.bad("instId", f"the {symbol} of `arg`", other)

    def _trade(self, trade: Trade) -> Row:
        if trade.side not in _SIDES:
            raise self.bad("side", "buy or sell", trade.side)
        seq, ts = whole_number(trade.tradeId, "tradeId"), ms_text_ns(trade.ts, "ts")
        return Row(TRADE, _SIDES[trade.side], trade.px, trade.sz, seq, 0, ts)


def _known(updates: list[Update]) -> list[Update] | Control:
    """Return the updates that say something; a market without prices is a status."""
    return [each for each in updates if each.rows] or Control(kind="status", text="no prices")


def _levels(entry: Book, snapshot: bool) -> list[Row]:
    seq, ref, ts = entry.seqId, max(0, entry.prevSeqId), ms_text_ns(entry.ts, "ts")
    levels = [
        Row(DEPTH, side, level[0], level[1], seq, ref, ts)
        for side, side_levels in ((ASK, entry.asks), (BID, entry.bids))
        for level in side_levels
    ]
    rows = book(levels, snapshot=snapshot, seq=seq, ref=ref, ts_exch_ns=ts)
    if entry.checksum:
        rows.append(Row(CHECKSUM, NO_SIDE, 0, entry.checksum & _WORD, seq, 0, ts))
    return rows


def _best(entry: Book) -> list[Row]:
    ts = ms_text_ns(entry.ts, "ts")
    return [
        Row(QUOTE, side, level[0], level[1], entry.seqId, 0, ts)
        for side, side_levels in ((BID, entry.bids), (ASK, entry.asks))
        for level in side_levels[:1]
    ]


def _quotes(ticker: Ticker) -> list[Row]:
    ts = ms_text_ns(ticker.ts, "ts")
    sides = ((BID, ticker.bidPx, ticker.bidSz), (ASK, ticker.askPx, ticker.askSz))
    return [Row(QUOTE, side, px, size, 0, 0, ts) for side, px, size in sides if px]
