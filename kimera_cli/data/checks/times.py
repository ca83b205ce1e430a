"""Checks of the times of a recording: in order, not in the future; and how late the feed is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.checker import Checker
from kimera_cli.data.checks.histogram import Histogram
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.layouts import (
    CHECKSUM,
    CLEAR,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    I64,
    QUOTE,
    STATUS,
    TRADE,
)
from kimera_cli.records import Check
from kimera_cli.units import NS_PER_S

WHOLE_BOOKS = ("htx",)
"""Venues that send the whole book each time: their snapshots are the feed, with times of their
own."""

_STREAMS = 3


class TimeChecks(Checker):
    """`time_local`, `time_exchange` and `future` of one dataset, and the latencies for
    quantiles."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        names = ("time_local", "time_exchange", "future")
        self._tallies = {name: Tally(subject) for name in names}
        self.latency = Histogram()
        whole = subject.instrument.venue in WHOLE_BOOKS
        self._timeless = F_NO_EXCH_TIME | (0 if whole else F_SNAPSHOT)
        self.start()

    def start(self) -> None:
        """Forget the last times."""
        self._last: dict[tuple[str, int], int] = {}

    def see(self, rows: NDArray[np.void]) -> None:
        """Compare each time with the one before it of the same stream."""
        line, kind = rows["aux"].astype(np.int64), rows["kind"]
        self._backwards("time_local", 0, rows["ts_local_ns"], line)
        own = (rows["flags"] & self._timeless) == 0
        own &= (kind != CLEAR) & (kind != CHECKSUM) & (kind != STATUS)
        stream = np.where(kind == TRADE, 1, np.where(kind == QUOTE, 2, 0))
        for each in range(_STREAMS):
            mask = own & (stream == each)
            self._backwards("time_exchange", each, rows["ts_exch_ns"][mask], line[mask])
        self._future(rows, line)
        told = (rows["flags"] & (self._timeless | F_LAST)) == F_LAST  # one per message
        self.latency.add(rows["ts_local_ns"][told] - rows["ts_exch_ns"][told])

    def _backwards(self, name: str, stream: int, times: I64, line: I64) -> None:
        if not len(times):
            return
        before = self._last.get((name, stream), int(times[0]))
        self._last[name, stream] = int(times[-1])
        back = np.flatnonzero(np.diff(times, prepend=before) < 0)
        tally = self._tallies[name]
        tally.good(len(times) - len(back))
        if len(back):
            at = int(back[0])
            earlier = int(times[at - 1]) if at else before
            step = (earlier - int(times[at])) / NS_PER_S
            said = (
                f"expected a time at or after {earlier}, was {int(times[at])} ({step:.6f} s back)"
            )
            tally.bad(int(line[at]), said, len(back))

    def _future(self, rows: NDArray[np.void], line: I64) -> None:
        now_ns, tally = self.subject.now_ns, self._tallies["future"]
        latest = np.maximum(rows["ts_local_ns"], rows["ts_exch_ns"])
        late = np.flatnonzero(latest > now_ns)
        tally.good(len(rows) - len(late))
        if len(late):
            at = int(late[0])
            said = f"expected a time before now ({now_ns}), was {int(latest[at])}"
            tally.bad(int(line[at]), said, len(late))

    def results(self) -> Iterator[Check]:
        """Yield the three tallies; the quantiles of `latency` are told by `latency.results`."""
        for name, tally in self._tallies.items():
            yield tally.record(name)
