"""Kraken v2: documented frames, recorded v1 books re-told as v2, and the venue's own checksums."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from agreement import Pair, rows
from msgspec.structs import replace
from venue_frames import Frame, imported, kraken_v2

from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.importers.depth_limit import DepthLimit
from kimera_cli.errors import VenueError
from kimera_cli.feeds.kraken import KRAKEN
from kimera_cli.feeds.kraken import pair as name_of
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    NO_SIDE,
    QUOTE,
    TRADE,
)

BTC = Instrument(
    venue="kraken",
    symbol="XBTUSD",
    kind="spot",
    tick=Decimal("0.1"),
    lot=Decimal("0.00000001"),
    base="XBT",
    quote="USD",
)
NS = 1_696_613_755_440_295_000
UPDATE = (
    '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,'
    '"qty":0.10000000}],"asks":[{"price":45285,"qty":0}],"checksum":3310070434,'
    '"timestamp":"2023-10-06T17:35:55.440295Z"}]}'
)
LEVELS = [
    (DEPTH, BID, 452835, 10**7, 0, 0, NS, 0),
    (DEPTH, ASK, 452850, 0, 0, 0, NS, 0),
]


@pytest.fixture
def pair() -> Pair:
    return Pair(KRAKEN, [BTC])


def read(pair: Pair, text: str) -> list[tuple[int, ...]]:
    """The rows of a frame that the kernel must read."""
    events = pair.fast(text.encode())
    assert events is not None, pair.reader.counts
    pair.both(text.encode())
    return rows(events)


def test_an_update_is_its_levels_and_the_checksum_with_its_decimals(pair: Pair) -> None:
    checksum = (CHECKSUM, NO_SIDE, 1, 3310070434, 0, 8, NS, F_LAST)
    assert read(pair, UPDATE) == [*LEVELS, checksum]


def test_a_snapshot_clears_first_and_may_tell_no_time(pair: Pair) -> None:
    text = UPDATE.replace('"update"', '"snapshot"')
    found = read(pair, text)
    assert [row[:5] for row in found[:2]] == [(CLEAR, NO_SIDE, 0, 0, 0), LEVELS[0][:5]]
    assert [row[7] for row in found] == [F_SNAPSHOT] * 3 + [F_LAST]
    untimed = read(pair, text.replace(',"timestamp":"2023-10-06T17:35:55.440295Z"', ""))
    assert [row[:6] for row in untimed] == [row[:6] for row in found]
    assert all(row[7] & F_NO_EXCH_TIME for row in untimed)


@pytest.mark.parametrize("fraction", ["", ".4", ".44", ".440295", ".440295123"])
def test_times_with_any_number_of_decimals(pair: Pair, fraction: str) -> None:
    found = read(pair, UPDATE.replace(".440295Z", f"{fraction}Z"))
    assert found[0][6] == NS - 440_295_000 + int((fraction[1:] or "0").ljust(9, "0"))


TRADE_TEXT = (
    '{"symbol":"BTC/USD","side":"%s","price":105944.20,"qty":0.00027625,"ord_type":"limit",'
    '"trade_id":%d,"timestamp":"2023-10-06T17:35:55.440295Z"}'
)


@pytest.mark.parametrize(("kind", "flags"), [("update", 0), ("snapshot", F_SNAPSHOT)])
def test_trades_of_the_taker(pair: Pair, kind: str, flags: int) -> None:
    trades = f"{TRADE_TEXT % ('buy', 7)},{TRADE_TEXT % ('sell', 8)}"
    text = f'{{"channel":"trade","type":"{kind}","data":[{trades}]}}'
    assert read(pair, text) == [
        (TRADE, BID, 1059442, 27625, 7, 0, NS, flags),
        (TRADE, ASK, 1059442, 27625, 8, 0, NS, flags | F_LAST),
    ]


@pytest.mark.parametrize("timed", [True, False])
def test_the_best_prices(pair: Pair, timed: bool) -> None:
    time = ',"timestamp":"2023-10-06T17:35:55.440295Z"' if timed else ""
    text = (
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":108359.8,'
        '"bid_qty":0.01362603,"ask":108359.9,"ask_qty":17.17988863,"last":108359.8,'
        '"volume":2158.32346723,"vwap":108894.5,"low":106824,"high":111300,"change":-2679.9,'
        f'"change_pct":-2.41e0{time}}}]}}'
    )
    found = read(pair, text)
    assert [row[:4] for row in found] == [
        (QUOTE, BID, 1083598, 1362603),
        (QUOTE, ASK, 1083599, 1717988863),
    ]
    assert (found[0][6] == NS) is timed


def doc_book() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Bids and asks of the worked example in Kraken's guide "Book checksum (WebSocket v2)"."""
    bids = "45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000 "
    bids += "45280.3 1.54592586 45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000 "
    bids += "45277.3 1.54602737 45276.6 0.15445238"
    asks = "45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911 "
    asks += "45290.2 0.15890660 45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000 "
    asks += "45297.5 0.09945542 45299.5 0.18772827"
    words = bids.split(), asks.split()
    return tuple(list(zip(each[::2], each[1::2], strict=True)) for each in words)  # type: ignore[return-value]


