"""`kimera bench latency`: it runs the engine's own path, and its schedule does not wait for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kimera_cli.bench.harness import Watch
from kimera_cli.bench.latency import messages_of, ticks_of
from kimera_cli.bench.latency_row import holds
from kimera_cli.bench.latency_world import Meters, World
from kimera_cli.bench.tape import Tape, synthetic
from kimera_cli.errors import RunError
from kimera_cli.host.pool import Pool
from kimera_cli.kernels.features import features_run
from kimera_cli.layouts import F_LAST, FEATURES, ORDER_NONE
from kimera_cli.market.book import new_books
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import calibrate

N = 4_000


@pytest.fixture(scope="module")
def tape() -> Tape:
    return synthetic(N)


@pytest.fixture(scope="module")
def meters() -> Meters:
    pool = Pool(64 << 20, huge=False)
    return Meters(calibrate(), pool)


@pytest.fixture(scope="module")
def world(tape: Tape, meters: Meters) -> World:
    return World(ticks_of(tape), tape.instrument, meters, Pool(16 << 20, huge=False))


def clear(meters: Meters) -> None:
    for row in meters.rows.values():
        histogram.clear(row)


def features_after(events: Any) -> Any:
    f = np.zeros(1, FEATURES).view(np.recarray)[0]
    features_run(new_books(1)[0], f, events, np.zeros(len(events), FEATURES).view(np.recarray))
    return f


def test_the_path_ends_in_the_state_that_the_features_kernel_alone_ends_in(world: World) -> None:
    world.run(0.0, 0.5)
    (found,) = world.arrays.features
    expected = features_after(world.events)
    for name in ("best_bid_ticks", "best_ask_ticks", "microprice_ticks", "ofi", "vol_fast"):
        assert found[name] == expected[name]


def test_every_tick_of_a_two_sided_book_becomes_an_order(world: World) -> None:
    rows = np.zeros(len(world.events), FEATURES).view(np.recarray)
    state = np.zeros(1, FEATURES).view(np.recarray)[0]
    n = features_run(new_books(1)[0], state, world.events, rows)
    two_sided = int(np.isfinite(rows.mid_ticks[:n]).sum())
    world.run(0.0, 0.0)
    assert (world.orders, world.denied) == (two_sided, 0)
    assert world.orders > N * 0.9
    assert set(world.arrays.views["orders"]["state"].ravel()) == {ORDER_NONE}, "taken out again"
    assert int(world.arrays.gate["open_orders"][0]) == 0


def test_every_measured_message_is_in_both_histograms(world: World) -> None:
    clear(world.meters)
    world.run(2_000.0, 0.25)
    measured = int((world.ends > world.warm).sum())
    assert {h.counts.sum() + h.over for h in world.meters.rows.values()} == {measured}


def test_a_loop_that_falls_behind_says_so_in_every_message_it_held_up(world: World) -> None:
    """Due ten times faster than it can go: the last waits for all before it, none is forgiven."""
    clear(world.meters)
    late = world.run(5.0, 0.25)
    measured = int((world.ends > world.warm).sum())
    response = histogram.summarise(world.meters.response)
    service = histogram.summarise(world.meters.service)
    assert late >= measured - 1
    backlog = measured * (service.mean_ns - 5.0)
    assert response.max_ns >= 0.9 * backlog
    assert response.median_ns >= 0.25 * backlog
    assert service.median_ns < response.median_ns / 100


def test_stages_count_messages_and_orders(world: World) -> None:
    recorder = world.meters.recorder
    recorder.clear()
    recorder.switch(True)
    world.run(2_000.0, 0.0)
    recorder.switch(False)
    found = recorder.summary()
    # the first message only warms up
    assert found["event_to_book"].n == found["book_to_decision"].n == len(world.ends) - 1
    assert found["total"].n == found["decision_to_gate"].n
    assert world.orders - 1 <= found["total"].n <= world.orders
    assert "wire_to_event" not in found
    assert found["total"].median_ns >= found["decision_to_gate"].median_ns


def test_a_drained_tape_is_timed_whole(world: World) -> None:
    now = iter(range(0, 10**9, 7))
    watch = Watch(lambda: next(now))
    world.drain(watch, 0.25)
    assert sum(n for _, n in watch.laps) == int(world.ends[-1]) - world.warm


def test_messages_are_the_venue_s_own(tape: Tape) -> None:
    events = messages_of(tape)
    assert int((events["flags"] & F_LAST).astype(bool).sum()) < len(events)
    assert events["flags"][-1] & F_LAST
    assert (ticks_of(tape)["flags"] & F_LAST).all()
    assert len(ticks_of(tape)) >= len(events)


def test_an_empty_tape_is_refused(tape: Tape, meters: Meters) -> None:
    with pytest.raises(RunError, match="was none"):
        World(ticks_of(tape)[:0], tape.instrument, meters, Pool(2 << 20, huge=False))


@pytest.mark.parametrize(
    ("response", "service", "quiet", "answer"),
    [
        (100, 90, True, True),
        (100, 90, False, True),  # met although the host disturbs
        (500, 90, True, False),
        (500, 90, False, None),  # the waiting may be the host's
        (500, 150, False, False),  # the work itself takes too long
    ],
)
def test_a_goal_is_judged_only_where_the_host_lets_it_be(
    response: int, service: int, quiet: bool, answer: bool | None
) -> None:
    assert holds(response, service, 120, quiet) is answer
