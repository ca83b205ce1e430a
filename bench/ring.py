"""Two processes and one ring: messages/s, and how long a message is on its way; then the blocks.

`ring.single` publishes every message by itself, `ring.batch` 64 at once; the reader checks number
and hash of each. `ring.latency` is an open loop at a million messages a second: each carries when
it was due, so a stall is seen by every message that it held up. The yardstick is the same ring in
C++ (limit/ring.cpp), its processes on the same cores, in turn with kimera's. `detail.preempted`
counts how often the system put a side off its core in each run: where it did, the run says more
about the host's other work than about the ring.

The other rows are one process: what publishing costs the loop (`broadcast.write`, `state.write`,
`counter`, `histogram`), what a view pays, and the conflating buffer with and without lag.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.layouts import EVENT
from kimera_cli.records import Bench
from kimera_cli.shm.folder import SHARED_MEMORY
from kimera_cli.shm.ring import ring_shape
from kimera_cli.telemetry.clock import Clock, calibrate

from . import ring_blocks, targets
from .harness import Case, Timing, Watch, measure
from .limit import ABSENT
from .request import Request, row
from .ring_side import Job, Side, both, sides
from .yardstick import yardstick

MESSAGES = 10_000_000
PACED = 1_000_000
CAPACITY = 1 << 14
BATCH = 64
RATE = 1_000_000
"""Messages due per second."""
WARM_UP = 0.1
"""Share of the paced messages that is not counted: caches and the reader's first pages."""
FAST, P50_NS, TIMES_CPP = 12e6, 300, 1.5
SHAPE = ring_shape(EVENT, CAPACITY)


@dataclass
class Lateness(Timing):
    """Latency of every paced message in ns; each repeat has its median."""

    parts: list[Any] = field(default_factory=list)

    def take(self, late_ns: Any) -> None:
        """Take in one repeat."""
        late_ns = late_ns[int(WARM_UP * len(late_ns)) :]
        self.n = self.batch = len(late_ns)
        self.repeats_ns.append(float(np.median(late_ns)))
        self.parts.append(late_ns)
        self.batches_ns.append(float(late_ns.max()))

    @property
    def median_ns(self) -> float:
        """Median of the repeats' medians."""
        return statistics.median(self.repeats_ns)

    def tail_ns(self, q: float) -> float:
        """Observed quantile over the messages of all repeats."""
        return float(np.quantile(np.concatenate(self.parts), q, method="inverted_cdf"))


def rows(request: Request) -> Iterator[Bench]:
    """Time the ring between two processes, then the blocks in one."""
    cores = _cores()
    with _folder() as folder, sides(folder / "ring", cores) as (writer, reader):
        for name, batch in (("ring.single", 1), ("ring.batch", BATCH)):
            yield _flat(request, name, batch, cores, (writer, reader))
        yield _paced(request, folder, cores, (writer, reader))
    with _folder() as folder:
        yield from ring_blocks.rows(request, folder)


def _cores() -> list[int | None]:
    """Return a core for each side; none where the system does not say or has only one."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return [allowed[0], allowed[-1]] if len(allowed) > 1 else [None, None]


@contextmanager
def _folder() -> Iterator[Path]:
    shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="kimera-ring-", dir=shared) as folder:
        yield Path(folder)


def _flags(cores: list[int | None]) -> list[int]:
    return [-1 if core is None else core for core in cores]


def _flat(
    request: Request, name: str, batch: int, cores: list[int | None], pair: tuple[Side, Side]
) -> Bench:
    n = request.size(MESSAGES)
    preempted: list[int] = []
    job = Job(n, batch=batch)
    arguments: tuple[str | int, ...] = ("flat", n, batch, CAPACITY, *_flags(cores))
    with yardstick(request, "ring", [], *arguments) as limit:
        cases = [Case(name, lambda: None, lambda _, watch: _once(pair, job, watch, preempted))]
        cases += [limit.case()] if limit else []
        timings = measure(cases, request.repeats, request.clock)
    ours, floor = timings[name], timings.get("limit")
    return row(
        request,
        name,
        ours,
        kind=f"whole runs of {n} messages between two processes",
        limit=floor,
        goals=_goals(cores, ours, floor, targets.rate(ours, FAST, "messages")),
        cores=_flags(cores),
        published_at_once=batch,
        capacity=CAPACITY,
        preempted=preempted[1:],
        compared="" if limit else ABSENT,
    )


def _once(pair: tuple[Side, Side], job: Job, watch: Watch, preempted: list[int]) -> None:
    wrote, read = both(*pair, job)
    watch.laps.append((read.ended_ns - wrote.began_ns, job.n))
    preempted.append(wrote.preempted + read.preempted)


def _goals(
    cores: list[int | None], ours: Timing, floor: Timing | None, first: targets.Goal
) -> list[targets.Goal]:
    """On one core the two sides take turns: neither goal says anything about the ring then."""
    goals = [first, targets.limit(ours, floor, TIMES_CPP)]
    if None in cores:
        return [targets.Goal(goal.text, None) for goal in goals]
    return goals


def _paced(
    request: Request, folder: Path, cores: list[int | None], pair: tuple[Side, Side]
) -> Bench:
    n = request.size(PACED)
    clock, preempted = calibrate(), list[int]()
    gap = 1e9 / RATE / clock.rate
    files = {name: folder / f"{name}.bin" for name in ("ours", "limit")}
    job = Job(n, gap=gap, out=str(files["ours"]))
    ours, floor = Lateness(), Lateness()
    tsc = int(clock.row.tsc)
    arguments: tuple[str | int, ...] = (
        "paced",
        n,
        repr(gap),
        CAPACITY,
        *_flags(cores),
        tsc,
        str(files["limit"]),
    )
    with yardstick(request, "ring", [], *arguments) as limit:
        for repeat in range(request.repeats + 1):
            _once(pair, job, Watch(request.clock), preempted)
            _take(repeat, ours, files["ours"], clock)
            if limit:
                limit.run()
                _take(repeat, floor, files["limit"], clock)
    compared = floor if limit else None
    return row(
        request,
        "ring.latency",
        ours,
        kind="messages, from when each was due to its reading",
        limit=compared,
        goals=_goals(cores, ours, compared, targets.quantile(ours, "p50", P50_NS)),
        cores=_flags(cores),
        due_per_s=RATE,
        clock="time-stamp counter" if tsc else "clock_gettime",
        preempted=preempted[1:],
        limit_p99_ns=round(floor.tail_ns(0.99), 1) if limit else None,
        limit_p999_ns=round(floor.tail_ns(0.999), 1) if limit else None,
        compared="" if limit else ABSENT,
    )


def _take(repeat: int, timing: Lateness, file: Path, clock: Clock) -> None:
    """Take in one repeat, but for the first."""
    if repeat:
        timing.take(np.fromfile(file, np.int64) * clock.rate)
