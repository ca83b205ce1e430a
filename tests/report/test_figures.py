"""Numbers, axes and thinning as a reader sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.report import figures
from kimera_cli.report.analysis import Measure
from kimera_cli.report.braille import Line as Curve
from kimera_cli.report.braille import plot, visible
from kimera_cli.report.scale import number_axis, thin, time_axis
from kimera_cli.risk.metrics import Estimate, missing

S = 10**9
DAY = 1_723_075_200 * S
"""2024-08-08 00:00:00 UTC."""


@pytest.mark.parametrize(
    ("name", "value", "se", "expected"),
    [
        ("pnl", 1234.567, 45.6, ("1,234.57", "± 45.60", "USD")),
        ("pnl", -0.01234, None, ("−0.01234", "", "USD")),
        ("pnl", 2_500_000.4, 1.0, ("2,500,000", "± 1", "USD")),
        ("pnl", 0.0, None, ("0.00", "", "USD")),
        ("sharpe", 0.12345, 0.0567, ("0.123", "± 0.057", "")),
        ("fill_ratio", 0.5, 0.0093, ("50.00", "± 0.93", "%")),
        ("max_drawdown", 0.0002, None, ("2.000", "", "bps")),
        ("time_flat", 0.0002, None, ("0.0200", "", "%")),
        ("markout_1s", -0.4148, 0.0000001, ("−0.4148", "± 0.0000", "bps")),
        ("orders_sent", 12345.0, None, ("12,345", "", "")),
        ("time_to_fill", 2.5, 0.0559, ("2.5 s", "± 55.9 ms", "")),
        ("queue_ahead", 2.244, 0.089, ("2.244", "± 0.089", "× own size")),
    ],
)
def test_estimates(name: str, value: float, se: float | None, expected: Any) -> None:
    assert (
        figures.estimate_text(
            Estimate(value, se), Measure(name, Estimate(value, se)).definition, "USD"
        )
        == expected
    )


def test_a_missing_value_is_a_dash() -> None:
    assert figures.estimate_text(
        missing("why"), Measure("pnl", missing("why")).definition, "USD"
    ) == ("–", "", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (3.2e-8, "32 ns"), (0.00025, "250 µs"), (0.35, "350 ms"), (12.5, "12.5 s"),
     (250, "4 min 10 s"), (600, "10 min"), (3599.6, "60 min"), (11_520, "3.2 h"),
     (1_071_360, "12.4 d"), (66_225_600, "2.1 y"), (-5, "−5 s")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (950.25, "950.25"),
        (12_345, "12.3k"),
        (-174_359_261, "−174M"),
        (2.5e9, "2.50B"),
        (0.5, "0.5000"),
    ],
)
def test_compact_amounts(value: float, text: str) -> None:
    assert figures.compact(value) == text


def test_a_rounded_zero_has_no_sign() -> None:
    assert figures.number(-0.0001, 2) == "0.00"
    assert figures.signed(-0.0001, 2) == "+0.00"
    assert (figures.plural(1, "fill"), figures.plural(2, "fill")) == ("1 fill", "2 fills")


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.integers(2, 10), st.booleans())
def test_axes_hold_all_values_and_their_ticks(values: list[float], wanted: int, zero: bool) -> None:
    axis = number_axis(np.array(values), wanted, zero=zero)
    assert axis.low < axis.high
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert not zero or axis.low <= 0 <= axis.high
    assert all(axis.low - 1e-6 <= t <= axis.high + 1e-6 for t in axis.ticks)
    assert len(axis.ticks) <= 2.6 * wanted + 2
    assert len(set(axis.labels)) == len(axis.labels)


def test_round_ticks() -> None:
    axis = number_axis(np.array([0.0, 96.0]), 5, zero=True)
    assert axis.labels == ["0", "20", "40", "60", "80"]
    assert number_axis(np.array([1e6, 5e6]), 4).labels == ["1M", "2M", "3M", "4M", "5M"]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (100, ["00:00:00", "00:00:30", "00:01:00", "00:01:30"]),
        (3_600, ["00:00", "00:15", "00:30", "00:45", "01:00"]),
        (3 * 86_400, ["08 Aug", "09 Aug", "10 Aug", "11 Aug"]),
    ],
)
def test_time_ticks_are_whole_utc_times(seconds: int, labels: list[str]) -> None:
    assert time_axis(DAY, DAY + seconds * S, 5).labels == labels


def test_a_single_moment_has_an_axis() -> None:
    axis = time_axis(DAY, DAY)
    assert axis.low < axis.high


@given(st.integers(1, 4000), st.integers(1, 50), st.integers(0, 10**6))
def test_thinning_keeps_extremes_of_every_bucket(n: int, buckets: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ts = np.cumsum(rng.integers(1, 10**9, n))
    values = rng.normal(size=n)
    kept_ts, kept = thin(ts, values, buckets)
    assert kept.size <= max(n if n <= 4 * buckets else 0, 4 * (buckets + 1))
    assert np.all(np.diff(kept_ts) > 0)
    assert (kept_ts[0], kept_ts[-1]) == (ts[0], ts[-1])
    bucket = ((ts - ts[0]) * (buckets / (max(int(ts[-1] - ts[0]), 1) + 1.0))).astype(int)
    at = ((kept_ts - ts[0]) * (buckets / (max(int(ts[-1] - ts[0]), 1) + 1.0))).astype(int)
    for b in np.unique(bucket):
        assert values[bucket == b].min() == kept[at == b].min()
        assert values[bucket == b].max() == kept[at == b].max()


@given(st.integers(60, 200), st.integers(3, 20), st.integers(2, 300), st.booleans())
def test_plots_fill_their_box_exactly(width: int, height: int, n: int, colour: bool) -> None:
    ts = DAY + np.arange(n) * S
    curve = Curve(ts, np.sin(np.arange(n) / 9) * 1e4)
    lines = plot("title", [curve], width=width, height=height, colour=colour)
    assert len(lines) == height + 2
    assert {visible(line) for line in lines} == {width}
    assert ("\x1b" in "".join(lines)) is colour
