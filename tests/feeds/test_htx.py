"""HTX: recorded gzip frames fast and slowly, against the importer; documented ones; bad gzip."""

from __future__ import annotations

import gzip
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from agreement import NOW, Pair, rows
from venue_frames import imported, packed, recorded

from kimera_cli.errors import VenueError
from kimera_cli.feeds.htx import HTX
from kimera_cli.feeds.inflate import LARGEST, inflate
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, F_LAST, F_SNAPSHOT, NO_SIDE, QUOTE, TRADE

BTC = Instrument(
    venue="htx",
    symbol="BTCUSDT",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.000001"),
    base="BTC",
    quote="USDT",
)
MS, NS = 1_790_134_136_971, 1_790_134_136_971_000_000


@pytest.fixture
def pair() -> Pair:
    return Pair(HTX, [BTC])


def read(pair: Pair, text: str) -> list[tuple[int, ...]]:
    """The rows of a frame that the kernel must read."""
    payload = gzip.compress(text.encode())
    events = pair.fast(payload)
    assert events is not None, pair.reader.counts
    pair.both(payload)
    return rows(events)


WHOLE = (
    '{"ch":"market.btcusdt.depth.step0","ts":1,"tick":{"bids":[[9.7E1,1.7E-4],[65321.0,4.0E7]],'
    f'"asks":[[65321.43,0.045263]],"version":200333109135,"ts":{MS}}}}}'
)


def test_a_whole_book_clears_first_and_reads_java_numbers(pair: Pair) -> None:
    seq, flags = 200333109135, F_SNAPSHOT
    assert read(pair, WHOLE) == [
        (CLEAR, NO_SIDE, 0, 0, seq, 0, NS, flags),
        (DEPTH, BID, 9700, 170, seq, 0, NS, flags),
        (DEPTH, BID, 6532100, 40_000_000_000_000, seq, 0, NS, flags),
        (DEPTH, ASK, 6532143, 45263, seq, 0, NS, flags | F_LAST),
    ]


@pytest.mark.parametrize(
    "levels",
    [
        '"bids":[[1.5,2.0]],"asks":[]',
        '"asks":[],"bids":[[1.5,2.0]]',
        '"bids":[[1.5,2.0]]',
    ],
)
@pytest.mark.parametrize("depth", [5, 10, 20, 150, 400])
def test_changes_follow_the_ones_before(pair: Pair, levels: str, depth: int) -> None:
    text = (
        f'{{"ch":"market.btcusdt.mbp.{depth}","ts":{MS},"tick":{{"seqNum":7,"prevSeqNum":5,'
        f"{levels}}}}}"
    )
    assert read(pair, text) == [(DEPTH, BID, 150, 2 * 10**6, 7, 5, NS, F_LAST)]


def test_a_refresh_and_an_answer_are_whole_books(pair: Pair) -> None:
    levels = '"bids":[[1.5,2.0]],"asks":[[1.6,3]]'
    refresh = f'{{"ch":"market.btcusdt.mbp.refresh.20","ts":{MS},"tick":{{"seqNum":7,{levels}}}}}'
    answer = (
        '{"id":"a","rep":"market.btcusdt.mbp.150","status":"ok",'
        f'"ts":{MS},"data":{{"seqNum":7,{levels}}}}}'
    )
    expected = [
        (CLEAR, NO_SIDE, 0, 0, 7, 0, NS, F_SNAPSHOT),
        (DEPTH, BID, 150, 2 * 10**6, 7, 0, NS, F_SNAPSHOT),
        (DEPTH, ASK, 160, 3 * 10**6, 7, 0, NS, F_SNAPSHOT | F_LAST),
    ]
    assert read(pair, refresh) == expected
    payload = gzip.compress(answer.encode())
    assert pair.fast(payload) is None
    assert rows(pair.both(payload)) == expected


def test_trades_come_oldest_first(pair: Pair) -> None:
    trades = [
        f'{{"id":10018253452625575756743248{k},"ts":{MS + k},"tradeId":{k},"amount":0.5,'
        f'"price":1.0E4,"direction":"{"buy" if k % 2 else "sell"}"}}'
        for k in (3, 2, 1)
    ]
    text = (
        '{"ch":"market.btcusdt.trade.detail","ts":1,"tick":{"id":100182534526,"ts":1,'
        f'"data":[{",".join(trades)}]}}}}'
    )
    assert read(pair, text) == [
        (TRADE, BID, 1_000_000, 500_000, 1, 0, NS + 1_000_000, 0),
        (TRADE, ASK, 1_000_000, 500_000, 2, 0, NS + 2_000_000, 0),
        (TRADE, BID, 1_000_000, 500_000, 3, 0, NS + 3_000_000, F_LAST),
    ]


