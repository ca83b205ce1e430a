"""Histograms of the loop read by HdrHistogram_py: figures, .hlog files, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError
from kimera_cli.kernels.histogram import DIGITS, HIGHEST, histogram_add_all
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import calibrate
from kimera_cli.telemetry.stages import StageRecorder

VALUES = st.lists(st.integers(0, HIGHEST), min_size=1, max_size=300)


def filled(values: list[int]) -> Any:
    row = histogram.new_histogram()
    histogram_add_all(row, np.array(values, np.int64))
    return row


@settings(deadline=None, max_examples=30)
@given(VALUES)
def test_the_library_reads_what_it_would_have_recorded(values: list[int]) -> None:
    theirs = HdrHistogram(1, HIGHEST, DIGITS)
    for value in values:
        theirs.record_value(value)
    ours = histogram.decode(filled(values))
    assert ours.encode() == theirs.encode()
    for q in (0.0, 50.0, 99.0, 99.9, 100.0):
        assert ours.get_value_at_percentile(q) == theirs.get_value_at_percentile(q)


@settings(deadline=None, max_examples=30)
@given(VALUES)
def test_quantiles_are_observed_values_within_a_thousandth(values: list[int]) -> None:
    found = histogram.summarise(filled(values))
    ordered = sorted(values)
    assert found.n == len(values)
    assert found.max_ns == pytest.approx(max(values), rel=1e-3)
    assert found.mean_ns == pytest.approx(np.mean(values), rel=1e-3, abs=0.5)
    rank = max(int(0.5 * len(values) + 0.5), 1) - 1
    assert found.median_ns == pytest.approx(ordered[rank], rel=1e-3)


def test_nothing_is_zero_everywhere() -> None:
    assert histogram.summarise(histogram.new_histogram()) == (0, 0, 0, 0, 0, 0.0, 0, 0)


def test_a_value_above_the_range_is_the_maximum_and_nothing_else() -> None:
    row = filled([10, 20, HIGHEST + 5, -1])
    found = histogram.summarise(row)
    assert (found.n, found.max_ns, found.under, found.over) == (2, HIGHEST + 5, 1, 1)


@settings(deadline=None, max_examples=20)
@given(VALUES, VALUES)
def test_two_added_are_both_at_once(a: list[int], b: list[int]) -> None:
    row = filled(a)
    histogram.add(row, filled(b))
    assert row.tobytes() == filled(a + b).tobytes()
    histogram.clear(row)
    assert row.tobytes() == histogram.new_histogram().tobytes()


def test_a_log_file_brings_back_every_count(tmp_path: Path) -> None:
    path = tmp_path / "latency.hlog"
    rows = {"book": filled([1, 5, 5, 700_000]), "total": filled([HIGHEST]), "none": filled([-1])}
    histogram.write_log(path, rows, 1_700_000_000_000_000_000, 1_700_000_060_000_000_000)
    found = histogram.read_log(path)
    assert list(found) == ["book", "total", "none"]
    for name, row in rows.items():
        assert found[name].encode() == histogram.decode(row).encode()
    assert found["book"].get_start_time_stamp() == pytest.approx(1_700_000_000_000)
    assert [p.name for p in tmp_path.iterdir()] == ["latency.hlog"], "no temporary file is left"


def test_intervals_of_one_tag_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "two.hlog"
    histogram.write_log(path, {"total": filled([5, 9])}, 1, 2)
    text = path.read_text()
    path.write_text(text + text.splitlines()[-1] + "\n")
    assert histogram.read_log(path)["total"].get_total_count() == 4


def test_any_hdrhistogram_tool_reads_the_file(tmp_path: Path) -> None:
    from hdrh.log import HistogramLogReader

    path = tmp_path / "latency.hlog"
    histogram.write_log(path, {"total": filled([100] * 99 + [5_000])}, 0, 10**9)
    reader = HistogramLogReader(str(path), None)
    interval = reader.get_next_interval_histogram()
    reader.close()
    assert interval.get_tag() == "total"
    assert interval.get_value_at_percentile(50) == 100


@pytest.mark.parametrize("text", ["", "hello\n", "Tag=a,0.0,1.0,2.0,HISTFAAAAEV42pNpmSz\n"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.hlog"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        histogram.read_log(path)
    assert error.value.code == "data.histogram"
    assert str(path) in error.value.message
    with pytest.raises(DataError):
        histogram.read_log(tmp_path / "absent")


def test_a_damaged_file_is_refused_at_every_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.hlog"
    histogram.write_log(path, {"total": filled([1, 2, 3, 10**9])}, 0, 1)
    whole = path.read_bytes()
    begin = whole.index(b"HIST")
    for stop in range(begin + 1, len(whole.rstrip()) - 1):
        path.write_bytes(whole[:stop])
        with pytest.raises(DataError):
            histogram.read_log(path)


def test_the_recorder_is_switched_read_and_cleared(tmp_path: Path) -> None:
    from kimera_cli.kernels import stages as k

    recorder = StageRecorder(calibrate(), every=2)
    recorder.switch(True)
    for _ in range(10):
        k.stage_start(recorder.row)
        k.stage_mark(recorder.row, k.EVENT_TO_BOOK)
        k.stage_end(recorder.row)
    found = recorder.summary()
    assert {name: each.n for name, each in found.items()} == {"event_to_book": 5, "total": 5}
    recorder.write(tmp_path / "stages.hlog", 0, 1)
    assert histogram.read_log(tmp_path / "stages.hlog")["total"].get_total_count() == 5
    recorder.switch(False)
    k.stage_start(recorder.row)
    assert recorder.row.live == 0
    recorder.clear()
    assert recorder.summary() == {}
