"""What a host's settings are judged by: how late a sleeper wakes, how evenly events are processed.

`wakeup` is cyclictest's measure (linux rt-tests): an absolute clock_nanosleep each 250 us, and how
long after its moment the thread ran. `loop` runs a synthetic market through the compiled book and
features as fast as they go and times each 64 events: what interrupts, migrations and faults add.
Both run on one pinned core, with Python's garbage collector held and timer slack at 1 ns (the
kernel rounds an ordinary thread's sleep up by 50 us otherwise).
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from kimera_cli.errors import KimeraError
from kimera_cli.kernels.wakeup import event_laps, wakeups
from kimera_cli.layouts import I64, Events
from kimera_cli.market.book import new_books
from kimera_cli.market.features import new_features
from kimera_cli.settings import Market
from kimera_cli.sim.synthetic import SyntheticMarket
from kimera_cli.units import NS_PER_S, NS_PER_US

INTERVAL_NS = 250 * NS_PER_US
BATCH = 64
EVENTS = 100_000
SEED = 1
BUSY = Market(limit_rate=400.0, market_rate=40.0, cancel_rate=5.0)
_MONOTONIC = 1  # CLOCK_MONOTONIC of Linux
_SET_SLACK, _GET_SLACK = 29, 30  # prctl


class Measure(Protocol):
    """One kind of delay: `sample` returns delays in ns, shape (n,), int64."""

    name: str
    detail: dict[str, int]

    def sample(self) -> I64:
        """Measure for the time that it was made for."""


class Wakeups:
    """Lateness of a thread that sleeps to a moment each 250 us."""

    name = "wakeup"

    def __init__(self, seconds: float) -> None:
        self.count = max(100, int(seconds * NS_PER_S / INTERVAL_NS))
        self.detail = {"interval_ns": INTERVAL_NS}
        self._addresses = _address("clock_gettime"), _address("clock_nanosleep")

    def sample(self) -> I64:
        """Return ns from each moment to its wake-up; fewer when a signal came."""
        late = np.zeros(self.count, np.int64)
        done = wakeups(*self._addresses, _MONOTONIC, INTERVAL_NS, late)
        return late[:done]


class Laps:
    """Time of each 64 events through book and features."""

    name = "loop"

    def __init__(self, seconds: float) -> None:
        self.detail = {"batch": BATCH, "events": EVENTS}
        self._budget_ns = int(seconds * NS_PER_S)
        self._now = _address("clock_gettime")
        parts: list[Events] = []
        held = 0
        for chunk in SyntheticMarket(BUSY, SEED).chunks():
            parts.append(chunk)
            held += len(chunk)
            if held >= EVENTS:
                break
        self._events = np.concatenate(parts)[:EVENTS].view(np.recarray)
        self._once()

    def sample(self) -> I64:
        """Return ns of each lap, over as many passes as fit the time; at least one."""
        passes: list[I64] = []
        spent = 0
        while not passes or spent < self._budget_ns:
            laps = self._once()
            passes.append(laps)
            spent += int(laps.sum())
        return np.concatenate(passes)

    def _once(self) -> I64:
        laps = np.zeros(EVENTS // BATCH, np.int64)
        book, state = new_books(1)[0], new_features(1)[0]
        n = event_laps(self._now, _MONOTONIC, book, state, self._events, BATCH, laps)
        if n < 0:
            raise KimeraError(
                "internal.host_loop",
                f"expected the synthetic market to fit its book, was status {-n}",
                "this is a defect of kimera: please report it",
            )
        return laps[:n]


@contextmanager
def steady() -> Iterator[None]:
    """Hold this thread to the last allowed core, without garbage collection or timer slack."""
    library = ctypes.CDLL(None, use_errno=True)
    slack = library.prctl(_GET_SLACK)
    allowed = os.sched_getaffinity(0)
    collecting = gc.isenabled()
    library.prctl(_SET_SLACK, ctypes.c_ulong(1))
    os.sched_setaffinity(0, {max(allowed)})
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        os.sched_setaffinity(0, allowed)
        library.prctl(_SET_SLACK, ctypes.c_ulong(max(slack, 1)))


def _address(name: str) -> int:
    function = getattr(ctypes.CDLL(None), name)
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)
