"""Bybit v5: documented frames and known answers; the recorded market, told again as v5."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from agreement import Pair, rows
from venue_frames import imported, listed, recorded

from kimera_cli.errors import VenueError
from kimera_cli.feeds.bybit import BYBIT
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    F_LAST,
    F_SNAPSHOT,
    NO_SIDE,
    QUOTE,
    STATUS,
    TRADE,
)

MS = 1_000_000
BTC = Instrument(
    venue="bybit", symbol="BTCUSDT", kind="linear", tick=Decimal("0.1"), lot=Decimal("0.001")
)
BOOK = (
    '{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1790134712130,"data":{"s":"BTCUSDT",'
    '"b":[["86723.40","0.194"]],"a":[["86723.50","5.959"],["86723.60","0"]],"u":173678160,'
    '"seq":814547787693},"cts":1790134712120}'
)
CTS = 1790134712120 * MS
LEVELS = [(DEPTH, BID, 867234, 194), (DEPTH, ASK, 867235, 5959), (DEPTH, ASK, 867236, 0)]
SPOT = BOOK.replace('"type":"snapshot","ts":1790134712130', '"ts":1790134712130,"type":"snapshot"')


@pytest.fixture
def pair() -> Pair:
    return Pair(BYBIT, [BTC])


def read(pair: Pair, text: str) -> list[tuple[int, ...]]:
    """The rows of a frame that the kernel must read."""
    events = pair.fast(text.encode())
    assert events is not None, pair.reader.counts
    pair.both(text.encode())
    return rows(events)


@pytest.mark.parametrize("text", [BOOK, SPOT])
@pytest.mark.parametrize("depth", ["50", "200", "1000"])
def test_a_snapshot_clears_first_and_has_the_engines_time(
    pair: Pair, text: str, depth: str
) -> None:
    found = read(pair, text.replace("orderbook.50", f"orderbook.{depth}"))
    flags = [F_SNAPSHOT] * 3 + [F_SNAPSHOT | F_LAST]
    begin = [(CLEAR, NO_SIDE, 0, 0), *LEVELS]
    assert found == [
        (*row, 173678160, 0, CTS, flag) for row, flag in zip(begin, flags, strict=True)
    ]


def test_a_delta_follows_the_one_before(pair: Pair) -> None:
    found = read(pair, BOOK.replace("snapshot", "delta"))
    flags = [0, 0, F_LAST]
    assert found == [
        (*row, 173678160, 173678159, CTS, flag) for row, flag in zip(LEVELS, flags, strict=True)
    ]


def test_without_cts_the_messages_time_counts(pair: Pair) -> None:
    found = read(pair, BOOK.replace(',"cts":1790134712120', ""))
    assert {row[6] for row in found} == {1790134712130 * MS}


def test_an_empty_delta_still_counts(pair: Pair) -> None:
    text = BOOK.replace("snapshot", "delta")
    text = text[: text.index('"b":')] + '"b":[],"a":[],"u":5,"seq":1},"cts":1790134712120}'
    assert read(pair, text) == [(STATUS, NO_SIDE, 0, 0, 5, 4, CTS, F_LAST)]


def test_update_one_is_a_whole_book_whatever_it_calls_itself(pair: Pair) -> None:
    text = BOOK.replace("snapshot", "delta").replace("173678160", "1").encode()
    assert pair.fast(text) is None
    assert pair.reader.counts["slow.rule"] == 1
    assert rows(pair.both(text))[0] == (CLEAR, NO_SIDE, 0, 0, 1, 0, CTS, F_SNAPSHOT)


def test_the_best_prices_are_quotes(pair: Pair) -> None:
    text = BOOK.replace("orderbook.50", "orderbook.1").replace(',["86723.60","0"]', "")
    assert read(pair, text) == [
        (QUOTE, BID, 867234, 194, 173678160, 0, CTS, 0),
        (QUOTE, ASK, 867235, 5959, 173678160, 0, CTS, F_LAST),
    ]
    left = BOOK.replace("orderbook.50", "orderbook.1").replace("snapshot", "delta")
    assert [row[:4] for row in rows(pair.both(left.encode()))] == [
        (QUOTE, BID, 867234, 194),
        (QUOTE, ASK, 867235, 5959),
    ]


TRADES = (
    '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1774021164273,"data":['
    '{"T":1774021164272,"s":"BTCUSDT","S":"Sell","v":"0.001","p":"69916.80","L":"MinusTick",'
    '"i":"8c931d9a-b703-5c34-9aeb-860867cf1f66","BT":false,"RPI":false,"seq":549792210006},'
    '{"T":1774021164273,"s":"BTCUSDT","S":"Buy","v":"0.002","p":"69916.90","L":"PlusTick",'
    '"i":"307fb58f-09dc-5121-b24f-eb2f81873445","BT":false}]}'
)


def test_trades_of_one_message(pair: Pair) -> None:
    assert read(pair, TRADES) == [
        (TRADE, ASK, 699168, 1, 0, 0, 1774021164272 * MS, 0),
        (TRADE, BID, 699169, 2, 0, 0, 1774021164273 * MS, F_LAST),
    ]


def test_a_trade_of_another_symbol_is_refused(pair: Pair) -> None:
    text = TRADES.replace('"s":"BTCUSDT","S":"Buy"', '"s":"ETHUSDT","S":"Buy"')
    found = pair.both(text.encode())
    assert isinstance(found, VenueError)
    assert "the symbol of the topic, BTCUSDT" in found.message


def test_spot_trades_in_their_own_key_order(pair: Pair) -> None:
    text = (
        '{"topic":"publicTrade.BTCUSDT","ts":1789299660690,"type":"snapshot","data":[{"i":'
        '"2100000000188691524","T":1789299660688,"p":"69916.8","v":"0.00389","S":"Sell",'
        '"seq":2,"s":"BTCUSDT","BT":false,"RPI":false}]}'
    )
    found = pair.both(text.encode())
    assert isinstance(found, VenueError), "the size is off the lot"
    found = read(pair, text.replace("0.00389", "0.004"))
    assert found == [(TRADE, ASK, 699168, 4, 0, 0, 1789299660688 * MS, F_LAST)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"success":true,"ret_msg":"","conn_id":"d30","req_id":"x","op":"subscribe"}', "ack"),
        ('{"success":false,"ret_msg":"Invalid topic","conn_id":"c","op":"subscribe"}', "refused"),
        ('{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}', "pong"),
        ('{"req_id":"1","op":"pong","args":["1675418560633"],"conn_id":"c"}', "pong"),
        ('{"topic":"tickers.BTCUSDT","type":"delta","data":{},"ts":1}', "status"),
    ],
)
def test_what_is_no_market_data(pair: Pair, text: str, kind: str) -> None:
    assert pair.reader.take(text.encode(), 1) == 0
    assert pair.reader.control is not None
    assert pair.reader.control.kind == kind


@pytest.mark.parametrize("text", ["{}", '{"topic":"orderBookL2_25.BTCUSDT"}', '{"topic":5}', "[]"])
def test_what_is_no_message(pair: Pair, text: str) -> None:
    found = pair.both(text.encode())
    assert isinstance(found, VenueError)
    assert "bybit" in found.message


# --- the recorded market, in the form of today -------------------------------------------------


def v5(path: Path, steps: dict[str, Instrument]) -> Iterator[tuple[int, bytes]]:
    """(line, v5 frame) of each old message: real prices, sizes on the lot, real times."""
    numbers: dict[str, int] = {}
    for line, _, raw in recorded(path):
        body = json.loads(raw, parse_float=str)
        topic, _, symbol = body.get("topic", "").partition(".")
        if topic == "trade":
            yield line, _trades(symbol, body["data"], steps[symbol].lot)
        elif topic == "orderBookL2_25":
            snapshot = body["type"] == "snapshot"
            numbers[symbol] = number = numbers.get(symbol, 99) + 1
            yield line, _book(symbol, body, steps[symbol].lot, snapshot, number)


def _on_lot(size: Any, lot: Decimal) -> str:
    steps = Decimal(str(size)) / lot
    return format(max(round(steps), 1) * lot if steps else Decimal(0), "f")


def _book(symbol: str, body: dict[str, Any], lot: Decimal, snapshot: bool, number: int) -> bytes:
    data = body["data"]
    if snapshot:
        levels = data["order_book"]
    else:
        gone = [{**level, "size": "0"} for level in data["delete"]]
        levels = [*gone, *data["update"], *data["insert"]]
    sides: dict[str, list[list[str]]] = {"b": [], "a": []}
    for level in levels:
        side = sides["b" if level["side"] == "Buy" else "a"]
        side.append([level["price"], _on_lot(level["size"], lot)])
    ts = int(body["timestamp_e6"]) // 1000
    message = {
        "topic": f"orderbook.50.{symbol}",
        "type": "snapshot" if snapshot else "delta",
        "ts": ts + 3,
        "data": {"s": symbol, **sides, "u": number, "seq": int(body["cross_seq"])},
        "cts": ts,
    }
    return json.dumps(message, separators=(",", ":")).encode()


def _trades(symbol: str, trades: list[dict[str, Any]], lot: Decimal) -> bytes:
    told = [
        {
            "T": int(each["trade_time_ms"]),
            "s": symbol,
            "S": each["side"],
            "v": _on_lot(each["size"], lot),
            "p": str(each["price"]),
            "L": each["tick_direction"],
            "i": each["trade_id"],
            "BT": False,
            "RPI": False,
            "seq": 7,
        }
        for each in trades
    ]
    message = {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": 1, "data": told}
    return json.dumps(message, separators=(",", ":")).encode()


def test_the_recorded_market_is_fast_and_as_the_importer_has_it(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "BYBIT.ws.25.0.gz"
    known, steps = imported(path), listed(path)
    pair = Pair(BYBIT, [known[symbol][0] for symbol in known])
    order = list(known)
    frames = 0
    for line, frame in v5(path, steps):
        fast = pair.fast(frame)
        assert fast is not None, frame
        pair.both(frame)
        told = known[order[int(fast[0]["instrument"])]][1][line]
        assert _meaning(fast) == _meaning(told)
        frames += 1
    assert frames > 3000
    assert pair.reader.counts["fast"] == 2 * frames


def _meaning(events: Any) -> list[tuple[int, ...]]:
    """What old and new form both tell: sides together, times to the millisecond."""
    fields = ("kind", "side", "px_ticks", "qty_lots")
    ordered = sorted(tuple(int(event[name]) for name in fields) for event in events)
    return [*ordered, (int(events[0]["ts_exch_ns"]) // MS,)]
