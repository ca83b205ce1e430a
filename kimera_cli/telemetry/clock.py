"""The clock of the loop: ticks made into CLOCK_MONOTONIC, with a stated bound of the error.

A *pair* is the counter and the system clock read close together: the system's reading lies
somewhere inside the attempt, so its error is at most the attempt's width. Two pairs give the rate.
`refresh` takes a new pair, measures how far the clock had drifted from the system's, and slews: the
clock never steps and never goes back, the difference fades within SLEW_NS.

Between refreshes the error grows by the uncertainty of the rate. A time daemon that changes the
system clock's rate adds to it what it changes (Linux: at most 500 parts per million), until the
next refresh measures that too.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import RunError
from kimera_cli.kernels import tsc
from kimera_cli.telemetry.clock_source import ClockSource, examine

TRIES = 200
WINDOW_NS = 20_000_000
"""Time between the first two pairs: 50 ns of width are 2.5 parts per million of it."""
SLEW_NS = 1_000_000_000
MOST_SLEW = 1e-3
FASTEST_HZ = 20e9
SLOWEST_HZ = 1e6


class Pair(NamedTuple):
    """Counter and system clock at one moment; the clock's reading is within `width_ns` of it."""

    ticks: int
    ns: int
    width_ns: float


@dataclass
class Clock:
    """A calibrated clock."""

    array: Any
    """Shape (1,), dtype tsc.CLOCK: what kernels read."""
    source: ClockSource
    read: Callable[[], Pair]
    last: Pair
    rate: float
    """ns of the system clock per tick over the last window; `row.ns_per_tick` may slew."""
    rate_error: float
    """Bound of the error of `rate`, as a fraction."""
    residual_ns: float = 0.0
    """This clock less the system's, found by the last refresh."""
    drift_ppm: float = 0.0
    """Change of the rate between the last two windows."""

    @property
    def row(self) -> Any:
        """The record of `array`."""
        return self.array[0]

    @property
    def ghz(self) -> float:
        """Ticks per ns."""
        return 1.0 / self.rate

    def ns_at(self, ticks: int) -> float:
        """Return the time in ns at a reading."""
        return float(self.row.base_ns) + (ticks - int(self.row.base_ticks)) * float(
            self.row.ns_per_tick
        )

    def error_ns(self, ticks: int) -> float:
        """Bound the error at a reading, while the system clock keeps its rate."""
        age_ns = max(0.0, (ticks - self.last.ticks) * self.rate)
        return abs(self.residual_ns) + self.last.width_ns + age_ns * self.rate_error + 1.0

    def refresh(self) -> float:
        """Measure the drift anew and slew it away; return how far the clock was off, in ns."""
        pair = self.read()
        if not self.row.tsc or pair.ticks <= self.last.ticks:
            return 0.0
        rate, rate_error = rate_between(self.last, pair)
        here = self.ns_at(pair.ticks)
        self.residual_ns = here - pair.ns
        self.drift_ppm = (rate / self.rate - 1.0) * 1e6
        slew = min(max(self.residual_ns / SLEW_NS, -MOST_SLEW), MOST_SLEW)
        self.row.base_ns, self.row.base_ticks = round(here), pair.ticks
        self.row.ns_per_tick = rate * (1.0 - slew)
        self.last, self.rate = pair, rate
        self.rate_error = rate_error + abs(slew)
        return self.residual_ns


def rate_between(first: Pair, second: Pair) -> tuple[float, float]:
    """Return ns per tick between two pairs, and the bound of its relative error."""
    ns, ticks = second.ns - first.ns, second.ticks - first.ticks
    return ns / ticks, (first.width_ns + second.width_ns) / ns


def calibrate(source: ClockSource | None = None, window_ns: int = WINDOW_NS) -> Clock:
    """Return this host's clock; takes `window_ns` where the counter is used, else no time.

    RunError `run.clock` where the system has no clock_gettime, or its clocks do not agree.
    """
    array = np.zeros(1, tsc.CLOCK).view(np.recarray)
    row = array[0]
    row.address, row.clock_id = _system_clock()
    source = source or examine(has_counter=tsc.HAS_COUNTER)
    if not source.tsc:
        return _system(array, source)
    row.tsc = 1
    first = _read(row, 0.0)
    while _system_ns(row) < first.ns + window_ns:
        pass
    second = _read(row, 0.0)
    ns_per_tick, _ = rate_between(first, second)
    if not SLOWEST_HZ <= 1e9 / ns_per_tick <= FASTEST_HZ:
        raise RunError(
            "run.clock",
            f"expected a time-stamp counter of 1 MHz to 20 GHz, was {1e9 / ns_per_tick:.3g} Hz",
            "kimera doctor shows the clock source",
        )
    return _calibrated(array, source, first, second, ns_per_tick)


def _calibrated(array: Any, source: ClockSource, first: Pair, second: Pair, rate: float) -> Clock:
    row = array[0]
    first, second = (p._replace(width_ns=p.width_ns * rate) for p in (first, second))
    row.ns_per_tick, row.base_ticks, row.base_ns = rate, second.ticks, second.ns
    _, rate_error = rate_between(first, second)
    return Clock(array, source, lambda: _read(row, rate), second, rate, rate_error)


def _system(array: Any, source: ClockSource) -> Clock:
    """The system's clock itself: a tick is a ns, and nothing is estimated."""
    row = array[0]
    row.ns_per_tick = 1.0
    now = _system_ns(row)
    row.base_ticks = row.base_ns = now
    pair = Pair(now, now, 0.0)
    return Clock(array, source, lambda: pair, pair, 1.0, 0.0)


def _read(row: Any, rate: float) -> Pair:
    out = np.zeros(3, np.int64)
    if not tsc.read_pair(row, TRIES, out):
        raise RunError(
            "run.clock",
            "expected clock_gettime and the counter to go forward together, was a failure",
            "run it on another core or host: kimera doctor shows the clock source",
        )
    return Pair(int(out[0]), int(out[1]), float(out[2]) * (rate or 1.0))


def _system_clock() -> tuple[int, int]:
    """Return the address of clock_gettime and the number of its monotonic clock."""
    try:
        address = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        address = None
    if not address or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise RunError(
            "run.clock",
            "expected a 64-bit system with clock_gettime, was none",
            "latencies inside the loop are measured on Linux and macOS",
        )
    return address, time.CLOCK_MONOTONIC


def _system_ns(row: Any) -> int:
    return time.clock_gettime_ns(int(row.clock_id))
