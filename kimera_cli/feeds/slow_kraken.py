"""Slow parser of Kraken's websocket v2."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.connection import decimals_of
from kimera_cli.feeds.kraken import pair
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.feeds.text_values import Id, iso_ns
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CHECKSUM, DEPTH, F_SNAPSHOT, NO_SIDE, QUOTE, TRADE

_WORD = (1 << 32) - 1


class Envelope(msgspec.Struct):
    """Any message: data of a channel, or the answer to a request."""

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw()
    method: str = ""
    success: bool = True
    error: str = ""
    result: Any = None


class Level(msgspec.Struct):
    """A price level; `qty` 0: gone."""

    price: Decimal
    qty: Decimal


class Book(msgspec.Struct):
    """One entry of `book`; older snapshots tell no time."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    checksum: Annotated[int, msgspec.Meta(ge=0, le=_WORD)]
    timestamp: str = ""


class Trade(msgspec.Struct):
    """One entry of `trade`; `side` is the taker's."""

    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    trade_id: Id
    timestamp: str


class Ticker(msgspec.Struct):
    """One entry of `ticker`; older ones tell no time."""

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    timestamp: str = ""


_ENVELOPE = msgspec.json.Decoder(Envelope)
_BOOKS = msgspec.json.Decoder(Annotated[list[Book], msgspec.Meta(min_length=1)])
_TRADES = msgspec.json.Decoder(Annotated[list[Trade], msgspec.Meta(min_length=1)])
_TICKERS = msgspec.json.Decoder(Annotated[list[Ticker], msgspec.Meta(min_length=1)])
_TYPES = {"snapshot": True, "update": False}
_SIDES = {"buy": BID, "sell": ASK}


class KrakenSlow(Slow):
    """Books, trades and best prices; what other channels say is a status."""

    venue = "kraken"

    def symbol(self, instrument: Instrument) -> str:
        """Return the pair as v2 writes it."""
        return pair(instrument)

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the updates of one frame."""
        envelope = _ENVELOPE.decode(payload)
        if envelope.method or envelope.error:
            return self._answer(envelope)
        if envelope.channel not in ("book", "trade", "ticker"):
            return self._other(envelope)
        if envelope.type not in _TYPES:
            raise self.bad("type", "snapshot or update", envelope.type)
        return self._data(envelope.channel, _TYPES[envelope.type], bytes(envelope.data))

    def _answer(self, envelope: Envelope) -> Control:
        if envelope.error or not envelope.success:
            return Control(kind="refused", text=envelope.error or envelope.method)
        return Control(kind="pong" if envelope.method == "pong" else "ack", text=envelope.method)

    def _other(self, envelope: Envelope) -> Control:
        if not envelope.channel:
            raise self.bad("channel", "a message with `channel` or `method`", "neither")
        heartbeat = envelope.channel == "heartbeat"
        return Control(kind="heartbeat" if heartbeat else "status", text=envelope.channel)

    def _data(self, channel: str, snapshot: bool, data: bytes) -> list[Update]:
        if channel == "book":
            return [
                Update(entry.symbol, self._book(entry, snapshot)) for entry in _BOOKS.decode(data)
            ]
        if channel == "trade":
            return [
                Update(trade.symbol, [self._trade(trade, snapshot)])
                for trade in _TRADES.decode(data)
            ]
        return [Update(ticker.symbol, _quotes(ticker)) for ticker in _TICKERS.decode(data)]

    def _book(self, entry: Book, snapshot: bool) -> list[Row]:
        ts = _moment(entry.timestamp)
        levels = [
            Row(DEPTH, side, str(level.price), str(level.qty), 0, 0, ts)
            for side, side_levels in ((BID, entry.bids), (ASK, entry.asks))
            for level in side_levels
        ]
        px, qty = self._decimals(entry.symbol)
        checksum = Row(CHECKSUM, NO_SIDE, px, entry.checksum, 0, qty, ts)
        return [*book(levels, snapshot=snapshot, ts_exch_ns=ts), checksum]

    def _decimals(self, symbol: str) -> tuple[int, int]:
        """Return with how many decimals the checksum's text has prices and sizes."""
        if symbol not in self._index:
            raise self.bad("symbol", f"one of {', '.join(self._index)}", symbol)
        _, instrument = self._index[symbol]
        return decimals_of(instrument.tick), decimals_of(instrument.lot)

    def _trade(self, trade: Trade, snapshot: bool) -> Row:
        if trade.side not in _SIDES:
            raise self.bad("side", "buy or sell", trade.side)
        ts, flags = _moment(trade.timestamp), F_SNAPSHOT if snapshot else 0
        px, qty = str(trade.price), str(trade.qty)
        return Row(TRADE, _SIDES[trade.side], px, qty, trade.trade_id, 0, ts, flags)


def _moment(text: str) -> int:
    return iso_ns(text, "timestamp") if text else 0


def _quotes(ticker: Ticker) -> list[Row]:
    ts = _moment(ticker.timestamp)
    sides = ((BID, ticker.bid, ticker.bid_qty), (ASK, ticker.ask, ticker.ask_qty))
    return [Row(QUOTE, side, str(px), str(qty), 0, 0, ts) for side, px, qty in sides]
