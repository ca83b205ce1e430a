"""Latency per stage of the loop (run.stages): measured while it runs, kept in the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimera_cli.records import Stage

if TYPE_CHECKING:
    from kimera_cli.telemetry.stages import StageRecorder

FILE = "stages.hlog"
REFRESH_NS = 1_000_000_000
"""Time between two looks at the system's clock; each takes some 15 us."""


class StageTimes:
    """The stage recorder of one run; does nothing where it is not wanted."""

    def __init__(self, memory: Any, wanted: bool, monotonic_ns: Callable[[], int]) -> None:
        """Switch the recorder in `memory` (shape (1,), dtype STAGES) on if it is wanted.

        RunError `run.clock` where the host has no clock that a loop can read.
        """
        self._recorder: StageRecorder | None = None
        self._monotonic_ns = monotonic_ns
        if wanted:
            from kimera_cli.telemetry.clock import calibrate
            from kimera_cli.telemetry.stages import StageRecorder

            self._recorder = StageRecorder(calibrate(), memory=memory)
            self._recorder.switch(True)
        self._next_ns = monotonic_ns() + REFRESH_NS

    def arrived(self, ages_ns: Any) -> None:
        """Count how old live messages were when the loop took them: the stage wire_to_event."""
        if self._recorder is not None:
            from kimera_cli.kernels.histogram import histogram_add_all
            from kimera_cli.kernels.stages import WIRE_TO_EVENT

            histogram_add_all(self._recorder.row.histograms[WIRE_TO_EVENT], ages_ns)

    def refresh(self) -> None:
        """Follow the system's clock, once a second. Between two calls of the loop only."""
        if self._recorder is not None and self._monotonic_ns() >= self._next_ns:
            self._recorder.clock.refresh()
            self._recorder.set_clock()
            self._next_ns = self._monotonic_ns() + REFRESH_NS

    def records(self, run: str) -> Iterator[Stage]:
        """Yield the figures of each stage that was reached; `run` is the run's id."""
        if self._recorder is None:
            return
        for name, found in self._recorder.summary().items():
            yield Stage(
                run=run,
                stage=name,
                count=found.n,
                p50_ns=found.median_ns,
                p99_ns=found.p99_ns,
                p999_ns=found.p999_ns,
                max_ns=found.max_ns,
                under=found.under,
                over=found.over,
            )

    def write(self, path: Path, start_ns: int, end_ns: int) -> None:
        """Write every stage to an .hlog file, if they were measured; ns since the epoch."""
        if self._recorder is not None:
            self._recorder.write(path, start_ns, end_ns)
