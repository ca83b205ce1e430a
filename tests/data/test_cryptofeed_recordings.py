"""Real captures: the events' books equal books built by an independent, slow reading."""

from __future__ import annotations

import ast
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import MAX_ROWS, ImportOptions
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import CHECKSUM, CLEAR, DEPTH, F_GAP, F_LAST, F_STALE, QUOTE, TRADE, Events

Changes = Iterator[tuple[str, str, Any, Any, Any]]
"""(symbol, "clear" | "bids" | "asks", price, size, number)."""


def kraken(_: str, body: Any) -> Changes:
    if isinstance(body, dict) or not body[-2].startswith("book"):
        return
    keys = {"as": "asks", "bs": "bids", "a": "asks", "b": "bids"}
    if "as" in body[1]:
        yield body[-1], "clear", 0, 0, 0
    for part in body[1:-2]:
        for key, side in keys.items():
            for level in part.get(key, []):
                yield body[-1], side, level[0], level[1], 0


def okx(_: str, body: Any) -> Changes:
    if body.get("arg", {}).get("channel") != "books" or "data" not in body:
        return
    symbol = body["arg"]["instId"]
    if body["action"] == "snapshot":
        yield symbol, "clear", 0, 0, 0
    for side in ("bids", "asks"):
        for level in body["data"][0][side]:
            yield symbol, side, level[0], level[1], 0


def coinbase(_: str, body: Any) -> Changes:
    if body["type"] == "snapshot":
        yield body["product_id"], "clear", 0, 0, 0
        for side in ("bids", "asks"):
            for px, qty in body[side]:
                yield body["product_id"], side, px, qty, 0
    elif body["type"] == "l2update":
        for way, px, qty in body["changes"]:
            yield body["product_id"], {"buy": "bids", "sell": "asks"}[way], px, qty, 0


def bybit(_: str, body: Any) -> Changes:
    if not body.get("topic", "").startswith("orderBook"):
        return
    data, sides = body["data"], {"Buy": "bids", "Sell": "asks"}
    if body["type"] == "snapshot":
        yield data["order_book"][0]["symbol"], "clear", 0, 0, 0
    for kind in ("delete", "order_book", "update", "insert"):
        for level in data.get(kind, []):
            size = 0 if kind == "delete" else level["size"]
            yield level["symbol"], sides[level["side"]], level["price"], size, 0


def huobi(_: str, body: Any) -> Changes:
    if ".depth." not in body.get("ch", ""):
        return
    symbol = body["ch"].split(".")[1]
    yield symbol, "clear", 0, 0, 0
    for side in ("bids", "asks"):
        for px, qty in body["tick"][side]:
            yield symbol, side, px, qty, 0


def binance(url: str, body: Any) -> Changes:
    if url:
        symbol, number = url.split("symbol=")[1].split("&")[0], body["lastUpdateId"]
        yield symbol, "clear", 0, 0, number
        for side in ("bids", "asks"):
            for px, qty in body[side]:
                yield symbol, side, px, qty, number
    elif body["data"].get("e") == "depthUpdate":
        for key, side in (("b", "bids"), ("a", "asks")):
            for px, qty in body["data"][key]:
                yield body["data"]["s"], side, px, qty, body["data"]["u"]


def bitstamp(url: str, body: Any) -> Changes:
    symbol = url.rsplit("/", 1)[-1] if url else body["channel"].rsplit("_", 1)[-1]
    data = body if url else body["data"]
    if "bids" not in data:
        return
    number = int(data["microtimestamp"])
    if url:
        yield symbol, "clear", 0, 0, number
    for side in ("bids", "asks"):
        for px, qty in data[side]:
            yield symbol, side, px, qty, number


