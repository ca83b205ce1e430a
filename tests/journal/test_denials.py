"""Denials that repeat are folded: none is lost, and it does not matter how records were cut."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.journal.denials import FOLD_NS, DenialFold, firsts, numbers
from kimera_cli.layouts import R_DENIED, R_FILL, R_SAMPLE, RECORD

Row = tuple[int, int, int, int, int]
"""(kind, ns since the row before, strategy, instrument, code)"""


def records(rows: list[Row]) -> Any:
    made = np.zeros(len(rows), RECORD)
    made["seq"] = 1 + np.arange(len(rows))
    for k, name in enumerate(("kind", "ts_ns", "strategy", "instrument", "code")):
        made[name] = [row[k] for row in rows]
    made["ts_ns"] = np.cumsum(made["ts_ns"])
    return made


def folded(made: Any, cuts: list[int]) -> Any:
    """Return what is kept of records that come in slices."""
    fold = DenialFold()
    parts = [fold.take(part.copy()) for part in np.split(made, sorted(cuts))]
    return np.concatenate([*parts, fold.rest(int(made["seq"][-1]) if len(made) else 0)])


def test_the_first_comes_at_once_and_later_ones_say_how_many() -> None:
    half, same = FOLD_NS // 2, (0, 0, 7)
    made = records([(R_DENIED, half, *same)] * 5 + [(R_SAMPLE, 1, 0, 0, 0)])
    kept = folded(made, [])
    assert kept["seq"].tolist() == [1, 3, 5, 6]
    assert numbers(kept[kept["kind"] == R_DENIED]).tolist() == [1, 2, 2]


def test_what_is_left_is_a_last_record_with_a_number_of_its_own() -> None:
    made = records([(R_DENIED, 1, 0, 0, 7)] * 4 + [(R_DENIED, 1, 1, 0, 7)] * 3)
    kept = folded(made, [])
    assert kept["seq"].tolist() == [1, 5, 8, 9]
    assert numbers(kept).tolist() == [1, 1, 3, 2]
    assert kept["ts_ns"].tolist() == [1, 5, 4, 7]  # of the newest that it stands for


def test_other_rules_strategies_and_instruments_are_apart() -> None:
    made = records([(R_DENIED, 1, *key) for key in ((0, 0, 7), (1, 0, 7), (0, 1, 7), (0, 0, 8))])
    assert len(folded(made, [])) == 4


ROWS = st.lists(
    st.tuples(
        st.sampled_from([R_DENIED, R_DENIED, R_FILL]),
        st.integers(0, FOLD_NS),
        *(st.integers(0, 1) for _ in range(3)),
    ),
    max_size=40,
)


@given(ROWS, st.lists(st.integers(0, 40), max_size=4))
def test_no_denial_is_lost_and_order_stays(rows: list[Row], cuts: list[int]) -> None:
    made = records(rows)
    kept = folded(made, [min(cut, len(made)) for cut in cuts])
    assert kept.tobytes() == folded(made, []).tobytes()
    assert np.all(np.diff(kept["seq"]) > 0)
    others = made[made["kind"] != R_DENIED]
    assert kept[kept["kind"] != R_DENIED].tobytes() == others.tobytes()
    assert _count(kept) == Counter((row[2], row[3], row[4]) for row in rows if row[0] == R_DENIED)


def _count(kept: Any) -> Counter[tuple[int, int, int]]:
    found: Counter[tuple[int, int, int]] = Counter()
    denied = kept[kept["kind"] == R_DENIED]
    for row, n in zip(denied, numbers(denied).tolist(), strict=True):
        found[int(row["strategy"]), int(row["instrument"]), int(row["code"])] += n
    return found


@given(ROWS)
def test_a_folded_run_and_an_unfolded_replay_have_the_same_firsts(rows: list[Row]) -> None:
    made = records(rows)
    kept = folded(made, [])
    ours, theirs = (each[each["kind"] == R_DENIED] for each in (kept, made))
    ours, theirs = ours[firsts(ours)], theirs[firsts(theirs)]
    assert ours["ts_ns"].tolist() == theirs["ts_ns"].tolist()
    assert ours["code"].tolist() == theirs["code"].tolist()


def test_one_record_a_second_of_a_storm() -> None:
    made = records([(R_DENIED, 3_000_000, 0, 0, 7)] * 10_000)
    kept = folded(made, [])
    assert len(kept) == pytest.approx(30, abs=2)
    assert int(numbers(kept).sum()) == 10_000
