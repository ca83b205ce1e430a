"""Markouts by hand; their error against every pair and against simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.report.analysis import analyse
from kimera_cli.report.markout import mean_markout, sum_error
from kimera_cli.report.run import Run

S = 10**9


def test_means_of_the_tiny_run(tiny: Run) -> None:
    found = analyse(tiny).markouts
    at_fill = [0.5 / 100, 0.5 / 103, -0.5 / 102]
    assert found.at[0] == pytest.approx(np.array(at_fill) * 1e4)
    ten = [1.5 / 100, 2.0 / 103, 0.5 / 102]
    assert mean_markout(found, 10).value == pytest.approx(np.mean(ten) * 1e4)
    assert mean_markout(found, 10, "maker").value == pytest.approx(np.mean(ten[:2]) * 1e4)
    assert mean_markout(found, 10, "taker").value == pytest.approx(ten[2] * 1e4)
    assert mean_markout(found, 10, "sell").value == pytest.approx(ten[1] * 1e4)


def test_fills_beyond_the_end_are_left_out(tiny: Run) -> None:
    found = analyse(tiny).markouts
    assert mean_markout(found, 60).n == 2
    alone = mean_markout(found, 60, "taker")
    assert (alone.value, alone.reason) == (None, "the run ended within 60 s of each fill")


def test_groups_without_fills_say_so(make: Any, kit: Any) -> None:
    none = analyse(make(kit.market_rows(60, 0)[-60:], [kit.SPOT], ["glft"]))
    assert mean_markout(none.markouts, 1).reason == "no fills"
    assert (
        mean_markout(analyse(make(kit.coin_rows(), [kit.COIN], ["x"])).markouts, 1, "taker").reason
        == "no taker fills"
    )


def slow_error(values: np.ndarray, ts: np.ndarray, reach: int) -> float:
    e, total = values - values.mean(), 0.0
    for i in range(len(e)):
        for j in range(len(e)):
            apart = abs(int(ts[i]) - int(ts[j]))
            weight = max(0.0, 1.0 - apart / reach) if reach else float(i == j)
            total += e[i] * e[j] * weight
    return math.sqrt(max(total, 0.0) * len(e) / (len(e) - 1))


@given(
    st.lists(st.tuples(st.integers(0, 100), st.floats(-5, 5)), min_size=2, max_size=25),
    st.sampled_from([0, 2, 20, 120]),
)
def test_error_against_every_pair(fills: list[tuple[int, float]], reach_s: int) -> None:
    fills.sort()
    ts = np.array([t for t, _ in fills], dtype=np.int64) * S
    values = np.array([v for _, v in fills])
    fast = sum_error(values, ts, reach_s * S)
    assert fast == pytest.approx(slow_error(values, ts, reach_s * S), abs=1e-6)


def test_error_of_one_is_not_defined() -> None:
    assert sum_error(np.array([1.0]), np.array([0]), S) is None


def test_error_allows_for_overlap_as_simulation_shows() -> None:
    """Fills each second, markouts over 10 s: errors of independent fills are far too small."""
    rng = np.random.default_rng(4)
    ts = np.arange(600, dtype=np.int64) * S
    means, naive, allowed = [], [], []
    for _ in range(400):
        path = np.concatenate(([0.0], np.cumsum(rng.normal(size=611))))
        moves = path[10:610] - path[:600]
        means.append(moves.mean())
        naive.append((sum_error(moves, ts, 0) or 0) / 600)
        allowed.append((sum_error(moves, ts, 20 * S) or 0) / 600)
    spread = float(np.std(means))
    assert np.mean(naive) < 0.4 * spread
    assert np.mean(allowed) == pytest.approx(spread, rel=0.2)
