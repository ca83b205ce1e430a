"""The measuring loops: what they count, and that they change nothing of what they measure."""

from __future__ import annotations

import ctypes
import time

import numpy as np
import pytest

from kimera_cli.kernels.features import features_run
from kimera_cli.kernels.wakeup import event_laps, sleep_until, wakeups
from kimera_cli.layouts import ASK, BID, DEPTH, EVENT, F_LAST, TRADE
from kimera_cli.market.book import new_books
from kimera_cli.market.features import new_features

MONOTONIC = 1

if not hasattr(ctypes.CDLL(None), "clock_nanosleep"):
    pytest.skip("this system has no clock_nanosleep", allow_module_level=True)


def address(name: str) -> int:
    return int(ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value or 0)


NOW, SLEEP = address("clock_gettime"), address("clock_nanosleep")


def test_nobody_wakes_up_early() -> None:
    late = np.full(50, -1, np.int64)
    before = time.monotonic_ns()
    assert wakeups(NOW, SLEEP, MONOTONIC, 100_000, late) == 50
    assert (late >= 0).all()
    assert time.monotonic_ns() - before >= 50 * 100_000, "each moment is an interval later"


def test_a_moment_that_has_passed_is_not_slept_for() -> None:
    late = np.zeros(20, np.int64)
    assert wakeups(NOW, SLEEP, MONOTONIC, 1, late) == 20
    assert (late > 0).all()


def test_a_sleep_into_the_past_returns_at_once() -> None:
    assert sleep_until(SLEEP, MONOTONIC, 0) == 0


def events(n: int) -> np.recarray:
    rows = np.zeros(n, EVENT)
    rng = np.random.default_rng(1)
    rows["kind"] = np.where(rng.random(n) < 0.9, DEPTH, TRADE)
    rows["side"] = rng.integers(BID, ASK + 1, n)
    rows["px_ticks"] = 10_000 + np.where(rows["side"] == BID, -1, 1) * rng.integers(1, 20, n)
    rows["qty_lots"] = rng.integers(0, 50, n)
    rows["ts_local_ns"] = np.arange(n) * 1_000_000
    rows["flags"] = F_LAST
    return rows.view(np.recarray)


@pytest.mark.parametrize(
    ("n", "batch", "laps"), [(640, 64, 10), (650, 64, 10), (3, 64, 0), (5, 1, 5)]
)
def test_a_lap_is_a_batch_of_events(n: int, batch: int, laps: int) -> None:
    out = np.zeros(max(laps, 1), np.int64)
    book, state = new_books(1)[0], new_features(1)[0]
    assert event_laps(NOW, MONOTONIC, book, state, events(n), batch, out) == laps
    assert (out[:laps] > 0).all()


def test_the_book_and_the_features_are_those_of_the_loop() -> None:
    rows = events(2_000)
    book, state = new_books(1)[0], new_features(1)[0]
    event_laps(NOW, MONOTONIC, book, state, rows, 64, np.zeros(32, np.int64))
    other, expected = new_books(1)[0], new_features(1)[0]
    features_run(other, expected, rows, new_features(2_000))
    assert state.tobytes() == expected.tobytes()
    assert book.tobytes() == other.tobytes()


def test_a_level_that_does_not_fit_ends_the_laps() -> None:
    rows = events(10)
    rows["kind"] = DEPTH
    rows["px_ticks"][4] = -5
    book, state = new_books(1)[0], new_features(1)[0]
    assert event_laps(NOW, MONOTONIC, book, state, rows, 2, np.zeros(5, np.int64)) < 0
