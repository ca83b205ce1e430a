"""Kraken websocket v1 captures: books with CRC32 checksums, trades, tickers, spreads.

https://docs.kraken.com/websockets: prices and sizes are decimal text, a level with size 0 is
gone, and the book holds the subscribed depth only. Book messages carry no number of their own:
what is lost shows in the checksum. A book event's exchange time is that of its newest level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message, seconds_to_ns
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CHECKSUM, DEPTH, NO_SIDE, QUOTE, TRADE

_CONTROL = ("heartbeat", "systemStatus", "subscriptionStatus", "pong")
_IGNORED = ("ohlc",)
_SIDES = (("as", ASK), ("bs", BID), ("a", ASK), ("b", BID))


class KrakenDialect(Dialect):
    """Messages are arrays `[channel id, data..., channel name, pair]` or control objects."""

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message."""
        if isinstance(body, dict):
            if body["event"] not in _CONTROL:
                raise ValueError(f"unknown event {body['event']}")
            return
        channel, _, depth = body[-2].partition("-")
        rows = self._rows(channel, body[1:-2])
        if rows:
            yield Update(body[-1], rows, depth=int(depth) if channel == "book" else 0)

    def _rows(self, channel: str, parts: list[Any]) -> list[Row]:
        if channel == "book":
            return _book(parts)
        if channel == "trade":
            return [_trade(trade) for trade in parts[0]]
        if channel == "ticker":
            return [_quote(side, parts[0][key][0], parts[0][key][2]) for key, side in _BEST]
        if channel == "spread":
            bid, ask, seconds, bid_size, ask_size = parts[0]
            ts = seconds_to_ns(seconds)
            return [_quote(BID, bid, bid_size, ts), _quote(ASK, ask, ask_size, ts)]
        if channel not in _IGNORED:
            raise ValueError(f"unknown channel {channel}")
        return []


_BEST = (("b", BID), ("a", ASK))


def _quote(side: int, px: str, qty: str, ts_exch_ns: int = 0) -> Row:
    return Row(QUOTE, side, px, qty, 0, 0, ts_exch_ns)


def _trade(trade: list[str]) -> Row:
    px, qty, seconds, side = trade[:4]
    return Row(TRADE, {"b": BID, "s": ASK}[side], px, qty, 0, 0, seconds_to_ns(seconds))


def _book(parts: list[dict[str, Any]]) -> list[Row]:
    levels = [
        (side, *level[:3]) for part in parts for key, side in _SIDES for level in part.get(key, ())
    ]
    ts = max((seconds_to_ns(level[3]) for level in levels), default=0)
    rows = [Row(DEPTH, side, px, qty, 0, 0, ts) for side, px, qty, _ in levels]
    rows = book(rows, snapshot="as" in parts[0] or "bs" in parts[0], ts_exch_ns=ts)
    crc = next((part["c"] for part in parts if "c" in part), None)
    if crc is not None:
        px, qty = (len(text.partition(".")[2]) for text in levels[0][1:3])
        rows.append(Row(CHECKSUM, NO_SIDE, px, int(crc), 0, qty, ts))
    return rows


class Kraken(CaptureImporter):
    """cryptofeed captures of Kraken."""

    name = "cryptofeed-kraken"
    summary = "cryptofeed capture of Kraken (websocket v1), KRAKEN.ws.N.0"
    venue = "kraken"
    hosts = (b"ws.kraken.com",)

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return KrakenDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield the pairs of /0/public/AssetPairs under their websocket names."""
        for pair in body["result"].values() if "AssetPairs" in url else ():
            if "wsname" not in pair:
                continue
            base, quote = pair["wsname"].split("/")
            tick = pair.get("tick_size") or Decimal(1).scaleb(-pair["pair_decimals"])
            yield (
                pair["wsname"],
                Instrument(
                    venue=self.venue,
                    symbol=base + quote,
                    kind="spot",
                    tick=Decimal(tick),
                    lot=Decimal(1).scaleb(-pair["lot_decimals"]),
                    base=base,
                    quote=quote,
                    min_qty=Decimal(pair.get("ordermin", 0)),
                    min_notional=Decimal(pair.get("costmin", 0)),
                    maker_fee=_first_tier(pair, "fees_maker"),
                    taker_fee=_first_tier(pair, "fees"),
                ),
            )

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair."""
        base, quote = symbol.split("/")
        return Instrument(
            venue=self.venue,
            symbol=base + quote,
            kind="spot",
            tick=tick,
            lot=lot,
            base=base,
            quote=quote,
        )


def _first_tier(pair: dict[str, Any], key: str) -> float:
    tiers = pair.get(key)
    return float(tiers[0][1]) / 100 if tiers else 0.0
