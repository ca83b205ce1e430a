"""OKX v5 captures: books with CRC32 checksums and, in newer recordings, the seqId chain;
trades; tickers.

https://www.okx.com/docs-v5: `books` starts with a snapshot (`prevSeqId` -1), then each message
names the one it follows. The checksum is a signed 32-bit number; events carry it unsigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument, Kind
from kimera_cli.layouts import ASK, BID, CHECKSUM, DEPTH, NO_SIDE, QUOTE, TRADE
from kimera_cli.units import NS_PER_MS

_IGNORED = ("funding-rate", "open-interest", "mark-price", "price-limit", "liquidation-orders")
_KINDS: dict[str, Kind] = {"": "spot", "linear": "linear", "inverse": "inverse"}
_QUOTES = (("bidPx", "bidSz", BID), ("askPx", "askSz", ASK))


class OkxDialect(Dialect):
    """Messages are objects `{"arg": {"channel", "instId"}, "data": [...]}` or control events."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message."""
        if "event" in body:
            if body["event"] == "error":
                raise ValueError(f"the venue refused: {body.get('msg')}")
            return
        channel, symbol = body["arg"]["channel"], body["arg"].get("instId", "")
        if channel.startswith(("books", "bbo-tbt")):
            for data in body["data"]:
                yield Update(symbol, _book(data, body.get("action", "snapshot") == "snapshot"))
        elif channel == "trades":
            yield Update(symbol, [_trade(trade) for trade in body["data"]])
        elif channel == "tickers":
            rows = [row for ticker in body["data"] for row in _quotes(ticker)]
            if rows:
                yield Update(symbol, rows)
        elif not channel.startswith(("candle", "mark-price-candle")) and channel not in _IGNORED:
            raise ValueError(f"unknown channel {channel}")


def _book(data: dict[str, Any], snapshot: bool) -> list[Row]:
    seq, ref = int(data.get("seqId", 0)), max(0, int(data.get("prevSeqId", 0)))
    ts = int(data["ts"]) * NS_PER_MS
    levels = [
        Row(DEPTH, side, level[0], level[1], seq, ref, ts)
        for side, key in ((ASK, "asks"), (BID, "bids"))
        for level in data[key]
    ]
    rows = book(levels, snapshot=snapshot, seq=seq, ref=ref, ts_exch_ns=ts)
    if data.get("checksum"):
        rows.append(Row(CHECKSUM, NO_SIDE, 0, int(data["checksum"]) & 0xFFFFFFFF, seq, 0, ts))
    return rows


def _trade(trade: dict[str, str]) -> Row:
    side = {"buy": BID, "sell": ASK}[trade["side"]]
    seq = int(trade["tradeId"])
    return Row(TRADE, side, trade["px"], trade["sz"], seq, 0, int(trade["ts"]) * NS_PER_MS)


def _quotes(ticker: dict[str, str]) -> Iterator[Row]:
    ts = int(ticker["ts"]) * NS_PER_MS
    for px, size, side in _QUOTES:
        if ticker[px]:
            yield Row(QUOTE, side, ticker[px], ticker[size], 0, 0, ts)


class Okx(CaptureImporter):
    """cryptofeed captures of OKX."""

    name = "cryptofeed-okx"
    summary = "cryptofeed capture of OKX (v5), OKX.ws.N.0"
    venue = "okx"
    hosts = (b"ws.okx.com", b"ws.okex.com", b"wsaws.okx.com")

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return OkxDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield spot pairs, swaps and futures of /api/v5/public/instruments; options are left
        out."""
        for item in body["data"] if "/public/instruments" in url else ():
            if item["instType"] == "OPTION" or not item["tickSz"]:
                continue
            yield item["instId"], self._instrument(item)

    def _instrument(self, item: dict[str, str]) -> Instrument:
        base, _, rest = (item["baseCcy"] or item["uly"]).partition("-")
        contract = Decimal(item["ctVal"] or 1) * Decimal(item["ctMult"] or 1)
        return Instrument(
            venue=self.venue,
            symbol=item["instId"],
            kind=_KINDS[item["ctType"]],
            tick=Decimal(item["tickSz"]),
            lot=Decimal(item["lotSz"]),
            base=base,
            quote=item["quoteCcy"] or rest,
            settle=item["settleCcy"],
            contract_size=contract,
            min_qty=Decimal(item["minSz"]),
        )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair; a contract's size cannot be guessed: DataError `data.instrument`."""
        base, _, quote = symbol.partition("-")
        if "-" in quote:
            raise DataError(
                "data.instrument",
                f"expected the contract size of {symbol}, was unknown",
                "keep the REST file OKX.0 of the same recording beside the capture",
            )
        return Instrument(
            venue=self.venue,
            symbol=symbol,
            kind="spot",
            tick=tick,
            lot=lot,
            base=base,
            quote=quote,
        )
