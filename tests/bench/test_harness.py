"""The harness on planted timings: a clock that we move by hand."""

from __future__ import annotations

import gc
import os
from typing import Any

import numpy as np
import pytest

from kimera_cli.bench.harness import Case, Timing, Watch, batches, measure, steady


class Hand:
    """A clock that stands still until it is pushed."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns

    def push(self, ns: int) -> None:
        self.ns += ns


def planted(hand: Hand, durations: list[list[int]], n: int, log: list[str], name: str) -> Case:
    """A case whose k-th repeat has the k-th list of batch durations."""
    rounds = iter(durations)

    def prepare() -> list[int]:
        hand.push(1_000_000)  # set-up: must not be counted
        return next(rounds)

    def run(batches: list[int], watch: Watch) -> None:
        log.append(name)
        hand.push(777)  # before the start: must not be counted
        watch.start()
        for ns in batches:
            hand.push(ns)
            watch.lap(n)

    return Case(name, prepare, run)


def test_median_tail_and_order_of_planted_timings() -> None:
    hand, log = Hand(), []
    a = planted(hand, [[9999], [100, 300], [200, 200], [500, 700]], 10, log, "a")
    b = planted(hand, [[1], [50], [60], [70]], 1, log, "b")
    timings = measure([a, b], repeats=3, clock=hand)
    assert log == ["a", "b", "a", "b", "a", "b", "a", "b"]
    assert timings["a"].repeats_ns == [20.0, 20.0, 60.0]
    assert timings["a"].median_ns == 20.0
    assert timings["a"].batches_ns == [10.0, 30.0, 20.0, 20.0, 50.0, 70.0]
    assert timings["a"].tail_ns(0.99) == 70.0
    assert timings["a"].n == 20
    assert timings["b"].repeats_ns == [50.0, 60.0, 70.0]


def test_the_first_repeat_is_thrown_away() -> None:
    hand = Hand()
    case = planted(hand, [[10**9], [5]], 1, [], "x")
    assert measure([case], repeats=1, clock=hand)["x"].repeats_ns == [5.0]


def test_a_short_last_batch_counts_in_the_sum_but_not_in_the_tail() -> None:
    timing = Timing()
    timing.add([(1000, 100), (1000, 100), (900, 10)])
    assert timing.n == 210
    assert timing.repeats_ns == [pytest.approx(2900 / 210)]
    assert timing.batches_ns == [10.0, 10.0]


def test_done_is_told_the_state_of_every_repeat() -> None:
    closed: list[Any] = []
    case = Case("x", lambda: "state", lambda state, watch: watch.lap(1), closed.append)
    measure([case], repeats=2, clock=Hand())
    assert closed == ["state"] * 3


def test_steady_restores_collector_and_cores_also_after_an_error() -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

    def fail_inside() -> None:
        with steady():
            assert not gc.isenabled()
            if cores is not None:
                assert os.sched_getaffinity(0) <= cores
                assert len(os.sched_getaffinity(0)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    if cores is not None:
        assert os.sched_getaffinity(0) == cores


def test_batches_are_plain_and_hold_every_row_once() -> None:
    rows = np.zeros(10, [("a", "i8")]).view(np.recarray)
    rows.a = range(10)
    parts = batches(rows, 4)
    assert [len(part) for part in parts] == [4, 4, 2]
    assert all(type(part) is np.ndarray for part in parts)
    assert np.concatenate(parts)["a"].tolist() == list(range(10))
    assert batches(rows[:0]) == []
