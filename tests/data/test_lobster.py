"""LOBSTER pairs: the book of the events is the book of the orderbook file, after every message."""

from __future__ import annotations

import gzip
import heapq
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from frames import only

from kimera_cli.data.importers import detect
from kimera_cli.data.importers.lobster import Lobster
from kimera_cli.data.importers.lobster_book import nameless_id
from kimera_cli.data.importers.new_york import midnight_ns
from kimera_cli.data.streams import open_lines
from kimera_cli.errors import DataError, UsageError
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    EXECUTE,
    F_HALF_TICK,
    F_HIDDEN,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    MODIFY,
    NO_SIDE,
    QUOTE,
    STATUS,
    TRADE,
)

MESSAGES = "XYZ_2012-06-21_34200000_57600000_message_2.csv"
BOOKS = "XYZ_2012-06-21_34200000_57600000_orderbook_2.csv"
NONE_ASK, NONE_BID = "9999999999,0", "-9999999999,0"
SUBMITTED = "34200.1,1,7,50,1000000,1"
FIELDS = ["kind", "side", "px_ticks", "qty_lots", "ref"]


def pair(folder: Path, messages: list[str], books: list[str]) -> Path:
    (folder / BOOKS).write_text("".join(f"{row}\n" for row in books))
    path = folder / MESSAGES
    path.write_text("".join(f"{row}\n" for row in messages))
    return path


def rows(events: Any) -> list[tuple[int, ...]]:
    return [tuple(row) for row in events[FIELDS].tolist()]


def test_a_worked_example(tmp_path: Path) -> None:
    """An order enters, is cut, is hit together with an unknown one, and a hidden one trades."""
    path = pair(
        tmp_path,
        [
            "34200.000000001,1,7,50,1000000,1",
            "34200.1,2,7,20,1000000,1",
            "34200.2,4,99,10,1000000,1",
            "34200.3,5,0,5,1001050,1",
            "34200.4,3,7,30,1000000,1",
            "34200.5,7,0,0,-1,-1",
        ],
        [
            f"1002000,5,1000000,60,{NONE_ASK},999900,3",
            f"1002000,5,1000000,40,{NONE_ASK},999900,3",
            f"1002000,5,1000000,30,{NONE_ASK},999900,3",
            f"1002000,5,1000000,30,{NONE_ASK},999900,3",
            f"1002000,5,999900,3,{NONE_ASK},999800,8",
            f"1002000,5,999900,3,{NONE_ASK},999800,8",
        ],
    )
    events = only(path)
    old = nameless_id(BID, 10_000)
    assert rows(events) == [
        (CLEAR, NO_SIDE, 0, 0, 0),
        (ADD, BID, 10_000, 10, old),  # 60 after the first message, which added 50
        (ADD, BID, 9_999, 3, nameless_id(BID, 9_999)),
        (ADD, ASK, 10_020, 5, nameless_id(ASK, 10_020)),
        (ADD, BID, 10_000, 50, 7),
        (QUOTE, BID, 10_000, 60, 0),
        (QUOTE, ASK, 10_020, 5, 0),
        (MODIFY, BID, 10_000, 30, 7),
        (QUOTE, BID, 10_000, 40, 0),
        (QUOTE, ASK, 10_020, 5, 0),
        (EXECUTE, BID, 10_000, 10, old),
        (QUOTE, BID, 10_000, 30, 0),
        (QUOTE, ASK, 10_020, 5, 0),
        (TRADE, ASK, 10_010, 5, 0),
        (DELETE, BID, 10_000, 30, 7),
        (ADD, BID, 9_998, 8, nameless_id(BID, 9_998)),
        (QUOTE, BID, 9_999, 3, 0),
        (QUOTE, ASK, 10_020, 5, 0),
        (STATUS, NO_SIDE, 0, 0, 0),
    ]
    hidden = events[events["kind"] == TRADE][0]
    assert hidden["flags"] == F_HIDDEN | F_HALF_TICK | F_LAST | F_NO_EXCH_TIME
    stated = (events["flags"] & F_SNAPSHOT) > 0
    assert [kind for kind, told in zip(events["kind"], stated, strict=True) if told] == [
        *(CLEAR, ADD, ADD, ADD, ADD),
    ]
    opening = int(datetime(2012, 6, 21, 13, 30, tzinfo=UTC).timestamp()) * 10**9
    assert events["ts_local_ns"][0] == opening + 1
    assert (events["ts_exch_ns"] == events["ts_local_ns"]).all()
    assert (events["aux"] == [1] * 7 + [2] * 3 + [3] * 3 + [4] + [5] * 4 + [6]).all()


RECORDINGS = {
    "AMZN_2012-06-21_34200000_57600000_message_1.csv.gz": (57_515, 8_974),
    "AAPL_2012-06-21_first998_message_10.csv": (999, 98),
}


