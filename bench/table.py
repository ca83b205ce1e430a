"""The decision table: a lookup with all its checks and counts, a swap, and one during the other.

`table.lookup` looks up 128 states over and over, which lie in the nearest cache as the state of one
instrument does in the loop; `table.lookup_spread` looks up states all over the 4,096 cells, so that
most entries come from the second cache. `detail.fresh_ns` is what the table saves: the time of the
member that filled it, asked anew. `table.lookup_swapping` is the first while another thread
publishes without a pause.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kimera_cli.ensemble import next_move, quantiser
from kimera_cli.ensemble.fill import Stamp, fill
from kimera_cli.ensemble.publish import PrivateMemory, Reader
from kimera_cli.ensemble.states import States, next_moves
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.table import look_run, table_publish
from kimera_cli.layouts import TABLE_AXES, TABLE_SIDE
from kimera_cli.records import Bench

from . import targets
from .harness import Case, Watch
from .request import Request, row

LOOKUPS = 500_000
STATES = 16_384
HOT = 128
FRESH = 512
SWAPS = 500
SEED = 11
QI, OFI = TABLE_AXES.index("queue_imbalance"), TABLE_AXES.index("ofi")
LOOKUP_NS = 20.0


@kernel
def look_again(reader, states, n, times, answers, repeats):  # type: ignore[no-untyped-def]
    """Look up the same n states several times; arguments as `look_run`."""
    for _ in range(repeats):
        look_run(reader, states, n, times, answers)


class Bed:
    """A filled and published table, its member, and states to look up."""

    def __init__(self) -> None:
        self.states = _states()
        axes = quantiser.parse_axes(quantiser.DEFAULT_AXES)
        self.member = next_move.learn(self.states, [axis for axis, _ in axes])
        cut = quantiser.learn(self.states.x, axes)
        self.side = fill(self.member, cut, self.states, Stamp(1, 0, 1 << 62))
        self.memory = PrivateMemory()
        table_publish(self.memory.address, self.side.ctypes.data)
        self.reader = Reader(self.memory)
        self.rows = self.states.rows()
        self.times = self.states.ts_ns
        self.answers = np.zeros((STATES, 3), np.int64)

    def look(self, n: int, repeats: int) -> None:
        """Look up the first n states, several times."""
        look_again(
            self.reader.address,
            self.rows.ctypes.data,
            n,
            self.times.ctypes.data,
            self.answers.ctypes.data,
            repeats,
        )


def rows(request: Request) -> Iterator[Bench]:
    """Time lookups, swaps, and lookups under swaps."""
    bed, n = Bed(), request.size(LOOKUPS)
    cases = [
        Case("hot", lambda: bed, _look(HOT, n)),
        Case("spread", lambda: bed, _look(STATES, n)),
        Case("fresh", lambda: bed, _ask),
        Case("swap", lambda: bed, _swap),
    ]
    timings = request.measure(cases)
    swapped = request.measure([Case("swapping", lambda: bed, _look_swapping(n))], pin=False)
    facts: dict[str, Any] = {"cells": int(bed.side["cells"][0]), "axes": quantiser.DEFAULT_AXES}
    fresh_ns = round(timings["fresh"].median_ns, 1)
    for name, case in (("table.lookup", "hot"), ("table.lookup_spread", "spread")):
        yield row(
            request,
            name,
            timings[case],
            kind=f"batches of {STATES} lookups",
            goals=[targets.quantile(timings[case], "p50", LOOKUP_NS)] if case == "hot" else [],
            fresh_ns=fresh_ns,
            statuses=bed.reader.tally().by_status,
            **facts,
        )
    yield row(
        request,
        "table.lookup_swapping",
        swapped["swapping"],
        kind=f"batches of {STATES} lookups while another thread publishes",
        against_still=round(swapped["swapping"].median_ns / timings["hot"].median_ns, 3),
        **facts,
    )
    yield row(
        request,
        "table.swap",
        timings["swap"],
        kind="one publication each",
        bytes=TABLE_SIDE.itemsize,
        **facts,
    )


def _states() -> States:
    """Return states that fill the cells evenly; what a lookup costs does not depend on them."""
    rng = np.random.default_rng(SEED)
    x = np.zeros((STATES, len(TABLE_AXES)))
    x[:, QI], x[:, OFI] = rng.uniform(-1, 1, STATES), rng.normal(0.0, 100.0, STATES)
    steps = np.where(rng.uniform(-1, 1, STATES) < x[:, QI], 1.0, -1.0)
    mid = 1e5 + np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    ts_ns = np.arange(1, STATES + 1, dtype=np.int64)
    return States(ts_ns, x, mid, np.ones(STATES, bool), *next_moves(ts_ns, mid))


def _look(n: int, lookups: int) -> Callable[[Bed, Watch], None]:
    def run(bed: Bed, watch: Watch) -> None:
        watch.start()
        for _ in range(max(1, lookups // STATES)):
            bed.look(n, STATES // n)
            watch.lap(STATES)

    return run


def _ask(bed: Bed, watch: Watch) -> None:
    watch.start()
    bed.member.decide(*bed.member.expect(bed.states.x[:FRESH]))
    watch.lap(FRESH)


def _swap(bed: Bed, watch: Watch) -> None:
    watch.start()
    for _ in range(SWAPS):
        table_publish(bed.memory.address, bed.side.ctypes.data)
        watch.lap(1)


def _look_swapping(lookups: int) -> Callable[[Bed, Watch], None]:
    def run(bed: Bed, watch: Watch) -> None:
        ended, address = threading.Event(), bed.side.ctypes.data

        def publish() -> None:
            while not ended.is_set():
                table_publish(bed.memory.address, address)

        publisher: Any = threading.Thread(target=publish)
        publisher.start()
        try:
            _look(HOT, lookups)(bed, watch)
        finally:
            ended.set()
            publisher.join()

    return run
