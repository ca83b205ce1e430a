"""Decimals on the grid: exact against Decimal, and nothing off the grid gets through."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data.importers.grid import decimals, finest_step, to_grid

STEPS = [Decimal(text) for text in ("0.00000001", "0.001", "0.01", "0.05", "0.25", "0.5", "1", "5")]


@pytest.mark.parametrize(
    ("text", "places"),
    [("61837.63000000", 2), ("0.00000001", 8), ("120", 0), ("120.0", 0), ("1E-7", 7), ("2e3", 0)],
)
def test_decimals_of_a_text(text: str, places: int) -> None:
    assert decimals(text) == places


def test_finest_step_of_a_file_head() -> None:
    assert finest_step(["61800.20", "61800.00", "61799.7"]) == Decimal("0.1")
    assert finest_step([]) == 1


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=20), st.sampled_from(STEPS))
def test_every_multiple_comes_back_exactly(steps: list[int], step: Decimal) -> None:
    values = np.array([float(str(n * step)) for n in steps])
    ticks, bad = to_grid(values, step)
    assert bad == -1
    assert ticks.tolist() == steps


@given(st.integers(1, 10**9), st.integers(1, 9), st.sampled_from(STEPS[1:]))
def test_one_digit_too_many_is_found(n: int, digit: int, step: Decimal) -> None:
    value = n * step + step * digit / 10
    ticks, bad = to_grid(np.array([float(n * step), float(str(value))]), step)
    assert bad == 1
    assert ticks[0] == n


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_what_is_no_number_is_off_the_grid(value: float) -> None:
    assert to_grid(np.array([1.0, value]), Decimal("0.01"))[1] == 1
