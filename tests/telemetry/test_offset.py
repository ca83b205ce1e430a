"""The offset to a venue's clock, on links whose true offset and delays are known."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import VenueError
from kimera_cli.telemetry.offset import OffsetFilter

MS = 1_000_000


@dataclass
class Link:
    """A venue whose clock is `offset` ahead and drifts, behind two ways with their own delays."""

    seed: int
    offset_ns: int = 0
    drift: float = 0.0
    there_ns: int = 1 * MS
    back_ns: int = 1 * MS
    queue_ns: float = 0.0
    resolution_ns: int = 1
    now_ns: int = 1_700_000_000_000_000_000
    random: random.Random = field(init=False)
    start_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.start_ns = self.now_ns

    def true_offset(self) -> float:
        return self.offset_ns + self.drift * (self.now_ns - self.start_ns)

    def venue(self) -> int:
        shown = self.now_ns + round(self.true_offset())  # a float of 1e18 has steps of 256
        return shown // self.resolution_ns * self.resolution_ns

    def _travel(self, least_ns: int) -> None:
        self.now_ns += least_ns + round(self.random.expovariate(1.0) * self.queue_ns)

    def probe(self) -> tuple[int, int, int, int]:
        t0 = self.now_ns
        self._travel(self.there_ns)
        t1 = self.venue()
        self.now_ns += self.random.randrange(50_000)
        t2 = self.venue()
        self._travel(self.back_ns)
        return t0, t1, t2, self.now_ns


LINKS = st.builds(
    Link,
    seed=st.integers(0, 2**32),
    offset_ns=st.integers(-(10**10), 10**10),
    drift=st.floats(-40e-6, 40e-6),
    there_ns=st.integers(0, 50 * MS),
    back_ns=st.integers(0, 50 * MS),
    queue_ns=st.floats(0, 20 * MS),
    resolution_ns=st.sampled_from([1, MS]),
)


@settings(deadline=None, max_examples=200)
@given(LINKS, st.integers(1, 60), st.integers(0, 10**9))
def test_the_truth_is_within_the_uncertainty_however_unequal_the_ways(
    link: Link, probes: int, pause_ns: int
) -> None:
    found = OffsetFilter(window=16, resolution_ns=link.resolution_ns)
    for _ in range(probes):
        answer = found.add(*link.probe())
        assert abs(answer.offset_ns - link.true_offset()) <= answer.uncertainty_ns
        assert answer.steps == 0, "no contradiction where the drift is within its bound"
        link.now_ns += pause_ns
        later = found.at(link.now_ns)
        assert abs(later.offset_ns - link.true_offset()) <= later.uncertainty_ns


@settings(deadline=None, max_examples=100)
@given(LINKS, st.integers(1, 16))
def test_it_is_never_less_sure_than_the_probe_of_least_delay(link: Link, probes: int) -> None:
    link.drift, link.resolution_ns = 0.0, 1
    found = OffsetFilter(window=16, drift=0.0)
    taken = [link.probe() for _ in range(probes)]
    for times in taken:
        answer = found.add(*times)
    least = min((t3 - t0) - (t2 - t1) for t0, t1, t2, t3 in taken)
    assert answer.delay_ns == least
    assert answer.uncertainty_ns <= least / 2 + 2


def test_a_quiet_probe_each_way_is_enough_for_a_sharp_answer() -> None:
    """One probe was fast there, another fast back; neither is sharp alone."""
    true, found = 5 * MS, OffsetFilter(drift=0.0)
    found.add(0, 1 * MS + true, 1 * MS + true, 40 * MS)
    answer = found.add(100 * MS, 139 * MS + true, 139 * MS + true, 140 * MS)
    assert answer.offset_ns == pytest.approx(true, abs=2)
    assert answer.uncertainty_ns == pytest.approx(1 * MS, abs=2)
    assert answer.delay_ns == 40 * MS, "half of it is what the best single probe could say"


def test_a_constant_asymmetry_is_inside_the_uncertainty_and_cannot_be_seen() -> None:
    link, found = Link(seed=1, offset_ns=7 * MS, there_ns=9 * MS, back_ns=1 * MS), OffsetFilter()
    for _ in range(20):
        answer = found.add(*link.probe())
        link.now_ns += 100 * MS
    assert answer.offset_ns - link.true_offset() == pytest.approx(4 * MS, abs=0.1 * MS)
    assert answer.uncertainty_ns == pytest.approx(5 * MS, abs=0.2 * MS)


def test_whole_milliseconds_widen_the_upper_bound_only() -> None:
    exact = OffsetFilter().add(0, 10 * MS, 10 * MS, 2 * MS)
    coarse = OffsetFilter(resolution_ns=MS).add(0, 10 * MS, 10 * MS, 2 * MS)
    assert coarse.offset_ns - exact.offset_ns == MS // 2
    assert coarse.uncertainty_ns - exact.uncertainty_ns == MS // 2


@pytest.mark.parametrize("step_ns", [-50 * MS, 50 * MS])
def test_a_clock_that_steps_is_noticed_and_followed(step_ns: int) -> None:
    link, found = Link(seed=2, offset_ns=3 * MS), OffsetFilter()
    for _ in range(10):
        assert found.add(*link.probe()).steps == 0
        link.now_ns += 10 * MS
    link.offset_ns += step_ns
    answer = found.add(*link.probe())
    assert (answer.steps, answer.probes) == (1, 1)
    assert abs(answer.offset_ns - link.true_offset()) <= answer.uncertainty_ns


def test_an_old_window_grows_less_sure() -> None:
    link, found = Link(seed=3), OffsetFilter(drift=50e-6)
    answer = found.add(*link.probe())
    later = found.at(link.now_ns + 1_000 * MS * 1_000)
    assert later.uncertainty_ns - answer.uncertainty_ns == pytest.approx(50 * MS, rel=0.01)


def test_the_window_forgets() -> None:
    link, found = Link(seed=4), OffsetFilter(window=4)
    for _ in range(9):
        answer = found.add(*link.probe())
    assert answer.probes == 4


def test_our_time_at_a_venue_s_time() -> None:
    answer = OffsetFilter().add(0, 11 * MS, 11 * MS, 2 * MS)
    assert answer.to_local(20 * MS) == 20 * MS - answer.offset_ns


@pytest.mark.parametrize("times", [(10, 5, 5, 9), (0, 5, 4, 9)])
def test_an_answer_before_its_request_is_refused(times: tuple[int, int, int, int]) -> None:
    with pytest.raises(VenueError) as error:
        OffsetFilter().add(*times)
    assert error.value.code == "venue.clock"
    with pytest.raises(VenueError, match="was none"):
        OffsetFilter().at(0)
