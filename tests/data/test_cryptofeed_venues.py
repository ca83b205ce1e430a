"""Kraken, OKX, Coinbase and Bybit messages: small captures with known answers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from captures import T0, only, read, record

from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    NO_SIDE,
    QUOTE,
    STATUS,
    TRADE,
    VENUES,
)

TIMELESS = F_NO_EXCH_TIME
SNAP = F_SNAPSHOT


def test_kraken_book_trade_and_ticker(tmp_path: Path) -> None:
    path = record(
        tmp_path,
        "KRAKEN",
        {"event": "systemStatus"},
        [
            1,
            {
                "as": [["100.10", "1.50", "1599999990.0"]],
                "bs": [["100.00", "2.00", "1599999991.5"]],
            },
            "book-10",
            "ETH/USD",
        ],
        [
            1,
            {"a": [["100.10", "0.00", "1600000001.1"]]},
            {"b": [["100.05", "0.25", "1600000001.2"]], "c": "4026531840"},
            "book-10",
            "ETH/USD",
        ],
        [2, [["100.05", "0.10", "1600000002.0", "s", "l", ""]], "trade", "ETH/USD"],
        [3, {"a": ["100.20", 1, "1.00"], "b": ["100.05", 0, "0.15"]}, "ticker", "ETH/USD"],
        [4, ["100.05", "100.20", "1600000004.0", "0.15", "1.00"], "spread", "ETH/USD"],
    )
    instrument, events = only(path)
    assert instrument.name == "kraken/ETHUSD"
    assert (instrument.tick, instrument.lot) == (Decimal("0.01"), Decimal("0.01"))
    assert events == [
        (CLEAR, NO_SIDE, 0, 0, 0, 0, SNAP),
        (DEPTH, ASK, 10010, 150, 0, 0, SNAP),
        (DEPTH, BID, 10000, 200, 0, 0, SNAP | F_LAST),
        (DEPTH, ASK, 10010, 0, 0, 0, 0),
        (DEPTH, BID, 10005, 25, 0, 0, 0),
        (CHECKSUM, NO_SIDE, 2, 4026531840, 0, 2, F_LAST),
        (TRADE, ASK, 10005, 10, 0, 0, F_LAST),
        (QUOTE, BID, 10005, 15, 0, 0, TIMELESS),
        (QUOTE, ASK, 10020, 100, 0, 0, TIMELESS | F_LAST),
        (QUOTE, BID, 10005, 15, 0, 0, 0),
        (QUOTE, ASK, 10020, 100, 0, 0, F_LAST),
    ]
    rows = read(path)["kraken/ETHUSD"][1]
    assert rows["aux"].tolist() == [3, 3, 3, 4, 4, 4, 5, 6, 6, 7, 7]
    assert rows["ts_exch_ns"][4] == 1_600_000_001_200_000_000
    assert rows["ts_local_ns"][4] == (T0 + 3) * 10**9 + 500_000_000
    assert set(rows["venue"].tolist()) == {VENUES.index("kraken")}


def test_kraken_levels_beyond_the_subscribed_depth_are_deleted(tmp_path: Path) -> None:
    def level(px: int) -> list[str]:
        return [f"{px}.0", "1.0", "1600000000.0"]

    path = record(
        tmp_path,
        "KRAKEN",
        [1, {"as": [level(110), level(111)], "bs": [level(100), level(99)]}, "book-2", "A/B"],
        [1, {"b": [level(101)], "c": "7"}, "book-2", "A/B"],
        [
            1,
            {"b": [[*level(101)[:1], "0.0", "1600000001.0"], [*level(99), "r"]], "c": "8"},
            "book-2",
            "A/B",
        ],
    )
    _, events = only(path)
    assert [event[:4] for event in events[5:]] == [
        (DEPTH, BID, 101, 1),
        (DEPTH, BID, 99, 0),
        (CHECKSUM, NO_SIDE, 1, 7),
        (DEPTH, BID, 101, 0),
        (DEPTH, BID, 99, 1),
        (CHECKSUM, NO_SIDE, 1, 8),
    ]


def test_okx_chain_checksum_and_empty_updates(tmp_path: Path) -> None:
    def books(action: str, seq: int, prev: int, asks: list[Any], crc: int = 0) -> dict[str, Any]:
        data = {"asks": asks, "bids": [], "ts": "1600000000123", "seqId": seq, "prevSeqId": prev}
        if crc:
            data["checksum"] = crc
        arg = {"channel": "books", "instId": "BTC-USDT"}
        return {"arg": arg, "action": action, "data": [data]}

    path = record(
        tmp_path,
        "OKX",
        {"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}},
        books("snapshot", 10, -1, [["30000.5", "1", "0", "1"]], -5),
        books("update", 15, 10, [["30000.5", "0", "0", "0"]]),
        books("update", 15, 15, []),
        books("update", 20, 15, [["30001", "2", "0", "1"]]),
        books("update", 30, 25, [["30002", "2", "0", "1"]]),
        {
            "arg": {"channel": "tickers", "instId": "BTC-USDT"},
            "data": [
                {"bidPx": "", "bidSz": "", "askPx": "30001", "askSz": "2", "ts": "1600000000500"}
            ],
        },
        {
            "arg": {"channel": "trades", "instId": "BTC-USDT"},
            "data": [
                {"tradeId": "77", "px": "30001", "sz": "1", "side": "buy", "ts": "1600000000600"}
            ],
        },
    )
    _, events = only(path)
    assert events == [
        (CLEAR, NO_SIDE, 0, 0, 10, 0, SNAP),
        (DEPTH, ASK, 300005, 1, 10, 0, SNAP),
        (CHECKSUM, NO_SIDE, 0, 4294967291, 10, 0, F_LAST),
        (DEPTH, ASK, 300005, 0, 15, 10, F_LAST),
        (STATUS, NO_SIDE, 0, 0, 15, 15, F_LAST),
        (DEPTH, ASK, 300010, 2, 20, 15, F_LAST),
        (DEPTH, ASK, 300020, 2, 30, 25, F_LAST | F_GAP),
        (QUOTE, ASK, 300010, 2, 0, 0, F_LAST),
        (TRADE, BID, 300010, 1, 77, 0, F_LAST),
    ]


def test_okx_contracts_come_from_the_rest_file_or_not_at_all(tmp_path: Path) -> None:
    def trade(symbol: str) -> dict[str, Any]:
        data = {"tradeId": "1", "px": "5.134", "sz": "3", "side": "sell", "ts": "1600000000600"}
        return {"arg": {"channel": "trades", "instId": symbol}, "data": [data]}

    path = record(tmp_path, "OKX", trade("UNI-USD-SWAP"))
    with pytest.raises(DataError, match="contract size of UNI-USD-SWAP"):
        read(path)
    item = {
        "instId": "UNI-USD-SWAP",
        "instType": "SWAP",
        "baseCcy": "",
        "quoteCcy": "",
        "uly": "UNI-USD",
        "ctVal": "10",
        "ctMult": "1",
        "ctType": "inverse",
        "settleCcy": "UNI",
        "tickSz": "0.001",
        "lotSz": "1",
        "minSz": "1",
    }
    url = "https://www.okx.com/api/v5/public/instruments?instType=SWAP"
    answer = f"{url} -> 1600000000.0: {json.dumps({'code': '0', 'data': [item]})}"
    (tmp_path / "OKX.0").write_text(answer + '\nconfiguration: {"trades":[]}\n')
    ((instrument, events),) = read(path).values()
    assert instrument == Instrument(
        venue="okx",
        symbol="UNI-USD-SWAP",
        kind="inverse",
        tick=Decimal("0.001"),
        lot=Decimal(1),
        base="UNI",
        quote="USD",
        settle="UNI",
        contract_size=Decimal(10),
        min_qty=Decimal(1),
    )
    assert events["px_ticks"].tolist() == [5134]


def test_coinbase(tmp_path: Path) -> None:
    time = "2020-09-13T12:26:40.000001Z"
    path = record(
        tmp_path,
        "COINBASE",
        {"type": "subscriptions", "channels": []},
        {"type": "snapshot", "product_id": "A-B", "asks": [["2.5", "1"]], "bids": [["2.4", "3"]]},
        {
            "type": "l2update",
            "product_id": "A-B",
            "changes": [["sell", "2.5", "0.0"]],
            "time": time,
        },
        {
            "type": "last_match",
            "product_id": "A-B",
            "trade_id": 8,
            "side": "sell",
            "size": "1",
            "price": "2.5",
            "time": time,
            "sequence": 1,
        },
        {
            "type": "match",
            "product_id": "A-B",
            "trade_id": 9,
            "side": "buy",
            "size": "1",
            "price": "2.4",
            "time": time,
            "sequence": 2,
        },
        {
            "type": "ticker",
            "product_id": "A-B",
            "sequence": 2,
            "best_bid": "2.4",
            "best_ask": "2.6",
            "time": time,
        },
    )
    instrument, events = only(path)
    assert (instrument.name, instrument.base, instrument.quote) == (
        "coinbaseexchange/A-B",
        "A",
        "B",
    )
    assert events == [
        (CLEAR, NO_SIDE, 0, 0, 0, 0, SNAP | TIMELESS),
        (DEPTH, ASK, 25, 1, 0, 0, SNAP | TIMELESS),
        (DEPTH, BID, 24, 3, 0, 0, SNAP | TIMELESS | F_LAST),
        (DEPTH, ASK, 25, 0, 0, 0, F_LAST),
        (TRADE, BID, 25, 1, 8, 0, SNAP | F_LAST),  # the resting order sold: the aggressor bought
        (TRADE, ASK, 24, 1, 9, 0, F_LAST),
        (QUOTE, BID, 24, 0, 2, 0, 0),
        (QUOTE, ASK, 26, 0, 2, 0, F_LAST),
    ]


def test_bybit_v5_numbers_its_updates(tmp_path: Path) -> None:
    def book(kind: str, u: int, asks: list[Any]) -> dict[str, Any]:
        data = {"s": "BTCUSDT", "b": [], "a": asks, "u": u, "seq": 5 * u}
        return {
            "topic": "orderbook.50.BTCUSDT",
            "type": kind,
            "ts": 1600000000100,
            "data": data,
            "cts": 1600000000099,
        }

    path = record(
        tmp_path,
        "BYBIT",
        {"success": True, "op": "subscribe"},
        book("snapshot", 7, [["10.5", "1"]]),
        book("delta", 8, [["10.5", "2"]]),
        book("delta", 10, [["10.5", "3"]]),
        book("delta", 1, [["10.5", "4"]]),
        {
            "topic": "publicTrade.BTCUSDT",
            "type": "snapshot",
            "ts": 1,
            "data": [
                {"T": 1600000000200, "s": "BTCUSDT", "S": "Sell", "v": "2", "p": "10.5", "i": "a-b"}
            ],
        },
        {"topic": "tickers.BTCUSDT", "data": {}},
    )
    instrument, events = only(path)
    assert (instrument.kind, instrument.base, instrument.quote) == ("linear", "BTC", "USDT")
    assert events == [
        (CLEAR, NO_SIDE, 0, 0, 7, 0, SNAP),
        (DEPTH, ASK, 105, 1, 7, 0, SNAP | F_LAST),
        (DEPTH, ASK, 105, 2, 8, 7, F_LAST),
        (DEPTH, ASK, 105, 3, 10, 9, F_LAST | F_GAP),
        (CLEAR, NO_SIDE, 0, 0, 1, 0, SNAP),  # u = 1: the venue restarted, the book is new
        (DEPTH, ASK, 105, 4, 1, 0, SNAP | F_LAST),
        (TRADE, ASK, 105, 2, 0, 0, F_LAST),
    ]


def test_bybit_old_feed_rounds_its_single_precision_sizes(tmp_path: Path) -> None:
    listed = {
        "name": "XTZUSDT",
        "base_currency": "XTZ",
        "quote_currency": "USDT",
        "taker_fee": "0.00075",
        "maker_fee": "-0.00025",
        "price_filter": {"tick_size": "0.001"},
        "lot_size_filter": {"max_trading_qty": 1000, "min_trading_qty": 0.1, "qty_step": 0.1},
    }
    answer = f"https://api.bybit.com/v2/public/symbols -> 1.0: {json.dumps({'result': [listed]})}"
    level = {
        "price": "7.232",
        "symbol": "XTZUSDT",
        "id": "72320",
        "side": "Sell",
        "size": 89.799995,
    }
    dust = {**level, "price": "7.233", "size": 0.0001}
    snapshot = {
        "topic": "orderBookL2_25.XTZUSDT",
        "type": "snapshot",
        "data": {"order_book": [level, dust]},
        "cross_seq": "726",
        "timestamp_e6": "1600000000000001",
    }
    delta = {
        **snapshot,
        "type": "delta",
        "data": {"delete": [level], "update": [], "insert": []},
        "cross_seq": "730",
    }
    path = record(tmp_path, "BYBIT", snapshot, delta, rest={"BYBIT.0": [answer]})
    instrument, events = only(path)
    assert (instrument.tick, instrument.lot) == (Decimal("0.001"), Decimal("0.1"))
    assert (instrument.maker_fee, instrument.taker_fee) == (-0.00025, 0.00075)
    assert [event[:5] for event in events] == [
        (CLEAR, NO_SIDE, 0, 0, 726),
        (DEPTH, ASK, 7232, 898, 726),
        (DEPTH, ASK, 7233, 1, 726),  # above zero stays above zero: it is no deletion
        (DEPTH, ASK, 7232, 0, 730),
    ]
