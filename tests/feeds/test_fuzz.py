"""Mutated frames: no crash, no disagreement of the two parsers, nothing that is not explained."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from agreement import Pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutation import mutant
from seeds import CASES, Case

from kimera_cli.errors import VenueError
from kimera_cli.feeds.slow import Control
from kimera_cli.layouts import EVENT

_PAIRS: dict[str, Pair] = {}


def pair_of(name: str) -> Pair:
    """One pair per venue: frames before must not matter to those behind."""
    if name not in _PAIRS:
        case = CASES[name]
        _PAIRS[name] = Pair(case.dialect, case.instruments, events=64, frame_bytes=4096)
    return _PAIRS[name]


def check(name: str, frame: bytes) -> bool:
    """Read one frame with both parsers; tell whether it is market data."""
    found = pair_of(name).both(CASES[name].wire(frame))
    if isinstance(found, VenueError):
        assert found.code == "venue.frame"
        assert found.message
        return False
    if isinstance(found, Control):
        return False
    assert found.dtype == EVENT
    return True


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> tuple[str, Case]:
    return request.param, CASES[request.param]


def test_the_seeds_are_read_fast(case: tuple[str, Case]) -> None:
    name, (_, _, frames) = case
    for frame in frames:
        assert pair_of(name).fast(CASES[name].wire(frame)) is not None, frame
        assert check(name, frame)


def test_a_frame_cut_at_any_byte_is_no_market_data(case: tuple[str, Case]) -> None:
    name, (_, _, frames) = case
    for frame in frames:
        for end in range(len(frame)):
            pair = pair_of(name)
            assert pair.fast(CASES[name].wire(frame[:end])) is None
            assert not check(name, frame[:end])


def test_what_follows_a_frame_is_not_ignored(case: tuple[str, Case]) -> None:
    name, (_, _, frames) = case
    for frame in frames:
        for more in (b"x", b"}", b"\0", frame):
            assert not check(name, frame + more)
        assert check(name, frame + b" \n"), "white space is JSON"


@pytest.mark.parametrize(
    "byte", [b"\0", b"\xff", b"\\", b" "], ids=["nought", "255", "escape", "space"]
)
def test_one_byte_put_in_anywhere(case: tuple[str, Case], byte: bytes) -> None:
    name, (_, _, frames) = case
    for frame in frames:
        for at in range(len(frame) + 1):
            payload = CASES[name].wire(frame[:at] + byte + frame[at:])
            assert pair_of(name).fast(payload) is None or byte == b" "
            pair_of(name).both(payload)


def test_one_byte_changed_anywhere(case: tuple[str, Case]) -> None:
    name, (_, _, frames) = case
    random = Random(1)
    for frame in frames:
        for at in range(len(frame)):
            byte = random.choice(b'0123456789.-eE"\\,:[]{}\0\x80\xff ')
            check(name, frame[:at] + bytes([byte]) + frame[at + 1 :])


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random=st.randoms(use_true_random=False))
def test_mutants(case: tuple[str, Case], random: Random) -> None:
    name, (_, _, frames) = case
    check(name, mutant(random, frames))


def test_many_mutants_and_the_good_frames_between_them(case: tuple[str, Case]) -> None:
    name, (_, _, frames) = case
    random = Random(2)
    clean = [pair_of(name).fast(CASES[name].wire(frame)) for frame in frames]
    for _ in range(2000):
        check(name, mutant(random, frames))
    for frame, events in zip(frames, clean, strict=True):
        assert events is not None
        np.testing.assert_array_equal(pair_of(name).fast(CASES[name].wire(frame)), events)
    assert pair_of(name).reader.counts["fast"] > 150
