"""The overload breaker judges how old events are when the loop takes them."""

from __future__ import annotations

import numpy as np
import pytest

from kimera_cli.engine.breaker import QUIET, OverloadBreaker
from kimera_cli.kernels.state import GATE

MS = 1_000_000
WINDOW = 100 * MS
LIMIT = 5 * MS


@pytest.fixture
def gate() -> np.ndarray:
    return np.zeros(1, GATE)


def window(breaker: OverloadBreaker, start_ns: int, ages_ns: list[int]) -> int:
    """Let one window of batches pass; return when the next one begins."""
    for i, age_ns in enumerate(ages_ns):
        breaker.age(age_ns, start_ns + i)
    breaker.look(start_ns + WINDOW)
    return start_ns + WINDOW


def test_it_opens_on_the_99th_percentile_and_not_on_one_late_batch(gate: np.ndarray) -> None:
    breaker = OverloadBreaker(gate, LIMIT, WINDOW)
    now = window(breaker, 0, [MS] * 999 + [50 * MS])
    assert gate[0]["overload"] == 0
    assert breaker.worst_ns == MS
    window(breaker, now, [MS] * 80 + [6 * MS] * 20)
    assert gate[0]["overload"] == 1
    assert gate[0]["queue_age_ns"] == 6 * MS
    assert gate[0]["queue_limit_ns"] == LIMIT


def test_it_closes_after_quiet_windows_in_a_row(gate: np.ndarray) -> None:
    breaker = OverloadBreaker(gate, LIMIT, WINDOW)
    now = window(breaker, 0, [9 * MS])
    for _ in range(QUIET - 1):
        now = window(breaker, now, [MS])
    now = window(breaker, now, [9 * MS])  # not in a row
    for _ in range(QUIET - 1):
        now = window(breaker, now, [MS])
        assert gate[0]["overload"] == 1
    window(breaker, now, [])  # nothing came: nothing waited
    assert gate[0]["overload"] == 0
    assert breaker.opened == 1


def test_stamps_ahead_of_the_clock_are_no_age(gate: np.ndarray) -> None:
    breaker = OverloadBreaker(gate, LIMIT, WINDOW)
    window(breaker, 0, [-3 * MS])
    assert breaker.worst_ns == 0