@pytest.fixture(params=RECORDINGS)
def recording(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return shared_data / "lobster" / request.param


class Book:
    """Orders by id, and the size at each price: plain dictionaries."""

    def __init__(self) -> None:
        self.orders: dict[int, tuple[int, int, int]] = {}
        self.sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def put(self, ref: int, side: int, price: int, size: int) -> None:
        """Make an order this large; 0 takes it out."""
        before = self.orders.pop(ref, (side, price, 0))
        assert before[:2] == (side, price)
        assert size >= 0
        if size:
            self.orders[ref] = (side, price, size)
        level = self.sizes[side].get(price, 0) + size - before[2]
        self.sizes[side][price] = level
        if not level:
            del self.sizes[side][price]

    def best(self, side: int, depth: int) -> list[tuple[int, int]]:
        pick = heapq.nlargest if side == BID else heapq.nsmallest
        return pick(depth, self.sizes[side].items())


def test_the_book_of_the_events_is_the_orderbook_file(recording: Path) -> None:
    files = Lobster().sources(recording)
    books = [list(map(int, line.split(b","))) for _, line in open_lines(files[1])]
    book = Book()
    same = 0
    fields = ["kind", "side", "px_ticks", "qty_lots", "ref", "flags", "aux"]
    for kind, side, price, size, ref, flags, line in only(recording)[fields].tolist():
        if kind in (ADD, MODIFY, DELETE, EXECUTE):
            before = book.orders.get(ref, (0, 0, 0))[2]
            assert (kind == ADD) == (before == 0)
            after = {ADD: size, MODIFY: size, DELETE: 0, EXECUTE: before - size}[kind]
            book.put(ref, side, price, after)
        opening = line == 1 and flags & F_SNAPSHOT
        if flags & F_LAST and not opening:
            row = books[line - 1]
            for where, at in ((ASK, 0), (BID, 2)):
                shown = [
                    (p // 100, s) for p, s in zip(row[at::4], row[at + 1 :: 4], strict=True) if s
                ]
                assert book.best(where, len(shown)) == shown, f"line {line}"
            same += 1
    assert same == RECORDINGS[recording.name][0] == len(books)


def test_executions_happen_at_the_prior_best(recording: Path) -> None:
    best = [0, 0]
    hits = total = 0
    for event in only(recording):
        if event["kind"] == QUOTE:
            best[event["side"]] = event["px_ticks"]
        elif event["kind"] == EXECUTE:
            total += 1
            hits += event["px_ticks"] == best[event["side"]]
    assert (hits, total) == (RECORDINGS[recording.name][1],) * 2


def test_both_files_name_the_pair(tmp_path: Path) -> None:
    path = pair(tmp_path, [SUBMITTED], [f"{NONE_ASK},1000000,50"])
    book = path.with_name(BOOKS)
    packed = path.with_name(BOOKS + ".gz")
    packed.write_bytes(gzip.compress(book.read_bytes()))
    book.unlink()
    for each in (path, packed):
        assert detect(each).name == "lobster"
        assert detect(each).sources(each) == (path, packed)
    assert len(only(packed)) == 3


@pytest.mark.parametrize(
    ("messages", "books", "code", "line"),
    [
        ([SUBMITTED] * 2, [f"{NONE_ASK},1000000,50"], "data.uneven_pair", 2),
        ([SUBMITTED], [f"{NONE_ASK},1000000,50"] * 2, "data.uneven_pair", 2),
        ([SUBMITTED, "x"], [f"{NONE_ASK},1000000,50"] * 2, "data.bad_line", 2),
        ([SUBMITTED, "34200.2,9,7,1,1000000,1"], ["9,0,1000000,50"] * 2, "data.bad_line", 2),
        ([SUBMITTED, "34200.2,1,8,1,0,1"], ["9,0,1000000,50"] * 2, "data.price", 2),
        (["34200.1,1,7,50,1000050,1"], [f"{NONE_ASK},1000000,50"], "data.step", 1),
        ([SUBMITTED, "34200.2,1,8,1,1000000,1"], ["9,0,1000000,50", "1,2,3"], "data.bad_line", 2),
    ],
)  # fmt: skip
def test_bad_pairs_are_named(
    tmp_path: Path, messages: list[str], books: list[str], code: str, line: int
) -> None:
    with pytest.raises(DataError) as caught:
        only(pair(tmp_path, messages, books))
    assert (caught.value.code, caught.value.details["line"]) == (code, line)


def test_a_missing_partner_is_named(tmp_path: Path) -> None:
    path = pair(tmp_path, [SUBMITTED], [])
    path.with_name(BOOKS).unlink()
    with pytest.raises(DataError) as caught:
        only(path)
    assert caught.value.code == "data.missing_file"
    assert BOOKS in caught.value.message


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        ("2012-06-21", 4),
        ("2012-01-03", 5),
        ("2012-03-11", 5),
        ("2012-03-12", 4),
        ("2012-11-04", 4),
        ("2012-11-05", 5),
        ("2007-06-27", 4),
        ("2026-03-08", 5),
        ("2026-03-09", 4),
    ],
)
def test_midnight_in_new_york(day: str, hour: int) -> None:
    moment = datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)
    assert midnight_ns(day) == int(moment.timestamp()) * 10**9


@pytest.mark.parametrize("day", ["2012-13-01", "yesterday", "2006-07-01"])
def test_days_that_are_none(day: str) -> None:
    with pytest.raises(UsageError):
        midnight_ns(day)
