"""HTX (Huobi) captures: gzip frames with step0 books, numbered incremental books (mbp), trades.

`depth.step0` sends the whole visible book each time: each message is a snapshot. `mbp.N` sends
changes that name the one before (`prevSeqNum`). A trade message lists its newest trade first;
events go oldest first. Market orders by value leave sizes off the lot (4049.005510062893 where
the lot is 0.0001): they go to the nearest lot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, QUOTE, TRADE
from kimera_cli.units import NS_PER_MS

_CONTROL = ("ping", "pong", "subbed", "unsubbed")
_IGNORED = ("kline", "detail", "ticker")
_SIDES = (("bids", BID), ("asks", ASK))
_AGGRESSOR = {"buy": BID, "sell": ASK}


class HuobiDialect(Dialect):
    """Messages are objects with a channel `ch` = market.SYMBOL.KIND... (`rep` for an answer)."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message."""
        if any(key in body for key in _CONTROL):
            return
        channel = body.get("ch") or body["rep"]
        _, symbol, kind = channel.split(".")[:3]
        if kind not in _ROWS:
            if kind not in _IGNORED:
                raise ValueError(f"unknown channel {channel}")
            return
        rows = _ROWS[kind](body)
        if rows:
            yield Update(symbol, rows)


def _levels(tick: dict[str, Any], seq: int, ref: int, ts_exch_ns: int) -> list[Row]:
    return [
        Row(DEPTH, side, str(px), str(qty), seq, ref, ts_exch_ns)
        for key, side in _SIDES
        for px, qty in tick.get(key) or ()
    ]


def _depth(body: dict[str, Any]) -> list[Row]:
    tick, ts = body["tick"], int(body["tick"]["ts"]) * NS_PER_MS
    seq = int(tick["version"])
    return book(_levels(tick, seq, 0, ts), snapshot=True, seq=seq, ts_exch_ns=ts)


def _mbp(body: dict[str, Any]) -> list[Row]:
    snapshot = "rep" in body
    tick, ts = body["data" if snapshot else "tick"], int(body.get("ts", 0)) * NS_PER_MS
    seq, ref = int(tick["seqNum"]), int(tick.get("prevSeqNum", 0))
    return book(
        _levels(tick, seq, 0 if snapshot else ref, ts),
        snapshot=snapshot or "prevSeqNum" not in tick,
        seq=seq,
        ref=ref,
        ts_exch_ns=ts,
    )


def _trades(body: dict[str, Any]) -> list[Row]:
    return [
        Row(
            TRADE,
            _AGGRESSOR[trade["direction"]],
            str(trade["price"]),
            str(trade["amount"]),
            int(trade["tradeId"]),
            0,
            int(trade["ts"]) * NS_PER_MS,
        )
        for trade in reversed(body["tick"]["data"])
    ]


def _bbo(body: dict[str, Any]) -> list[Row]:
    tick = body["tick"]
    seq, ts = int(tick["seqId"]), int(tick["quoteTime"]) * NS_PER_MS
    return [
        Row(QUOTE, BID, str(tick["bid"]), str(tick["bidSize"]), seq, 0, ts),
        Row(QUOTE, ASK, str(tick["ask"]), str(tick["askSize"]), seq, 0, ts),
    ]


_ROWS = {"depth": _depth, "mbp": _mbp, "trade": _trades, "bbo": _bbo}


class Huobi(CaptureImporter):
    """cryptofeed captures of HTX."""

    name = "cryptofeed-huobi"
    summary = "cryptofeed capture of HTX (Huobi) with its gzip frames, HUOBI.ws.N.0"
    venue = "htx"
    hosts = (b"api.huobi.pro", b"api-aws.huobi.pro", b"api.htx.com")
    nearest_lot = True

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return HuobiDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield the spot pairs of /v1/common/symbols."""
        for item in body["data"] if "/common/symbols" in url else ():
            yield (
                item["symbol"],
                Instrument(
                    venue=self.venue,
                    symbol=item["symbol"].upper(),
                    kind="spot",
                    tick=Decimal(1).scaleb(-item["price-precision"]),
                    lot=Decimal(1).scaleb(-item["amount-precision"]),
                    base=item["base-currency"].upper(),
                    quote=item["quote-currency"].upper(),
                    min_qty=Decimal(str(item.get("min-order-amt", 0))),
                    min_notional=Decimal(str(item.get("min-order-value", 0))),
                ),
            )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair; its name does not tell where the base ends."""
        return Instrument(venue=self.venue, symbol=symbol.upper(), kind="spot", tick=tick, lot=lot)
