"""The ladder against a dict book: arbitrary sequences, far jumps, and every real recording."""

from __future__ import annotations

from bisect import insort

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError
from kimera_cli.kernels.book import (
    BOOK_BAD,
    BOOK_FULL,
    BOOK_OK,
    OVER,
    WINDOW,
    book_apply,
    book_clear,
    book_depth,
    book_levels,
    book_next,
    book_qty,
    book_set,
)
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, EVENT, NO_ASK, NO_BID, NO_SIDE
from kimera_cli.market.book import Book, new_books


class DictBook:
    """The obvious book."""

    def __init__(self):
        self.sides = ({}, {})
        self.prices = ([NO_BID], [NO_ASK])

    def set(self, side, px, qty):
        prices = self.prices[side]
        if qty:
            if px not in self.sides[side]:
                insort(prices, px)
            self.sides[side][px] = qty
        elif self.sides[side].pop(px, None):
            prices.remove(px)

    def clear(self, side):
        for one in (BID, ASK):
            if side in (one, NO_SIDE):
                self.sides[one].clear()
                self.prices[one][:] = [NO_BID if one == BID else NO_ASK]

    def best(self, side):
        return self.prices[side][-1 if side == BID else 0]

    def levels(self, side, depth=None):
        return sorted(self.sides[side].items(), reverse=side == BID)[:depth]


def levels_of(book, side, depth):
    px, qty = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
    n = book_levels(book, side, px, qty)
    return list(zip(px[:n].tolist(), qty[:n].tolist(), strict=True))


def assert_same(book, twin):
    assert book.best_bid_ticks == twin.best(BID)
    assert book.best_ask_ticks == twin.best(ASK)
    for side in (BID, ASK):
        depth = len(twin.sides[side]) + 1
        assert levels_of(book, side, depth) == twin.levels(side)


NEAR_PX = st.integers(60_000, 60_400)
EDGE_PX = st.sampled_from([k * WINDOW // 8 + d for k in range(48) for d in (-1, 0, 1, 65)])
FAR_PX = st.one_of(st.integers(0, 1 << 20), st.integers(0, NO_ASK - 1), st.just(0))
PRICES = st.one_of(NEAR_PX, NEAR_PX, EDGE_PX.filter(lambda p: p >= 0), FAR_PX)
SETS = st.tuples(st.sampled_from([BID, ASK]), PRICES, st.sampled_from([0, 0, 1, 5, 1 << 50]))
CLEARS = st.tuples(st.sampled_from([BID, ASK, NO_SIDE]), st.none(), st.none())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(*[SETS] * 12, CLEARS), max_size=120), st.randoms(use_true_random=False))
def test_any_sequence_equals_the_dict_book(operations, random):
    book, twin = new_books(1)[0], DictBook()
    for side, px, qty in operations:
        if px is None:
            book_clear(book, side)
            twin.clear(side)
        else:
            if qty == 0 and twin.sides[side] and random.random() < 0.7:
                px = random.choice([twin.best(side), *twin.sides[side]])  # removals that hit
            assert book_set(book, side, np.int64(px), np.int64(qty)) == BOOK_OK
            twin.set(side, px, qty)
            assert book_qty(book, side, np.int64(px)) == qty
        assert (book.best_bid_ticks, book.best_ask_ticks) == (twin.best(BID), twin.best(ASK))
    assert_same(book, twin)


@settings(max_examples=100, deadline=None)
@given(st.lists(SETS, max_size=40), st.lists(PRICES, min_size=1, max_size=10))
def test_next_and_quantity_at_any_price(operations, probes):
    book, twin = new_books(1)[0], DictBook()
    for side, px, qty in operations:
        book_set(book, side, np.int64(px), np.int64(qty))
        twin.set(side, px, qty)
    for px in probes:
        worse_bid = [p for p in twin.sides[BID] if p < px]
        worse_ask = [p for p in twin.sides[ASK] if p > px]
        assert book_next(book, BID, np.int64(px)) == max(worse_bid, default=NO_BID)
        assert book_next(book, ASK, np.int64(px)) == min(worse_ask, default=NO_ASK)
        for side in (BID, ASK):
            assert book_qty(book, side, np.int64(px)) == twin.sides[side].get(px, 0)


@pytest.mark.parametrize(("side", "worse"), [(BID, -1), (ASK, 1)])
@pytest.mark.parametrize("far_first", [True, False])
def test_the_window_reaches_behind_the_best(side, worse, far_first):
    """What book_depth relies on: a level beyond the window is more than NEAR ticks away."""
    book, top = new_books(1)[0], 600_000
    book_set(book, side, np.int64(top), np.int64(1))
    edge = int(book.base_ticks[side]) + (0 if side == BID else WINDOW - 1)
    second, third = edge - worse * 100, edge + worse * 100  # inside and outside of the window
    steps = (
        [(second, 5), (third, 7), (top, 0)] if far_first else [(second, 5), (top, 0), (third, 7)]
    )
    for px, qty in steps:
        assert book_set(book, side, np.int64(px), np.int64(qty)) == BOOK_OK
    assert levels_of(book, side, 9) == [(second, 5), (third, 7)]
    assert book.over_n[side] == 0
    assert book_depth(book, side, 5) == 12


