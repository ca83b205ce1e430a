"""Raw Binance recordings: known frames to known events, and the book kept in sequence."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frames import T0, diff, line, only, read, save, snapshot, ticker, trade

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import MAX_ROWS, ImportOptions
from kimera_cli.errors import DataError
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
)

MS = 10**6
FIELDS = ["kind", "side", "px_ticks", "qty_lots", "seq", "ref", "aux"]


def rows(events: Any) -> list[tuple[int, ...]]:
    return [tuple(row) for row in events[FIELDS].tolist()]


def failure(path: Path, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    return caught.value


def test_each_kind_of_frame_becomes_its_events(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        diff(T0, 11, 12, [("100.10", "2.000")], [("100.30", "0.000"), ("100.40", "0.005")]),
        ticker(T0 + 1, 13, ("100.10", "2.000"), ("100.40", "0.005")),
        trade(T0 + 2, 7, "100.40", "0.001"),
        trade(T0 + 3, 8, "100.10", "0.002", sold=True),
    )
    events = only(path)
    assert rows(events) == [
        (DEPTH, BID, 1001, 2000, 12, 10, 1),
        (DEPTH, ASK, 1003, 0, 12, 10, 1),
        (DEPTH, ASK, 1004, 5, 12, 10, 1),
        (QUOTE, BID, 1001, 2000, 13, 0, 2),
        (QUOTE, ASK, 1004, 5, 13, 0, 2),
        (TRADE, BID, 1004, 1, 7, 0, 3),
        (TRADE, ASK, 1001, 2, 8, 0, 4),
    ]
    assert (events["flags"] & F_LAST > 0).tolist() == [False, False, True, False, True, True, True]
    assert events["ts_local_ns"].tolist() == [T0, T0, T0, T0 + 1, T0 + 1, T0 + 2, T0 + 3]
    assert (events["flags"] & F_NO_EXCH_TIME > 0).tolist() == [False] * 3 + [True] * 2 + [False] * 2
    assert events["ts_exch_ns"][3] == T0 + 1


def test_markets_are_told_apart_by_content(tmp_path: Path) -> None:
    coin = {"e": "bookTicker", "ps": "BTCUSD", "T": T0 // MS, "E": T0 // MS, "s": "BTCUSD_PERP"}
    path = save(
        tmp_path,
        diff(T0, 1, 2, [("100.1", "1")]),
        diff(T0, 1, 2, [("100.1", "0.5")], pu=0),
        ticker(T0, 3, ("100.5", "35"), ("101", "7"), **coin),
    )
    by_name = {}
    for batch in choose(path, None).read(path, ImportOptions()):
        by_name[batch.instrument.name] = batch.instrument
    assert {name: each.kind for name, each in by_name.items()} == {
        "binance/BTCUSDT": "spot",
        "binanceusdm/BTCUSDT": "linear",
        "binancecoinm/BTCUSD_PERP": "inverse",
    }
    assert by_name["binancecoinm/BTCUSD_PERP"].contract_size == 100
    assert by_name["binancecoinm/BTCUSD_PERP"].settlement == "BTC"
    assert by_name["binance/BTCUSDT"].lot == 1
    assert by_name["binanceusdm/BTCUSDT"].lot == Decimal("0.1")


def test_a_snapshot_takes_in_the_newer_diffs_that_came_before_it(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        diff(T0, 1, 5, [("99", "1")]),
        diff(T0 + 1, 6, 9, [("98", "2")]),
        snapshot(T0 + 2, 7, [("99", "1"), ("98", "3")], [("101", "4")]),
        diff(T0 + 3, 10, 11, [], [("101", "0")]),
    )
    events = only(path)
    assert rows(events)[2:] == [
        (CLEAR, NO_SIDE, 0, 0, 7, 0, 3),
        (DEPTH, BID, 99, 1, 7, 0, 3),
        (DEPTH, BID, 98, 3, 7, 0, 3),
        (DEPTH, ASK, 101, 4, 7, 0, 3),
        (DEPTH, BID, 98, 2, 9, 5, 2),
        (DEPTH, ASK, 101, 0, 11, 9, 4),
    ]
    told_again = events[6]
    assert told_again["flags"] == F_SNAPSHOT | F_LAST
    assert told_again["ts_local_ns"] == T0 + 2
    assert (events["flags"] & (F_GAP | F_STALE) == 0).all()
    assert events["flags"][2] & F_LAST == 0


def test_diffs_older_than_the_snapshot_are_marked_stale(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        snapshot(T0, 20, [("99", "1")], [("101", "4")]),
        diff(T0 + 1, 15, 19, [("99", "7")]),
        diff(T0 + 2, 20, 22, [("99", "8")]),
    )
    flags = only(path)["flags"]
    assert (flags & F_STALE > 0).tolist() == [False, False, False, True, False]
    assert (flags & F_GAP == 0).all()


def test_a_lost_diff_is_marked_as_a_gap_once(tmp_path: Path) -> None:
    levels = [("99", "1"), ("98", "1")]
    path = save(
        tmp_path,
        diff(T0, 1, 5, levels),
        diff(T0 + 1, 7, 9, levels),
        diff(T0 + 2, 10, 11, levels),
    )
    assert (only(path)["flags"] & F_GAP > 0).tolist() == [False, False, True, False, False, False]


def test_futures_diffs_are_chained_by_pu(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        diff(T0, 10, 20, [("99", "1")], pu=4),
        diff(T0, 31, 40, [("99", "1")], pu=20),
        diff(T0, 51, 60, [("99", "1")], pu=39),
    )
    events = only(path)
    assert events["ref"].tolist() == [4, 20, 39]
    assert (events["flags"] & F_GAP > 0).tolist() == [False, False, True]


def test_a_repeated_and_a_swapped_diff_are_stale_not_lost(tmp_path: Path) -> None:
    first, second = diff(T0, 1, 5, [("99", "1")]), diff(T0 + 1, 6, 9, [("98", "2")])
    repeated = only(save(tmp_path, first, first, second))
    assert (repeated["flags"] & (F_GAP | F_STALE)).tolist() == [0, F_STALE, 0]


def test_a_snapshot_that_cannot_be_joined_is_a_gap(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        snapshot(T0, 20, [("99", "1")], [("101", "4")]),
        diff(T0 + 2, 25, 26, [("99", "8")]),
    )
    assert only(path)["flags"][-1] & F_GAP


def test_an_empty_diff_keeps_its_place_in_the_chain(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        diff(T0, 1, 5, [("99", "1")]),
        diff(T0, 6, 9),
        diff(T0, 10, 11, [("99", "2")]),
    )
    events = only(path)
    assert events["kind"].tolist() == [DEPTH, STATUS, DEPTH]
    assert events["seq"][1] == 9
    assert (events["flags"] & F_GAP == 0).all()


def test_trades_without_size_and_other_streams_are_kept_as_status(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        trade(T0, 1, "100", "1", X="MARKET"),
        trade(T0, 2, "0", "0", X="NA"),
        line(T0, "btcusdt@kline_1m", {"e": "kline", "E": T0 // MS, "s": "BTCUSDT", "k": {}}),
        f'{T0} {{"result":null,"id":1}}',
    )
    events = only(path)
    assert events["kind"].tolist() == [TRADE, STATUS, STATUS]
    assert events["seq"].tolist() == [1, 2, 0]


def test_agg_trades_carry_their_own_id(tmp_path: Path) -> None:
    data = {"e": "aggTrade", "E": T0 // MS, "s": "BTCUSDT", "a": 77, "p": "5.5", "q": "2"}
    data |= {"f": 100, "l": 105, "T": T0 // MS, "m": True}
    assert rows(only(save(tmp_path, line(T0, "btcusdt@aggTrade", data)))) == [
        (TRADE, ASK, 55, 2, 77, 0, 1)
    ]


def test_a_nameless_snapshot_among_two_instruments_is_refused(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        diff(T0, 1, 2, [("1", "1")]),
        diff(T0, 1, 2, [("1", "1")], symbol="ETHUSDT"),
        snapshot(T0, 5, [("1", "1")], []),
    )
    error = failure(path)
    assert error.code == "data.mixed_instruments"
    assert error.details["line"] == 3


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (diff(T0, 3, 4, [("100.15", "1")]), "data.step"),
        (diff(T0, 3, 4, [("100.1", "0.15")]), "data.step"),
        (diff(T0, 3, 4, [("nan", "1")]), "data.price"),
        (diff(T0, 3, 4, [("100.1", "inf")]), "data.quantity"),
        (diff(T0, 3, 4, [("0", "1")]), "data.price"),
        (diff(T0, 3, 4, [("-100.1", "1")]), "data.price"),
        (diff(T0, 3, 4, [("100.1", "-1")]), "data.quantity"),
        (diff(T0, 3, 4, [("100.x", "1")]), "data.bad_line"),
        (diff(T0, 3, 4, [("100.1", "1")])[:-9], "data.bad_line"),
        ("yesterday {}", "data.bad_line"),
        (f"{T0}", "data.bad_line"),
        (f"{T0} [1, 2]", "data.bad_line"),
        ("", "data.bad_line"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str, code: str) -> None:
    good = [diff(T0, 1, 2, [("100.1", "0.5")])] * 4_500  # the head that decides the grid
    error = failure(save(tmp_path, *good, bad))
    assert (error.code, error.details["line"]) == (code, 4_501)
    if code == "data.step":
        assert "--tick" in error.hint or "--lot" in error.hint


def test_the_grid_can_be_told_and_is_kept_when_known(tmp_path: Path) -> None:
    path = save(tmp_path, diff(T0, 1, 2, [("100.5", "2")]))
    assert only(path, tick=Decimal("0.5"))["px_ticks"].tolist() == [201]
    (batch,) = choose(path, None).read(path, ImportOptions())
    finer = Instrument(
        **{
            **{f: getattr(batch.instrument, f) for f in batch.instrument.__struct_fields__},
            "tick": Decimal("0.01"),
        }
    )
    assert only(path, known={finer.name: finer})["px_ticks"].tolist() == [10050]
    error = failure(path, known={finer.name: finer}, tick=Decimal("0.5"))
    assert error.code == "data.grid"


def test_an_instrument_that_appears_late_gets_its_own_grid(tmp_path: Path) -> None:
    early = [diff(T0, 1, 2, [("100.1", "1")])] * 4_100
    late = diff(T0, 1, 2, [("0.00012", "1000")], symbol="PEPEUSDT")
    events = read(save(tmp_path, *early, late))["binance/PEPEUSDT/l2"]
    assert events["px_ticks"].tolist() == [12]


def test_batches_stay_small(tmp_path: Path) -> None:
    levels = [(f"{i}", "1") for i in range(1, 5_001)]
    path = save(tmp_path, *[diff(T0, 1, 2, levels)] * 40)
    sizes = [len(batch.events) for batch in choose(path, None).read(path, ImportOptions())]
    assert sum(sizes) == 200_000
    assert max(sizes) <= MAX_ROWS


RECORDINGS = {
    "spot_btcusdt_20240808.gz": 2_894,
    "usdm_btcusdt_20240808.gz": 5_703,
    "cm_btcusd_perp_20240808.gz": 6_556,
}


@pytest.fixture(params=RECORDINGS)
def recording(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return shared_data / "hftbacktest" / request.param


def updates(events: Any) -> Iterator[tuple[int, int, Any]]:
    """Yield (ref, seq, rows) of each book message that counts, in order."""
    ends = np.flatnonzero(events["flags"] & F_LAST) + 1
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        yield int(events["ref"][start]), int(events["seq"][start]), events[start:end]


def test_the_rebuilt_book_equals_every_book_ticker(recording: Path) -> None:
    events = only(recording)
    quotes = events[events["kind"] == QUOTE]
    ids = quotes["seq"][0::2]
    stated = np.stack([quotes[f][side::2] for side in (0, 1) for f in ("px_ticks", "qty_lots")], 1)
    books: tuple[dict[int, int], dict[int, int]] = ({}, {})
    same = total = 0
    trusted = False
    book_rows = events[np.isin(events["kind"], [CLEAR, DEPTH])]
    for ref, seq, message in updates(book_rows):
        for _, side, px, qty, *_ in rows(message):
            if side == NO_SIDE:
                books[0].clear()
                books[1].clear()
                trusted = True
            elif qty:
                books[side][px] = qty
            else:
                books[side].pop(px, None)
        place = int(np.searchsorted(ids, seq, "right")) - 1
        if not trusted or not ref or place < 0 or ids[place] <= ref:
            continue
        bid, ask = max(books[BID]), min(books[ASK])
        best = [bid, books[BID][bid], ask, books[ASK][ask]]
        total += 1
        same += best == stated[place].tolist()
    assert (same, total) == (RECORDINGS[recording.name],) * 2
    assert (events["flags"] & (F_GAP | F_STALE) == 0).all()


def test_every_number_of_a_recording_is_kept_exactly(recording: Path) -> None:
    """Against Python's json and Decimal, on the first 3,000 lines."""
    instrument = next(iter(choose(recording, None).read(recording, ImportOptions()))).instrument
    events = only(recording)
    by_line: dict[int, list[tuple[int, Decimal, Decimal]]] = {}
    for _, side, px, qty, _, _, number in rows(events[events["kind"] != CLEAR]):
        level = (side, px * instrument.tick, qty * instrument.lot)
        by_line.setdefault(number, []).append(level)
    with gzip.open(recording, "rt") as stream:
        for number, text in zip(range(1, 3_001), stream, strict=False):
            frame = json.loads(text.partition(" ")[2])
            expected = list(levels(frame.get("data", frame)))
            assert by_line[number][: len(expected)] == expected, f"line {number}"


def levels(data: dict[str, Any]) -> Iterator[tuple[int, Decimal, Decimal]]:
    if "p" in data:
        yield (ASK if data["m"] else BID), Decimal(data["p"]), Decimal(data["q"])
    elif "B" in data:
        yield BID, Decimal(data["b"]), Decimal(data["B"])
        yield ASK, Decimal(data["a"]), Decimal(data["A"])
    else:
        for side, key in ((BID, "bids"), (ASK, "asks")):
            for px, qty in data.get(key, data.get(key[0], [])):
                yield side, Decimal(px), Decimal(qty)
