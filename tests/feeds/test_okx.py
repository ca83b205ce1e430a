"""OKX: recorded and documented frames, fast and slowly, against the importer and known answers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from agreement import Pair, rows
from venue_frames import imported, listed, recorded

from kimera_cli.errors import VenueError
from kimera_cli.feeds.okx import OKX
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_LAST,
    F_SNAPSHOT,
    NO_SIDE,
    QUOTE,
    STATUS,
    TRADE,
)

BTC = Instrument(
    venue="okx",
    symbol="BTC-USDT",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00000001"),
    base="BTC",
    quote="USDT",
)
TS, NS = "1597026383085", 1_597_026_383_085_000_000
ARG = '{"arg":{"channel":"%s","instId":"BTC-USDT"}'
UPDATE = (
    (ARG % "books") + ',"action":"update","data":[{"asks":[["8476.98","415","0","13"],'
    '["8477","0","0","0"]],"bids":[["8476.97","0.25","0","12"]],"ts":"' + TS + '",'
    '"checksum":-855196043,"seqId":123457,"prevSeqId":123456}]}'
)
LEVELS = [
    (DEPTH, ASK, 847698, 415 * 10**8, 123457, 123456, NS, 0),
    (DEPTH, ASK, 847700, 0, 123457, 123456, NS, 0),
    (DEPTH, BID, 847697, 25 * 10**6, 123457, 123456, NS, 0),
]
SUM = -855196043 & 0xFFFFFFFF


@pytest.fixture
def pair() -> Pair:
    return Pair(OKX, [BTC])


def read(pair: Pair, text: str) -> list[tuple[int, ...]]:
    """The rows of a frame that the kernel must read."""
    events = pair.fast(text.encode())
    assert events is not None, pair.reader.counts
    pair.both(text.encode())
    return rows(events)


def test_an_update_is_its_levels_asks_first_and_the_checksum(pair: Pair) -> None:
    checksum = (CHECKSUM, NO_SIDE, 0, SUM, 123457, 0, NS, F_LAST)
    assert read(pair, UPDATE) == [*LEVELS, checksum]


@pytest.mark.parametrize("channel", ["books", "books-l2-tbt", "books50-l2-tbt"])
def test_a_snapshot_clears_first_and_follows_nothing(pair: Pair, channel: str) -> None:
    text = UPDATE.replace('"books"', f'"{channel}"').replace('"update"', '"snapshot"')
    found = read(pair, text.replace('"prevSeqId":123456', '"prevSeqId":-1'))
    assert found[0] == (CLEAR, NO_SIDE, 0, 0, 123457, 0, NS, F_SNAPSHOT)
    assert found[1:4] == [(*row[:5], 0, NS, F_SNAPSHOT) for row in LEVELS]
    assert found[4] == (CHECKSUM, NO_SIDE, 0, SUM, 123457, 0, NS, F_LAST)


def test_a_checksum_that_the_venue_does_not_compute_is_no_event(pair: Pair) -> None:
    found = read(pair, UPDATE.replace("-855196043", "0"))
    assert found == [*LEVELS[:2], (*LEVELS[2][:7], F_LAST)]


def test_both_orders_of_the_chain_and_none(pair: Pair) -> None:
    chain = '"seqId":123457,"prevSeqId":123456'
    turned = '"prevSeqId":123456,"seqId":123457'
    assert read(pair, UPDATE.replace(chain, turned)) == read(pair, UPDATE)
    old = read(pair, UPDATE.replace("," + chain, ""))
    assert old == [(*row[:4], 0, 0, *row[6:]) for row in read(pair, UPDATE)]


def test_an_update_without_levels_still_counts(pair: Pair) -> None:
    text = (
        (ARG % "books") + ',"action":"update","data":[{"asks":[],"bids":[],"ts":"' + TS + '",'
        '"checksum":0,"seqId":10,"prevSeqId":10}]}'
    )
    assert read(pair, text) == [(STATUS, NO_SIDE, 0, 0, 10, 10, NS, F_LAST)]


def test_five_levels_and_the_best_ones(pair: Pair) -> None:
    five = (
        (ARG % "books5") + ',"data":[{"asks":[["111.06","2","0","2"]],"bids":[["111.05","3","0",'
        '"2"]],"instId":"BTC-USDT","ts":"' + TS + '","seqId":363996337}]}'
    )
    best = five.replace("books5", "bbo-tbt").replace('"instId":"BTC-USDT","ts"', '"ts"')
    assert [row[:5] for row in read(pair, five)] == [
        (CLEAR, NO_SIDE, 0, 0, 363996337),
        (DEPTH, ASK, 11106, 2 * 10**8, 363996337),
        (DEPTH, BID, 11105, 3 * 10**8, 363996337),
    ]
    assert read(pair, best) == [
        (QUOTE, BID, 11105, 3 * 10**8, 363996337, 0, NS, 0),
        (QUOTE, ASK, 11106, 2 * 10**8, 363996337, 0, NS, F_LAST),
    ]


TRADE_TEXT = (
    '{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"%s",'
    '"ts":"' + TS + '"%s}'
)


@pytest.mark.parametrize(
    "tail",
    [
        "",
        ',"count":"3"',
        ',"count":"3","seqId":7',
        ',"count":"3","source":"0"',
        ',"count":"3","source":"0","seqId":7',
    ],
)
def test_trades_of_the_taker(pair: Pair, tail: str) -> None:
    each = TRADE_TEXT % ("buy", tail), TRADE_TEXT % ("sell", tail)
    text = (ARG % "trades") + f',"data":[{each[0]},{each[1]}]}}'
    assert read(pair, text) == [
        (TRADE, BID, 4221990, 12060306, 130639474, 0, NS, 0),
        (TRADE, ASK, 4221990, 12060306, 130639474, 0, NS, F_LAST),
    ]


def test_recorded_frames_agree_with_each_other_and_with_the_importer(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "OKX.ws.1.0.gz"
    symbols = ("BTC-USD-220527", "UNI-USD-SWAP", "BTC-USDT")
    pair = Pair(OKX, [listed(path)[symbol] for symbol in symbols])
    expected = imported(path)
    for frame in recorded(path):
        found = pair.both(frame.body)
        if isinstance(found, Control):
            assert found.kind == "ack"
            continue
        assert not isinstance(found, VenueError)
        symbol = symbols[int(found[0]["instrument"])]
        assert rows(found) == rows(expected[symbol][1][frame.line])
    assert pair.reader.counts == {"fast": 392, "slow.shape": 18, "control": 18, "bad": 0}


def test_documented_frames_pretty_printed_are_read_slowly(pair: Pair, golden: Path) -> None:
    for name in ("books_snapshot", "books_update", "bbo_tbt", "tickers"):
        pretty = (golden / "okx" / f"ws_{name}.json").read_bytes()
        compact = json.dumps(json.loads(pretty), separators=(",", ":")).encode()
        assert pair.fast(pretty) is None
        assert rows(pair.slowly(pretty)) == rows(pair.both(compact))
        assert pair.fast(compact) is not None, name


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"415"', '"4.15e2"', "shape"),
        ('"8477"', '"08477"', "number"),
        ('"seqId"', '"new":1,"seqId"', "shape"),
        ('"0","12"', '"0"', "shape"),
        ('"update"', '"upd\\u0061te"', "shape"),
        (',"data"', ', "data"', "shape"),
    ],
)
def test_what_means_the_same_is_read_slowly(pair: Pair, old: str, new: str, reason: str) -> None:
    text = UPDATE.replace(old, new, 1).encode()
    assert pair.fast(text) is None
    assert pair.reader.counts[f"slow.{reason}"] == 1
    assert rows(pair.slowly(text)) == rows(pair.both(UPDATE.encode()))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"0.25"', '"0.250000001"', "grid"),
        ('"8476.97"', '"8476.975"', "grid"),
        ('"0.25"', '"' + "9" * 30 + '"', "digits"),
        ('"0.25"', '"-0.25"', "number"),
        ('"0.25"', '"NaN"', "number"),
        ('"0.25"', '""', "number"),
        ('"8477"', '"0"', "price"),
        ("BTC-USDT", "ETH-USDT", "symbol"),
        (TS, "9" * 16, "time"),
        ('"8477"', '"84\xff77"', "shape"),
    ],
)
def test_what_is_wrong_is_never_guessed(pair: Pair, old: str, new: str, reason: str) -> None:
    text = UPDATE.replace(old, new, 1).encode("latin1")
    assert pair.fast(text) is None
    assert pair.reader.counts[f"slow.{reason}"] == 1
    assert pair.reader.counts["bad"] == 1
    assert isinstance(pair.slowly(text), VenueError)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"event":"subscribe","arg":{"channel":"books","instId":"X"},"connId":"a"}', "ack"),
        ('{"event":"error","code":"60012","msg":"Illegal request","connId":"a"}', "refused"),
        ('{"event":"notice","code":"64008","msg":"soon upgraded"}', "status"),
        ('{"arg":{"channel":"candle1m","instId":"X"},"data":[["1","2"]]}', "status"),
        ("pong", "pong"),
    ],
)
def test_what_is_no_market_data(pair: Pair, text: str, kind: str) -> None:
    found = pair.both(text.encode())
    assert isinstance(found, Control)
    assert found.kind == kind


def test_a_ticker_of_an_empty_market_says_nothing(pair: Pair) -> None:
    text = (
        (ARG % "tickers") + ',"data":[{"instId":"BTC-USDT","askPx":"","askSz":"","bidPx":"",'
        '"bidSz":"","ts":"' + TS + '"}]}'
    )
    assert isinstance(pair.both(text.encode()), Control)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"x","data":[]}', "action"),
        ('{"event":"bye"}', "event"),
        ("{}", "arg"),
        (UPDATE.replace(TS, "soon"), "ts"),
        ((ARG % "trades") + ',"data":[' + TRADE_TEXT % ("hold", "") + "]}", "side"),
        (UPDATE[:-9], "message of okx"),
    ],
)
def test_what_cannot_be_read_is_explained(pair: Pair, text: str, word: str) -> None:
    found = pair.both(text.encode())
    assert isinstance(found, VenueError)
    assert word in found.message
