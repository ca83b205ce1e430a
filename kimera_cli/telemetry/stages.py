"""The stage recorder from outside: memory, switch, figures.

The loop holds the STAGES record and marks it (kernels/stages.py); this hands it the clock, turns it
on and off between two calls of the loop, and reads it. Reading copies: the loop may go on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.kernels.stages import STAGE_NAMES, STAGES, fixed_point
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import Clock
from kimera_cli.telemetry.histogram import Summary


class StageRecorder:
    """Latencies of a loop by stage; `array` (shape (1,), dtype STAGES) is what the loop takes.

    `memory` is a zeroed array of that shape, for one that lies in a locked pool.
    """

    def __init__(self, clock: Clock, *, every: int = 1, memory: Any = None) -> None:
        self.array = np.zeros(1, STAGES) if memory is None else memory
        self.row = self.array.view(np.recarray)[0]
        self.clock = clock
        self.row.every = self.row.left = every
        self.set_clock()

    def set_clock(self) -> None:
        """Take over the clock's rate: after a refresh, between two calls of the loop."""
        for name in ("tsc", "address", "clock_id"):
            self.row[name] = self.clock.row[name]
        self.row.scale, self.row.most = fixed_point(float(self.clock.row.ns_per_tick))

    def switch(self, on: bool) -> None:
        """Measure from the next message on, or no more."""
        self.row.on = int(on)
        self.row.live = 0

    def clear(self) -> None:
        """Forget what was measured."""
        self.row.live = 0
        for row in self.row.histograms:
            histogram.clear(row)

    def rows(self) -> dict[str, Any]:
        """Return the HISTOGRAM record of every stage by name, empty ones too."""
        return dict(zip(STAGE_NAMES, self.row.histograms, strict=True))

    def summary(self) -> dict[str, Summary]:
        """Return the figures of the stages that were reached."""
        found = {name: histogram.summarise(row) for name, row in self.rows().items()}
        return {name: each for name, each in found.items() if each.n or each.under or each.over}

    def write(self, path: Path, start_ns: int, end_ns: int) -> None:
        """Write every stage to an .hlog file; times are ns since the epoch."""
        histogram.write_log(path, self.rows(), start_ns, end_ns)
