"""Binance spot captures: depth diffs joined with the REST snapshots beside them, bookTicker,
trades.

Diffs are `[U..u]`; `ref` is U-1. A snapshot of the recording (`BINANCE.http.N.0`) enters the
stream at its own local time. Aggregate trades are numbered by their own id `a`. Orders older
than a change of tick or lot stay in the book (0.25974 where the tick is 0.0001), so the grid is
the finer of the venue's and the file's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.binance_market import SPOT, instrument_of
from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, QUOTE, TRADE
from kimera_cli.units import NS_PER_MS

_SNAPSHOT = re.compile(r"/depth\?.*symbol=([A-Z0-9_]+)")
_IGNORED = ("kline", "24hrTicker", "24hrMiniTicker")
_SIDES = (("b", BID), ("a", ASK))


class BinanceDialect(Dialect):
    """Messages are `{"stream", "data"}`; REST answers are order books."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message or REST snapshot."""
        if message.url:
            if match := _SNAPSHOT.search(message.url):
                yield Update(match[1], _snapshot(body))
            return
        if "stream" not in body:
            if "result" not in body:
                raise ValueError("no stream")
            return
        data = body["data"]
        kind = data.get("e", "bookTicker" if "bookTicker" in body["stream"] else "")
        if kind in _ROWS:
            yield Update(data["s"], _ROWS[kind](data))
        elif kind not in _IGNORED:
            raise ValueError(f"unknown event {kind!r}")


def _snapshot(body: dict[str, Any]) -> list[Row]:
    seq = int(body["lastUpdateId"])
    levels = [
        Row(DEPTH, side, px, qty, seq)
        for key, side in (("bids", BID), ("asks", ASK))
        for px, qty in body[key]
    ]
    return book(levels, snapshot=True, seq=seq)


def _depth(data: dict[str, Any]) -> list[Row]:
    seq, ref, ts = int(data["u"]), int(data["U"]) - 1, int(data["E"]) * NS_PER_MS
    levels = [
        Row(DEPTH, side, px, qty, seq, ref, ts) for key, side in _SIDES for px, qty in data[key]
    ]
    return book(levels, snapshot=False, seq=seq, ref=ref, ts_exch_ns=ts)


def _ticker(data: dict[str, Any]) -> list[Row]:
    seq = int(data["u"])
    return [
        Row(QUOTE, BID, data["b"], data["B"], seq),
        Row(QUOTE, ASK, data["a"], data["A"], seq),
    ]


def _trade(data: dict[str, Any]) -> list[Row]:
    seq = int(data["a"] if data["e"] == "aggTrade" else data["t"])
    side = ASK if data["m"] else BID
    return [Row(TRADE, side, data["p"], data["q"], seq, 0, int(data["T"]) * NS_PER_MS)]


_ROWS = {"depthUpdate": _depth, "bookTicker": _ticker, "aggTrade": _trade, "trade": _trade}


class Binance(CaptureImporter):
    """cryptofeed captures of Binance spot."""

    name = "cryptofeed-binance"
    summary = "cryptofeed capture of Binance spot, BINANCE.ws.N.0 with BINANCE.http.N.0"
    venue = "binance"
    hosts = (b"stream.binance.com",)
    finer_grid = True

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return BinanceDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield the pairs of /api/v3/exchangeInfo."""
        for item in body["symbols"] if "/exchangeInfo" in url else ():
            filters = {each["filterType"]: each for each in item["filters"]}
            notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
            yield (
                item["symbol"],
                Instrument(
                    venue=self.venue,
                    symbol=item["symbol"],
                    kind="spot",
                    tick=Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
                    lot=Decimal(filters["LOT_SIZE"]["stepSize"]).normalize(),
                    base=item["baseAsset"],
                    quote=item["quoteAsset"],
                    min_qty=Decimal(filters["LOT_SIZE"]["minQty"]).normalize(),
                    max_qty=Decimal(filters["LOT_SIZE"]["maxQty"]).normalize(),
                    min_notional=Decimal(notional.get("minNotional", 0)).normalize(),
                    maker_fee=SPOT.maker_fee,
                    taker_fee=SPOT.taker_fee,
                ),
            )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair."""
        return instrument_of(symbol, False, tick, lot)
