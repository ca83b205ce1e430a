"""HTX, Binance, Bitstamp and Bitfinex messages: small captures with known answers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from captures import T0, only, read, record

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
    TRADE,
)

TIMELESS = F_NO_EXCH_TIME
SNAP = F_SNAPSHOT


def test_huobi_books_trades_and_numbered_books(tmp_path: Path) -> None:
    def mbp(seq: int, prev: int) -> dict[str, Any]:
        tick = {"seqNum": seq, "prevSeqNum": prev, "asks": [[1.5, 2.0]]}
        return {"ch": "market.ab.mbp.150", "ts": 1600000000001, "tick": tick}

    depth = {"bids": [[1.4, 1]], "asks": [[1.5, 3]], "version": 4, "ts": 1600000000000}
    trades = [
        {"id": 2, "ts": 1600000000003, "tradeId": 6, "amount": 1, "price": 1.5, "direction": "buy"},
        {
            "id": 1,
            "ts": 1600000000002,
            "tradeId": 5,
            "amount": 2,
            "price": 1.4,
            "direction": "sell",
        },
    ]
    path = record(
        tmp_path,
        "HUOBI",
        {"id": 1, "status": "ok", "subbed": "market.ab.depth.step0", "ts": 1},
        {"ch": "market.ab.depth.step0", "ts": 1600000000001, "tick": depth},
        {"ch": "market.ab.trade.detail", "ts": 1600000000005, "tick": {"id": 2, "data": trades}},
        {"ping": 1},
        {"rep": "market.ab.mbp.150", "data": {"seqNum": 20, "asks": [[1.5, 1]], "bids": []}},
        mbp(25, 20),
        mbp(31, 30),
    )
    instrument, events = only(path)
    assert instrument.name == "htx/AB"
    assert [event[:6] for event in events] == [
        (CLEAR, NO_SIDE, 0, 0, 4, 0),
        (DEPTH, BID, 14, 1, 4, 0),
        (DEPTH, ASK, 15, 3, 4, 0),
        (TRADE, ASK, 14, 2, 5, 0),
        (TRADE, BID, 15, 1, 6, 0),
        (CLEAR, NO_SIDE, 0, 0, 20, 0),
        (DEPTH, ASK, 15, 1, 20, 0),
        (DEPTH, ASK, 15, 2, 25, 20),
        (DEPTH, ASK, 15, 2, 31, 30),
    ]
    assert [bool(event[-1] & F_GAP) for event in events] == [False] * 8 + [True]


def test_binance_joins_the_rest_snapshot_with_the_diffs(tmp_path: Path) -> None:
    def diff(first: int, last: int, size: str) -> dict[str, Any]:
        data = {
            "e": "depthUpdate",
            "E": 1600000000000,
            "s": "ABUSDT",
            "U": first,
            "u": last,
            "b": [["1.0", size]],
            "a": [],
        }
        return {"stream": "abusdt@depth@100ms", "data": data}

    snapshot = {"lastUpdateId": 12, "bids": [["1.0", "9"], ["0.95", "3"]], "asks": [["1.1", "4"]]}
    url = "https://api.binance.com/api/v3/depth?symbol=ABUSDT&limit=1000"
    rest = {"BINANCE.http.0.0": [f"{url} -> {T0 + 4}: {json.dumps(snapshot)}"]}
    path = record(
        tmp_path,
        "BINANCE",
        diff(8, 10, "1"),
        diff(11, 14, "2"),
        {
            "stream": "abusdt@bookTicker",
            "data": {"u": 14, "s": "ABUSDT", "b": "1.0", "B": "2", "a": "1.1", "A": "4"},
        },
        diff(11, 12, "5"),
        diff(15, 16, "6"),
        {
            "stream": "abusdt@aggTrade",
            "data": {
                "e": "aggTrade",
                "E": 1,
                "s": "ABUSDT",
                "a": 3,
                "p": "1.1",
                "q": "1",
                "T": 1600000005000,
                "m": False,
            },
        },
        diff(18, 19, "7"),
        rest=rest,
    )
    instrument, events = only(path)
    assert (instrument.tick, instrument.lot, instrument.quote) == (
        Decimal("0.01"),
        Decimal(1),
        "USDT",
    )
    assert [(*event[:4], event[4], event[5], event[6] & ~TIMELESS) for event in events] == [
        (DEPTH, BID, 100, 1, 10, 7, F_LAST),
        (DEPTH, BID, 100, 2, 14, 10, F_LAST),
        (QUOTE, BID, 100, 2, 14, 0, 0),
        (QUOTE, ASK, 110, 4, 14, 0, F_LAST),
        (CLEAR, NO_SIDE, 0, 0, 12, 0, SNAP),
        (DEPTH, BID, 100, 9, 12, 0, SNAP),
        (DEPTH, BID, 95, 3, 12, 0, SNAP),
        (DEPTH, ASK, 110, 4, 12, 0, SNAP | F_LAST),
        (DEPTH, BID, 100, 2, 14, 10, SNAP | F_LAST),  # told again: newer than the snapshot
        (DEPTH, BID, 100, 5, 12, 10, F_STALE | F_LAST),
        (DEPTH, BID, 100, 6, 16, 14, F_LAST),
        (TRADE, BID, 110, 1, 3, 0, F_LAST),
        (DEPTH, BID, 100, 7, 19, 17, F_LAST | F_GAP),
    ]
    rest = {"BINANCE.http.0.0": [f"{url} -> {T0 + 4}: {json.dumps(snapshot)}"]}
    held = record(tmp_path, "BINANCE", diff(11, 12, "1"), diff(13, 14, "2"), rest=rest)
    assert [event[4] for event in only(held)[1]] == [12, 14, 12, 12, 12, 12, 14]
    path = record(tmp_path, "BINANCE", diff(8, 10, "1"), diff(11, 14, "2"), rest=rest)
    rows = read(path)["binance/ABUSDT"][1]
    assert rows["aux"][2:].tolist() == [-1, -1, -1, -1, 3]  # minus: a line of the REST file
    assert np.all(np.diff(rows["ts_local_ns"]) >= 0)


def test_bitstamp(tmp_path: Path) -> None:
    def diff(micros: int) -> dict[str, Any]:
        data = {
            "timestamp": "1600000000",
            "microtimestamp": str(micros),
            "bids": [],
            "asks": [["1.16", "0.50"]],
        }
        return {"data": data, "channel": "diff_order_book_abeur", "event": "data"}

    trade = {
        "id": 5,
        "timestamp": "1600000001",
        "amount": 0.5,
        "amount_str": "0.50",
        "price": 1.16,
        "price_str": "1.16",
        "type": 1,
        "microtimestamp": "1600000001000000",
    }
    path = record(
        tmp_path,
        "BITSTAMP",
        {"event": "bts:subscription_succeeded", "channel": "diff_order_book_abeur", "data": {}},
        diff(1600000000000001),
        {"data": trade, "channel": "live_trades_abeur", "event": "trade"},
    )
    instrument, events = only(path)
    assert instrument.name == "bitstamp/ABEUR"
    assert events == [
        (DEPTH, ASK, 116, 5, 1600000000000001, 0, F_LAST),
        (TRADE, ASK, 116, 5, 5, 0, F_LAST),
    ]


def test_bitfinex_marks_every_instrument_when_the_connection_has_a_hole(
    tmp_path: Path,
) -> None:
    def subscribed(number: int, channel: str, symbol: str) -> dict[str, Any]:
        return {"event": "subscribed", "channel": channel, "chanId": number, "symbol": symbol}

    path = record(
        tmp_path,
        "BITFINEX",
        {"event": "info", "version": 2},
        {"event": "conf", "status": "OK", "flags": 65536},
        subscribed(1, "book", "tABCUSD"),
        subscribed(2, "ticker", "tABCUSD"),
        subscribed(3, "trades", "tLONG:EUR"),
        [1, [[10.5, 1, 2], [11, 2, -0.25]], 1],
        [3, "hb", 2],
        "[1,[10.5,0,1],3]",
        "[2,[10.4,3.00000001,11.0,4,0,0,0,0,0,0],5]",
        [3, "te", [99, 1600000000500, -2, 3.5], 6],
        [3, "tu", [99, 1600000000500, -2, 3.5], 7],
        [1, [11, 1, -0.5], 8],
    )
    found = read(path)
    assert list(found) == ["bitfinex/ABCUSD", "bitfinex/LONGEUR"]
    book = found["bitfinex/ABCUSD"][1]
    assert found["bitfinex/ABCUSD"][0].lot == Decimal("1E-8")
    assert book["kind"].tolist() == [CLEAR, DEPTH, DEPTH, DEPTH, QUOTE, QUOTE, DEPTH]
    assert book["side"].tolist() == [NO_SIDE, BID, ASK, BID, BID, ASK, ASK]
    assert book["px_ticks"].tolist() == [0, 105, 110, 105, 104, 110, 110]
    assert book["qty_lots"].tolist() == [0, 2 * 10**8, 25 * 10**6, 0, 0, 0, 5 * 10**7]
    assert [bool(flag & F_GAP) for flag in book["flags"]] == [False] * 4 + [True, False, False]
    trades = found["bitfinex/LONGEUR"][1]
    assert (trades["side"][0], bool(trades["flags"][0] & F_GAP)) == (ASK, True)
    assert len(trades) == 1