def test_random_walk_with_outliers():
    rng = np.random.default_rng(3)
    book, twin = new_books(1)[0], DictBook()
    mid = 600_000
    for step in range(12_000):
        mid += int(rng.integers(-30, 31))
        side = int(rng.integers(0, 2))
        reach = 3 * WINDOW if rng.random() < 0.1 else 300
        away = int(rng.integers(1, reach))
        px = mid - away if side == BID else mid + away
        if rng.random() < 0.45 and twin.sides[side]:
            px, qty = twin.best(side), 0
        else:
            qty = int(rng.integers(0, 3))
        assert book_set(book, side, np.int64(px), np.int64(qty)) == BOOK_OK
        twin.set(side, px, qty)
        assert (book.best_bid_ticks, book.best_ask_ticks) == (twin.best(BID), twin.best(ASK))
        if step % 500 == 0:
            assert_same(book, twin)
    assert book.recentres > 10


def test_refuses_what_no_book_can_hold():
    book = new_books(1)[0]
    for px, qty in ((-1, 5), (NO_ASK, 5), (100, -1), (-(2**62), 1), (2**62, 0)):
        assert book_set(book, BID, np.int64(px), np.int64(qty)) == BOOK_BAD
    assert book.best_bid_ticks == NO_BID
    wrapped = Book()
    with pytest.raises(DataError, match="expected a price"):
        wrapped.set(BID, 100, -1)
    with pytest.raises(DataError, match="expected side"):
        wrapped.set(NO_SIDE, 100, 1)


def test_a_full_overflow_table_is_said_and_counted():
    wrapped = Book()
    book = wrapped.state
    wrapped.set(BID, 10 * WINDOW + 4 * OVER, 1)
    far = np.zeros(OVER, EVENT)
    far["kind"], far["side"], far["qty_lots"] = DEPTH, BID, 1
    far["px_ticks"] = np.arange(OVER) * 3
    wrapped.apply(far)
    assert book_set(book, BID, np.int64(1), np.int64(1)) == BOOK_FULL
    assert book.lost == 1
    with pytest.raises(DataError, match=f"at most {OVER} levels") as caught:
        wrapped.set(BID, 4, 1)
    assert caught.value.code == "data.book_full"
    assert book_set(book, BID, np.int64(0), np.int64(0)) == BOOK_OK
    assert book_set(book, BID, np.int64(1), np.int64(1)) == BOOK_OK
    assert book_next(book, BID, np.int64(4)) == 3
    assert book_next(book, BID, np.int64(3)) == 1


def test_real_recording_equals_the_dict_book(depth_events):
    book, twin = new_books(1)[0], DictBook()
    uncrossed = 0
    ends = np.flatnonzero(depth_events["flags"]) + 1
    for start, stop in zip(np.r_[0, ends[:-1]], ends, strict=True):
        message = depth_events[start:stop]
        assert book_apply(book, message.view(np.recarray)) == BOOK_OK
        for kind, side, px, qty in message[["kind", "side", "px_ticks", "qty_lots"]].tolist():
            if kind == CLEAR:
                twin.clear(side)
                continue
            twin.set(side, px, qty)
        assert (book.best_bid_ticks, book.best_ask_ticks) == (twin.best(BID), twin.best(ASK))
        uncrossed += book.best_bid_ticks < book.best_ask_ticks
    assert_same(book, twin)
    assert uncrossed == len(ends)
    assert book.lost == 0


def test_plain_python_and_compiled_agree():
    rng = np.random.default_rng(11)
    books = new_books(2)
    for _ in range(600):
        side, qty = int(rng.integers(0, 2)), np.int64(rng.integers(0, 4))
        px = np.int64(100_000 + rng.integers(-40, 40) * (400 if rng.random() < 0.3 else 1))
        book_set(books[0], side, px, qty)
        getattr(book_set, "py_func", book_set)(books[1], side, px, qty)
    assert books[0] == books[1]


def test_the_named_wrapper():
    book = Book()
    assert (book.best_bid, book.best_ask) == (None, None)
    book.set(BID, 100, 7)
    book.set(BID, 98, 2)
    book.set(ASK, 101, 3)
    assert book.best_bid == (100, 7)
    assert book.best_ask == (101, 3)
    assert book.next(BID, 100) == 98
    assert book.next(ASK, 101) is None
    assert [column.tolist() for column in book.levels(BID)] == [[100, 98], [7, 2]]
    book.clear(BID)
    assert book.best_bid is None
    assert book.best_ask == (101, 3)
