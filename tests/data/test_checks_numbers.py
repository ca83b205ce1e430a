"""Numbers, times and values: planted faults in rows are found once, in their line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data.checks.checker import Checker
from kimera_cli.data.checks.latency import results as latency_quantiles
from kimera_cli.data.checks.numbers import NumberChecks
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.times import TimeChecks
from kimera_cli.data.checks.values import ValueChecks
from kimera_cli.data.sequence import Chain, Step
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    BID,
    CLEAR,
    DEPTH,
    EVENT,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    QUOTE,
    STATUS,
    TRADE,
    Events,
)
from kimera_cli.records import Check

NOW = 2_000_000_000_000_000_000


def subject(venue: str = "binance") -> Subject:
    one = Instrument(venue=venue, symbol="AB", kind="spot", tick=Decimal(1), lot=Decimal(1))
    return Subject(f"{venue}/AB/l2", one, "l2", NOW, (Path("some.file"),))


def rows(*each: dict[str, Any]) -> Events:
    """Rows in lines 1, 2, ...; one message each unless `flags` says otherwise."""
    events = np.zeros(len(each), EVENT)
    for index, values in enumerate(each):
        row = {"kind": DEPTH, "side": BID, "px_ticks": 5, "qty_lots": 1, "flags": F_LAST}
        row |= {"ts_local_ns": 100 + index, "ts_exch_ns": 50 + index, "aux": index + 1, **values}
        for field, value in row.items():
            events[index][field] = value
    return events


def results(checker: Checker, *parts: Events) -> dict[str, Check]:
    for part in parts:
        if len(part):
            checker.see(part)
    return {check.check: check for check in checker.results()}


def depth(seq: int, ref: int, **more: Any) -> dict[str, Any]:
    return {"kind": DEPTH, "seq": seq, "ref": ref, **more}


CLEAN = [
    {"kind": CLEAR, "seq": 10, "flags": F_SNAPSHOT},
    depth(10, 0, flags=F_SNAPSHOT | F_LAST),
    depth(12, 8, flags=0),  # reaches back behind the snapshot; two levels, one message
    depth(12, 8),
    {"kind": QUOTE, "seq": 12, "flags": 0},
    {"kind": QUOTE, "seq": 12},
    {"kind": STATUS, "seq": 13, "ref": 12},
    depth(20, 13),
    {"kind": TRADE, "seq": 7},
    {"kind": TRADE, "seq": 8},
]


def test_a_clean_feed_passes() -> None:
    found = results(NumberChecks(subject()), rows(*CLEAN))
    assert {name: (check.passed, check.total) for name, check in found.items()} == {
        "sequence": (3, 3),
        "trade_ids": (1, 1),
        "duplicates": (6, 6),
        "order": (6, 6),
    }
    assert all(check.ok for check in found.values())


@pytest.mark.parametrize(
    ("fault", "check", "line"),
    [
        (lambda c: [*c[:6], *c[7:]], "sequence", 7),
        (lambda c: [*c[:2], depth(12, 11), *c[4:]], "sequence", 3),
        (lambda c: [*c[:8], *c[7:]], "duplicates", 9),
        (lambda c: [*c[:6], c[7], c[6], *c[8:]], "order", 8),
        (lambda c: [*c[:9], {"kind": TRADE, "seq": 9}], "trade_ids", 10),
        (lambda c: [*c, {"kind": TRADE, "seq": 8}], "duplicates", 11),
        (lambda c: [*c, {"kind": TRADE, "seq": 7}], "order", 11),
        (lambda c: [*c, {"kind": QUOTE, "seq": 11}], "order", 11),
    ],
)
def test_each_fault_is_found_in_its_line(fault: Any, check: str, line: int) -> None:
    found = results(NumberChecks(subject()), rows(*fault(CLEAN)))
    assert not found[check].ok
    assert (found[check].total - found[check].passed, found[check].line) == (1, line)
    assert found[check].file == "some.file"
    assert found[check].detail.startswith("expected")


def test_holes_of_a_numbered_connection() -> None:
    flagged = [depth(5, 0), {"kind": QUOTE, "seq": 9, "flags": F_LAST | F_GAP}, depth(10, 0)]
    found = results(NumberChecks(subject("bitfinex")), rows(*flagged))
    assert (found["sequence"].passed, found["sequence"].total) == (2, 3)
    assert found["sequence"].line == 2


def test_feeds_without_numbers_say_so() -> None:
    found = results(NumberChecks(subject("kraken")), rows({"kind": DEPTH}, {"kind": TRADE}))
    assert {(c.total, c.ok, c.detail) for c in found.values()} == {
        (0, True, "the feed has no such numbers")
    }


@given(st.lists(st.integers(1, len(CLEAN) - 1)))
def test_cutting_the_rows_anywhere_changes_nothing(cuts: list[int]) -> None:
    whole = rows(*CLEAN, depth(30, 25), {"kind": TRADE, "seq": 7})
    for make in (NumberChecks, TimeChecks, ValueChecks):
        parts = np.split(whole, sorted(cuts))
        assert results(make(subject()), *parts) == results(make(subject()), whole)


def test_a_new_source_is_not_linked_to_the_one_before() -> None:
    checker = NumberChecks(subject())
    checker.see(rows(depth(5, 4), {"kind": TRADE, "seq": 7}))
    checker.start()
    checker.see(rows(depth(500, 499), {"kind": TRADE, "seq": 70}))
    assert all(check.ok for check in checker.results())


def reference(numbers: Sequence[tuple[int, int]]) -> list[bool]:
    """Tell which messages (seq, ref) come behind a hole; written straight from the venues'
    rule."""
    holes, last = [], None
    for seq, ref in numbers:
        holes.append(last is not None and ref != last and seq > last)
        last = seq if last is None else max(last, seq)
    return holes


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 40)), max_size=30), st.data())
def test_chain_finds_exactly_the_holes(spans: list[tuple[int, int]], data: st.DataObject) -> None:
    """A feed without faults, of which any messages are lost, repeated or swapped."""
    feed, last = [], 100
    for span, _ in spans:
        feed.append((last + span, last))
        last += span
    damaged = data.draw(st.permutations(feed)) if data.draw(st.booleans()) else feed
    damaged = [message for message in damaged for _ in range(data.draw(st.integers(0, 2)))]
    chain = Chain()
    assert [chain.step(*message) is Step.GAP for message in damaged] == reference(damaged)


def test_times_go_forward_per_stream_and_latency_is_per_message() -> None:
    feed = rows(
        {"ts_exch_ns": 90, "flags": 0},
        {"ts_exch_ns": 90},
        {"kind": TRADE, "ts_exch_ns": 80},  # another stream: not backwards
        {"ts_exch_ns": 89},
        {"ts_exch_ns": 1, "flags": F_LAST | F_NO_EXCH_TIME},
        {"ts_exch_ns": 1, "flags": F_LAST | F_SNAPSHOT},
        {"ts_local_ns": 104},
        {"ts_local_ns": NOW + 1, "ts_exch_ns": 300},
    )
    checker = TimeChecks(subject())
    found = results(checker, feed)
    assert (found["time_exchange"].total, found["time_exchange"].line) == (6, 4)
    assert found["time_exchange"].passed == 4  # line 7 is back too
    assert (found["time_local"].passed, found["time_local"].line) == (7, 7)
    assert (found["future"].passed, found["future"].line) == (7, 8)
    quantiles = {check.check: check.value for check in latency_quantiles(checker.latency, "x")}
    assert quantiles["latency_p0"] == 101 - 90
    assert quantiles["latency_p50"] == 102 - 80
    assert quantiles["latency_max"] == float(NOW + 1 - 300)


def test_an_absurd_latency_is_refused_and_a_negative_one_is_not() -> None:
    for behind_ns, ok in ((-1_250_000_000, True), (3_700_000_000_000, False)):
        checker = TimeChecks(subject())
        checker.see(rows({"ts_local_ns": 10**18 + behind_ns, "ts_exch_ns": 10**18}))
        found = list(latency_quantiles(checker.latency, "x"))
        assert [check.ok for check in found] == [ok] * 4
        assert found[1].value == pytest.approx(behind_ns, rel=0.01)
    assert list(latency_quantiles(TimeChecks(subject()).latency, "x")) == []


def test_prices_and_sizes() -> None:
    feed = rows(
        {"qty_lots": 0},
        {"px_ticks": 0},
        {"px_ticks": -4, "qty_lots": -1},
        {"kind": TRADE, "qty_lots": 0},
        {"kind": STATUS, "px_ticks": 0, "qty_lots": 0},
    )
    found = results(ValueChecks(subject()), feed)
    assert (found["prices"].passed, found["prices"].total, found["prices"].line) == (2, 4, 2)
    assert (found["sizes"].passed, found["sizes"].total, found["sizes"].line) == (2, 4, 3)
