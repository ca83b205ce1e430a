"""The conflating buffer: what a lagging consumer sees is always a book that really was.

The reference is a dict book kept by the test on both sides of the ring, and a list of trades.
"""

from __future__ import annotations

import copy
import random
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels.book import book_apply, book_levels
from kimera_cli.kernels.conflate import drain_at, put_at
from kimera_cli.kernels.conflate_state import CONFLATE, LASTS, MORE, PENDING
from kimera_cli.kernels.ring import RING_BROKEN, RING_END, pop_at
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    EVENT,
    F_CONFLATED,
    F_GAP,
    F_LAST,
    F_SNAPSHOT,
    F_STALE,
    MARK,
    MAX_INSTRUMENTS,
    NO_SIDE,
    QUOTE,
    TRADE,
)
from kimera_cli.market.book import new_books

Book = dict[tuple[int, int], int]
FIELDS = ("ts_local_ns", "kind", "side", "px_ticks", "qty_lots", "flags", "seq", "ref", "aux")


class Lane:
    """A ring of `capacity` events in plain memory with the buffer before it."""

    def __init__(self, capacity: int, levels: int = 64, kept: int = 64) -> None:
        self.indices = np.zeros(32, np.int64)
        self.slots = np.zeros(capacity, EVENT)
        at = self.indices.ctypes.data
        common = {"slots": self.slots.ctypes.data, "capacity": capacity, "lines": 1}
        self.producer = record(RING_END, own=at, other=at + 128, **common)
        self.consumer = record(RING_END, own=at + 128, other=at, **common)
        self.memory: dict[str, Any] = {
            "levels": np.zeros(levels, EVENT),
            "link": np.zeros(levels, np.int64),
            "cell_of": np.zeros(levels, np.int64),
            "cells": np.zeros(2 * levels, np.int64),
            "kept": np.zeros(kept, EVENT),
            "out": np.zeros(levels + kept + MORE, EVENT),
            "pending": np.zeros(MAX_INSTRUMENTS, PENDING),
            "lasts": np.zeros(LASTS * MAX_INSTRUMENTS, EVENT),
        }
        self.memory["pending"]["first"] = -1
        addresses = {name: array.ctypes.data for name, array in self.memory.items()}
        self.c = record(CONFLATE, n_levels_max=levels, n_kept_max=kept, **addresses)

    def put(self, rows: Any) -> int:
        rows = np.ascontiguousarray(rows)
        where = (self.c.ctypes.data, self.producer.ctypes.data)
        return int(put_at(*where, rows.ctypes.data, len(rows)))

    def drain(self) -> int:
        assert drain_at(self.c.ctypes.data, self.producer.ctypes.data) == 0
        return int(self.c["n_out"][0] - self.c["out_at"][0] + self.c["n_pending"][0])

    def pop(self, n: int) -> Any:
        rows = np.zeros(n, EVENT)
        return rows[: int(pop_at(self.consumer.ctypes.data, rows.ctypes.data, n))]

    def count(self, name: str) -> int:
        return int(self.c[f"n_{name}"][0])

    def everything(self) -> list[Any]:
        """Take all that is there and all that waits."""
        taken = []
        while True:
            left, rows = self.drain(), self.pop(7)
            taken += list(rows)
            if not left and not len(rows):
                return taken


def record(dtype: Any, **values: int) -> Any:
    row = np.zeros(1, dtype)
    for name, value in values.items():
        row[name] = value
    return row


def event(kind: int, **fields: int) -> Any:
    return record(EVENT, kind=kind, **fields)


def depth(side: int, px: int, qty: int, **fields: int) -> Any:
    return event(DEPTH, side=side, px_ticks=px, qty_lots=qty, **fields)


def message(*parts: Any, **fields: int) -> Any:
    """Events of one venue message, with these fields in all and F_LAST on the last."""
    rows = np.concatenate(parts)
    for name, value in fields.items():
        rows[name] = value
    rows["flags"][-1] |= F_LAST
    return rows


def said(rows: Any, *fields: str) -> list[tuple[int, ...]]:
    return [tuple(int(row[name]) for name in fields) for row in rows]


def full(lane: Lane) -> None:
    """Fill the ring with trades and take note of nothing else."""
    n = int(lane.producer["capacity"][0])
    assert lane.put(np.concatenate([event(TRADE, flags=F_LAST, aux=-1)] * n)) == n