def test_the_best_prices_come_bid_first(pair: Pair) -> None:
    text = (
        '{"ch":"market.btcusdt.bbo","ts":1,"tick":{"seqId":141391088807,"ask":65321.43,'
        f'"askSize":1.7E-4,"bid":65321.42,"bidSize":0.432766,"quoteTime":{MS},'
        '"symbol":"btcusdt"}}'
    )
    assert read(pair, text) == [
        (QUOTE, BID, 6532142, 432766, 141391088807, 0, NS, 0),
        (QUOTE, ASK, 6532143, 170, 141391088807, 0, NS, F_LAST),
    ]


def test_recorded_frames_agree_with_each_other_and_with_the_importer(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "HUOBI.ws.44.0.gz"
    expected = imported(path)
    instruments = [instrument for instrument, _ in expected.values()]
    pair = Pair(HTX, instruments)
    for payload, frame in zip(packed(path), recorded(path), strict=True):
        found = pair.both(payload)
        if isinstance(found, Control):
            assert found.kind in ("ack", "ping")
            continue
        assert not isinstance(found, VenueError)
        symbol = instruments[int(found[0]["instrument"])].symbol
        assert rows(found) == rows(expected[symbol][1][frame.line])
    counts = {"fast": 210, "slow.shape": 26, "slow.grid": 126, "control": 26, "bad": 0}
    assert pair.reader.counts == counts  # grid: sizes finer than the lot


@pytest.mark.parametrize(("size", "lots"), [("1.4E-6", 1), ("1.5E-6", 2), ("1.0E-9", 1)])
def test_a_size_finer_than_the_lot_goes_to_the_nearest_and_never_to_nothing(
    pair: Pair, size: str, lots: int
) -> None:
    payload = gzip.compress(WHOLE.replace("1.7E-4", size).encode())
    assert pair.fast(payload) is None
    assert pair.reader.counts["slow.grid"] == 1
    assert rows(pair.slowly(payload))[1][3] == lots


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("65321.43", "65321.435"),
        ("0.045263", "-0.045263"),
        ("0.045263", "1E400"),
        ("0.045263", '"NaN"'),
        ("65321.43", "0.0"),
        ("btcusdt", "ethusdt"),
        ("0.045263", "9" * 30),
    ],
)
def test_what_is_wrong_is_never_guessed(pair: Pair, old: str, new: str) -> None:
    payload = gzip.compress(WHOLE.replace(old, new).encode())
    assert pair.fast(payload) is None
    assert isinstance(pair.both(payload), VenueError)


def test_a_ping_wants_its_number_back(pair: Pair) -> None:
    found = pair.both(gzip.compress(b'{"ping":1618678073643}'))
    assert found == Control(kind="ping", text="1618678073643", reply=b'{"pong":1618678073643}')


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"id":1,"status":"ok","subbed":"market.x.depth.step0","ts":1}', "ack"),
        ('{"status":"error","ts":1,"err-code":"bad-request","err-msg":"no symbol"}', "refused"),
        ('{"ch":"market.btcusdt.kline.1min","ts":1,"tick":{}}', "status"),
        ('{"pong":1}', "pong"),
    ],
)
def test_what_is_no_market_data(pair: Pair, text: str, kind: str) -> None:
    found = pair.both(gzip.compress(text.encode()))
    assert isinstance(found, Control)
    assert found.kind == kind


GOOD = gzip.compress(WHOLE.encode(), mtime=0)  # the same bytes in every test process


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (WHOLE.encode(), "gzip"),
        (b"", "cut short"),
        (GOOD[:-1], "cut short"),
        (GOOD[:20], "cut short"),
        (GOOD + b"x", "behind"),
        (GOOD + GOOD, "behind"),
        (GOOD[:-5] + bytes([GOOD[-5] ^ 1]) + GOOD[-4:], "check"),
    ],
)
def test_a_bad_gzip_frame_is_counted_and_the_next_one_read(
    pair: Pair, payload: bytes, word: str
) -> None:
    with pytest.raises(VenueError, match=word) as error:
        pair.reader.take(payload, NOW)
    assert error.value.code == "venue.frame"
    assert pair.reader.counts == {"fast": 0, "control": 0, "bad": 1}
    assert pair.reader.take(GOOD, NOW) == 4


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    bomb = gzip.compress(b" " * 20_000_000, mtime=0)
    tracemalloc.start()
    with pytest.raises(VenueError, match="at most 1000 bytes"):
        inflate(bomb, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000


def test_a_frame_is_as_large_as_allowed_or_smaller() -> None:
    hundred = gzip.compress(b" " * 100, mtime=0)
    assert inflate(hundred, 100) == b" " * 100
    with pytest.raises(VenueError, match="at most 99 bytes"):
        inflate(hundred, 99)
    assert LARGEST == 1 << 24
