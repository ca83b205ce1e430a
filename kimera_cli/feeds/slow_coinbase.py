"""Slow parser of Coinbase Advanced Trade."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.feeds.text_values import Id, iso_ns, whole_number
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, F_SNAPSHOT, QUOTE, TRADE, Events


class Envelope(msgspec.Struct):
    """Any message; an error has a `type` and no channel."""

    channel: str = ""
    timestamp: str = ""
    sequence_num: Id | None = None
    events: msgspec.Raw = msgspec.Raw()
    type: str = ""
    message: str = ""


class Level(msgspec.Struct):
    """A price level; quantity 0: gone."""

    side: str
    event_time: str
    price_level: str
    new_quantity: str


class Book(msgspec.Struct):
    """One event of `l2_data`."""

    type: str
    product_id: str
    updates: list[Level]


class Price(msgspec.Struct):
    """A level of a REST book."""

    price: str
    size: str


class Whole(msgspec.Struct):
    """A book over REST."""

    product_id: str
    bids: list[Price]
    asks: list[Price]
    time: str = ""


class Answer(msgspec.Struct):
    """What `market/product_book` answers over REST."""

    pricebook: Whole


class Trade(msgspec.Struct):
    """One trade; `side` is the resting order's."""

    trade_id: str
    product_id: str
    price: str
    size: str
    side: str
    time: str


class Trades(msgspec.Struct):
    """One event of `market_trades`."""

    type: str
    trades: list[Trade]


class Ticker(msgspec.Struct):
    """Best prices of a product; some tell none."""

    product_id: str
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class Tickers(msgspec.Struct):
    """One event of `ticker`."""

    tickers: list[Ticker]


_ENVELOPE = msgspec.json.Decoder(Envelope)
_BOOKS = msgspec.json.Decoder(Annotated[list[Book], msgspec.Meta(min_length=1)])
_TRADES = msgspec.json.Decoder(Annotated[list[Trades], msgspec.Meta(min_length=1)])
_TICKERS = msgspec.json.Decoder(Annotated[list[Tickers], msgspec.Meta(min_length=1)])
_TYPES = {"snapshot": True, "update": False}
_SIDES = {"bid": BID, "offer": ASK}
_KINDS: dict[str, Literal["heartbeat", "ack"]] = {
    "heartbeats": "heartbeat",
    "subscriptions": "ack",
}
_TAKERS = {"SELL": BID, "BUY": ASK}


class CoinbaseSlow(Slow):
    """Books, trades and best prices; what other channels say is a status."""

    venue = "coinbase"

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the updates of one frame."""
        self.count = -1
        envelope = _ENVELOPE.decode(payload)
        self.count = -1 if envelope.sequence_num is None else envelope.sequence_num
        channel, events = envelope.channel, bytes(envelope.events)
        if channel == "l2_data":
            found = [self._book(each, envelope) for each in _BOOKS.decode(events)]
        elif channel == "market_trades":
            found = [each for event in _TRADES.decode(events) for each in self._trades(event)]
        elif channel in ("ticker", "ticker_batch"):
            entries = [each for event in _TICKERS.decode(events) for each in event.tickers]
            found = [Update(each.product_id, _quotes(each, envelope)) for each in entries]
        else:
            return self._other(envelope)
        found = [update for update in found if update.rows]
        return found or Control(kind="status", text=f"{channel} without content")

    def snapshot(self, payload: bytes, instrument: Instrument, ts_local_ns: int) -> Events:
        """Return the events of a REST book, which has no number."""
        try:
            whole = msgspec.json.decode(payload, type=Answer).pricebook
        except msgspec.MsgspecError as error:
            raise self.frame_error(f"expected a book: {error}", payload) from None
        if whole.product_id != instrument.symbol:
            was = f"expected a book of {instrument.symbol}, was {whole.product_id}"
            raise self.frame_error(was, payload)
        ts = _moment(whole.time)
        levels = [
            Row(DEPTH, side, level.price, level.size, 0, 0, ts)
            for side, side_levels in ((ASK, whole.asks), (BID, whole.bids))
            for level in side_levels
        ]
        rows = book(levels, snapshot=True, ts_exch_ns=ts)
        return self.to_events([Update(instrument.symbol, rows)], ts_local_ns, payload)

    def _other(self, envelope: Envelope) -> Control:
        if envelope.type == "error":
            return Control(kind="refused", text=envelope.message)
        if not envelope.channel:
            raise self.bad("channel", "a message with `channel`", "one without")
        return Control(kind=_KINDS.get(envelope.channel, "status"), text=envelope.channel)

    def _book(self, event: Book, envelope: Envelope) -> Update:
        snapshot, seq = self._snapshot(event.type), envelope.sequence_num or 0
        ts = _moment(envelope.timestamp)
        if not snapshot:
            times = (iso_ns(level.event_time, "event_time") for level in event.updates)
            ts = max(times, default=0) or ts
        levels = [
            Row(DEPTH, self._side(level), level.price_level, level.new_quantity, seq, 0, ts)
            for level in event.updates
        ]
        return Update(event.product_id, book(levels, snapshot=snapshot, seq=seq, ts_exch_ns=ts))

    def _trades(self, event: Trades) -> list[Update]:
        """Return the trades oldest first; the venue lists those of a snapshot newest first."""
        snapshot = self._snapshot(event.type)
        rows = [Update(trade.product_id, [self._trade(trade, snapshot)]) for trade in event.trades]
        return rows[::-1] if snapshot else rows

    def _trade(self, trade: Trade, snapshot: bool) -> Row:
        if trade.side not in _TAKERS:
            raise self.bad("side", "BUY or SELL", trade.side)
        seq, ts = whole_number(trade.trade_id, "trade_id"), iso_ns(trade.time, "time")
        flags = F_SNAPSHOT if snapshot else 0
        return Row(TRADE, _TAKERS[trade.side], trade.price, trade.size, seq, 0, ts, flags)

    def _snapshot(self, kind: str) -> bool:
        if kind not in _TYPES:
            raise self.bad("type", "snapshot or update", kind)
        return _TYPES[kind]

    def _side(self, level: Level) -> int:
        if level.side not in _SIDES:
            raise self.bad("side", "bid or offer", level.side)
        return _SIDES[level.side]


def _moment(text: str) -> int:
    return iso_ns(text, "timestamp") if text else 0


def _quotes(ticker: Ticker, envelope: Envelope) -> list[Row]:
    ts, seq = _moment(envelope.timestamp), envelope.sequence_num or 0
    sides = (
        (BID, ticker.best_bid, ticker.best_bid_quantity),
        (ASK, ticker.best_ask, ticker.best_ask_quantity),
    )
    told = [each for each in sides if each[1].strip("0.")]  # else an empty side
    return [Row(QUOTE, side, px, qty or "0", seq, 0, ts) for side, px, qty in told]
