"""Binance: frames recorded and documented, read both ways; the importer, and known answers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from agreement import NOW, Pair, rows
from venue_frames import imported, recorded

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.streams import open_lines
from kimera_cli.errors import VenueError
from kimera_cli.feeds.binance import BINANCE, BINANCE_COINM, BINANCE_USDM
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.slow import Control
from kimera_cli.feeds.slow_binance import BinanceSlow
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    F_STALE,
    NO_SIDE,
    QUOTE,
    STATUS,
    TRADE,
    Events,
)

MS = 1_000_000


def instrument(symbol: str, tick: str = "0.01", lot: str = "0.00001") -> Instrument:
    return Instrument(
        venue="binance", symbol=symbol, kind="spot", tick=Decimal(tick), lot=Decimal(lot)
    )


BTC, ETH = instrument("BTCUSDT"), instrument("ETHUSDT", lot="0.000005")
DEPTH_FRAME = (
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255308,"s":"BTCUSDT",'
    '"U":50093239203,"u":50093239207,"b":[["55653.87000000","0.00000000"]],'
    '"a":[["61838.04000000","0.32332000"],["61844.30000000","0.40163000"]]}}'
)
LEVELS = [
    (DEPTH, BID, 5565387, 0, 50093239207, 50093239202, 1723161255308 * MS, 0),
    (DEPTH, ASK, 6183804, 32332, 50093239207, 50093239202, 1723161255308 * MS, 0),
    (DEPTH, ASK, 6184430, 40163, 50093239207, 50093239202, 1723161255308 * MS, F_LAST),
]


@pytest.fixture
def pair() -> Pair:
    return Pair(BINANCE, [BTC, ETH])


@pytest.fixture
def futures() -> Pair:
    return Pair(BINANCE_USDM, [instrument("BTCUSDT", "0.1", "0.001")])


def read(pair: Pair, text: str) -> list[tuple[int, ...]]:
    """The rows of a frame that the kernel must read."""
    events = pair.fast(text.encode())
    assert events is not None, pair.reader.counts
    pair.both(text.encode())
    return rows(events)


def test_a_spot_diff_follows_the_update_before_its_first(pair: Pair) -> None:
    assert read(pair, DEPTH_FRAME) == LEVELS
    assert read(pair, DEPTH_FRAME.replace("@100ms", "")) == LEVELS


def test_events_know_their_instrument_and_venue(pair: Pair) -> None:
    frame = DEPTH_FRAME.replace("BTCUSDT", "ETHUSDT").replace("btcusdt", "ethusdt")
    events = pair.fast(frame.encode())
    assert events is not None
    assert set(events["instrument"]) == {1}
    assert set(events["venue"]) == {1}
    assert set(events["ts_local_ns"]) == {NOW}
    assert list(events["qty_lots"]) == [0, 64664, 80326]


def test_a_diff_without_levels_is_a_status(pair: Pair) -> None:
    text = DEPTH_FRAME[: DEPTH_FRAME.index('"b":')] + '"b":[],"a":[]}}'
    assert read(pair, text) == [
        (STATUS, NO_SIDE, 0, 0, 50093239207, 50093239202, 1723161255308 * MS, F_LAST)
    ]


def test_a_futures_diff_follows_pu_and_has_the_time_of_the_match(futures: Pair) -> None:
    text = (
        '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,'
        '"T":1723161256298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"pu":5123107831937,'
        '"b":[["58710.20","0.014"]],"a":[]}}'
    )
    wanted = (DEPTH, BID, 587102, 14, 5123107837557, 5123107831937, 1723161256298 * MS, F_LAST)
    assert read(futures, text) == [wanted]
    now = text.replace('"U"', '"ps":"BTCUSDT","U"').replace('"a":[]', '"a":[],"st":1')
    assert read(futures, now) == [wanted]


def test_quotes_have_a_row_for_each_side(pair: Pair, futures: Pair) -> None:
    best = '"b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"'
    text = f'{{"stream":"btcusdt@bookTicker","data":{{"u":50093239212,"s":"BTCUSDT",{best}}}}}'
    flags = F_NO_EXCH_TIME
    assert read(pair, text) == [
        (QUOTE, BID, 6183763, 378826, 50093239212, 0, NOW, flags),
        (QUOTE, ASK, 6183764, 154698, 50093239212, 0, NOW, flags | F_LAST),
    ]
    text = (
        '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":7,"s":"BTCUSDT",'
        '"b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":5,"E":6}}'
    )
    assert read(futures, text) == [
        (QUOTE, BID, 618002, 2507, 7, 0, 5 * MS, 0),
        (QUOTE, ASK, 618003, 2510, 7, 0, 5 * MS, F_LAST),
    ]
    now = text.replace('"b":', '"ps":"BTCUSDT","b":').replace('"E":6', '"E":6,"st":1')
    assert len(read(futures, now)) == 2


def test_trades_are_the_takers(pair: Pair, futures: Pair) -> None:
    text = (
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
        '"t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
    )
    sold = (TRADE, ASK, 6183763, 2000, 3735683259, 0, 1723161255342 * MS, F_LAST)
    assert read(pair, text) == [sold]
    assert read(pair, text.replace('"m":true', '"m":false')) == [(TRADE, BID, *sold[2:])]
    text = (
        '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1786171884624,"a":3404749954,'
        '"s":"BTCUSDT","p":"64990.90","q":"0.002","nq":"0.002","f":7960913511,"l":7960913511,'
        '"T":1786171884471,"m":true,"st":1}}'
    )
    wanted = [(TRADE, ASK, 649909, 2, 3404749954, 0, 1786171884471 * MS, F_LAST)]
    assert read(futures, text) == wanted


def test_a_trade_without_size_is_a_status(futures: Pair) -> None:
    text = (
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":2,"T":1,"s":"BTCUSDT","t":9,'
        '"p":"0.1","q":"0","X":"MARKET","m":true}}'
    )
    wanted = [(STATUS, NO_SIDE, 0, 0, 9, 0, MS, F_LAST)]
    assert read(futures, text) == wanted
    other = futures.both(text.replace("MARKET", "INSURANCE_FUND").encode())
    assert rows(other) == wanted


def test_partial_books_are_snapshots(pair: Pair, futures: Pair) -> None:
    text = '{"stream":"btcusdt@depth5","data":{"lastUpdateId":160,"bids":[["1.01","2"]],"asks":[]}}'
    assert rows(pair.both(text.encode())) == [
        (CLEAR, NO_SIDE, 0, 0, 160, 0, NOW, F_SNAPSHOT | F_NO_EXCH_TIME),
        (DEPTH, BID, 101, 200000, 160, 0, NOW, F_SNAPSHOT | F_NO_EXCH_TIME | F_LAST),
    ]
    text = (
        '{"stream":"btcusdt@depth5@100ms","data":{"e":"depthUpdate","E":2,"T":1,"s":"BTCUSDT",'
        '"U":1,"u":3,"pu":0,"b":[["58710.20","0.014"]],"a":[]}}'
    )
    assert rows(futures.both(text.encode()))[0][:2] == (CLEAR, NO_SIDE)


def test_a_rest_snapshot() -> None:
    slow = BinanceSlow([BTC])
    body = b'{"lastUpdateId":5,"bids":[["1.00","0.1"]],"asks":[["1.02","0.2"]]}'
    found = slow.snapshot(body, BTC, NOW)
    assert [row[:4] for row in rows(found)] == [
        (CLEAR, NO_SIDE, 0, 0),
        (DEPTH, BID, 100, 10000),
        (DEPTH, ASK, 102, 20000),
    ]
    with pytest.raises(VenueError, match="depth snapshot"):
        slow.snapshot(body[:-9], BTC, NOW)


UNUSUAL = {
    "white space": DEPTH_FRAME.replace('"data":{', '"data": {'),
    "new key": DEPTH_FRAME.replace('"a":[[', '"new":{"x":[1]},"a":[['),
    "key order": DEPTH_FRAME.replace('"U":50093239203,"u":50093239207,', "").replace(
        '"b":', '"u":50093239207,"U":50093239203,"b":'
    ),
    "escape": DEPTH_FRAME.replace("depthUpdate", "depth\\u0055pdate"),
    "exponent": DEPTH_FRAME.replace("0.32332000", "3.2332e-1"),
    "thirty digits": DEPTH_FRAME.replace("61838.04000000", "61838.0400000000000000000000000000"),
    "leading zero": DEPTH_FRAME.replace("61838.04000000", "061838.04"),
    "raw stream": DEPTH_FRAME[DEPTH_FRAME.index('{"e"') : -1],
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_the_unusual_is_read_slowly_and_means_the_same(pair: Pair, what: str) -> None:
    payload = UNUSUAL[what].encode()
    assert pair.fast(payload) is None
    assert rows(pair.both(payload)) == LEVELS


WRONG = {
    "negative size": (DEPTH_FRAME.replace("0.32332000", "-0.3"), "size, was -0.3", "number"),
    "price of nought": (DEPTH_FRAME.replace("61838.04000000", "0.00"), "above zero", "price"),
    "off the tick": (DEPTH_FRAME.replace("61838.04", "61838.0401"), "multiple of 0.01", "grid"),
    "off the lot": (DEPTH_FRAME.replace("0.32332000", "0.32332001"), "multiple of", "grid"),
    "other symbol": (DEPTH_FRAME.replace('"s":"BTC', '"s":"ETH'), "symbol of stream", "symbol"),
    "unknown symbol": (DEPTH_FRAME.replace("btc", "xrp").replace("BTC", "XRP"), "BTC", "symbol"),
    "no JSON behind": (DEPTH_FRAME + "}", "trailing", "trailing"),
    "cut": (DEPTH_FRAME[:-1], "truncated", "truncated"),
    "bad UTF-8": (DEPTH_FRAME.replace("BTCUSDT", "BTC\udcffDT"), "message of binance", "symbol"),
    "huge number": (DEPTH_FRAME.replace("61838.04000000", "1e99"), "sane size", "shape"),
    "number too large": (DEPTH_FRAME.replace("61838.04", "9" * 30), "at most", "digits"),
    "early": (DEPTH_FRAME.replace('"E":1', '"E":-1'), "message of binance", "number"),
    "late": (DEPTH_FRAME.replace('"E":1', '"E":91234'), "milliseconds up to", "time"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_wrong_is_an_error_that_says_what_and_counted(pair: Pair, what: str) -> None:
    text, expected, reason = WRONG[what]
    payload = text.encode("utf-8", "surrogateescape")
    with pytest.raises(VenueError, match=expected) as error:
        pair.reader.take(payload, NOW)
    assert error.value.code == "venue.frame"
    assert "binance" in str(error.value)
    counts = pair.reader.counts
    assert counts["bad"] == 1
    assert counts["fast"] == 0
    assert counts[f"slow.{reason}"] == 1, counts
    assert read(pair, DEPTH_FRAME) == LEVELS


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"result":null,"id":1}', "ack"),
        ('{"error":{"code":2,"msg":"Invalid request"},"id":1}', "refused"),
        ('{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT"}}', "status"),
    ],
)
def test_what_is_no_market_data(pair: Pair, text: str, kind: str) -> None:
    assert pair.reader.take(text.encode(), NOW) == 0
    assert pair.reader.control is not None
    assert pair.reader.control.kind == kind
    assert pair.reader.counts["control"] == 1


def test_documented_frames_of_today(golden: Path) -> None:
    """Keys that are new since the recordings (`ps`, `st`) are read, if slowly."""
    folder = golden / "binance"
    symbols = {"BTCUSDT": "0.0001", "BNBUSDT": "0.0001"}
    found = [instrument(name, tick, "0.0001") for name, tick in symbols.items()]
    pair = Pair(BINANCE_USDM, found)
    for name in ("agg_trade_stream", "book_ticker_stream", "depth_update_stream", "trade_stream"):
        assert len(pair.both((folder / f"{name}.json").read_bytes())) > 0


# --- recordings --------------------------------------------------------------------------------

TOLD_BY_BOOK_SYNC = np.uint16(F_GAP | F_STALE)
"""Flags that depend on the frames before; the parsers know one frame."""


def lines_of(path: Path) -> Iterator[tuple[int, int, bytes]]:
    for number, line in open_lines(path):
        stamp, _, payload = line.partition(b" ")
        yield number, int(stamp), payload


def import_of(path: Path) -> tuple[Instrument, Events]:
    batches = list(choose(path, None).read(path, ImportOptions()))
    return batches[0].instrument, np.concatenate([batch.events for batch in batches])


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("spot_btcusdt", BINANCE),
        ("usdm_btcusdt", BINANCE_USDM),
        ("cm_btcusd_perp", BINANCE_COINM),
    ],
)
def test_every_recorded_frame_is_fast_and_as_the_importer_has_it(
    shared_data: Path, name: str, dialect: Dialect
) -> None:
    path = shared_data / "hftbacktest" / f"{name}_20240808.gz"
    what, wanted = import_of(path)
    pair = Pair(dialect, [what])
    gathered = []
    for number, stamp, payload in lines_of(path):
        if b'"lastUpdateId"' in payload[:20]:
            fast = pair.slow.snapshot(payload, what, stamp)
        else:
            n = pair.reader.take(payload, stamp)
            fast = pair.reader.events[:n].copy()
            slow = pair.slow.read(payload, stamp)
            assert isinstance(slow, np.ndarray)
            assert fast.tobytes() == slow.tobytes(), payload
        fast["aux"] = number
        gathered.append(fast)
    counts = pair.reader.counts
    assert sum(counts.values()) == counts["fast"] == len(gathered) - 1
    found = np.concatenate(gathered)
    retold = (wanted["flags"] & F_SNAPSHOT > 0) & (wanted["ref"] > 0)
    wanted = wanted[~retold]
    wanted["flags"] &= ~TOLD_BY_BOOK_SYNC
    np.testing.assert_array_equal(found, wanted)


def test_a_capture_of_several_instruments(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "BINANCE.ws.1.0"
    known = imported(path)
    pair = Pair(BINANCE, [what for what, _ in known.values()])
    order = list(known)
    for line, _, body in recorded(path):
        slow = pair.both(body)
        if isinstance(slow, Control):
            assert b"@kline" in body
            continue
        symbol = order[int(slow[0]["instrument"])]
        told = [event for event in known[symbol][1][line] if not event["flags"] & F_SNAPSHOT]
        for fast, event in zip(slow, told, strict=True):
            mended = int(event["flags"]) & ~int(TOLD_BY_BOOK_SYNC)
            assert rows([fast])[0][:6] == rows([event])[0][:6]
            assert int(fast["flags"]) == mended
    counts = pair.reader.counts
    assert counts["fast"] == sum(counts.values()) - 2 * counts["control"]
