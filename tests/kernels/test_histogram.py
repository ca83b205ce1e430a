"""The histogram that the loop fills against HdrHistogram_py, value by value and as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels.histogram import (
    CELLS,
    DIGITS,
    HIGHEST,
    HISTOGRAM,
    cell_of,
    histogram_add,
    histogram_add_all,
)

EDGES = sorted(
    {0, 1, 2047, 2048, HIGHEST, *((1 << b) + d for b in range(1, 36) for d in (-1, 0, 1))}
)


def new() -> Any:
    return np.zeros(1, HISTOGRAM).view(np.recarray)[0]


def library() -> HdrHistogram:
    return HdrHistogram(1, HIGHEST, DIGITS)


def test_the_library_has_as_many_cells() -> None:
    assert library().counts_len == CELLS
    assert library().get_counts_array_index(HIGHEST) == CELLS - 1
    assert not library().record_value(HIGHEST + 1)


@pytest.mark.parametrize("value", EDGES)
def test_the_cell_is_the_library_s_at_every_edge(value: int) -> None:
    assert int(cell_of(value)) == library().get_counts_array_index(value)


@settings(deadline=None)
@given(st.integers(0, HIGHEST))
def test_the_cell_is_the_library_s(value: int) -> None:
    assert int(cell_of(value)) == library().get_counts_array_index(value)


@settings(deadline=None)
@given(st.lists(st.integers(0, HIGHEST), max_size=200))
def test_counts_are_the_library_s(values: list[int]) -> None:
    ours, theirs = new(), library()
    histogram_add_all(ours, np.array(values, np.int64))
    for value in values:
        assert theirs.record_value(value)
    assert np.array_equal(ours.counts, np.frombuffer(theirs.counts, np.int64))


@pytest.mark.parametrize("value", [-1, -(1 << 62), HIGHEST + 1, (1 << 62)])
def test_what_is_out_of_range_is_counted_apart(value: int) -> None:
    h = new()
    histogram_add(h, value)
    assert (h.under, h.over) == ((1, 0) if value < 0 else (0, 1))
    assert h.largest_over == max(value, 0)
    assert not h.counts.any()


@settings(deadline=None)
@given(st.lists(st.integers(-(1 << 40), 1 << 40), max_size=100))
def test_no_value_is_lost(values: list[int]) -> None:
    h = new()
    histogram_add_all(h, np.array(values, np.int64))
    assert h.counts.sum() + h.under + h.over == len(values)


def test_it_is_its_plain_python_twin() -> None:
    values = np.random.default_rng(3).integers(-5, 1 << 37, 500)
    compiled, plain = new(), new()
    histogram_add_all(compiled, values)
    for value in values:
        getattr(histogram_add, "py_func", histogram_add)(plain, int(value))
    assert compiled.tobytes() == plain.tobytes()
