"""Timing: many repeats of batches, the cases of one comparison taken in turn.

A case gets a fresh state before each repeat and starts the watch itself, so that set-up is never
timed. The first repeat of each case is thrown away (it compiles and fills caches). Cases run A B A
B, not A A B B: what else the machine does then hits all of them. How often the system took the core
away is kept with each repeat, so that `compare` can tell a disturbed run from a slow one.
"""

from __future__ import annotations

import gc
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from .stats import quantile

resource: Any = import_module("resource") if find_spec("resource") else None  # not on Windows

BATCH = 16_384
"""Operations of one batch: the call into compiled code (3 to 13 us) is below 1 ns of each."""

Clock = Callable[[], int]
"""Monotonic ns."""


class Watch:
    """Collects the duration of each batch; `lap(n)` ends a batch of n operations."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.laps: list[tuple[int, int]] = []
        self._began = 0

    def start(self) -> None:
        """Begin a batch now; what came before is not counted."""
        self._began = self.clock()

    def lap(self, n: int) -> None:
        """End the running batch of `n` operations and begin the next."""
        now = self.clock()
        self.laps.append((now - self._began, n))
        self._began = self.clock()


@dataclass(frozen=True)
class Case:
    """One thing to time: `prepare` makes a state outside of the timing, `run` works on it."""

    name: str
    prepare: Callable[[], Any]
    run: Callable[[Any, Watch], None]
    done: Callable[[Any], None] | None = None


def batches(rows: Any, size: int = BATCH) -> list[Any]:
    """Cut an array into plain consecutive parts: while the clock runs nothing is sliced.

    A slice of a recarray costs 6 us, more than a thousand level updates.
    """
    plain = rows.view(np.ndarray)
    return [plain[begin : begin + size] for begin in range(0, len(plain), size)]


@dataclass
class Timing:
    """What was measured of one case, in ns per operation."""

    n: int = 0
    repeats_ns: list[float] = field(default_factory=list)
    batches_ns: list[float] = field(default_factory=list)
    batch: int = 0
    preempted: list[int] = field(default_factory=list)
    """How often the system took the core away in each repeat; empty where it does not tell."""

    @property
    def median_ns(self) -> float:
        """Median over repeats of (time of the repeat / operations)."""
        return statistics.median(self.repeats_ns)

    def tail_ns(self, q: float) -> float:
        """Observed quantile over batches, or over repeats where a repeat is one batch."""
        return quantile(self.batches_ns, q)

    def add(self, laps: Sequence[tuple[int, int]]) -> None:
        """Take in one repeat; a batch below half the size counts in the sum, not in the tail."""
        self.n = sum(n for _, n in laps)
        self.batch = max(n for _, n in laps)
        self.repeats_ns.append(sum(ns for ns, _ in laps) / self.n)
        self.batches_ns += [ns / n for ns, n in laps if 2 * n >= self.batch]


def measure(
    cases: Sequence[Case], repeats: int, clock: Clock, *, pin: bool = True
) -> dict[str, Timing]:
    """Time every case `repeats` times, in turn, after one repeat each that is thrown away."""
    timings = {case.name: Timing() for case in cases}
    for case in cases:
        _once(case, clock)
    with steady(pin=pin):
        for _ in range(repeats):
            for case in cases:
                before = preemptions()
                timings[case.name].add(_once(case, clock))
                if before is not None:
                    timings[case.name].preempted.append((preemptions() or 0) - before)
    return timings


def preemptions() -> int | None:
    """Return how often this process has lost its core against its will; None if not told."""
    if resource is None:
        return None
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)


def _once(case: Case, clock: Clock) -> list[tuple[int, int]]:
    state = case.prepare()
    watch = Watch(clock)
    case.run(state, watch)
    if case.done is not None:
        case.done(state)
    return watch.laps


@contextmanager
def steady(*, pin: bool = True) -> Iterator[None]:
    """Hold this process to one core where the system allows it, and the garbage collector still."""
    cores = _pin() if pin else set()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
        if cores:
            os.sched_setaffinity(0, cores)


def _pin() -> set[int]:
    """Pin to the last allowed core (the first serves interrupts); empty where that is refused."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    try:
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(cores)})
    except OSError:
        return set()
    return cores
