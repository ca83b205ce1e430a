"""Coinbase Exchange (ex Pro) captures: level2 books, matches, tickers.

level2 messages carry no number: a lost one cannot be seen. Matches are numbered per product
without holes. The `side` of a match is the resting order's, so the aggressor is the other one.
Tickers state best prices without sizes (qty 0: not told).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message, iso_to_ns
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, F_SNAPSHOT, QUOTE, TRADE

_CONTROL = ("subscriptions", "heartbeat", "status")
_SIDES = {"buy": BID, "sell": ASK}
_AGGRESSOR = {"buy": ASK, "sell": BID}


class CoinbaseDialect(Dialect):
    """Messages are objects with a `type` and a `product_id`."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message."""
        kind = body["type"]
        if kind in _CONTROL:
            return
        yield Update(body["product_id"], _ROWS[kind](body))


def _snapshot(body: dict[str, Any]) -> list[Row]:
    levels = [
        Row(DEPTH, side, px, qty)
        for key, side in (("asks", ASK), ("bids", BID))
        for px, qty in body[key]
    ]
    return book(levels, snapshot=True)


def _changes(body: dict[str, Any]) -> list[Row]:
    ts = iso_to_ns(body["time"])
    changes = body["changes"]
    levels = [Row(DEPTH, _SIDES[side], px, qty, 0, 0, ts) for side, px, qty in changes]
    return book(levels, snapshot=False, ts_exch_ns=ts)


def _trade(body: dict[str, Any]) -> list[Row]:
    ts = iso_to_ns(body["time"])
    side = _AGGRESSOR[body["side"]]
    flags = F_SNAPSHOT if body["type"] == "last_match" else 0
    return [Row(TRADE, side, body["price"], body["size"], body["trade_id"], 0, ts, flags)]


def _ticker(body: dict[str, Any]) -> list[Row]:
    ts, seq = iso_to_ns(body["time"]), body["sequence"]
    return [
        Row(QUOTE, BID, body["best_bid"], body.get("best_bid_size", "0"), seq, 0, ts),
        Row(QUOTE, ASK, body["best_ask"], body.get("best_ask_size", "0"), seq, 0, ts),
    ]


_ROWS = {
    "snapshot": _snapshot,
    "l2update": _changes,
    "match": _trade,
    "last_match": _trade,
    "ticker": _ticker,
}


class Coinbase(CaptureImporter):
    """cryptofeed captures of Coinbase Exchange."""

    name = "cryptofeed-coinbase"
    summary = "cryptofeed capture of Coinbase Exchange (ex Pro), COINBASE.ws.N.0"
    venue = "coinbaseexchange"
    hosts = (b"ws-feed.pro.coinbase.com", b"ws-feed.exchange.coinbase.com")

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return CoinbaseDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield the products of /products."""
        for item in body if "/products" in url else ():
            yield (
                item["id"],
                Instrument(
                    venue=self.venue,
                    symbol=item["id"],
                    kind="spot",
                    tick=Decimal(item["quote_increment"]),
                    lot=Decimal(item["base_increment"]),
                    base=item["base_currency"],
                    quote=item["quote_currency"],
                    min_qty=Decimal(item.get("base_min_size", 0)),
                    max_qty=Decimal(item.get("base_max_size", 0)),
                    min_notional=Decimal(item.get("min_market_funds", 0)),
                ),
            )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair."""
        base, _, quote = symbol.partition("-")
        return Instrument(
            venue=self.venue,
            symbol=symbol,
            kind="spot",
            tick=tick,
            lot=lot,
            base=base,
            quote=quote,
        )
