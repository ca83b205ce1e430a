"""Quantiles in fixed memory against numpy's nearest rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data.checks.histogram import Histogram

values = st.lists(
    st.one_of(
        st.integers(-300, 300),
        st.integers(-(2**40), 2**40),
        st.integers(-(2**60), 2**60),
        st.sampled_from([255, 256, 257, 511, 512, 2**53 - 1, 2**53, 2**53 + 1, 2**60 - 1, 2**60]),
    ),
    min_size=1,
    max_size=200,
)


def filled(*parts: list[int]) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(np.array(part, np.int64))
    return histogram


@given(values, st.sampled_from([0.001, 0.25, 0.5, 0.9, 0.99, 1.0]))
def test_quantiles_are_right_to_the_width_of_a_bin(data: list[int], q: float) -> None:
    histogram = filled(data)
    exact = sorted(data)[max(1, int(np.ceil(q * len(data)))) - 1]
    found = histogram.quantile(q)
    assert abs(found - exact) <= abs(exact - data[0]) // 127
    assert (histogram.least, histogram.largest) == (min(data), max(data))
    assert histogram.quantile(1.0) == max(data)


@given(values, st.integers(0, 200))
def test_parts_count_as_the_whole(data: list[int], cut: int) -> None:
    whole, parts = filled(data), filled(data[:cut], data[cut:])
    assert (parts.count, parts.quantile(0.5)) == (whole.count, whole.quantile(0.5))
    assert (parts.least, parts.largest) == (whole.least, whole.largest)


@given(values, values, st.sampled_from([0.001, 0.5, 0.99, 1.0]))
def test_merged_counts_are_right_to_two_bins(one: list[int], two: list[int], q: float) -> None:
    merged = filled(one)
    merged.merge(filled(two))
    both = sorted(one + two)
    exact = both[max(1, int(np.ceil(q * len(both)))) - 1]
    width = max(abs(value - first) for value in both for first in (one[0], two[0]))
    assert abs(merged.quantile(q) - exact) <= width // 60
    assert (merged.count, merged.least, merged.largest) == (len(both), both[0], both[-1])
    empty = Histogram()
    empty.merge(filled(two))
    assert empty.quantile(1.0) == max(two)


def test_a_skewed_clock_costs_no_precision() -> None:
    data = [-1_250_000_000 + step * 1_000 for step in range(1_000)]
    assert filled(data).quantile(0.5) == pytest.approx(-1_250_000_000 + 500_000, abs=5_000)


@pytest.mark.parametrize("value", [0, 1, -1, 255, -255])
def test_small_values_are_exact(value: int) -> None:
    assert filled([value, value, 10**9, -(10**9)]).quantile(0.5) == value