def rest(lane: Lane) -> list[Any]:
    return [e for e in lane.everything() if e["aux"] != -1]


def test_with_room_events_pass_unchanged() -> None:
    lane = Lane(16)
    rows = message(depth(BID, 10, 1), depth(ASK, 12, 2), seq=5, ref=4, ts_local_ns=9)
    assert lane.put(rows) == 2
    assert (lane.pop(9) == rows).all()
    assert (lane.count("passed"), lane.count("batches"), lane.drain()) == (2, 0, 0)


def test_the_latest_level_wins_and_trades_all_arrive() -> None:
    lane = Lane(4)
    full(lane)
    for i in range(1, 4):
        book = message(depth(BID, 10, i), depth(ASK, 20 + i, i), seq=i, ref=i - 1, ts_local_ns=i)
        trade = event(TRADE, flags=F_LAST, qty_lots=i, seq=100 + i, ts_local_ns=i)
        assert lane.put(np.concatenate([book, trade])) == 3
    got = rest(lane)
    fields = ("kind", "side", "px_ticks", "qty_lots", "flags", "seq", "ref", "ts_local_ns")
    assert said(got, *fields) == [
        *((TRADE, 0, 0, i, F_LAST, 100 + i, 0, i) for i in range(1, 4)),
        (DEPTH, BID, 10, 3, F_CONFLATED, 3, 0, 3),
        (DEPTH, ASK, 21, 1, F_CONFLATED, 3, 0, 3),
        (DEPTH, ASK, 22, 2, F_CONFLATED, 3, 0, 3),
        (DEPTH, ASK, 23, 3, F_CONFLATED | F_LAST, 3, 0, 3),
    ]
    counts = {name: lane.count(name) for name in ("taken", "passed", "merged", "delayed")}
    assert counts == {"taken": 13, "passed": 4, "merged": 2, "delayed": 3}


def test_one_absorbed_message_is_not_called_conflated() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 10, 1), depth(ASK, 12, 2), seq=5, ref=4, ts_exch_ns=8))
    assert said(rest(lane), "flags", "seq", "ref", "ts_exch_ns") == [(0, 5, 4, 8), (1, 5, 4, 8)]


def test_a_clear_forgets_what_was_pending_and_leads() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 10, 1), depth(ASK, 12, 2)))
    clear = event(CLEAR, side=NO_SIDE)
    lane.put(message(clear, depth(BID, 9, 4, flags=F_SNAPSHOT), depth(ASK, 12, 5), seq=7, ref=0))
    lane.put(message(depth(BID, 8, 6), seq=8, ref=7))
    got = rest(lane)
    assert said(got, "kind", "side", "px_ticks", "qty_lots") == [
        (CLEAR, NO_SIDE, 0, 0),
        (DEPTH, ASK, 12, 5),
        (DEPTH, BID, 9, 4),
        (DEPTH, BID, 8, 6),
    ]
    flags = [int(e["flags"]) for e in got]
    assert flags[1:] == [F_SNAPSHOT | F_CONFLATED] * 2 + [F_SNAPSHOT | F_CONFLATED | F_LAST]
    assert lane.count("merged") == 2


def test_a_clear_of_one_side_leaves_the_other() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 10, 1), depth(ASK, 12, 2)))
    lane.put(message(event(CLEAR, side=ASK), depth(ASK, 13, 3)))
    got = said(rest(lane), "kind", "side", "px_ticks")
    assert got == [(CLEAR, ASK, 0), (DEPTH, BID, 10), (DEPTH, ASK, 13)]
    lane.put(message(event(CLEAR, side=ASK)))
    full(lane)
    lane.put(message(event(CLEAR, side=BID)))
    lane.put(message(event(CLEAR, side=ASK)))
    assert said(rest(lane)[-1:], "kind", "side") == [(CLEAR, NO_SIDE)]


def test_a_gap_and_a_missing_venue_time_are_told() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 10, 1, flags=F_GAP)))
    lane.put(message(depth(BID, 11, 1), depth(BID, 12, 1)))
    flags = [int(e["flags"]) & F_GAP for e in rest(lane)]
    assert flags == [F_GAP, 0, 0]


