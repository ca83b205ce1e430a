"""Slow parser of Binance: combined and raw streams (spot, USD-M, COIN-M) and REST snapshots."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.feeds.slow import Control, Slow
from kimera_cli.feeds.text_values import MOST, Id, Ms
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, QUOTE, TRADE, Events
from kimera_cli.units import NS_PER_MS

Levels = list[tuple[str, str]]


class Envelope(msgspec.Struct):
    """Any message: a combined stream wraps it, a raw stream does not; answers have an id."""

    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    e: str = ""
    B: str | None = None
    id: Any = None
    result: Any = msgspec.UNSET
    error: Any = None


class Depth(msgspec.Struct):
    """depthUpdate; futures tell T and pu."""

    s: str
    E: Id
    U: Id
    u: Id
    b: Levels
    a: Levels
    T: Ms = 0
    pu: Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)] = -1


class Partial(msgspec.Struct):
    """A whole book as spot's `@depth20` streams and REST tell it."""

    lastUpdateId: Id  # noqa: N815
    bids: Levels
    asks: Levels
    T: Ms = 0


class Ticker(msgspec.Struct):
    """bookTicker; spot tells no time."""

    s: str
    u: Id
    b: str
    B: str
    a: str
    A: str
    T: Ms = 0


class Trade(msgspec.Struct):
    """trade: t is its id; aggTrade: a."""

    s: str
    T: Ms
    p: str
    q: str
    m: bool


class SingleTrade(Trade):
    """A trade."""

    t: Id


class AggregateTrade(Trade):
    """All trades of one order at one price."""

    a: Id


LAST_MS = MOST // NS_PER_MS
_ENVELOPE = msgspec.json.Decoder(Envelope)
_IGNORED = ("kline", "24hrTicker", "24hrMiniTicker", "markPriceUpdate", "forceOrder")


class BinanceSlow(Slow):
    """Spot."""

    venue = "binance"

    def updates(self, payload: bytes) -> list[Update] | Control:
        """Return the update of one frame."""
        envelope = _ENVELOPE.decode(payload)
        if data := bytes(envelope.data):
            inner = _ENVELOPE.decode(data)
            return self._message(inner.e, envelope.stream or "", data)
        if envelope.e or envelope.B is not None:
            return self._message(envelope.e, "", payload)
        if envelope.error is not None:
            return Control(kind="refused", text=str(envelope.error))
        if envelope.result is not msgspec.UNSET:
            return Control(kind="ack", text=str(envelope.id))
        raise self.bad("e", "a message with `e`, `stream` or `result`", "neither")

    def snapshot(self, payload: bytes, instrument: Instrument, ts_local_ns: int) -> Events:
        """Return the events of a REST depth snapshot, which need not name its symbol."""
        try:
            rows = _partial(msgspec.json.decode(payload, type=Partial))
        except msgspec.MsgspecError as error:
            raise self.frame_error(f"expected a depth snapshot: {error}", payload) from None
        return self.to_events([Update(instrument.symbol, rows)], ts_local_ns, payload)

    def _message(self, kind: str, stream: str, data: bytes) -> list[Update] | Control:
        name, _, channel = stream.partition("@")
        decode = msgspec.json.decode
        if kind == "depthUpdate":
            depth = decode(data, type=Depth)
            if not depth.T and depth.E > LAST_MS:
                raise self.bad("E", f"milliseconds up to {LAST_MS}", depth.E)
            return self._of(name, depth.s, _depth(depth, _is_partial(channel)))
        if kind == "trade":
            trade = decode(data, type=SingleTrade)
            return self._of(name, trade.s, _trade(trade, trade.t))
        if kind == "aggTrade":
            aggregate = decode(data, type=AggregateTrade)
            return self._of(name, aggregate.s, _trade(aggregate, aggregate.a))
        if kind == "bookTicker" or (not kind and channel in ("bookTicker", "")):
            ticker = decode(data, type=Ticker)
            return self._of(name, ticker.s, _ticker(ticker))
        if not kind and channel.startswith("depth"):
            return [Update(name.upper(), _partial(decode(data, type=Partial)))]
        if kind in _IGNORED:
            return Control(kind="status", text=kind)
        raise self.bad("e", "a known message", kind or stream)

    def _of(self, name: str, symbol: str, rows: list[Row]) -> list[Update]:
        if name and name != symbol.lower():
            raise self.bad("s", f"the symbol of stream {name}", symbol)
        return [Update(symbol, rows)]


class BinanceUsdmSlow(BinanceSlow):
    """USD-M futures."""

    venue = "binanceusdm"


class BinanceCoinmSlow(BinanceSlow):
    """COIN-M futures."""

    venue = "binancecoinm"


def _is_partial(channel: str) -> bool:
    """Tell whether a stream such as `depth20@100ms` sends whole books."""
    return channel.partition("@")[0].removeprefix("depth").isdigit()


def _depth(depth: Depth, whole: bool) -> list[Row]:
    ts = (depth.T or depth.E) * NS_PER_MS
    ref = 0 if whole else (depth.pu if depth.pu >= 0 else depth.U - 1)
    levels = [
        Row(DEPTH, side, px, qty, depth.u, ref, ts)
        for side, side_levels in ((BID, depth.b), (ASK, depth.a))
        for px, qty in side_levels
    ]
    return book(levels, snapshot=whole, seq=depth.u, ref=ref, ts_exch_ns=ts)


def _partial(whole: Partial) -> list[Row]:
    seq, ts = whole.lastUpdateId, whole.T * NS_PER_MS
    levels = [
        Row(DEPTH, side, px, qty, seq, 0, ts)
        for side, side_levels in ((BID, whole.bids), (ASK, whole.asks))
        for px, qty in side_levels
    ]
    return book(levels, snapshot=True, seq=seq, ts_exch_ns=ts)


def _ticker(ticker: Ticker) -> list[Row]:
    ts = ticker.T * NS_PER_MS
    sides = ((BID, ticker.b, ticker.B), (ASK, ticker.a, ticker.A))
    return [Row(QUOTE, side, px, qty, ticker.u, 0, ts) for side, px, qty in sides]


def _trade(trade: Trade, seq: int) -> list[Row]:
    side = ASK if trade.m else BID
    return [Row(TRADE, side, trade.p, trade.q, seq, 0, trade.T * NS_PER_MS)]
