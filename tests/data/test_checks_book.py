"""The book of the checks against a brute force one; best prices, crossed books, checksums."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data.checks.book import BookChecks
from kimera_cli.data.checks.checksum import Digits, checksum, kraken_text
from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.checks.subject import Subject
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    EVENT,
    F_LAST,
    F_SNAPSHOT,
    F_STALE,
    NO_SIDE,
    QUOTE,
    STATUS,
)
from kimera_cli.records import Check

Row = dict[str, Any]
changes = st.lists(
    st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 20), st.integers(0, 3)), max_size=60
)


@given(changes, st.integers(0, 60))
def test_level_book_equals_a_dictionary(feed: list[tuple[int, int, int]], cleared: int) -> None:
    book, plain = LevelBook(), ({}, {})
    for index, (side, px, qty) in enumerate(feed):
        if index == cleared:
            book.clear(NO_SIDE)
            plain = ({}, {})
        book.set(side, px, qty)
        plain[side][px] = qty
        sides = [{p: q for p, q in each.items() if q} for each in plain]
        bids, asks = sorted(sides[BID].items(), reverse=True), sorted(sides[ASK].items())
        assert (book.top(BID, 99), book.top(ASK, 3)) == (bids, asks[:3])
        assert book.best(ASK) == (asks[0] if asks else None)
        assert book.qty(side, px) == qty
        assert book.crossed() == bool(bids and asks and bids[0][0] >= asks[0][0])


def check(*rows: Row, venue: str = "binance") -> dict[str, Check]:
    events = np.zeros(len(rows), EVENT)
    for index, values in enumerate(rows):
        for field, value in {"flags": F_LAST, "aux": index + 1, **values}.items():
            events[index][field] = value
    one = Instrument(
        venue=venue, symbol="AB", kind="spot", tick=Decimal("0.1"), lot=Decimal("0.01")
    )
    checker = BookChecks(Subject("x", one, "l2", 0))
    checker.see(events)
    return {record.check: record for record in checker.results()}


def level(side: int, px: int, qty: int, seq: int = 0, ref: int = 0, flags: int = F_LAST) -> Row:
    values = {"side": side, "px_ticks": px, "qty_lots": qty, "seq": seq, "ref": ref}
    return {"kind": DEPTH, "flags": flags, **values}


def quote(seq: int, bid: tuple[int, int], ask: tuple[int, int]) -> list[Row]:
    sides = ((BID, bid, 0), (ASK, ask, F_LAST))
    return [
        {"kind": QUOTE, "side": side, "px_ticks": px, "qty_lots": qty, "seq": seq, "flags": flags}
        for side, (px, qty), flags in sides
    ]


CLEARED: Row = {"kind": CLEAR, "side": NO_SIDE, "seq": 10, "flags": F_SNAPSHOT}
BOOK = [
    CLEARED,
    level(BID, 100, 5, 10, flags=F_SNAPSHOT),
    level(ASK, 101, 6, 10, flags=F_SNAPSHOT | F_LAST),
]


def test_best_prices_are_compared_inside_the_update_that_they_describe() -> None:
    found = check(
        *BOOK,
        *quote(9, (99, 1), (101, 6)),  # before the snapshot: nothing to compare
        *quote(12, (100, 7), (101, 6)),
        *quote(13, (100, 8), (101, 6)),
        level(BID, 100, 8, 13, 10),
        *quote(16, (100, 9), (101, 6)),  # of the update after the next
        level(BID, 98, 1, 14, 13),  # no quote inside (13, 14]
        level(BID, 100, 9, 16, 14),
    )["bbo"]
    assert (found.passed, found.total, found.ok) == (2, 2, True)


@pytest.mark.parametrize("size", [9, 8])
def test_a_ticker_that_comes_after_its_update_is_waited_for(size: int) -> None:
    found = check(
        *BOOK,
        *quote(11, (100, 5), (101, 6)),
        level(BID, 100, 9, 13, 10),
        *quote(13, (100, size), (101, 6)),
        *quote(14, (100, 1), (101, 6)),
        level(BID, 100, 1, 15, 13),
    )["bbo"]
    assert (found.total, found.passed) == (2, 2 if size == 9 else 1)
    assert found.line == (None if size == 9 else 6)


def test_price_and_size_of_both_sides_count() -> None:
    for wrong in (quote(11, (99, 5), (101, 6)), quote(11, (100, 5), (101, 7))):
        found = check(*BOOK, *wrong, level(BID, 98, 1, 12, 10))["bbo"]
        assert (found.passed, found.total, found.line) == (0, 1, 6)
        assert "as bookTicker 11 says" in found.detail


def test_an_update_without_levels_is_compared_too() -> None:
    empty = {"kind": STATUS, "seq": 12, "ref": 10}
    assert check(*BOOK, *quote(11, (100, 5), (101, 6)), empty)["bbo"].total == 1


def test_stale_updates_do_not_touch_the_book() -> None:
    stale = level(BID, 100, 1, 9, 8, flags=F_LAST | F_STALE)
    after = level(BID, 90, 1, 12, 10)
    assert check(*BOOK, *quote(11, (100, 5), (101, 6)), stale, after)["bbo"].ok


def test_crossed_books_are_found_after_whole_messages_only() -> None:
    through = [level(BID, 102, 1, flags=0), level(ASK, 101, 0, flags=0), level(ASK, 103, 1)]
    assert check(*BOOK, *through)["crossed"].ok
    found = check(*BOOK, level(BID, 101, 1), level(BID, 101, 0))["crossed"]
    assert (found.passed, found.total, found.line, found.ok) == (2, 3, 4, False)


def test_a_book_without_snapshot_is_not_judged() -> None:
    found = check(level(BID, 102, 1), level(ASK, 101, 1), venue="kraken")
    assert (found["crossed"].total, found["checksum"].total) == (0, 0)


@given(changes.filter(bool), st.integers(0, 2))
def test_kraken_checksums_hold_exactly_for_the_true_book(
    feed: list[tuple[int, int, int]], lost: int
) -> None:
    """With a level lost the checksum fails as long as the ten best levels differ."""
    digits = (Digits(Decimal("0.1"), 2), Digits(Decimal("0.01"), 8))
    book, rows, expected, broken = LevelBook(), [CLEARED], [], LevelBook()
    for index, change in enumerate(feed):
        book.set(*change)
        if index != lost:
            broken.set(*change)
            rows.append(level(*change, flags=0))
        texts = [kraken_text(b.top(BID, 10), b.top(ASK, 10), *digits) for b in (book, broken)]
        expected.append(texts[0] == texts[1])
        crc = checksum(texts[0])
        rows.append({"kind": CHECKSUM, "px_ticks": 2, "ref": 8, "qty_lots": crc, "side": NO_SIDE})
    found = check(*rows, venue="kraken")["checksum"]
    assert (found.passed, found.total) == (sum(expected), len(expected))


def test_a_late_ticker_counts_for_its_own_update_only() -> None:
    found = check(
        *BOOK,
        level(BID, 100, 9, 13, 10),
        level(BID, 100, 1, 15, 13),
        *quote(13, (100, 9), (101, 6)),  # of the first update, after both
        *quote(16, (100, 2), (101, 6)),
    )["bbo"]
    assert (found.passed, found.total) == (1, 1)
