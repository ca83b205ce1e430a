"""The order-by-order book against lists of orders, on any feed and on real recordings."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError
from kimera_cli.kernels.l3 import l3_normalise
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    EVENT,
    EXECUTE,
    F_HIDDEN,
    F_LAST,
    MODIFY,
    NO_SIDE,
    STATUS,
    TRADE,
)
from kimera_cli.market.l3 import L3Book, L3Normaliser, new_l3


class ListBook:
    """The obvious order book: a list of [id, lots, priority] per level."""

    def __init__(self):
        self.levels = defaultdict(list)
        self.where = {}
        self.priority = 0
        self.unknown = self.duplicate = 0

    def total(self, key):
        return sum(order[1] for order in self.levels.get(key, ()))

    def add(self, ref, side, px, qty):
        self.priority += 1
        self.levels[side, px].append([ref, qty, self.priority])
        self.where[ref] = (side, px)
        return (ADD, side, px, self.total((side, px)), self.priority)

    def order(self, ref):
        return next(order for order in self.levels[self.where[ref]] if order[0] == ref)

    def take(self, ref, lots, kind):
        key, order = self.where[ref], self.order(ref)
        order[1] -= lots
        if order[1] <= 0:
            self.levels[key].remove(order)
            del self.where[ref]
            if not self.levels[key]:
                del self.levels[key]
        return (kind, *key, self.total(key), order[2])

    def apply(self, kind, ref, side, px, qty):
        """Return the normalised events as (kind, side, px, level lots, priority)."""
        if kind == ADD:
            if ref in self.where:
                self.duplicate += 1
                return [(STATUS,)]
            return [self.add(ref, side, px, qty)]
        if ref not in self.where:
            self.unknown += 1
            return [(STATUS,)]
        held = self.order(ref)[1]
        if kind == DELETE:
            return [self.take(ref, held, kind)]
        if kind == EXECUTE:
            return [self.take(ref, min(qty, held), kind)]
        side, old_px = self.where[ref]
        px = px or old_px
        if qty <= 0:
            return [self.take(ref, held, kind)]
        if px == old_px and qty <= held:
            return [self.take(ref, held - qty, kind)]
        gone = self.take(ref, held, DELETE)
        return [gone, self.add(ref, side, px, qty)]


def feed(rows):
    events = np.zeros(len(rows), EVENT)
    for k, (kind, ref, side, px, qty, *flags) in enumerate(rows):
        events[k] = (0, 0, px, qty, 0, ref, 0, 0, kind, side, flags[0] if flags else F_LAST, 0, 0)
    return events


def told(events):
    fields = ["kind", "side", "px_ticks", "qty_lots", "seq"]
    return [row if row[0] != STATUS else (STATUS,) for row in events[fields].tolist()]


def assert_same_queues(book, twin):
    for key, orders in twin.levels.items():
        assert [tuple(order) for order in orders] == [tuple(o) for o in book.orders(*key)]
        side, px = key
        assert book.levels.qty(side, px) == sum(order[1] for order in orders)
    assert len(book) == len(twin.where)
    for side, pick in ((BID, max), (ASK, min)):
        best = book.levels.best_bid if side == BID else book.levels.best_ask
        live = [px for (s, px), orders in twin.levels.items() if s == side and orders]
        assert (best and best.px_ticks) == (pick(live) if live else None)


ROWS = st.tuples(
    st.sampled_from([ADD, ADD, ADD, MODIFY, MODIFY, DELETE, EXECUTE, EXECUTE]),
    st.sampled_from([*range(-4, 9), 2**62, -(2**63)]),
    st.sampled_from([BID, ASK]),
    st.integers(0, 3).map(lambda k: (0, 100, 101, 40_000)[k]),
    st.integers(1, 9),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, max_size=60), st.integers(0, 60))
def test_any_feed_equals_lists_of_orders(rows, cut):
    rows = [(k, r, s, p or (100 if k == ADD else 0), q) for k, r, s, p, q in rows]
    book, twin = L3Book(), ListBook()
    out = np.concatenate([book.apply(feed(rows[:cut])), book.apply(feed(rows[cut:]))])
    expected = [say for row in rows for say in twin.apply(*row)]
    assert told(out) == expected
    assert_same_queues(book, twin)
    assert (book.feed.unknown_ids, book.feed.duplicate_ids) == (twin.unknown, twin.duplicate)


def test_losing_priority_gives_two_events_and_one_end_of_message():
    book = L3Book()
    book.apply(feed([(ADD, 1, BID, 100, 5), (ADD, 2, BID, 100, 4)]))
    out = book.apply(feed([(MODIFY, 1, BID, 100, 6)]))
    assert told(out) == [(DELETE, BID, 100, 4, 1), (ADD, BID, 100, 10, 3)]
    assert out["flags"].tolist() == [0, F_LAST]
    out = book.apply(feed([(MODIFY, 2, BID, 0, 1)]))
    assert told(out) == [(MODIFY, BID, 100, 7, 2)]
    assert book.ahead(1) == 1
    assert book.ahead(2) == 0
    assert 3 not in book
    with pytest.raises(DataError, match="order in the book"):
        book.ahead(3)


def test_what_is_wrong_is_counted_and_never_guessed():
    book = L3Book()
    rows = [(ADD, 7, BID, 100, 5), (ADD, 7, BID, 99, 1), (DELETE, 8, BID, 100, 5)]
    rows += [(EXECUTE, 7, BID, 100, 6), (ADD, 9, NO_SIDE, 100, 1), (ADD, 10, BID, 100, 0)]
    out = book.apply(feed(rows))
    assert [row[0] for row in told(out)] == [ADD, STATUS, STATUS, EXECUTE, STATUS, STATUS]
    stats = book.feed
    assert (stats.duplicate_ids, stats.unknown_ids, stats.over_executed) == (1, 1, 1)
    assert stats.bad_events == 2
    assert len(book) == 0


def test_clear_and_other_kinds_pass():
    book = L3Book()
    book.apply(feed([(ADD, 1, BID, 100, 5), (ADD, 2, ASK, 101, 4), (ADD, 3, ASK, 102, 1)]))
    out = book.apply(feed([(CLEAR, 0, ASK, 0, 0), (TRADE, 0, BID, 101, 3, F_HIDDEN | F_LAST)]))
    assert out[["kind", "qty_lots"]].tolist() == [(CLEAR, 0), (TRADE, 3)]
    assert len(book) == 1
    assert book.levels.best_ask is None
    book.apply(feed([(CLEAR, 0, NO_SIDE, 0, 0)]))
    assert len(book) == 0
    book.apply(feed([(ADD, 2, ASK, 101, 4)]))
    assert book.levels.best_ask == (101, 4)


def test_state_grows_without_losing_its_place():
    rng = np.random.default_rng(1)
    rows, live = [], []
    for ref in range(700):
        rows.append((ADD, ref, int(rng.integers(0, 2)), int(rng.integers(90, 150)), 5))
        live.append(ref)
        if rng.random() < 0.1:
            rows.append((DELETE, live.pop(int(rng.integers(len(live)))), BID, 0, 0))
    small, large = L3Normaliser(orders=512), L3Normaliser()
    events = feed(rows)
    assert small.normalise(events).tobytes() == large.normalise(events).tobytes()
    assert len(small.state.orders) == 1025


def test_plain_python_and_compiled_agree():
    rng = np.random.default_rng(4)
    kinds = rng.choice([ADD, ADD, MODIFY, DELETE, EXECUTE], 300)
    rows = [(int(k), int(rng.integers(0, 40)), int(rng.integers(0, 2)), 100, 3) for k in kinds]
    events, states, outs = feed(rows).view(np.recarray), [], []
    for run in (l3_normalise, getattr(l3_normalise, "py_func", l3_normalise)):
        state, out = new_l3(512), np.zeros(2 * len(rows), EVENT).view(np.recarray)
        n = run(events, len(events), state, out)
        states.append(state.tobytes())
        outs.append(out[:n].tobytes())
    assert states[0] == states[1]
    assert outs[0] == outs[1]


def own_queue_case(case):
    """Play one published FIFO case: returns, per feed fill, whether our order counts as filled."""
    book, own, filled = L3Book(), None, {}
    for step in case["events"]:
        if step[:2] == ["add", "own"]:
            own = (BID if step[3] == "B" else ASK, step[4], book.feed.state.priority)
        elif step[0] == "add":
            side = BID if step[3] == "B" else ASK
            book.apply(feed([(ADD, step[2], side, step[4], step[5])]))
        elif step[0] == "fill":
            out = book.apply(feed([(EXECUTE, step[2], BID, step[4], step[5])]))
            filled[str(step[2])] = [1] if out[0]["seq"] > own[2] else []
    return filled


def test_published_queue_cases(shared_data):
    """An execution of an order with a later priority than ours means that ours was filled."""
    path = shared_data / "execution" / "hftbacktest_l3_queue_cases.json"
    cases = {case["id"]: case for case in json.loads(path.read_text())["cases"]}
    expected = cases["fill_in_queue"]["expected"]["own_filled_after_fill_of"]
    assert own_queue_case(cases["fill_in_queue"]) == expected


def test_bitstamp_day_equals_lists_of_orders(shared_data):
    path = shared_data / "l3" / "bitstamp_2015-05-01_orders.csv.xz"
    kinds = {"created": ADD, "changed": MODIFY, "deleted": DELETE}
    rows = []
    with lzma.open(path, "rt") as file:
        for row in csv.DictReader(file):
            side = BID if row["direction"] == "bid" else ASK
            px, qty = round(float(row["price"]) * 100), int(row["volume"])
            rows.append((kinds[row["action"]], int(row["id"]), side, px, qty))
    book, twin = L3Book(), ListBook()
    events = np.zeros(len(rows), EVENT)
    columns = zip(*rows, strict=True)
    for field, column in zip(["kind", "ref", "side", "px_ticks", "qty_lots"], columns, strict=True):
        events[field] = column
    bad = sum(row[0] == ADD and row[4] <= 0 for row in rows)
    events, rows = events[:30_000], rows[:30_000]
    out = told(book.apply(events))
    expected = [say for row in rows for say in twin.apply(*row)] if not bad else None
    assert out == expected
    assert_same_queues(book, twin)
    assert book.feed.unknown_ids == twin.unknown


class LobsterSeeder:
    """Turns a level-1 LOBSTER pair into order events.

    A level-1 file tells what happens at the best prices only. What stands there and was never seen
    to arrive enters as an order with a negative id; orders that left while their price was not the
    best leave when the price is best again. An unknown id takes from the front of its level.
    """

    def __init__(self):
        self.book, self.rows, self.known, self.seed = ListBook(), [], 0, 0

    def do(self, *row):
        self.rows.append(row)
        self.book.apply(*row)

    def message(self, kind, ref, qty, px, side):
        if kind == 5:
            return
        if kind == 1:
            self.do(ADD, ref, side, px, qty)
        elif ref in self.book.where:
            self.known += kind == 4
            self.take(ref, qty, px, side, kind)
        else:
            while qty > 0:
                front = self.book.levels[side, px][0]
                lots = min(qty, front[1])
                self.take(front[0], lots, px, side, kind)
                qty -= lots

    def take(self, ref, qty, px, side, kind):
        if kind == 4:
            self.do(EXECUTE, ref, side, px, qty)
        else:
            self.do(MODIFY, ref, side, px, self.book.order(ref)[1] - qty)

    def settle(self, side, px, qty):
        """Make the best level what the orderbook file says."""
        better = (lambda p: p > px) if side == BID else (lambda p: p < px)
        for (s, p), orders in list(self.book.levels.items()):
            if s == side and orders and better(p):
                for order in list(orders):
                    self.do(DELETE, order[0], side, p, 0)
        have = self.book.total((side, px))
        if have > qty:
            for order in self.book.levels[side, px][::-1]:
                cut = min(order[1], self.book.total((side, px)) - qty)
                if cut > 0:
                    self.do(MODIFY, order[0], side, px, order[1] - cut)
        elif have < qty:
            self.seed -= 1
            self.do(ADD, self.seed, side, px, qty - have)


def lobster_rows(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        return [[float(x) for x in row] for row in csv.reader(file)]


def test_lobster_best_prices_and_executions_at_the_front(shared_data):
    """AMZN, level 1: best prices equal the orderbook file; executions hit the front order."""
    stem = "AMZN_2012-06-21_34200000_57600000"
    messages = lobster_rows(shared_data / "lobster" / f"{stem}_message_1.csv.gz")
    states = lobster_rows(shared_data / "lobster" / f"{stem}_orderbook_1.csv.gz")
    seeder, book = LobsterSeeder(), L3Book()
    at_best = at_front = executions = 0
    for message, state in zip(messages, states, strict=True):
        _, kind, ref, qty, px, direction = message
        side, px = (BID if direction == 1 else ASK), int(px) // 100
        start = len(seeder.rows)
        if kind == 4:
            executions += 1
            best = book.levels.best_bid if side == BID else book.levels.best_ask
            at_best += best.px_ticks == px
        if kind == 4 and int(ref) in book:
            at_front += book.orders(side, px)[0].id == int(ref)
        seeder.message(int(kind), int(ref), int(qty), px, side)
        seeder.settle(ASK, int(state[0]) // 100, int(state[1]))
        seeder.settle(BID, int(state[2]) // 100, int(state[3]))
        book.apply(feed(seeder.rows[start:]))
        assert book.levels.best_ask == (int(state[0]) // 100, int(state[1]))
        assert book.levels.best_bid == (int(state[2]) // 100, int(state[3]))
    assert at_best == executions == 8_974
    assert at_front > 0.97 * seeder.known > 0.6 * executions
    assert book.feed.unknown_ids == book.feed.duplicate_ids == 0
    assert book.feed.over_executed < 0.01 * executions  # a level-1 file hides some departures
