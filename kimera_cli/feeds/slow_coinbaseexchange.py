"""Slow parser of Coinbase Exchange."""

from __future__ import annotations

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.feeds.text_values import Id, iso_ns
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, F_SNAPSHOT, QUOTE, TRADE, Events


class Envelope(msgspec.Struct):
    """Any message; an error says what and why."""

    type: str
    product_id: str = ""
    message: str = ""
    reason: str = ""


class Snapshot(msgspec.Struct):
    """A whole book."""

    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    time: str = ""


class Whole(msgspec.Struct):
    """A whole book as REST tells it; a level is price, size and number of orders."""

    bids: list[tuple[str, str, int]]
    asks: list[tuple[str, str, int]]
    sequence: Id
    time: str = ""


class Changes(msgspec.Struct):
    """Levels that changed; size 0: gone."""

    changes: list[tuple[str, str, str]]
    time: str


class Match(msgspec.Struct):
    """One trade; `side` is the resting order's."""

    trade_id: Id
    side: str
    size: str
    price: str
    time: str


class Ticker(msgspec.Struct):
    """Best prices; older ones tell no sizes."""

    sequence: Id
    time: str
    best_bid: str
    best_ask: str
    best_bid_size: str = "0"
    best_ask_size: str = "0"


_ENVELOPE = msgspec.json.Decoder(Envelope)
_SIDES = {"buy": BID, "sell": ASK}
_TAKERS = {"sell": BID, "buy": ASK}


class CoinbaseExchangeSlow(Slow):
    """Books, trades and best prices."""

    venue = "coinbaseexchange"

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the update of one frame."""
        envelope = _ENVELOPE.decode(payload)
        kind, decode = envelope.type, msgspec.json.decode
        if kind == "l2update":
            rows = self._changes(decode(payload, type=Changes))
        elif kind == "snapshot":
            rows = _snapshot(decode(payload, type=Snapshot))
        elif kind in ("match", "last_match"):
            rows = [self._trade(decode(payload, type=Match), kind == "last_match")]
        elif kind == "ticker":
            rows = _quotes(decode(payload, type=Ticker))
        else:
            return self._control(envelope)
        if not rows:
            return Control(kind="status", text=f"{kind} without prices")
        return [Update(envelope.product_id, rows)]

    def snapshot(self, payload: bytes, instrument: Instrument, ts_local_ns: int) -> Events:
        """Return the events of a REST book."""
        try:
            whole = msgspec.json.decode(payload, type=Whole)
        except msgspec.MsgspecError as error:
            raise self.frame_error(f"expected a book: {error}", payload) from None
        sides = [[(px, size) for px, size, _ in side] for side in (whole.bids, whole.asks)]
        rows = _snapshot(Snapshot(sides[0], sides[1], whole.time))
        return self.to_events([Update(instrument.symbol, rows)], ts_local_ns, payload)

    def _control(self, envelope: Envelope) -> Control:
        if envelope.type == "subscriptions":
            return Control(kind="ack", text=envelope.type)
        if envelope.type == "heartbeat":
            return Control(kind="heartbeat", text=envelope.product_id)
        if envelope.type == "error":
            return Control(kind="refused", text=f"{envelope.message} {envelope.reason}".strip())
        return Control(kind="status", text=envelope.type)

    def _changes(self, update: Changes) -> list[Row]:
        ts = iso_ns(update.time, "time")
        for side, _, _ in update.changes:
            if side not in _SIDES:
                raise self.bad("changes", "buy or sell", side)
        levels = [Row(DEPTH, _SIDES[side], px, size, 0, 0, ts) for side, px, size in update.changes]
        return book(levels, snapshot=False, ts_exch_ns=ts)

    def _trade(self, match: Match, before: bool) -> Row:
        if match.side not in _TAKERS:
            raise self.bad("side", "buy or sell", match.side)
        ts, flags = iso_ns(match.time, "time"), F_SNAPSHOT if before else 0
        side = _TAKERS[match.side]
        return Row(TRADE, side, match.price, match.size, match.trade_id, 0, ts, flags)


def _snapshot(whole: Snapshot) -> list[Row]:
    ts = iso_ns(whole.time, "time") if whole.time else 0
    levels = [
        Row(DEPTH, side, px, size, 0, 0, ts)
        for side, side_levels in ((ASK, whole.asks), (BID, whole.bids))
        for px, size in side_levels
    ]
    return book(levels, snapshot=True, ts_exch_ns=ts)


def _quotes(ticker: Ticker) -> list[Row]:
    ts = iso_ns(ticker.time, "time")
    sides = (
        (BID, ticker.best_bid, ticker.best_bid_size),
        (ASK, ticker.best_ask, ticker.best_ask_size),
    )
    return [
        Row(QUOTE, side, px, size, ticker.sequence, 0, ts)
        for side, px, size in sides
        if px.strip("0.")  # an empty side
    ]
