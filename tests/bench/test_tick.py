"""Tick to decision: the C++ loop decides as kimera's, and what is timed is what is claimed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kimera_cli.bench import limit, tape, tick
from kimera_cli.bench.request import Request
from kimera_cli.bench.tick_work import tick_all, tick_timed
from kimera_cli.bench.yardstick import require_same, yardstick
from kimera_cli.telemetry.clock import calibrate

needs_compiler = pytest.mark.skipif(
    shutil.which(limit.COMPILER) is None, reason=f"no {limit.COMPILER} on this machine"
)


@pytest.fixture(scope="module")
def setup() -> tick.Setup:
    return tick.make_setup(tape.synthetic(40_000))


def same_in_cpp(setup: tick.Setup, folder: Path) -> np.record:
    request = Request(clock=lambda: 0, cache=folder / "cache")
    inputs = [setup.tape.events, setup.table, setup.gate, setup.instrument()]
    state = setup.fresh()
    tick_all(*state.args, setup.tape.events.view(np.ndarray))
    with yardstick(request, "loop", inputs, tick.SLEEVES, setup.lots) as running:
        require_same("loop", tick.checksum(state), running)
    return state.work


@needs_compiler
def test_the_cpp_loop_comes_to_the_same_decisions(
    setup: tick.Setup, tmp_path_factory: pytest.TempPathFactory
) -> None:
    work = same_in_cpp(setup, tmp_path_factory.getbasetemp())
    assert work.asked > 10_000
    assert 0 < work.orders < work.asked, "some are denied: the limits came into play"


@needs_compiler
def test_also_on_a_recording(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = shared_data / "hftbacktest" / "usdm_btcusdt_20240808.gz"
    work = same_in_cpp(
        tick.make_setup(tape.recorded(path, 100_000)), tmp_path_factory.getbasetemp()
    )
    assert work.asked > 1_000


def test_timing_the_chains_changes_nothing(setup: tick.Setup) -> None:
    plain, timed = setup.fresh(), setup.fresh()
    events = setup.tape.events.view(np.ndarray)
    tick_all(*plain.args, events)
    took = np.zeros(len(events), np.int64)
    n = tick_timed(*timed.args, events, calibrate(window_ns=1_000_000).row, took)
    assert tick.checksum(plain) == tick.checksum(timed)
    assert n == timed.work.asked, "one duration per question to the gate"
    assert (took[:n] > 0).all()
    assert not took[n:].any()


def test_the_checksum_sees_one_lot(setup: tick.Setup) -> None:
    events = setup.tape.events.view(np.ndarray)
    plain, other = setup.fresh(), setup.fresh()
    tick_all(*plain.args, events)
    changed = events.copy()
    changed["qty_lots"][20_000] += 1
    tick_all(*other.args, changed)
    assert tick.checksum(plain) != tick.checksum(other)