def text_sum(events: Any) -> int:
    """Kraken's checksum of a book of single DEPTH events: the sent digits of ten levels a side."""
    checksum = next(e for e in events if e["kind"] == CHECKSUM)
    assert (checksum["px_ticks"], checksum["ref"]) == (1, 8)  # as ticks and lots are here
    sides: dict[int, list[tuple[int, int]]] = {BID: [], ASK: []}
    for event in events:
        if event["kind"] == DEPTH:
            sides[int(event["side"])].append((int(event["px_ticks"]), int(event["qty_lots"])))
    levels = sorted(sides[ASK])[:10] + sorted(sides[BID], reverse=True)[:10]
    return crc32("".join(f"{px}{qty}" for px, qty in levels).encode())


def test_the_worked_example_of_the_checksum(pair: Pair) -> None:
    bids, asks = (
        ",".join(f'{{"price":{px},"qty":{qty}}}' for px, qty in side) for side in doc_book()
    )
    text = (
        '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":'
        f'[{bids}],"asks":[{asks}],"checksum":3310070434}}]}}'
    )
    events = pair.fast(text.encode())
    assert events is not None
    assert text_sum(events) == 3310070434 == events[-1]["qty_lots"]


class Kept:
    """A book that keeps as many levels as the channel, and what its checksum should be."""

    def __init__(self, depth: int) -> None:
        self.book = LevelBook()
        self.limit = DepthLimit(depth)

    def take(self, events: Sequence[Any]) -> None:
        for event in events:
            side, px, qty = (int(event[name]) for name in ("side", "px_ticks", "qty_lots"))
            if event["kind"] == CLEAR:
                self.book.clear(side)
                self.limit.clear(side)
            elif event["kind"] == DEPTH:
                self.book.set(side, px, qty)
                self.limit.set(side, px, qty)
        for side, px in self.limit.overflow():
            self.book.set(side, px, 0)

    def checksum(self) -> int:
        best = self.book.top(ASK, 10) + self.book.top(BID, 10)
        return crc32("".join(f"{px}{qty}" for px, qty in best).encode())


def sent_grid(frames: Sequence[tuple[str, Frame]], instrument: Instrument) -> Instrument:
    """The instrument on the grid of the decimals that v1 sent (finer than REST's tick)."""
    name = name_of(instrument)
    body = next(json.loads(f.body, parse_float=str) for pair, f in frames if pair == name)
    level = (body["data"][0]["bids"] + body["data"][0]["asks"])[0]
    px, qty = (len(level[key].partition(".")[2]) for key in ("price", "qty"))
    return replace(instrument, tick=Decimal(1).scaleb(-px), lot=Decimal(1).scaleb(-qty))


