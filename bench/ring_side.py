"""One side of a ring in a process of its own: it works whenever it is sent a job, and answers.

Both sides run the same kernels as the stress test (ring_work.py). A job that finds the other side
gone ends with an error instead of waiting for ever.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kimera_cli.engine.child import start_unheard
from kimera_cli.errors import RunError

PATIENCE_S = 2
Name = Literal["writer", "reader"]


@dataclass(frozen=True)
class Job:
    """What to do with `n` messages: `batch` at once as fast as it goes, or one per `gap` ticks.

    `out` is the file for the reader's lateness in ticks.
    """

    n: int
    batch: int = 1
    gap: float = 0.0
    out: str = ""


@dataclass(frozen=True)
class Done:
    """When a side began and ended (monotonic ns), and how often it was put off its core."""

    began_ns: int
    ended_ns: int
    preempted: int
    error: str = ""


class Side:
    """A running side: `send` a job, then `wait` for it."""

    def __init__(self, name: Name, path: Path, core: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.link, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(name, path, core, other), daemon=True)
        start_unheard(self.process)
        other.close()

    def send(self, job: Job) -> None:
        """Give it work; it begins at once. RunError `run.bench_ring` when it died."""
        try:
            self.link.send(job)
        except OSError as error:
            raise self._failed("the process ended") from error

    def take(self) -> Done:
        """Return its answer; RunError `run.bench_ring` when it failed or died."""
        try:
            done: Done = self.link.recv()
        except (EOFError, OSError) as error:
            raise self._failed("the process ended") from error
        if done.error:
            raise self._failed(done.error)
        return done

    def _failed(self, was: str) -> RunError:
        return RunError(
            "run.bench_ring",
            f"expected the {self.name} of the ring to do its work, was: {was}",
            "run it again; if it fails again that is a defect of kimera: please report it",
        )

    def close(self) -> None:
        """End the process, also one that spins because the other side is gone."""
        self.link.close()
        self.process.join(PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def both(writer: Side, reader: Side, job: Job) -> tuple[Done, Done]:
    """Let both do a job; return their answers as soon as both are there.

    The writer is sent its job first: it is on another core than this process, so that even a side
    that never yields its core (real-time scheduling) cannot keep the other from beginning.
    """
    writer.send(job)
    reader.send(job)
    answers: dict[str, Done] = {}
    while len(answers) < 2:
        waiting = {side.link: side for side in (writer, reader) if side.name not in answers}
        for link in wait(list(waiting)):
            side = waiting[link]  # type: ignore[index]
            answers[side.name] = side.take()
    return answers["writer"], answers["reader"]


@contextmanager
def sides(path: Path, cores: list[int | None]) -> Iterator[tuple[Side, Side]]:
    """Start writer and reader of a new ring at `path`, on these cores."""
    writer = Side("writer", path, cores[0])
    reader = Side("reader", path, cores[1])
    try:
        yield writer, reader
    finally:
        writer.close()
        reader.close()


def _serve(name: Name, path: Path, core: int | None, link: Connection) -> None:
    from kimera_cli.context import from_process
    from kimera_cli.shm.ring import Consumer, Producer
    from kimera_cli.telemetry.clock import calibrate

    from .ring import SHAPE

    if core is not None:
        os.sched_setaffinity(0, {core})
    clocks = from_process()
    kind = Producer if name == "writer" else Consumer
    end = kind(path, SHAPE, clocks)
    clock = calibrate()
    try:
        while True:
            job = link.recv()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
            began = clocks.monotonic_ns()
            error = _work(end, job, int(clock.array.ctypes.data))
            ended = clocks.monotonic_ns()
            preempted = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before
            link.send(Done(began, ended, preempted, error))
    except (EOFError, ConnectionError):  # the other process hung up, also before it had an answer
        end.close()


def _work(end: Any, job: Job, clock_at: int) -> str:
    from . import ring_work as work

    stop = end.position + job.n
    if job.gap:
        if end.side == "writer":
            reached = work.produce_paced(end.end_address, job.n, clock_at, job.gap)
        else:
            late = np.empty(job.n, np.int64)
            reached = work.consume_paced(end.end_address, job.n, clock_at, late.ctypes.data)
            late.tofile(job.out)
        return "" if reached == stop else f"status {reached}"
    while end.position < stop:
        end.beat()
        if end.side == "writer":
            reached = work.produce(end.end_address, stop, job.batch, True)
        else:
            reached = work.consume(end.end_address, stop, True)
        if reached < 0:
            return f"status {reached}"
        if reached < stop and end.peer("reader" if end.side == "writer" else "writer").state in (
            "dead",
            "closed",
        ):
            return "the other side ended"
    return ""
