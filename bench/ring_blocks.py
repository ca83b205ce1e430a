"""What views cost the one that publishes, and what they pay themselves: one process, compiled.

A record of the audit stream (160 bytes) is broadcast; a state of 512 bytes is written and read; a
counter and a histogram count. The conflating buffer takes messages of eight levels: with room they
pass, under lag they are absorbed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.context import from_process
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.broadcast import CAST_END, cast_read, cast_write
from kimera_cli.kernels.conflate import conflate_put
from kimera_cli.kernels.conflate_state import CONFLATE
from kimera_cli.kernels.counters import count, observe
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.ring import RING_END, ring_ready, ring_release
from kimera_cli.kernels.seqlock import state_read, state_write
from kimera_cli.layouts import DEPTH, EVENT, F_LAST, RECORD
from kimera_cli.records import Bench
from kimera_cli.shm.broadcast import Broadcaster, Listener, broadcast_shape
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.counters import Counter, CounterWriter
from kimera_cli.shm.layout import TAIL_AT
from kimera_cli.shm.ring import Consumer, ring_shape
from kimera_cli.shm.state import StateReader, StateWriter, state_shape

from .harness import BATCH, Case, Watch
from .request import Request, row

OPERATIONS = 1_000_000
STATE = np.dtype([("words", "i8", (64,))])
MESSAGE = 8
"""Levels of one message."""
PRICES = 512
CAPACITY = 1 << 15
FACTS = {
    "broadcast.write": f"records of {RECORD.itemsize} bytes, one at a time, nobody reads",
    "broadcast.read": f"records of {RECORD.itemsize} bytes, one at a time",
    "state.write": f"a record of {STATE.itemsize} bytes, nobody reads",
    "state.read": f"a record of {STATE.itemsize} bytes that stands still",
    "counter": "one counter",
    "histogram": "values over 20 buckets",
    "conflate.pass": f"levels, {MESSAGE} to a message, the ring has room",
    "conflate.absorb": f"levels, {MESSAGE} to a message, of {2 * PRICES} prices, the ring is full",
}


@kernel
def _cast_writes(end_at, record, n):  # type: ignore[no-untyped-def]
    end = array_at(end_at, 1, CAST_END)[0]
    for _ in range(n):
        cast_write(end, record, 1)


@kernel
def _cast_reads(end_at, target, n):  # type: ignore[no-untyped-def]
    end = array_at(end_at, 1, CAST_END)[0]
    for _ in range(n):
        cast_read(end, target, 1)


@kernel
def _state_writes(slot, record, words, stride, n):  # type: ignore[no-untyped-def]
    for i in range(n):
        state_write(slot, record, words, stride, i)


@kernel
def _state_reads(slot, target, words, stride, n):  # type: ignore[no-untyped-def]
    for _ in range(n):
        state_read(slot, target, words, stride, 1)


@kernel
def _counts(cell, n):  # type: ignore[no-untyped-def]
    for _ in range(n):
        count(cell, 1)


@kernel
def _observes(histogram, n):  # type: ignore[no-untyped-def]
    for i in range(n):
        observe(histogram, i * 37)


@kernel
def _puts(buffer_at, end_at, events, n, message):  # type: ignore[no-untyped-def]
    """Give n events, `message` at a time."""
    buffer = array_at(buffer_at, 1, CONFLATE)[0]
    end = array_at(end_at, 1, RING_END)[0]
    for i in range(0, n, message):
        conflate_put(buffer, end, events + 64 * i, message)


@kernel
def _discard(end_at):  # type: ignore[no-untyped-def]
    """Take everything that is there."""
    end = array_at(end_at, 1, RING_END)[0]
    ring_release(end, ring_ready(end, end.capacity))


def rows(request: Request, folder: Path) -> Iterator[Bench]:
    """Time every operation by itself, in turn."""
    world = Blocks(folder)
    cases = [Case(name, lambda: None, world.timed(request, f)) for name, f in world.work.items()]
    cases += [
        Case("conflate.pass", lambda: None, world.passing(request)),
        Case("conflate.absorb", lambda: None, world.absorbing(request)),
    ]
    timings = request.measure(cases)
    for case in cases:
        yield row(
            request,
            case.name,
            timings[case.name],
            kind=f"batches of up to {BATCH} operations in one process",
            work=FACTS[case.name],
        )


class Blocks:
    """One of each block with what the kernels need; the arrays stay alive with it."""

    def __init__(self, folder: Path) -> None:
        clocks = from_process()
        record, rows_ = np.zeros(1, RECORD), np.zeros(4, RECORD)
        state, target = np.zeros(1, STATE), np.zeros(1 + STATE.itemsize // 8, np.int64)
        cast_shape, block_shape = broadcast_shape(RECORD, CAPACITY), state_shape(STATE)
        cast = Broadcaster(folder / "cast", cast_shape, clocks)
        self.listener = Listener(folder / "cast", cast_shape, clocks)
        writer = StateWriter(folder / "state", block_shape, clocks)
        reader = StateReader(folder / "state", block_shape, clocks)
        names = [Counter("events"), Counter("latency", "histogram", "ns")]
        counters = CounterWriter(folder / "counters", names, clocks)
        ring = ring_shape(EVENT, CAPACITY)
        self.producer = ConflatingProducer(folder / "ring", ring, clocks)
        self.consumer = Consumer(folder / "ring", ring, clocks)
        self.events = level_events(BATCH)
        self.held = (record, rows_, state, target, cast, writer, reader, counters)
        out, into = writer.slots, reader.slots
        size = (out.words, out.copy_bytes)
        states = (out.address(0), state.ctypes.data, *size)
        reads = (into.address(0), target.ctypes.data, *size)
        end_at = self.listener.end_address
        self.work: dict[str, Callable[[int], Any]] = {
            "broadcast.write": lambda n: _cast_writes(cast.end_address, record.ctypes.data, n),
            "broadcast.read": lambda n: _cast_reads(end_at, rows_.ctypes.data, n),
            "state.write": lambda n: _state_writes(*states, n),
            "state.read": lambda n: _state_reads(*reads, n),
            "counter": lambda n: _counts(counters.address("events"), n),
            "histogram": lambda n: _observes(counters.address("latency"), n),
        }

    def timed(self, request: Request, work: Callable[[int], Any]) -> Callable[[Any, Watch], None]:
        """Return a run of this work, cut into batches."""

        def run(_: Any, watch: Watch) -> None:
            for _ in range(max(1, request.size(OPERATIONS) // BATCH)):
                self.listener.end["position"] = self.listener.word(TAIL_AT) - BATCH  # to read
                watch.start()
                work(BATCH)
                watch.lap(BATCH)

        return run

    def _put(self, n: int) -> None:
        where = (self.producer.buffer_address, self.producer.end_address)
        _puts(*where, self.events.ctypes.data, n, MESSAGE)

    def passing(self, request: Request) -> Callable[[Any, Watch], None]:
        """Return a run in which the ring always has room."""

        def run(_: Any, watch: Watch) -> None:
            for _ in range(max(1, request.size(OPERATIONS) // BATCH)):
                while self.producer.drain() or self.consumer.ready():
                    _discard(self.consumer.end_address)
                watch.start()
                self._put(BATCH)
                watch.lap(BATCH)

        return run

    def absorbing(self, request: Request) -> Callable[[Any, Watch], None]:
        """Return a run in which it never has."""

        def run(_: Any, watch: Watch) -> None:
            while self.producer.room():
                self._put(BATCH)
            for _ in range(max(1, request.size(OPERATIONS) // BATCH)):
                watch.start()
                self._put(BATCH)
                watch.lap(BATCH)

        return run


def level_events(n: int) -> Any:
    """Return n levels in messages of MESSAGE, around a price that wanders."""
    rng = np.random.default_rng(11)
    events = np.zeros(n, EVENT)
    events["kind"] = DEPTH
    events["side"] = rng.integers(0, 2, n)
    events["px_ticks"] = 600_000 + rng.integers(0, PRICES, n)
    events["qty_lots"] = rng.integers(0, 50, n)
    events["flags"][MESSAGE - 1 :: MESSAGE] = F_LAST
    return events