def test_recorded_books_keep_every_checksum_of_the_venue(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "KRAKEN.ws.50.0.gz"
    frames = list(kraken_v2(path))
    instruments = [sent_grid(frames, each) for each, _ in imported(path).values()]
    pair = Pair(KRAKEN, instruments)
    books = {name_of(each): Kept(1000) for each in instruments}
    checked = 0
    for name, frame in frames:
        events = pair.both(frame.body)
        assert not isinstance(events, Control | VenueError)
        books[name].take(events)
        checksum = events[-1]
        assert checksum["kind"] == CHECKSUM
        assert books[name].checksum() == checksum["qty_lots"], frame
        checked += int(events[0]["kind"] != CLEAR)  # those of snapshots are not the venue's
    assert checked == 4269
    assert pair.reader.counts == {"fast": 4279, "control": 0, "bad": 0}


@pytest.mark.parametrize("name", ["KRAKEN.ws.48.0", "KRAKEN.ws.50.0.gz"])
def test_recorded_messages_are_what_the_importer_makes_of_v1(shared_data: Path, name: str) -> None:
    """Equal but for order of sides, trade ids, and what v1 does not say: a snapshot's checksum."""
    path = shared_data / "l2_raw" / "cryptofeed" / name
    expected = imported(path)
    instruments = [instrument for instrument, _ in expected.values()]
    pair = Pair(KRAKEN, instruments)
    for _, frame in kraken_v2(path):
        found = pair.both(frame.body)
        assert not isinstance(found, Control | VenueError)
        symbol = instruments[int(found[0]["instrument"])].symbol
        assert said(found) == said(expected[symbol][1][frame.line])
    assert set(pair.reader.counts) == {"fast", "control", "bad"}


def said(events: Sequence[Any]) -> list[tuple[int, ...]]:
    """What both versions say; the importer adds deletions beyond the depth before the checksum."""
    cuts = {DEPTH: F_SNAPSHOT, TRADE: 0, CLEAR: F_SNAPSHOT}
    found = [
        (kind, side, px, qty, ts)
        for kind, side, px, qty, _, _, ts, _ in rows(events)
        if kind in cuts
    ]
    return sorted(set(found))


def test_documented_frames(pair: Pair, golden: Path) -> None:
    for name in ("book_snapshot", "book_update", "trade_update", "ticker_snapshot"):
        pretty = (golden / "kraken" / f"ws_{name}.json").read_bytes()
        compact = b"".join(part.strip() for part in pretty.splitlines())
        compact = compact.replace(b'": ', b'":').replace(b", ", b",")
        assert pair.fast(pretty) is None
        assert rows(pair.slowly(pretty)) == rows(pair.both(compact))
        assert pair.fast(compact) is not None, name


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("45283.5", "4.52835e4", True),
        ("45283.5", '"45283.5"', True),
        ("0.10000000", "1e-1", True),
        ('"bids"', '"new":1,"bids"', True),
        ("45283.5", "45283.55", False),
        ("45283.5", "-45283.5", False),
        ("0.10000000", "0.100000001", False),
        ("BTC/USD", "ETH/USD", False),
        ("17:35:55", "17:35:60", False),
        ("2023-10-06", "2023-02-30", False),
        ("440295Z", "440295+00:00", False),
        ("3310070434", "4294967296", False),
        ("3310070434", "-1", False),
    ],
)
def test_what_is_not_declared_goes_the_slow_way(pair: Pair, old: str, new: str, same: bool) -> None:
    text = UPDATE.replace(old, new).encode()
    assert pair.fast(text) is None
    slow = pair.slowly(text)
    if same:
        assert rows(slow) == rows(pair.slowly(UPDATE.encode()))
    else:
        assert isinstance(slow, VenueError)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"channel":"heartbeat"}', "heartbeat"),
        ('{"channel":"status","type":"update","data":[{"system":"online"}]}', "status"),
        ('{"method":"subscribe","success":true,"result":{"channel":"book"}}', "ack"),
        ('{"method":"subscribe","success":false,"error":"Currency pair not supported"}', "refused"),
        ('{"method":"pong","req_id":42}', "pong"),
    ],
)
def test_what_is_no_market_data(pair: Pair, text: str, kind: str) -> None:
    found = pair.both(text.encode())
    assert isinstance(found, Control)
    assert found.kind == kind
