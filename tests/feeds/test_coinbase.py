"""Coinbase Advanced Trade: documented frames, and recorded Exchange messages in its form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from agreement import NOW, Pair, rows
from venue_frames import coinbase_advanced, imported

from kimera_cli.errors import VenueError
from kimera_cli.feeds.coinbase import COINBASE
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
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
    venue="coinbase",
    symbol="BTC-USD",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00000001"),
    base="BTC",
    quote="USD",
)
NS = 1_675_974_770_714_964_855
HEAD = (
    '{"channel":"%s","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z",'
    '"sequence_num":7,"events":['
)
LEVEL = '{"side":"%s","event_time":"%s","price_level":"%s","new_quantity":"%s"}'
BOOK = (HEAD % "l2_data") + '{"type":"%s","product_id":"BTC-USD","updates":[%s]}]}'
FIRST, LATER = "2023-02-09T20:32:50.1Z", "2023-02-09T20:32:50.200000Z"
UPDATE = BOOK % (
    "update",
    ",".join(
        [
            LEVEL % ("bid", LATER, "21921.73", "0.06317902"),
            LEVEL % ("offer", FIRST, "21921.74", "0"),
            LEVEL % ("bid", LATER, "21921.3", "0.02"),
        ]
    ),
)


@pytest.fixture
def pair() -> Pair:
    return Pair(COINBASE, [BTC])


def read(pair: Pair, text: str) -> list[tuple[int, ...]]:
    """The rows of a frame that the kernel must read."""
    events = pair.fast(text.encode())
    assert events is not None, pair.reader.counts
    pair.both(text.encode())
    return rows(events)


def test_an_update_happened_when_its_newest_level_did(pair: Pair) -> None:
    ts = NS - 514_964_855
    assert read(pair, UPDATE) == [
        (DEPTH, BID, 2192173, 6317902, 7, 0, ts, 0),
        (DEPTH, ASK, 2192174, 0, 7, 0, ts, 0),
        (DEPTH, BID, 2192130, 2_000_000, 7, 0, ts, F_LAST),
    ]
    assert pair.reader.count == 7


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", LATER])
def test_a_snapshot_has_the_time_of_its_message(pair: Pair, time: str) -> None:
    levels = LEVEL % ("offer", time, "21921.74", "1"), LEVEL % ("bid", time, "21921.73", "2")
    assert read(pair, BOOK % ("snapshot", ",".join(levels))) == [
        (CLEAR, NO_SIDE, 0, 0, 7, 0, NS, F_SNAPSHOT),
        (DEPTH, ASK, 2192174, 10**8, 7, 0, NS, F_SNAPSHOT),
        (DEPTH, BID, 2192173, 2 * 10**8, 7, 0, NS, F_SNAPSHOT | F_LAST),
    ]


def test_levels_without_a_time_leave_the_message_its_own(pair: Pair) -> None:
    text = UPDATE.replace(FIRST, "1970-01-01T00:00:00Z").replace(LATER, "1970-01-01T00:00:00Z")
    assert {row[6] for row in read(pair, text)} == {NS}
    none = text.replace("2023-02-09T20:32:50.714964855Z", "1970-01-01T00:00:00Z").encode()
    assert pair.fast(none) is None
    found = {(row[6], row[7] & F_NO_EXCH_TIME) for row in rows(pair.both(none))}
    assert found == {(NOW, F_NO_EXCH_TIME)}


ORDERS = (
    '{"product_id":"BTC-USD","trade_id":"%d","price":"68900.50","size":"0.00150000",'
    '"time":"%s","side":"%s"}',
    '{"trade_id":"%d","product_id":"BTC-USD","price":"68900.50","size":"0.00150000",'
    '"side":"%s","time":"%s"}',
)


@pytest.mark.parametrize("order", [0, 1])
def test_the_taker_is_on_the_other_side_of_a_trade(pair: Pair, order: int) -> None:
    parts = [("BUY", FIRST), ("SELL", LATER)]
    trades = [
        ORDERS[order] % ((k, time, side) if order == 0 else (k, side, time))
        for k, (side, time) in enumerate(parts, 1)
    ]
    text = (HEAD % "market_trades") + f'{{"type":"update","trades":[{",".join(trades)}]}}]}}'
    assert read(pair, text) == [
        (TRADE, ASK, 6890050, 150_000, 1, 0, NS - 614_964_855, 0),
        (TRADE, BID, 6890050, 150_000, 2, 0, NS - 514_964_855, F_LAST),
    ]
    assert pair.reader.count == 7


def test_a_snapshot_of_trades_is_turned_oldest_first_in_the_slow_parser(pair: Pair) -> None:
    trades = ",".join(ORDERS[1] % (k, "BUY", FIRST) for k in (3, 2))
    text = (HEAD % "market_trades") + f'{{"type":"snapshot","trades":[{trades}]}}]}}'
    assert pair.fast(text.encode()) is None
    found = rows(pair.both(text.encode()))
    assert [(row[4], row[7]) for row in found] == [(2, F_SNAPSHOT), (3, F_SNAPSHOT | F_LAST)]
    assert pair.reader.count == 7


def test_documented_frames(pair: Pair, golden: Path) -> None:
    for name in ("l2_data_snapshot", "l2_data_update", "market_trades", "ticker"):
        pretty = (golden / "coinbase" / f"ws_{name}.json").read_bytes()
        compact = json.dumps(json.loads(pretty), separators=(",", ":")).encode()
        assert pair.fast(pretty) is None
        assert rows(pair.slowly(pretty)) == rows(pair.both(compact))
        assert pair.fast(compact) is not None, name
    assert [row[:5] for row in rows(pair.slowly(compact))] == [
        (QUOTE, BID, 6890000, 150_000_000, 12),
        (QUOTE, ASK, 6890100, 50_000_000, 12),
    ]
    for name, kind in (
        ("heartbeats", "heartbeat"),
        ("subscriptions", "ack"),
        ("candles", "status"),
    ):
        found = pair.both((golden / "coinbase" / f"ws_{name}.json").read_bytes())
        assert isinstance(found, Control)
        assert found.kind == kind
    assert pair.reader.count == 3, "control messages are numbered too"


def test_recorded_messages_are_what_the_importer_makes_of_exchange(shared_data: Path) -> None:
    """Equal but for the order of sides and the numbers that Advanced Trade adds."""
    path = shared_data / "l2_raw" / "cryptofeed" / "COINBASE.ws.28.0.gz"
    expected = imported(path)
    instruments = [instrument for instrument, _ in expected.values()]
    pair = Pair(COINBASE, instruments, events=1 << 15, frame_bytes=1 << 21)
    for number, (_, frame) in enumerate(coinbase_advanced(path)):
        found = pair.both(frame.body)
        assert not isinstance(found, Control | VenueError)
        assert pair.reader.count == number
        symbol = instruments[int(found[0]["instrument"])].symbol
        assert said(found) == said(expected[symbol][1][frame.line])
    # ten snapshots of trades are left to the slow parser
    assert pair.reader.counts == {"fast": 9933, "slow.shape": 10, "control": 0, "bad": 0}


def said(events: Sequence[Any]) -> list[tuple[int, ...]]:
    """What both feeds say; Exchange tells no time in snapshots and no sizes in tickers."""
    snapshot = events[0]["kind"] == CLEAR
    return sorted(
        (kind, side, px, qty, 0 if snapshot or kind == QUOTE else ts)
        for kind, side, px, qty, _, _, ts, _ in rows(events)
    )


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('"0.02"', '"2e-2"', True),
        ('"client_id":""', '"client_id":"","new":[1,{"a":null}]', True),
        ('"sequence_num":7', '"sequence_num": 7', True),
        ('"offer"', '"ask"', False),
        ('"21921.74"', '"21921.745"', False),
        ('"21921.74"', '"-21921.74"', False),
        ('"0.02"', '"0.020000001"', False),
        ('"0.02"', '""', False),
        ("BTC-USD", "ETH-USD", False),
        (FIRST, "2023-02-09 20:32:50", False),
        (FIRST, "2023-02-09T20:32:50.1234567891Z", False),
        ('"sequence_num":7', '"sequence_num":-7', False),
        ('"update"', '"change"', False),
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


def test_an_error_of_the_venue_is_told(pair: Pair) -> None:
    found = pair.both(b'{"type":"error","message":"authentication failure"}')
    assert found == Control(kind="refused", text="authentication failure")
    assert pair.reader.count == -1


def test_the_documented_book_over_rest_is_read(golden: Path) -> None:
    payload = (golden / "coinbase" / "http_product_book.json").read_bytes()
    events = FrameReader(COINBASE, [BTC]).snapshot(payload, 0, NOW)
    told = json.loads(payload)["pricebook"]
    levels = [
        (side, int(Decimal(level["price"]) * 100), int(Decimal(level["size"]) * 10**8))
        for side, name in ((ASK, "asks"), (BID, "bids"))
        for level in told[name]
    ]
    assert events[0]["kind"] == CLEAR
    depth = events[events["kind"] == DEPTH]
    names = ("side", "px_ticks", "qty_lots")
    assert list(zip(*(depth[name].tolist() for name in names), strict=True)) == levels
    assert set(events["seq"].tolist()) == {0}
