"""`kimera bench soak`: what it says is lost, and how it judges, on planted samples and for real."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kimera_cli.bench.parse_frames import FORMS
from kimera_cli.bench.soak import Cycle, Samples, Soaked, _goals
from kimera_cli.bench.wire_work import tally
from kimera_cli.feeds.reader import FrameReader

SECOND = 1_000_000_000


@pytest.mark.parametrize("frames", [0, 1, 4, 5, 6, 23])
def test_what_is_expected_is_what_a_parser_reads(frames: int) -> None:
    cycle = Cycle(FORMS[0], 5)
    reader = FrameReader(FORMS[0].dialect, [FORMS[0].instrument])
    totals = np.zeros(2, np.uint64)
    for k in range(frames):
        n = reader.take(cycle.frames[k % 5], 1)
        tally(reader.events[:n].view(np.recarray), totals)
    assert cycle.read(frames) == tuple(totals.tolist())


def samples(*rows: tuple[int, int, int]) -> Samples:
    found = Samples(100)
    for k, each in enumerate(rows):
        found.rows[k] = each
    found.n = len(rows)
    return found


def soaked(found: tuple[int, int], conflated: int = 0) -> Soaked:
    return Soaked(10, 1.0, (400, 77), found, conflated, samples(), (), 0.0)


def test_intervals_have_the_rate_between_samples() -> None:
    rows = [(k * SECOND // 2, 100 * k * k, 50 + k) for k in range(9)]
    found = samples(*rows).intervals(2.0)
    assert [each["frames"] for each in found] == [1600, 4800]
    assert [each["rate_per_s"] for each in found] == [800, 2400]
    assert [each["rss_kb"] for each in found] == [54, 58]


def test_a_short_rest_is_no_interval() -> None:
    rows = [(k * SECOND // 2, k, 1) for k in range(6)]
    assert [each["seconds"] for each in samples(*rows).intervals(2.0)] == [2.0]


@pytest.mark.parametrize(
    ("found", "conflated", "lost", "whole"),
    [
        ((400, 77), 0, 0, True),
        ((399, 77), 0, 1, False),
        ((400, 78), 0, 0, False),  # as many, but not the same
        ((390, 12), 10, 0, True),  # replaced by later ones, and counted
        ((390, 12), 9, 1, False),
    ],
)
def test_loss(found: tuple[int, int], conflated: int, lost: int, whole: bool) -> None:
    run = soaked(found, conflated)
    assert (run.lost, run.whole) == (lost, whole)


def test_goals() -> None:
    good = soaked((400, 77))
    assert [goal.holds for goal in _goals(good, 150_000.0, 1_023, False)] == [True] * 3
    assert [goal.holds for goal in _goals(good, 149_999.0, 1_024, False)] == [False, True, False]
    assert _goals(good, 1.0, 0, True)[0].holds is None, "one core for both sides tells nothing"


def test_a_short_one_for_real(kimera: Any) -> None:
    done = kimera("bench", "soak", "--for", "1500ms")
    assert done.code == 0, done.err
    (row,) = done.records("bench")
    assert row["detail"]["lost"] == 0
    assert row["n"] > 1_000
    assert row["detail"]["events"] == pytest.approx(row["n"] * 40, rel=0.01)
    assert row["detail"]["reports"] == []


def test_a_duration_that_is_none(kimera: Any) -> None:
    done = kimera("bench", "soak", "--for", "long")
    assert done.code == 2
    assert "usage.duration" in done.err
