"""Bitstamp captures: diff books joined with the REST snapshots beside them, trades.

Diffs carry a microsecond time as their only number; it grows but does not tell what it follows,
so a lost diff cannot be seen. A REST snapshot (`BITSTAMP.http.N.0`) holds all diffs up to its
own microtimestamp.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, TRADE
from kimera_cli.units import NS_PER_US

_SNAPSHOT = re.compile(r"/order_book/([a-z0-9-]+)")
_CONTROL = ("bts:subscription_succeeded", "bts:heartbeat", "bts:unsubscription_succeeded")


class BitstampDialect(Dialect):
    """Messages are `{"event", "channel", "data"}` with the pair at the end of the channel's
    name."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message or REST snapshot."""
        if message.url:
            if match := _SNAPSHOT.search(message.url):
                yield Update(match[1], _book(body, snapshot=True))
            return
        if body["event"] in _CONTROL:
            return
        channel, _, symbol = body["channel"].rpartition("_")
        if channel == "diff_order_book":
            yield Update(symbol, _book(body["data"], snapshot=False))
        elif channel == "order_book":
            yield Update(symbol, _book(body["data"], snapshot=True))
        elif channel == "live_trades":
            yield Update(symbol, [_trade(body["data"])])
        else:
            raise ValueError(f"unknown channel {body['channel']}")


def _book(data: dict[str, Any], *, snapshot: bool) -> list[Row]:
    seq = int(data["microtimestamp"])
    levels = [
        Row(DEPTH, side, px, qty, seq, 0, seq * NS_PER_US)
        for key, side in (("bids", BID), ("asks", ASK))
        for px, qty in data[key]
    ]
    return book(levels, snapshot=snapshot, seq=seq, ts_exch_ns=seq * NS_PER_US)


def _trade(data: dict[str, Any]) -> Row:
    ts = int(data["microtimestamp"]) * NS_PER_US
    side = ASK if data["type"] else BID
    return Row(TRADE, side, data["price_str"], data["amount_str"], int(data["id"]), 0, ts)


class Bitstamp(CaptureImporter):
    """cryptofeed captures of Bitstamp."""

    name = "cryptofeed-bitstamp"
    summary = "cryptofeed capture of Bitstamp, BITSTAMP.ws.N.0 with BITSTAMP.http.N.0"
    venue = "bitstamp"
    hosts = (b"ws.bitstamp.net",)

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return BitstampDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield the pairs of /api/v2/trading-pairs-info/."""
        for item in body if "/trading-pairs-info" in url else ():
            base, quote = item["name"].split("/")
            yield (
                item["url_symbol"],
                Instrument(
                    venue=self.venue,
                    symbol=base + quote,
                    kind="spot",
                    tick=Decimal(1).scaleb(-item["counter_decimals"]),
                    lot=Decimal(1).scaleb(-item["base_decimals"]),
                    base=base,
                    quote=quote,
                    min_notional=Decimal(item["minimum_order"].split()[0]),
                ),
            )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair; its name does not tell where the base ends."""
        return Instrument(venue=self.venue, symbol=symbol.upper(), kind="spot", tick=tick, lot=lot)
