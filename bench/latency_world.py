"""The state that `kimera bench latency` works on: one instrument, one strategy with its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.errors import RunError
from kimera_cli.host.pool import Pool
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.histogram import HISTOGRAM
from kimera_cli.kernels.stages import STAGES
from kimera_cli.kernels.table import MAGIC, seal_entries, table_publish
from kimera_cli.layouts import BUY, EVENT, F_LAST, SELL, TABLE, TABLE_AXES, TABLE_SIDE, TABLE_USE
from kimera_cli.telemetry.clock import Clock
from kimera_cli.telemetry.stages import StageRecorder

from .harness import BATCH, Watch
from .latency_work import PLACES, run_messages, run_stamps
from .loop_run import LoopRun, MemorySource, comparable_profile, sleeved

STRATEGY = Path(__file__).with_name("every_tick.py")
AXES = ("queue_imbalance", "depth_imbalance", "ofi", "signed_flow")
BINS = 8
"""Four axes of eight bins: 4,096 cells, the default size of a table."""
REACH = {"ofi": 1e6, "signed_flow": 1e6}
"""Lots at which the outermost bins of an axis begin; imbalances go from -1 to 1."""
CHANGING = ("loop", "gate", "streams", "books", "features", "views")


class Meters:
    """Clock, histograms and stage recorder of one measurement, in the pool."""

    def __init__(self, clock: Clock, pool: Pool) -> None:
        self.clock = clock
        self.recorder = StageRecorder(clock, memory=pool.zeros(1, STAGES))
        self._rows = pool.zeros(2, HISTOGRAM)
        self.response, self.service = self._rows.view(np.recarray)
        self.addresses = np.zeros(len(PLACES), np.int64)
        self.point("response", self._rows[:1])
        self.point("service", self._rows[1:])
        self.point("stages", self.recorder.array)
        self.point("clock", clock.array)

    def point(self, place: str, array: Any) -> None:
        """Let kernels find `array` at a place."""
        self.addresses[PLACES.index(place)] = array.ctypes.data

    @property
    def rows(self) -> dict[str, Any]:
        """The histograms of whole messages: from the due time, and from the take-up."""
        return {"response": self.response, "service": self.service}

    def ticks(self, ns: float) -> int:
        """Return a duration in ticks of the clock."""
        return round(ns / float(self.clock.row.ns_per_tick))

    def stamps(self, n: int, gap_ns: float) -> None:
        """Measure nothing, n times."""
        run_stamps(self.addresses, n, self.ticks(gap_ns))


class World:
    """A run over `events` (dtype EVENT), started anew as often as wanted."""

    def __init__(self, events: Any, instrument: Instrument, meters: Meters, pool: Pool) -> None:
        if not len(events):
            raise RunError("run.bench_tape", "expected events to measure on, was none")
        self.events = pool.zeros(len(events), EVENT)
        self.events[:] = events
        self.ends = np.flatnonzero(events["flags"] & F_LAST) + 1
        self.meters = meters
        self.warm = 0
        source = MemorySource("bench/latency/l2", instrument, self.events)
        profile = comparable_profile(0, 0, 3.0)
        self.arrays = LoopRun(source, sleeved(str(STRATEGY), 0), profile).arrays
        self.table = filled_table(pool)
        self.use = pool.zeros(1, TABLE_USE)
        self.use["table"] = self.table.ctypes.data
        self.arrays.views["table"] = self.use.ctypes.data
        self._first = {name: np.copy(getattr(self.arrays, name)) for name in CHANGING}

    def restart(self, warm_up: float) -> None:
        """Begin anew, and run this share of the messages without measuring."""
        for name, first in self._first.items():
            getattr(self.arrays, name)[...] = first
        for place in PLACES:
            if place != "stages" and hasattr(self.arrays, place):
                self.meters.point(place, getattr(self.arrays, place))
        self.meters.point("events", self.events)
        self.warm = int(self.ends[round((len(self.ends) - 1) * warm_up)])
        recorder = self.meters.recorder
        on = bool(recorder.row.on)
        recorder.switch(False)
        self._messages(0, self.warm, 0, measured=False)
        recorder.switch(on)

    def run(self, gap_ns: float, warm_up: float) -> int:
        """Run the tape in an open loop; return how many messages were taken up late."""
        self.restart(warm_up)
        return self._messages(self.warm, int(self.ends[-1]), self.meters.ticks(gap_ns))

    def drain(self, watch: Watch, warm_up: float) -> None:
        """Run the tape without a schedule, a lap per batch of messages."""
        self.restart(warm_up)
        first = int(np.searchsorted(self.ends, self.warm))
        stops = [*self.ends[first + BATCH :: BATCH].tolist(), int(self.ends[-1])]
        begin = self.warm
        watch.start()
        for stop in stops:
            if stop > begin:
                self._messages(begin, stop, 0, measured=False)
                watch.lap(stop - begin)
            begin = stop

    @property
    def orders(self) -> int:
        """Orders that passed the gate since the restart, those of the warm-up included."""
        return int(self.arrays.loop["n_intents"][0])

    @property
    def denied(self) -> int:
        """Orders that the gate refused since the restart."""
        return int(self.arrays.loop["n_denied"][0])

    def _messages(self, begin: int, end: int, gap_ticks: int, measured: bool = True) -> int:
        room = len(self.arrays.records)
        return int(run_messages(self.meters.addresses, room, begin, end, gap_ticks, int(measured)))


def filled_table(pool: Pool) -> Any:
    """Return a published TABLE with an entry in every cell, half of them buy and half sell."""
    table, side = pool.zeros(1, TABLE), pool.zeros(1, TABLE_SIDE)
    table["magic"], table["bytes"] = MAGIC, TABLE.itemsize
    side["version"], side["cells"] = 1, BINS ** len(AXES)
    side["edges"] = np.inf
    for k, name in enumerate(AXES):
        axis, reach = TABLE_AXES.index(name), REACH.get(name, 1.0)
        side["strides"][0, axis], side["bins"][0, axis] = BINS**k, BINS
        side["edges"][0, axis, : BINS - 1] = np.linspace(-reach, reach, BINS + 1)[1:-1]
    side["lasts"] = side["edges"][:, :, 7::8]
    entries = side["entries"][0]
    entries["version"], entries["expires_ns"], entries["confidence"] = 1, 1 << 62, 1.0
    entries["action"] = np.where(np.arange(len(entries)) % 2, SELL, BUY)
    seal_entries(side.ctypes.data)
    table_publish(table.ctypes.data, side.ctypes.data)
    return table
