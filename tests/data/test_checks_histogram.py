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
        st.integers(-(2**62), 2**62),
        st.sampled_from([255, 256, 257, 511, 512, 2**53 - 1, 2**53, 2**53 + 1, 2**60 - 1, 2**62]),
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
    assert abs(found - exact) <= abs(exact) // 127
    assert (histogram.least, histogram.largest) == (min(data), max(data))
    assert histogram.quantile(1.0) == max(data)


@given(values, st.integers(0, 200))
def test_parts_count_as_the_whole(data: list[int], cut: int) -> None:
    whole, merged = filled(data), filled(data[:cut])
    merged.merge(filled(data[cut:]))
    for histogram in (filled(data[:cut], data[cut:]), merged):
        assert histogram.count == whole.count
        assert histogram.quantile(0.5) == whole.quantile(0.5)
        assert (histogram.least, histogram.largest) == (whole.least, whole.largest)


@pytest.mark.parametrize("value", [0, 1, -1, 255, -255])
def test_small_values_are_exact(value: int) -> None:
    assert filled([value, value, 10**9, -(10**9)]).quantile(0.5) == min(value, value)
