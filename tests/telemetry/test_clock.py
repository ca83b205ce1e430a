"""The clock against CLOCK_MONOTONIC, and against simulated counters that drift, read late."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import RunError
from kimera_cli.kernels import tsc
from kimera_cli.telemetry import clock as clock_module
from kimera_cli.telemetry.clock import Clock, Pair, calibrate, rate_between
from kimera_cli.telemetry.clock_source import FOLDER, ClockSource, examine

COUNTER = ClockSource("tsc", ("tsc", "kvm-clock"), "")
SYSTEM = ClockSource("hpet", ("hpet",), "made up")

FLAGS = "fpu tsc rdtscp constant_tsc nonstop_tsc"


def host(root: Path, flags: str = FLAGS, available: str = "tsc hpet") -> Path:
    """A made-up /proc and /sys."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    (folder / "available_clocksource").write_text(f"{available}\n")
    (folder / "current_clocksource").write_text(f"{available.split()[0]}\n" if available else "")
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\nbugs : none\n")
    return root


def test_a_counter_that_keeps_its_promises_is_used(tmp_path: Path) -> None:
    found = examine(host(tmp_path))
    assert found == ClockSource("tsc", ("tsc", "hpet"), "")
    assert found.tsc


@pytest.mark.parametrize(
    ("flags", "available", "was"),
    [
        ("fpu tsc rdtscp nonstop_tsc", "tsc hpet", "without constant_tsc"),
        ("fpu tsc rdtscp constant_tsc", "tsc hpet", "without nonstop_tsc"),
        ("fpu tsc constant_tsc nonstop_tsc", "tsc hpet", "without rdtscp"),
        (FLAGS, "hpet acpi_pm", "was hpet, acpi_pm"),
        (FLAGS, "", "was none"),
        ("", "tsc", "no /proc/cpuinfo"),
    ],
)
def test_a_counter_that_does_not_is_refused_with_the_reason(
    tmp_path: Path, flags: str, available: str, was: str
) -> None:
    found = examine(host(tmp_path, flags, available))
    assert not found.tsc
    assert was in found.refusal


def test_a_paravirtual_clock_does_not_hide_a_good_counter(tmp_path: Path) -> None:
    found = examine(host(tmp_path, available="kvm-clock tsc"))
    assert (found.current, found.tsc) == ("kvm-clock", True)


def test_a_system_that_tells_nothing_is_timed_by_its_own_clock(tmp_path: Path) -> None:
    assert not examine(tmp_path).tsc
    assert "not compiled" in examine(host(tmp_path), has_counter=False).refusal


@pytest.mark.parametrize("source", [None, SYSTEM])
def test_it_shows_the_system_s_monotonic_time_within_its_bound(source: ClockSource | None) -> None:
    clock = calibrate(source)
    for _ in range(100):
        before = time.monotonic_ns()
        ticks = int(tsc.ticks(clock.row))
        after = time.monotonic_ns()
        shown, error = clock.ns_at(ticks), clock.error_ns(ticks)
        assert before - error <= shown <= after + error
        assert error < 1e6


@pytest.mark.parametrize("source", [None, SYSTEM])
def test_kernels_read_the_same_time(source: ClockSource | None) -> None:
    clock = calibrate(source)
    before = int(tsc.now_ns(clock.row))
    ticks = int(tsc.ticks_after(clock.row))
    after = int(tsc.now_ns(clock.row))
    assert before - 1 <= clock.ns_at(ticks) <= after + 1
    assert tsc.ns_between(clock.row, ticks, ticks) == 0


def test_time_never_goes_back_over_a_refresh() -> None:
    clock = calibrate()
    last = 0
    for _ in range(20):
        clock.refresh()
        for _ in range(50):
            now = int(tsc.now_ns(clock.row))
            assert now >= last
            last = now


def test_the_system_clock_needs_no_refresh() -> None:
    clock = calibrate(SYSTEM)
    assert clock.refresh() == 0.0
    assert (clock.ghz, clock.rate_error) == (1.0, 0.0)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="no counter without compilation")
