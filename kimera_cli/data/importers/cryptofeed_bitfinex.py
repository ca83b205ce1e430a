"""Bitfinex v2 captures: P0 books, trades, tickers, each message numbered per connection.

`conf` flag 65536 puts a number at the end of every message of the connection, whatever its
channel: a hole means that something was lost, and as nobody knows of which instrument, every
one is flagged. Book entries are [price, count, amount]: count 0 removes the level, a negative
amount is an ask. Tickers state the best prices; their sizes are sums over 25 levels and are
left out (qty 0: not told). Prices have five significant digits and no fixed tick: it comes from
the decimals seen. Sizes have eight decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from kimera_cli.data.importers.cryptofeed import Message
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter, Dialect
from kimera_cli.data.importers.cryptofeed_rows import Row, Update, book
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, F_SNAPSHOT, QUOTE, TRADE
from kimera_cli.units import NS_PER_MS

LOT = Decimal("0.00000001")
_IGNORED = ("hb", "tu", "cs")
"""Heartbeats (they come before the subscription's answer too), trade updates, book checksums."""
NUMBERED = 65536
"""The `conf` flag SEQ_ALL."""


class BitfinexDialect(Dialect):
    """Messages are arrays `[channel id, data, number]`; the subscription answers tell what a
    channel is."""

    def __init__(self) -> None:
        self._channels: dict[int, tuple[str, str]] = {}
        self._numbered = False
        self._last = 0
        self._holes = 0
        self._holes_told: dict[str, int] = {}

    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the update of one message."""
        if isinstance(body, dict):
            self._control(body)
            return
        seq = self._number(body)
        if body[1] in _IGNORED:
            return
        channel, symbol = self._channels[body[0]]
        rows = _ROWS[channel](body, seq)
        if rows:
            lost = self._holes_told.get(symbol, 0) < self._holes
            self._holes_told[symbol] = self._holes
            yield Update(symbol, rows, lost=lost)

    def _control(self, body: dict[str, Any]) -> None:
        event = body["event"]
        if event == "subscribed":
            self._channels[body["chanId"]] = body["channel"], body["symbol"]
        elif event == "conf":
            self._numbered = bool(int(body.get("flags", 0)) & NUMBERED)
        elif event == "error":
            raise ValueError(f"the venue refused: {body.get('msg')}")
        elif event not in ("info", "pong", "unsubscribed"):
            raise ValueError(f"unknown event {event}")

    def _number(self, body: list[Any]) -> int:
        if not self._numbered:
            return 0
        seq = int(body[-1])
        if seq > self._last + 1:
            self._holes += 1
        self._last = max(seq, self._last)
        return seq


def _book(body: list[Any], seq: int) -> list[Row]:
    entries = body[1]
    if not entries:
        return []
    snapshot = isinstance(entries[0], list)
    levels = [_level(entry, seq) for entry in (entries if snapshot else [entries])]
    return book(levels, snapshot=snapshot, seq=seq)


def _level(entry: list[Any], seq: int) -> Row:
    px, count, amount = (str(value) for value in entry)
    size = "0" if count == "0" else amount.removeprefix("-")
    return Row(DEPTH, ASK if amount.startswith("-") else BID, px, size, seq)


def _trades(body: list[Any], seq: int) -> list[Row]:
    if body[1] == "te":
        return [_trade(body[2])]
    return [_trade(trade)._replace(flags=F_SNAPSHOT) for trade in reversed(body[1])]


def _trade(trade: list[Any]) -> Row:
    number, ms, amount, px = trade
    size = str(amount)
    side = ASK if size.startswith("-") else BID
    return Row(TRADE, side, str(px), size.removeprefix("-"), int(number), 0, int(ms) * NS_PER_MS)


def _ticker(body: list[Any], seq: int) -> list[Row]:
    bid, _, ask = body[1][:3]
    return [
        Row(QUOTE, side, str(px), "0", seq)
        for side, px in ((BID, bid), (ASK, ask))
        if px is not None
    ]


_ROWS = {"book": _book, "trades": _trades, "ticker": _ticker}


class Bitfinex(CaptureImporter):
    """cryptofeed captures of Bitfinex."""

    name = "cryptofeed-bitfinex"
    summary = "cryptofeed capture of Bitfinex (v2), BITFINEX.ws.N.0"
    venue = "bitfinex"
    hosts = (b"api.bitfinex.com", b"api-pub.bitfinex.com")

    def dialect(self) -> Dialect:
        """Return a reader of messages."""
        return BitfinexDialect()

    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield nothing: the REST answers list names only."""
        return iter(())

    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return a spot pair, or a linear perpetual of one coin (`...F0`)."""
        pair = symbol.removeprefix("t")
        base, colon, quote = pair.partition(":")
        if not colon:
            base, quote = pair[:-3], pair[-3:]
        return Instrument(
            venue=self.venue,
            symbol=base + quote,
            kind="linear" if base.endswith("F0") else "spot",
            tick=tick,
            lot=LOT,
            base=base,
            quote=quote,
        )
