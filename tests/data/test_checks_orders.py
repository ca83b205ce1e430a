"""Order by order: unknown, repeated and oversized orders; executions and sizes as stated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from kimera_cli.data.checks.orders import OrderChecks
from kimera_cli.data.checks.subject import Subject
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    EVENT,
    EXECUTE,
    F_LAST,
    F_SNAPSHOT,
    MODIFY,
    NO_SIDE,
    QUOTE,
)
from kimera_cli.records import Check

Row = tuple[Any, ...]


def check(*rows: Row, venue: str = "bitstamp") -> dict[str, Check]:
    """Rows are (kind, side, px, qty, ref[, flags]); lines count from 1."""
    events = np.zeros(len(rows), EVENT)
    for index, row in enumerate(rows):
        kind, side, px, qty, ref, *flags = row
        event = events[index]
        event["kind"], event["side"], event["px_ticks"], event["qty_lots"] = kind, side, px, qty
        event["ref"], event["aux"], event["flags"] = ref, index + 1, flags[0] if flags else F_LAST
    one = Instrument(venue=venue, symbol="AB", kind="spot", tick=Decimal(1), lot=Decimal(1))
    checker = OrderChecks(Subject("x", one, "l3", 0))
    checker.see(events)
    return {record.check: record for record in checker.results()}


def test_a_clean_feed_passes() -> None:
    found = check(
        (ADD, BID, 10, 5, 1),
        (MODIFY, BID, 10, 3, 1),
        (EXECUTE, BID, 10, 1, 1),
        (ADD, ASK, 11, 4, 2),
        (DELETE, BID, 10, 2, 1),
        (DELETE, ASK, 11, 0, 2),  # 0: not told
    )
    counts = {name: (record.passed, record.total) for name, record in found.items()}
    assert counts == {
        "orders_known": (4, 4),
        "orders_unique": (2, 2),
        "order_sizes": (3, 3),
        "order_growth": (1, 1),
    }


@pytest.mark.parametrize(
    ("rows", "name", "line"),
    [
        ([(ADD, BID, 10, 5, 1), (DELETE, BID, 10, 5, 2)], "orders_known", 2),
        ([(ADD, BID, 10, 5, 1), (DELETE, BID, 10, 5, 1), (EXECUTE, BID, 10, 1, 1)],
         "orders_known", 3),
        ([(ADD, BID, 10, 5, 1), (ADD, BID, 10, 5, 1)], "orders_unique", 2),
        ([(ADD, BID, 10, 5, 1), (EXECUTE, BID, 10, 6, 1)], "order_sizes", 2),
        ([(ADD, BID, 10, 5, 1), (DELETE, BID, 10, 4, 1)], "order_sizes", 2),
    ],
)  # fmt: skip
def test_each_fault_is_found_in_its_line(rows: list[Row], name: str, line: int) -> None:
    found = check(*rows)
    assert [record.check for record in found.values() if not record.ok] == [name]
    assert found[name].line == line


def test_orders_from_before_the_recording_are_told_not_judged() -> None:
    feed = [(DELETE, BID, 9, 1, 3), (ADD, BID, 10, 5, 7), (DELETE, BID, 9, 1, 6)]
    found = check(*feed, (DELETE, BID, 9, 1, 8))["orders_known"]
    assert (found.passed, found.total, found.line) == (0, 1, 4)
    complete = check((CLEAR, NO_SIDE, 0, 0, 0, F_SNAPSHOT), *feed)["orders_known"]
    assert (complete.total, complete.line) == (2, 2)
    assert "2 orders from before" in check(*feed)["orders_known"].detail


def test_growing_orders_are_counted_and_pass() -> None:
    found = check((ADD, BID, 10, 5, 1), (MODIFY, BID, 10, 6, 1), (MODIFY, BID, 10, 1, 1))
    growth = found["order_growth"]
    assert (growth.passed, growth.total, growth.ok) == (1, 2, True)


SEED: list[Row] = [
    (CLEAR, NO_SIDE, 0, 0, 0, F_SNAPSHOT),
    (ADD, BID, 9, 5, -1, F_SNAPSHOT),
    (ADD, BID, 10, 5, -2, F_SNAPSHOT),
    (ADD, ASK, 12, 7, -3, F_SNAPSHOT),
    (ADD, ASK, 13, 7, -4, F_SNAPSHOT | F_LAST),
    (ADD, ASK, 14, 1, 99, 0),  # the first message, out of which the book before it was worked out
    (QUOTE, BID, 10, 5, 0, 0),
    (QUOTE, ASK, 12, 7, 0),
]


def stated(*rows: Row) -> dict[str, tuple[int, int, int | None]]:
    found = check(*SEED, *rows, venue="nasdaq")
    names = ("executions_at_best", "size_deltas", "best_level")
    return {name: (found[name].passed, found[name].total, found[name].line) for name in names}


def test_messages_that_foretell_the_stated_book() -> None:
    assert stated(
        (ADD, BID, 10, 3, 50, 0), (QUOTE, BID, 10, 8, 0),
        (EXECUTE, BID, 10, 5, -2, 0), (QUOTE, BID, 10, 3, 0),
        (EXECUTE, BID, 10, 3, 50, 0), (QUOTE, BID, 9, 5, 0),
        (ADD, ASK, 14, 1, 51),
    ) == {
        "executions_at_best": (2, 2, None),
        "size_deltas": (2, 2, None),
        "best_level": (4, 4, None),
    }  # fmt: skip


def test_what_the_messages_do_not_foretell() -> None:
    first = len(SEED) + 1
    assert stated((EXECUTE, BID, 9, 1, -1))["executions_at_best"] == (0, 1, first)
    grown = stated((ADD, BID, 10, 3, 50, 0), (QUOTE, BID, 10, 9, 0))
    assert grown["size_deltas"] == (0, 1, first + 1)
    assert grown["best_level"] == (0, 1, first + 1)
    # a level that the orderbook file shows and no message named: put in (F_SNAPSHOT), and told
    from_nowhere = stated(
        (ADD, ASK, 14, 1, 51, 0), (ADD, ASK, 11, 1, -9, F_SNAPSHOT), (QUOTE, ASK, 11, 1, 0)
    )
    assert from_nowhere["best_level"] == (0, 1, first + 2)


def test_a_recording_of_one_level_foretells_no_best_level() -> None:
    one_level = [row for index, row in enumerate(SEED) if index not in (1, 4, 5)]
    one_level[2] = (*one_level[2][:5], F_SNAPSHOT | F_LAST)
    found = check(*one_level, (DELETE, BID, 10, 5, -2), venue="nasdaq")["best_level"]
    assert (found.total, found.detail) == (0, "the recording shows one level only")