class BitfinexReading:
    """Channels by number."""

    def __init__(self) -> None:
        self.books: dict[int, str] = {}

    def __call__(self, _: str, body: Any) -> Changes:
        if isinstance(body, dict):
            if body.get("event") == "subscribed" and body["channel"] == "book":
                self.books[body["chanId"]] = body["symbol"]
            return
        if body[0] not in self.books or body[1] == "hb":
            return
        symbol, levels = self.books[body[0]], body[1]
        if isinstance(levels[0], list):
            yield symbol, "clear", 0, 0, 0
        else:
            levels = [levels]
        for px, count, amount in levels:
            side = "bids" if Decimal(amount) > 0 else "asks"
            yield symbol, side, px, abs(Decimal(amount)) if count else 0, 0


VENUES: dict[str, tuple[str, Callable[[str, Any], Changes], int]] = {
    "KRAKEN": ("KRAKEN.ws.50.0.gz", kraken, 10),
    "OKX": ("OKX.ws.1.0.gz", okx, 3),
    "COINBASE": ("COINBASE.ws.28.0.gz", coinbase, 10),
    "BYBIT": ("BYBIT.ws.25.0.gz", bybit, 8),
    "HUOBI": ("HUOBI.ws.44.0.gz", huobi, 10),
    "BINANCE": ("BINANCE.ws.1.0", binance, 4),
    "BITSTAMP": ("BITSTAMP.ws.1.0.gz", bitstamp, 10),
    "BITFINEX": ("BITFINEX.ws.11.0.gz", BitfinexReading(), 7),
}


@pytest.fixture(scope="module")
def captures(shared_data: Path) -> Path:
    return shared_data / "l2_raw" / "cryptofeed"


def lines(path: Path) -> Iterator[tuple[float, str, Any]]:
    """Yield (time, url, decoded body) of one file, without what was sent."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        for line in stream:
            head, _, body = line.rstrip("\n").partition(": ")
            if not body or " <-" in head or head == "configuration":
                continue
            url, _, time = head.rpartition(" -> ")
            if body.startswith(("b'", 'b"')):
                body = gzip.decompress(ast.literal_eval(body)).decode()
            yield float(time), url, json.loads(body, parse_float=str)


def slow_books(captures: Path, venue: str) -> dict[str, dict[str, dict[Decimal, Decimal]]]:
    """Return the final books by wire symbol; REST snapshots enter at their time."""
    name, reading, _ = VENUES[venue]
    files = [captures / name, *captures.glob(f"{venue}.http.*")]
    messages = sorted((m for file in files for m in lines(file)), key=lambda m: m[0])
    books: dict[str, Any] = defaultdict(lambda: {"bids": {}, "asks": {}})
    snapshots: dict[str, int] = {}
    history: dict[str, list[Any]] = defaultdict(list)
    for _, url, body in messages:
        for symbol, side, px, qty, number in reading(url, body):
            if side == "clear":
                books[symbol] = {"bids": {}, "asks": {}}
                snapshots[symbol] = number
                again = [c for c in history[symbol] if c[3] > number]
            elif url or number == 0 or number > snapshots.get(symbol, 0):
                books[symbol][side][Decimal(px)] = Decimal(qty)
            if url:
                for change in again:
                    books[symbol][change[0]][change[1]] = change[2]
            else:
                history[symbol].append((side, Decimal(px), Decimal(qty), number))
    return {
        symbol: {side: {p: q for p, q in levels.items() if q} for side, levels in book.items()}
        for symbol, book in books.items()
    }


def fast_books(path: Path) -> dict[str, tuple[Instrument, Any]]:
    """Return the final books by symbol, in ticks and lots, from the importer's events."""
    books: dict[str, tuple[Instrument, Any]] = {}
    for batch in choose(path, None).read(path, ImportOptions()):
        _, book = books.setdefault(batch.instrument.symbol, (batch.instrument, ({}, {})))
        for event in batch.events:
            if event["kind"] == CLEAR:
                book[0].clear()
                book[1].clear()
            elif event["kind"] == DEPTH and not event["flags"] & F_STALE:
                book[event["side"]][int(event["px_ticks"])] = int(event["qty_lots"])
    return books


