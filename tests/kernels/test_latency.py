"""Latency: draws by model, known values of the generator, and the feed's clocks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.kernels.latency import draw_latency, next_normal, next_uniform, prepare_feed
from kimera_cli.kernels.state import (
    LATENCY_CONSTANT,
    LATENCY_LOGNORMAL,
    LATENCY_RECORDED,
    STREAM,
)
from kimera_cli.layouts import EVENT, F_LAST, F_NO_EXCH_TIME

MODELS = (LATENCY_CONSTANT, LATENCY_LOGNORMAL, LATENCY_RECORDED)


def holder(seed: int):
    """Return something with a random state."""
    made = np.zeros(1, STREAM).view(np.recarray)
    made["rng"] = seed
    return made[0]


def test_uniforms_are_splitmix64() -> None:
    """First outputs for seed 1234567 of the authors' own program, as bits 11 to 63."""
    h = holder(1234567)
    outputs = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [next_uniform(h) for _ in outputs] == [((z >> 11) + 1) / 2**53 for z in outputs]


def test_normals_have_the_moments_of_normals() -> None:
    h = holder(3)
    draws = np.array([next_normal(h) for _ in range(4_000)])
    assert abs(draws.mean()) < 4 / math.sqrt(4_000)
    assert abs(draws.var() - 1) < 4 * math.sqrt(2 / 4_000)


def test_lognormal_has_the_median_and_shape_that_were_asked_for() -> None:
    h = holder(5)
    draws = np.array([draw_latency(h, LATENCY_LOGNORMAL, 1_000_000, 0.5, 0) for _ in range(4_000)])
    logs = np.log(draws / 1e6)
    assert abs(logs.mean()) < 4 * 0.5 / math.sqrt(4_000)
    assert logs.std() == pytest.approx(0.5, rel=0.06)


def test_constant_and_recorded_are_exact() -> None:
    h = holder(1)
    assert draw_latency(h, LATENCY_CONSTANT, 123, 0.5, 999) == 123
    assert draw_latency(h, LATENCY_RECORDED, 123, 0.5, 999) == 999
    assert draw_latency(h, LATENCY_RECORDED, 123, 0.5, -7) == 0
    assert h.rng == 1


def events_of(rows):
    """Return (exch, local, flags) as events."""
    events = np.zeros(len(rows), EVENT).view(np.recarray)
    for event, (exch, local, flags) in zip(events, rows, strict=True):
        event.ts_exch_ns, event.ts_local_ns, event.flags = exch, local, flags
    return events


def prepared(rows, model, *, ns=50, sigma=1.0, shift=0, cuts=(), seed=9):
    """Return (exch, local) after prepare_feed over the given slices."""
    events = events_of(rows)
    stream = holder(seed)
    edges = [0, *sorted(cuts), len(rows)]
    for start, stop in pairwise(edges):
        prepare_feed(events, start, stop, stream, stream, model, ns, sigma, shift, F_NO_EXCH_TIME)
    return list(zip(events.ts_exch_ns.tolist(), events.ts_local_ns.tolist(), strict=True))


def test_recorded_feed_keeps_its_stamps() -> None:
    rows = [(100, 130, F_LAST), (150, 170, F_LAST), (190, 260, F_LAST)]
    assert prepared(rows, LATENCY_RECORDED) == [(100, 130), (150, 170), (190, 260)]
    assert prepared(rows, LATENCY_RECORDED, shift=5) == [(100, 135), (150, 175), (190, 265)]


def test_constant_feed_counts_from_venue_time() -> None:
    rows = [(100, 130, F_LAST), (150, 170, F_LAST)]
    assert prepared(rows, LATENCY_CONSTANT) == [(100, 150), (150, 200)]


def test_time_never_goes_backwards_and_nothing_arrives_before_it_happened() -> None:
    rows = [(100, 130, F_LAST), (90, 131, F_LAST), (140, 120, F_LAST)]
    assert prepared(rows, LATENCY_RECORDED) == [(100, 130), (100, 131), (140, 140)]


def test_events_without_venue_time_happen_when_the_last_one_with_it_did() -> None:
    rows = [(130, 130, F_NO_EXCH_TIME), (120, 140, F_LAST), (150, 150, F_NO_EXCH_TIME)]
    assert prepared(rows, LATENCY_RECORDED) == [(130, 130), (130, 140), (130, 150)]


def test_one_message_has_one_latency() -> None:
    rows = [(1_000, 1_000, 0), (1_000, 1_000, 0), (1_000, 1_000, F_LAST)] * 40
    local = [b for _, b in prepared(rows, LATENCY_LOGNORMAL, ns=100)]
    messages = np.array(local).reshape(-1, 3)
    assert (messages == messages[:, :1]).all()
    assert len(set(messages[:, 0].tolist())) > 3


ROWS = st.lists(
    st.tuples(
        st.integers(1, 300), st.integers(1, 300), st.sampled_from([0, F_LAST, F_NO_EXCH_TIME])
    ),
    min_size=1,
    max_size=30,
)


@given(
    rows=ROWS, model=st.sampled_from(MODELS), cuts=st.sets(st.integers(0, 30)), shift=st.integers(0)
)
def test_clocks_are_monotone_and_do_not_depend_on_cuts(rows, model, cuts, shift) -> None:
    shift %= 1_000
    whole = prepared(rows, model, shift=shift)
    exch, local = zip(*whole, strict=True)
    assert list(exch) == sorted(exch)
    assert list(local) == sorted(local)
    assert all(a <= b for a, b in whole)
    cuts = {c for c in cuts if c <= len(rows)}
    assert prepared(rows, model, shift=shift, cuts=cuts) == whole


def test_an_event_without_a_time_is_named() -> None:
    events = events_of([(100, 130, F_LAST), (0, 0, F_LAST), (150, 170, F_LAST)])
    stream = holder(1)
    args = (LATENCY_RECORDED, 0, 0.0, 0, F_NO_EXCH_TIME)
    assert prepare_feed(events, 0, 3, stream, stream, *args) == 1
    assert prepare_feed(events, 0, 1, stream, stream, *args) == -1