def test_a_counter_of_an_impossible_rate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if not examine(has_counter=tsc.HAS_COUNTER).tsc:
        pytest.skip("this host has no counter to read")
    readings = iter([Pair(0, 0, 1.0), Pair(10, 20_000_000, 1.0)])
    monkeypatch.setattr(clock_module, "_read", lambda row, rate: next(readings))
    monkeypatch.setattr(clock_module, "_system_ns", lambda row: 1 << 60)
    with pytest.raises(RunError, match="1 MHz to 20 GHz, was 500 Hz"):
        calibrate(COUNTER)


# --- simulated counters ---------------------------------------------------------------------------


class Host:
    """A counter of `ghz` beside a system clock that a daemon slews; pairs are read `late`."""

    def __init__(self, ghz: float, seed: int, jitter_ns: float) -> None:
        self.ghz, self.jitter_ns = ghz, jitter_ns
        self.random = random.Random(seed)
        self.true_ns = 0.0
        self.system = 1e12
        self.slew = 0.0

    def wait(self, ns: float) -> None:
        self.true_ns += ns
        self.system += ns * (1.0 + self.slew)

    @property
    def ticks(self) -> int:
        return 1_000_000 + int(self.true_ns * self.ghz)

    def read(self) -> Pair:
        """The system's clock is read anywhere between two readings of the counter."""
        width = 20.0 + self.random.expovariate(1.0) * self.jitter_ns
        part = self.random.random() * width
        before = self.ticks
        self.wait(part)
        shown = int(self.system)
        self.wait(width - part)
        ticks = (before + self.ticks) // 2
        return Pair(ticks, shown, width + 2.0 / self.ghz)


def clock_of(host: Host, window_ns: float) -> Clock:
    first = host.read()
    host.wait(window_ns)
    second = host.read()
    rate, error = rate_between(first, second)
    array = np.zeros(1, tsc.CLOCK).view(np.recarray)
    row = array[0]
    row.tsc, row.ns_per_tick, row.base_ticks, row.base_ns = 1, rate, second.ticks, second.ns
    return Clock(array, COUNTER, host.read, second, rate, error)


@settings(deadline=None, max_examples=200)
@given(
    st.floats(0.5, 6.0),
    st.integers(0, 2**32),
    st.floats(0.0, 2_000.0),
    st.lists(st.floats(1e6, 5e9), min_size=1, max_size=10),
)
def test_the_bound_holds_whatever_the_readings_are(
    ghz: float, seed: int, jitter_ns: float, waits: list[float]
) -> None:
    host = Host(ghz, seed, jitter_ns)
    clock = clock_of(host, 20e6)
    for wait in waits:
        host.wait(wait)
        assert abs(clock.ns_at(host.ticks) - host.system) <= clock.error_ns(host.ticks) + 2 / ghz
        before = clock.ns_at(host.ticks)
        clock.refresh()
        assert clock.ns_at(host.ticks) >= before, "it slews, it never steps"


@settings(deadline=None, max_examples=50)
@given(st.floats(0.5, 6.0), st.integers(0, 2**32), st.floats(-500e-6, 500e-6))
def test_a_rate_that_a_daemon_changes_is_followed(ghz: float, seed: int, slew: float) -> None:
    host = Host(ghz, seed, 50.0)
    clock = clock_of(host, 20e6)
    host.slew = slew
    for _ in range(12):
        host.wait(1e9)
        clock.refresh()
    assert abs(clock.residual_ns) <= 2_000
    assert abs(clock.drift_ppm) < 1.0
    assert clock.rate * ghz - 1.0 == pytest.approx(slew, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.5, 6.0), st.integers(0, 2**32))
def test_longer_windows_make_the_rate_surer(ghz: float, seed: int) -> None:
    host = Host(ghz, seed, 50.0)
    clock = clock_of(host, 20e6)
    early = abs(clock.rate * ghz - 1.0)
    assert early <= clock.rate_error
    for _ in range(3):
        host.wait(10e9)
        clock.refresh()
    late = abs(clock.rate * ghz - 1.0)
    assert late < 1e-6