def test_stale_levels_do_nothing() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 10, 5), seq=9))
    lane.put(message(depth(BID, 10, 1, flags=F_STALE), seq=3))
    assert said(rest(lane), "qty_lots", "seq") == [(5, 9)]


def test_a_checksum_stays_with_the_state_that_it_speaks_of() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 10, 1), event(CHECKSUM, qty_lots=111, ref=5), seq=1))
    lane.put(message(depth(BID, 11, 1), event(CHECKSUM, qty_lots=222, ref=5), seq=2))
    got = rest(lane)
    assert said(got, "kind", "qty_lots", "ref")[-1] == (CHECKSUM, 222, 5)
    assert [int(e["kind"]) for e in got] == [DEPTH, DEPTH, CHECKSUM]
    assert [int(e["flags"]) & F_LAST for e in got] == [0, 0, 1]
    full(lane)
    lane.put(message(depth(BID, 10, 1), event(CHECKSUM, qty_lots=333)))
    lane.put(message(depth(BID, 11, 1)))
    assert [int(e["kind"]) for e in rest(lane)] == [DEPTH, DEPTH]
    assert lane.count("unchecked") == 2


def test_a_checksum_alone_passes_as_it_was() -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(event(CHECKSUM, qty_lots=5, seq=77, ts_exch_ns=3)))
    assert said(rest(lane), "kind", "seq", "flags", "ts_exch_ns") == [(CHECKSUM, 77, F_LAST, 3)]


def test_quotes_come_after_the_levels_latest_of_each_side() -> None:
    lane = Lane(4)
    full(lane)
    for i in range(3):
        quotes = [event(QUOTE, side=side, px_ticks=10 * side + i, seq=i) for side in (BID, ASK)]
        lane.put(message(*quotes))
        lane.put(message(depth(BID, i, 1)))
    assert said(rest(lane), "kind", "side", "px_ticks", "flags")[-2:] == [
        (QUOTE, BID, 2, F_LAST),
        (QUOTE, ASK, 12, F_LAST),
    ]
    assert lane.count("merged") == 4


def test_instruments_have_messages_of_their_own() -> None:
    lane = Lane(4)
    full(lane)
    for k in (3, 1, 3):
        lane.put(message(depth(BID, 10, k), depth(BID, 11, k), instrument=k, seq=k))
    got = rest(lane)
    assert said(got, "instrument", "px_ticks", "flags") == [
        (1, 10, 0),
        (1, 11, F_LAST),
        (3, 10, F_CONFLATED),
        (3, 11, F_CONFLATED | F_LAST),
    ]


def test_a_lossless_instrument_keeps_every_event() -> None:
    lane = Lane(4)
    lane.memory["pending"]["lossless"][2] = 1
    full(lane)
    rows = message(
        event(CLEAR, side=NO_SIDE), event(ADD, ref=5), depth(BID, 1, 1), depth(BID, 1, 2)
    )
    rows["instrument"] = 2
    lane.put(rows)
    assert (np.array(rest(lane)) == rows).all()


@pytest.mark.parametrize("instrument", [-1, MAX_INSTRUMENTS, 1 << 30])
def test_an_instrument_beyond_the_table_is_kept(instrument: int) -> None:
    lane = Lane(4)
    full(lane)
    lane.put(message(depth(BID, 1, 1), instrument=instrument))
    assert said(rest(lane), "instrument") == [(instrument,)]


def test_what_does_not_fit_is_not_accepted_and_nothing_is_lost() -> None:
    lane = Lane(4, levels=8, kept=8)
    full(lane)
    trades = np.concatenate([event(TRADE, flags=F_LAST, seq=i) for i in range(12)])
    assert lane.put(trades) == 8, "the table holds eight, the ring nothing"
    assert lane.put(trades[8:]) == 0
    lane.pop(1)
    assert lane.put(trades[8:]) == 4, "the eight are on their way: room for eight more"
    assert lane.put(trades) == 4
    assert lane.put(trades[4:]) == 0
    assert lane.count("refused") == 4
    assert [int(e["seq"]) for e in rest(lane)] == [*range(12), *range(4)]


