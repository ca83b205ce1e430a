"""Events of one dataset as the loop reads them: in chunks, in recording order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from kimera_cli.data.manifest import DatasetInfo
from kimera_cli.data.parquet import layout_of, read_rows
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT, VENUES, Events
from kimera_cli.units import NS_PER_DAY

CHUNK = 16_384
"""Rows of one chunk: 1 MiB of events, which stays in the cache of one core."""


class EventSource:
    """The rows of a dataset, streamed from its Parquet parts; memory stays flat."""

    def __init__(self, info: DatasetInfo, files: Sequence[Path]) -> None:
        self.info = info
        self.files = list(files)

    @property
    def dataset(self) -> str:
        """`venue/symbol/family`."""
        return self.info.dataset

    @property
    def instrument(self) -> Instrument:
        """What was recorded, with its grid."""
        return self.info.instrument

    @property
    def family(self) -> str:
        """`l2`, `l3`, or one of bars."""
        return self.info.family

    @property
    def source_hash(self) -> str:
        """SHA-256 in hex over the recordings."""
        return self.info.source_hash

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.info.rows

    @property
    def start_ns(self) -> int:
        """Local time of the first row."""
        return self.info.start_ns

    @property
    def end_ns(self) -> int:
        """Local time of the last row."""
        return self.info.end_ns

    @property
    def min_latency_ns(self) -> int | None:
        """Least local minus exchange time (negative when the recorder's clock is behind)."""
        return self.info.min_latency_ns

    def chunks(self, size: int = CHUNK) -> Iterator[Events]:
        """Yield the rows (EVENT, for bars OHLCV), at most `size` at a time, in recording order.

        DataError `data.overlap` when several sources cover the same time: their rows cannot be told
        apart any more.
        """
        self._refuse_overlap()
        dtype = layout_of(self.family)
        venue = VENUES.index(self.instrument.venue) if dtype == EVENT else 0
        for path in self.files:
            for rows in read_rows(path, dtype, size):
                if dtype == EVENT:
                    rows["venue"] = venue
                yield rows

    def read(self) -> Events:
        """Return all rows at once: for bars and small recordings."""
        return np.concatenate([np.zeros(0, layout_of(self.family)), *self.chunks()])

    def require_replayable(self) -> None:
        """Raise unless a loop can run on this: DataError `data.family`, `data.time_backwards`."""
        if self.family not in ("l2", "l3"):
            raise DataError(
                "data.family",
                f"expected a dataset of events (l2 or l3), was {self.dataset}",
                "replay a recording of a book; see `kimera fetch list`",
            )
        for source in self.info.sources:
            if source.backwards:
                name, line = source.files[0], source.backwards_line or 0
                raise DataError(
                    "data.time_backwards",
                    f"expected local times in order in {name}, was back in time "
                    f"{source.backwards} times, first in line {line}",
                    f"kimera fetch check {self.dataset}",
                    file=name,
                    line=line,
                )

    def _refuse_overlap(self) -> None:
        for earlier, later in pairwise(self.info.sources):
            if later.start_ns < earlier.end_ns:
                raise DataError(
                    "data.overlap",
                    f"expected sources one after the other in {self.dataset}, was an overlap of "
                    f"{earlier.files[0]} and {later.files[0]}",
                    "name one of the recordings by its path",
                )


def day_of(ts_ns: int) -> str:
    """Return the UTC day of a time, as YYYY-MM-DD."""
    return str(np.datetime64(ts_ns // NS_PER_DAY, "D"))
