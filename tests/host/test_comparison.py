"""The comparison tells a difference that is there, and none that is not."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kimera_cli.host import jitter
from kimera_cli.host.comparison import (
    FEWEST,
    NONE,
    Difference,
    difference,
    flip_test,
    judge,
    order,
    tail,
    visit,
)


class Fake:
    """A measure whose delays depend on the state that the host is in."""

    name = "fake"

    def __init__(self, draw: Callable[[bool, int], Any]) -> None:
        self.detail: dict[str, int] = {"n": 1000}
        self.draw = draw
        self.state = False
        self.visits: list[bool] = []

    def switch(self, new: bool) -> None:
        self.state = new

    def sample(self) -> Any:
        self.visits.append(self.state)
        return self.draw(self.state, len(self.visits))


def noisy(effect: float, seed: int, drift: float = 0.0) -> Fake:
    """Delays with a tail as heavy as real ones (Pareto, index 1.5), times an effect in state B."""
    rng = np.random.default_rng(seed)

    def draw(new: bool, k: int) -> Any:
        scale = 5_000 * (effect if new else 1.0) * math.exp(drift * k)
        return (scale * (1.0 + rng.pareto(1.5, 2_000))).astype(np.int64)

    return Fake(draw)


def verdict(measure: Fake, rounds: int = 16) -> str:
    samples = visit([measure], measure.switch, rounds)
    return judge(measure, samples["fake"], "test").verdict


def test_the_states_are_visited_in_turn() -> None:
    assert order(3) == [False, True, True, False, False, True]
    measure = noisy(1.0, 1)
    visit([measure], measure.switch, 4)
    assert measure.visits == order(4)


def test_the_host_is_left_in_the_new_state_whatever_happens() -> None:
    for at in range(1, 9):

        def draw(new: bool, k: int, at: int = at) -> Any:
            if k == at:
                raise KeyboardInterrupt
            return np.ones(10, np.int64)

        measure = Fake(draw)
        with pytest.raises(KeyboardInterrupt):
            visit([measure], measure.switch, 4)
        assert measure.state is True


@pytest.mark.parametrize(("effect", "expected"), [(0.3, "lower"), (3.0, "higher")])
def test_a_large_effect_is_found(effect: float, expected: str) -> None:
    assert [verdict(noisy(effect, seed)) for seed in range(10)].count(expected) >= 9


def test_no_effect_is_called_one_at_most_as_often_as_the_level_says() -> None:
    wrong = [seed for seed in range(200) if verdict(noisy(1.0, seed), FEWEST + 2) != NONE]
    assert len(wrong) <= 0.01 * 200 + 3 * math.sqrt(0.01 * 0.99 * 200)


def test_a_host_that_gets_busier_is_no_effect() -> None:
    wrong = [seed for seed in range(60) if verdict(noisy(1.0, seed, drift=0.05)) != NONE]
    assert len(wrong) <= 3


def test_the_flip_test_counts_all_flips() -> None:
    """Fisher 1935, section 21, on a sample small enough to count by hand."""
    logs = np.array([0.5, 0.2, -0.1])
    means = [
        abs(sum(s * x for s, x in zip(signs, logs, strict=True)))
        for signs in itertools.product((1, -1), repeat=3)
    ]
    expected = sum(m >= abs(logs.sum()) - 1e-12 for m in means) / 8
    assert flip_test(logs) == expected == 4 / 8
    assert flip_test(np.ones(6)) == 2 / 64
    assert flip_test(np.zeros(6)) == 1.0
    assert flip_test(np.ones(30)) < 0.001


def test_fewer_rounds_than_the_least_could_never_say_yes() -> None:
    assert flip_test(np.ones(FEWEST)) <= 0.01 < flip_test(np.ones(FEWEST - 1))


def test_the_interval_holds_the_ratio() -> None:
    logs = np.random.default_rng(3).normal(math.log(0.5), 0.2, 12)
    found = difference(logs)
    assert found.low < found.ratio < found.high
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert found == difference(logs), "the same samples give the same verdict"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Difference(0.5, 0.4, 0.7, 0.001), "lower"),
        (Difference(2.0, 1.5, 3.0, 0.001), "higher"),
        (Difference(0.5, 0.4, 1.1, 0.001), NONE),
        (Difference(0.5, 0.4, 0.7, 0.02), NONE),
        (Difference(0.97, 0.96, 0.98, 0.001), NONE),
    ],
)
def test_both_must_agree_and_it_must_matter(found: Difference, expected: str) -> None:
    assert found.verdict == expected


def test_the_record_tells_both_states() -> None:
    a = [np.arange(1, 1001), np.arange(1, 1001)] * 4
    b = [np.arange(2, 2001, 2), np.arange(2, 2001, 2)] * 4
    record = judge(Fake(lambda new, k: None), (a, b), "old against new")
    assert (record.before_p50_ns, record.after_p50_ns) == (500, 1000)
    assert (record.before_p99_ns, record.after_p999_ns) == (990, 1998)
    assert (record.before_max_ns, record.after_max_ns) == (1000, 2000)
    assert record.ratio == pytest.approx(2.0)
    assert (record.rounds, record.samples) == (8, 16_000)
    assert record.verdict == "higher"


def test_a_tail_is_observed_and_above_zero() -> None:
    assert tail(np.arange(1, 2001)) == 1998
    assert tail(np.zeros(10, np.int64)) == 1.0


def test_the_real_measures_give_delays() -> None:
    before = os.sched_getaffinity(0)
    with jitter.steady():
        assert len(os.sched_getaffinity(0)) == 1
        late, laps = jitter.Wakeups(0.03).sample(), jitter.Laps(0.01).sample()
    assert os.sched_getaffinity(0) == before
    assert len(late) == 120
    assert (late >= 0).all()
    assert len(laps) % (jitter.EVENTS // jitter.BATCH) == 0
    assert (laps > 0).all()
