"""Quantiles are observed values; a ratio knows whether it is noise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.bench.stats import Ratio, quantile, ratio, verdict

values = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=300)


def test_quantile_of_a_hundred_values_is_the_99th() -> None:
    assert quantile([float(v) for v in range(100, 0, -1)], 0.99) == 99.0


def test_quantile_without_a_tail_is_the_maximum() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.999) == 3.0


@given(values, st.floats(0.01, 1.0))
def test_quantile_bounds_its_share_and_was_observed(data: list[float], q: float) -> None:
    found = quantile(data, q)
    assert found in data
    below = sum(v <= found for v in data)
    assert below >= math.ceil(q * len(data) - 1e-9)
    assert sum(v < found for v in data) < q * len(data) + 1e-6


def test_ratio_of_clearly_different_repeats_is_certain() -> None:
    change = ratio([100.0, 101.0, 99.0, 100.0, 102.0], [200.0, 201.0, 199.0, 203.0, 200.0])
    assert change.value == pytest.approx(2.0, rel=0.01)
    assert 1.9 < change.low <= change.value <= change.high < 2.1
    assert verdict(change) == "slower"


def test_ratio_within_the_scatter_is_noise() -> None:
    change = ratio([100.0, 130.0, 90.0, 110.0, 95.0], [105.0, 125.0, 92.0, 112.0, 99.0])
    assert change.low < 1.0 < change.high
    assert verdict(change) == "noise"


def test_certain_but_tiny_is_noise_until_the_floor_is_lowered() -> None:
    change = ratio([100.0, 100.1, 99.9, 100.0], [98.0, 98.1, 97.9, 98.0])
    assert change.certain
    assert verdict(change) == "noise"
    assert verdict(change, floor=0.01) == "faster"


def test_same_input_same_interval() -> None:
    before, after = [10.0, 12.0, 11.0], [11.0, 13.0, 10.0]
    assert ratio(before, after) == ratio(before, after)


@given(values)
def test_identical_results_never_differ(data: list[float]) -> None:
    change = ratio(data, data)
    assert change.value == 1.0
    assert verdict(change) == "noise"
    assert not Ratio(1.0, 1.0, 1.0).certain