def plain(symbol: str) -> str:
    name = symbol[1:] if symbol[:1] == "t" and symbol[1:].isupper() else symbol
    return name.replace(":", "").replace("/", "").upper()


@pytest.mark.parametrize("venue", VENUES)
def test_the_final_book_equals_an_independent_reading(captures: Path, venue: str) -> None:
    fast = fast_books(captures / VENUES[venue][0])
    slow = {plain(symbol): book for symbol, book in slow_books(captures, venue).items()}
    assert len(fast) == VENUES[venue][2]
    assert set(slow) <= {plain(symbol) for symbol in fast}
    compared = 0
    for symbol, (instrument, book) in fast.items():
        expected = slow.get(plain(symbol), {"bids": {}, "asks": {}})
        for side, levels in zip(("bids", "asks"), book, strict=True):
            mine = {px * instrument.tick: qty for px, qty in levels.items() if qty}
            theirs = {
                px: max(1, int((qty / instrument.lot).to_integral_value()))
                for px, qty in expected[side].items()
            }
            assert mine == theirs
            compared += len(mine)
    assert compared > 100


@pytest.mark.parametrize("venue", VENUES)
def test_rows_are_batched_ordered_and_complete(captures: Path, venue: str) -> None:
    path = captures / VENUES[venue][0]
    last: dict[str, int] = {}
    ends = 0
    for batch in choose(path, None).read(path, ImportOptions()):
        events: Events = batch.events
        assert 0 < len(events) <= MAX_ROWS
        name = batch.instrument.name
        assert events["ts_local_ns"][0] >= last.get(name, 0)
        assert np.all(np.diff(events["ts_local_ns"]) >= 0)
        last[name] = int(events["ts_local_ns"][-1])
        assert not (events["flags"] & F_GAP).any()
        priced = np.isin(events["kind"], (DEPTH, TRADE, QUOTE))
        assert (events["px_ticks"][priced] > 0).all()
        assert events["flags"][-1] & F_LAST
        ends += int((events["flags"] & F_LAST != 0).sum())
    assert ends > 60


def test_known_counts(captures: Path) -> None:
    counts: dict[str, dict[int, int]] = {}
    for venue, (name, _, _) in VENUES.items():
        kinds: dict[int, int] = defaultdict(int)
        for batch in choose(captures / name, None).read(captures / name, ImportOptions()):
            for kind in (CHECKSUM, TRADE, CLEAR):
                kinds[kind] += int((batch.events["kind"] == kind).sum())
        counts[venue] = kinds
    assert counts["KRAKEN"] == {CHECKSUM: 4_269, TRADE: 0, CLEAR: 10}
    assert counts["OKX"] == {CHECKSUM: 290, TRADE: 74, CLEAR: 3}
    assert counts["COINBASE"] == {CHECKSUM: 0, TRADE: 107, CLEAR: 10}
    assert counts["BYBIT"][CLEAR] == 8
    assert counts["HUOBI"] == {CHECKSUM: 0, TRADE: 73, CLEAR: 292}
    assert counts["BINANCE"] == {CHECKSUM: 0, TRADE: 2, CLEAR: 4}
    assert counts["BITSTAMP"] == {CHECKSUM: 0, TRADE: 10, CLEAR: 10}


def test_rest_metadata_gives_exact_instruments(captures: Path) -> None:
    okx_books = fast_books(captures / "OKX.ws.1.0.gz")
    future, swap = okx_books["BTC-USD-220527"][0], okx_books["UNI-USD-SWAP"][0]
    assert (future.kind, future.contract_size, future.settlement) == ("inverse", 100, "BTC")
    assert (swap.kind, swap.contract_size, swap.settlement) == ("inverse", 10, "UNI")
    assert okx_books["BTC-USDT"][0].lot == Decimal("1E-8")
    chf = fast_books(captures / "KRAKEN.ws.50.0.gz")["XBTCHF"][0]
    assert (chf.tick, chf.maker_fee, chf.taker_fee) == (Decimal("0.1"), 0.0016, 0.0026)