def test_a_message_that_no_table_holds_passes_in_parts_and_whole() -> None:
    lane = Lane(8, levels=8, kept=8)
    rows = message(*(depth(BID, px, px) for px in range(1, 31)), seq=4)
    got, at = [], 0
    while at < len(rows):
        at += lane.put(rows[at:])
        got += list(lane.pop(5))
    got += lane.everything()
    assert (np.array(got) == rows).all()
    assert lane.count("batches") == 0


def test_a_message_without_its_end_is_not_accepted_while_there_is_no_room() -> None:
    lane = Lane(4)
    full(lane)
    part = np.concatenate([depth(BID, 1, 1), depth(BID, 2, 2)])
    assert lane.put(part) == 0
    lane.pop(4)
    assert lane.put(part) == 2
    assert lane.put(message(depth(BID, 3, 3))) == 1
    assert said(rest(lane), "px_ticks", "flags") == [(1, 0), (2, 0), (3, F_LAST)]


def test_a_broken_ring_is_told() -> None:
    lane = Lane(4)
    full(lane)
    lane.indices[16] = 99
    assert lane.put(event(TRADE, flags=F_LAST)) == RING_BROKEN


# --- the property ------------------------------------------------------------------------------
def apply(book: Book, e: Any) -> None:
    """The reference book: what each event means."""
    if e["kind"] == CLEAR:
        for key in [key for key in book if e["side"] in (NO_SIDE, key[0])]:
            del book[key]
    elif e["kind"] == DEPTH and not e["flags"] & F_STALE:
        book[int(e["side"]), int(e["px_ticks"])] = int(e["qty_lots"])
        if not e["qty_lots"]:
            del book[int(e["side"]), int(e["px_ticks"])]


def changes_book(e: Any) -> bool:
    return e["kind"] == CLEAR or bool(e["kind"] == DEPTH and not e["flags"] & F_STALE)


def run(parts: list[Any], bits: int, levels: int, cuts: list[int], pops: list[int]) -> None:
    """After every F_LAST the consumer's book of that instrument is the producer's after one of its
    messages, and none before the last shown; at the end they are equal; all trades came in order.
    """
    lane = Lane(1 << bits, levels=levels, kept=levels)
    messages = build(parts)
    histories: dict[int, list[Book]] = {k: [{}] for k in range(3)}
    for rows in messages:
        k = int(rows["instrument"][0])
        after = copy.copy(histories[k][-1])
        for e in rows:
            apply(after, e)
        histories[k].append(after)
    got: list[Any] = []
    waiting, turn = list(messages), 0
    while waiting:
        group = waiting[: cuts[turn % len(cuts)]]
        rows = np.concatenate(group)
        accepted = lane.put(rows)
        assert accepted >= 0
        left = rows[accepted:]
        waiting = ([left] if len(left) else []) + waiting[len(group) :]
        got += list(lane.pop(pops[turn % len(pops)]))
        turn += 1
        if turn % (4 * len(pops)) == 0:
            got += list(lane.pop(1))  # a consumer that never takes anything would never end this
    got += lane.everything()
    check(got, messages, histories)
    assert lane.count("taken") == sum(map(len, messages))


LEVEL = st.tuples(
    st.sampled_from([DEPTH, DEPTH, DEPTH, DEPTH, CLEAR, QUOTE]),
    st.sampled_from([BID, ASK, NO_SIDE]),
    st.integers(0, 5),
    st.integers(0, 3),
    st.sampled_from([0, 0, 0, F_STALE]),
)
PART = st.one_of(
    st.tuples(st.sampled_from([TRADE, MARK]), st.integers(0, 2)),
    st.tuples(st.just(DEPTH), st.integers(0, 2), st.lists(LEVEL, min_size=1, max_size=6)),
)


