"""Bybit captures, old (`orderBookL2_25`, `orderBook_200`) and v5 (`orderbook.N.SYMBOL`): books
and trades.

v5 numbers the messages of a book (`u`, one more each time; 1 after a restart of the service);
the old feed's `cross_seq` only grows. The old feed computes sizes in single precision
(7667.0005 where the lot is 1): they go to the nearest lot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, TRADE
from kimera_cli.units import NS_PER_MS, NS_PER_US

_SIDES = {"Buy": BID, "Sell": ASK}
_IGNORED = ("tickers", "instrument_info", "kline", "candle", "liquidation", "klineV2")


class BybitDialect(Dialect):
    """Messages are objects with a `topic`; control messages have none."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the updates of one message."""
        if "topic" not in body:
            if "success" not in body and body.get("op") not in ("pong", "ping"):
                raise ValueError("no topic")
            return
        topic, _, rest = body["topic"].partition(".")
        symbol = rest.rpartition(".")[2]
        if topic == "orderbook":
            yield Update(symbol, _book(body))
        elif topic in ("orderBookL2_25", "orderBook_200"):
            yield Update(symbol, _old_book(body))
        elif topic in ("trade", "publicTrade"):
            yield Update(symbol, [_trade(trade) for trade in body["data"]])
        elif topic not in _IGNORED:
            raise ValueError(f"unknown topic {topic}")


def _book(body: dict[str, Any]) -> list[Row]:
    data, ts = body["data"], int(body.get("cts", body["ts"])) * NS_PER_MS
    seq = int(data["u"])
    snapshot = body["type"] == "snapshot" or seq == 1
    ref = 0 if snapshot else seq - 1
    levels = [
        Row(DEPTH, side, px, qty, seq, ref, ts)
        for key, side in (("b", BID), ("a", ASK))
        for px, qty in data[key]
    ]
    return book(levels, snapshot=snapshot, seq=seq, ref=ref, ts_exch_ns=ts)


def _old_book(body: dict[str, Any]) -> list[Row]:
    data, seq, ts = body["data"], int(body["cross_seq"]), int(body["timestamp_e6"]) * NS_PER_US
    if body["type"] == "snapshot":
        levels = data["order_book"] if isinstance(data, dict) else data
        return book(
            [_level(level, seq, ts) for level in levels], snapshot=True, seq=seq, ts_exch_ns=ts
        )
    gone = [_level({**level, "size": "0"}, seq, ts) for level in data["delete"]]
    changed = [_level(level, seq, ts) for level in (*data["update"], *data["insert"])]
    return book(gone + changed, snapshot=False, seq=seq, ts_exch_ns=ts)


def _level(level: dict[str, Any], seq: int, ts_exch_ns: int) -> Row:
    side, px = _SIDES[level["side"]], str(level["price"])
    return Row(DEPTH, side, px, str(level["size"]), seq, 0, ts_exch_ns)


def _trade(trade: dict[str, Any]) -> Row:
    if "T" in trade:
        ts = int(trade["T"]) * NS_PER_MS
        return Row(TRADE, _SIDES[trade["S"]], trade["p"], trade["v"], 0, 0, ts)
    ts = int(trade["trade_time_ms"]) * NS_PER_MS
    return Row(TRADE, _SIDES[trade["side"]], str(trade["price"]), str(trade["size"]), 0, 0, ts)


class Bybit(CaptureImporter):
    """cryptofeed captures of Bybit."""

    name = "cryptofeed-bybit"
    summary = "cryptofeed capture of Bybit (old public feed and v5), BYBIT.ws.N.0"
    venue = "bybit"
    hosts = (b"stream.bybit.com", b"stream.bytick.com")
    nearest_lot = True

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return BybitDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield the contracts of /v2/public/symbols."""
        for item in body["result"] if "/public/symbols" in url else ():
            lots, quote = item["lot_size_filter"], item["quote_currency"]
            yield (
                item["name"],
                Instrument(
                    venue=self.venue,
                    symbol=item["name"],
                    kind="inverse" if quote == "USD" else "linear",
                    tick=Decimal(item["price_filter"]["tick_size"]),
                    lot=Decimal(str(lots["qty_step"])),
                    base=item["base_currency"],
                    quote=quote,
                    min_qty=Decimal(str(lots["min_trading_qty"])),
                    max_qty=Decimal(str(lots["max_trading_qty"])),
                    maker_fee=float(item["maker_fee"]),
                    taker_fee=float(item["taker_fee"]),
                ),
            )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a contract: 1 USD of an inverse one, 1 coin of a USDT one."""
        quote = "USDT" if symbol.endswith("USDT") else "USD"
        return Instrument(
            venue=self.venue,
            symbol=symbol,
            kind="linear" if quote == "USDT" else "inverse",
            tick=tick,
            lot=lot,
            base=symbol.removesuffix(quote),
            quote=quote,
        )