def build(parts: list[Any]) -> list[Any]:
    """Messages of three instruments; book messages are numbered per instrument; time passes."""
    messages = []
    last = dict.fromkeys(range(3), 0)
    for number, (kind, instrument, *levels) in enumerate(parts):
        if kind != DEPTH:
            rows = [event(kind, aux=number)]
        else:
            rows = [
                event(what, side=side if what == CLEAR else side % 2, px_ticks=px, qty_lots=qty)
                for what, side, px, qty, _ in levels[0]
            ]
            for row, (*_, flags) in zip(rows, levels[0], strict=True):
                row["flags"] = flags * (row["kind"] == DEPTH)
        rows = message(*rows, instrument=instrument, ts_local_ns=number, ref=last[instrument])
        last[instrument] += any(changes_book(e) for e in rows)
        rows["seq"] = last[instrument]
        messages.append(rows)
    return messages


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(PART, max_size=60),
    bits=st.integers(1, 4),
    levels=st.sampled_from([8, 64]),
    cuts=st.lists(st.integers(1, 5), min_size=1),
    pops=st.lists(st.integers(0, 6), min_size=1),
)
def test_each_book_that_is_shown_is_one_that_was(
    parts: list[Any], bits: int, levels: int, cuts: list[int], pops: list[int]
) -> None:
    run(parts, bits, levels, cuts, pops)


@pytest.mark.parametrize("seed", range(6))
def test_many_batches_of_a_consumer_that_keeps_lagging(seed: int) -> None:
    """The same with hundreds of messages and tens of batches in one lane."""
    rng = random.Random(seed)
    parts = []
    for _ in range(400):
        levels = [
            (rng.choice([DEPTH] * 12 + [CLEAR, QUOTE]), *(rng.randrange(n) for n in (3, 9, 4)), 0)
            for _ in range(rng.randrange(1, 7))
        ]
        parts.append(rng.choice([(TRADE, rng.randrange(3)), (DEPTH, rng.randrange(3), levels)]))
    run(parts, seed % 4 + 2, 32, [rng.randrange(1, 4) for _ in range(50)], [3, 0, 0, 5, 1])


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="thousands of levels: compiled only")
def test_a_recording_through_a_lagging_consumer(depth_events: Any) -> None:
    """Real depth updates, a consumer at a third of their rate: the books end equal."""
    lane = Lane(256, levels=1 << 14, kept=64)
    before, after = new_books(2)
    events = depth_events[:6_000]
    events = events[: int(np.flatnonzero(events["flags"] & F_LAST)[-1]) + 1]
    sent = 0
    while sent < len(events):
        # a snapshot is larger than a chunk of 500: a chunk must not end inside of a message
        ends = np.flatnonzero(events["flags"][sent:] & F_LAST) + 1
        stop = sent + int(ends[np.searchsorted(ends, min(500, ends[-1]))])
        chunk = np.ascontiguousarray(events[sent:stop])
        accepted = lane.put(chunk)
        book_apply(before, chunk[:accepted].view(np.recarray))
        sent += accepted
        book_apply(after, lane.pop(170).view(np.recarray))
    assert lane.count("merged") > 100
    book_apply(after, np.array(lane.everything(), EVENT).view(np.recarray))
    for side in (BID, ASK):
        levels = np.zeros((2, 2, 20_000), np.int64)
        counts = [int(book_levels(b, side, *levels[i])) for i, b in enumerate((before, after))]
        assert counts[0] == counts[1] > 100
        assert (levels[0] == levels[1]).all()


def check(got: list[Any], messages: list[Any], histories: dict[int, list[Book]]) -> None:
    books: dict[int, Book] = {k: {} for k in range(3)}
    shown = dict.fromkeys(range(3), 0)
    last_ns = 0
    for e in got:
        k = int(e["instrument"])
        apply(books[k], e)
        assert e["ts_local_ns"] >= last_ns
        last_ns = e["ts_local_ns"]
        if e["flags"] & F_LAST:
            at = [i for i, b in enumerate(histories[k]) if b == books[k] and i >= shown[k]]
            assert at, f"a book that never was: {books[k]}"
            shown[k] = at[0]
    sent = np.concatenate(messages) if messages else np.zeros(0, EVENT)
    keep = np.isin(sent["kind"], (TRADE, MARK))
    kept = [e for e in got if e["kind"] in (TRADE, MARK)]
    assert said(kept, *FIELDS) == said(sent[keep], *FIELDS)
    for k, history in histories.items():
        assert books[k] == history[-1]
        follows(k, got)


def follows(k: int, got: list[Any]) -> None:
    """Each book message names the one before it: nothing looks like a gap."""
    last = 0
    for e in got:
        if e["instrument"] == k and changes_book(e):
            assert (e["seq"] == last) or (e["ref"] == last < e["seq"])
            last = int(e["seq"])
