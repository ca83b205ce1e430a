"""The workshop of one import: part files grow in a hidden folder, unseen until they are committed.

The folder holds a lock file that its import keeps locked. A folder whose lock is free belongs to an
import that died: the next import removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.importers.base import Batch, Rows
from kimera_cli.data.manifest import Part
from kimera_cli.data.parquet import PartWriter, layout_of
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT, F_NO_EXCH_TIME
from kimera_cli.units import NS_PER_DAY

FOLDER = ".staging"
LOCK = ".lock"
"""Held while parts are put in place, and by whoever cleans up."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; wait for whoever holds it."""
    with path.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def workshop(root: Path) -> Iterator[Path]:
    """Give a folder for one import and remove it afterwards, whatever happened."""
    base = root / FOLDER
    base.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with locked(root / LOCK):  # so that no sweep comes between the folder and its lock
            path = Path(tempfile.mkdtemp(prefix="import-", dir=base))
            held.enter_context(locked(path / "lock"))
            held.callback(shutil.rmtree, path, ignore_errors=True)  # while it is locked
        yield path


def sweep(root: Path) -> int:
    """Remove the folders of dead imports; return how many. The caller holds the root's lock."""
    removed = 0
    for path in (root / FOLDER).glob("import-*"):
        try:
            stream = (path / "lock").open("ab")
        except FileNotFoundError:
            continue  # an import that has ended meanwhile
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # a living import
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


class Staged(NamedTuple):
    """A finished part in the workshop and what the manifest will say of it."""

    path: Path
    part: Part


class StagedDataset:
    """The rows of one dataset of one import, split by partition as they come."""

    def __init__(self, where: Path, instrument: Instrument, family: str, source_hash: str) -> None:
        self.instrument = instrument
        self.family = family
        self.name = f"{instrument.name}/{family}"
        self.rows = 0
        self.min_latency_ns: int | None = None
        self.backwards = 0
        self.backwards_line: int | None = None
        self._where = where
        self._hash = source_hash
        self._dtype = layout_of(family)
        self._time, self._line = (
            ("ts_local_ns", "aux") if self._dtype == EVENT else ("ts_ns", "line")
        )
        self._last_ns: int | None = None
        self._writers: dict[str, PartWriter] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        self._open = ""

    def write(self, batch: Batch) -> None:
        """Add one batch; DataError `data.instrument` when it is not of this dataset."""
        rows = batch.events
        if batch.instrument != self.instrument or rows.dtype != self._dtype:
            raise DataError(
                "data.instrument",
                f"expected {self.instrument} in all of {self.name}, was {batch.instrument}",
            )
        times = rows[self._time]
        self._watch(rows, times)
        keys = self._partitions(times)
        cuts = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(rows)]
        for start, stop in pairwise(cuts):
            self._append(self._partition(int(keys[start])), rows[start:stop], times[start:stop])
        self.rows += len(rows)

    def finish(self) -> list[Staged]:
        """Close all parts and return them in the order of their first rows."""
        staged = []
        for partition, writer in self._writers.items():
            writer.close()
            start, end = self._spans[partition]
            part = Part(
                file=f"{partition}/{self._hash[:16]}.parquet",
                partition=partition.partition("=")[2],
                rows=writer.rows,
                bytes=writer.path.stat().st_size,
                start_ns=start,
                end_ns=end,
            )
            staged.append(Staged(writer.path, part))
        return sorted(staged, key=lambda each: each.part.start_ns)

    def abandon(self) -> None:
        """Let go of the parts of an import that failed."""
        for writer in self._writers.values():
            writer.abandon()

    def _partitions(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return days (events) or years (bars) since 1970."""
        if self._dtype == EVENT:
            return times // NS_PER_DAY
        return times.astype("M8[ns]").astype("M8[Y]").astype(np.int64)

    def _partition(self, key: int) -> str:
        if self._dtype == EVENT:
            return f"day={np.datetime64(key, 'D')}"
        return f"year={1970 + key}"

    def _append(self, partition: str, rows: Rows, times: NDArray[np.int64]) -> None:
        writer = self._writers.get(partition)
        if writer is None:
            folder = self._where / self.name / partition
            folder.mkdir(parents=True)
            facts = {"kimera.dataset": self.name, "kimera.source": self._hash}
            writer = PartWriter(folder / "part.parquet", self._dtype, facts)
            self._writers[partition] = writer
        if self._open and self._open != partition:
            self._writers[self._open].flush()  # so that memory holds one partition's rows only
        self._open = partition
        writer.write(rows)
        low, high = int(times.min()), int(times.max())
        before = self._spans.get(partition, (low, high))
        self._spans[partition] = (min(low, before[0]), max(high, before[1]))

    def _watch(self, rows: Rows, times: NDArray[np.int64]) -> None:
        earlier = times[:1] if self._last_ns is None else np.array([self._last_ns])
        back = np.flatnonzero(np.diff(times, prepend=earlier) < 0)
        if len(back):
            self.backwards += len(back)
            if self.backwards_line is None:
                self.backwards_line = int(rows[self._line][back[0]])
        self._last_ns = int(times[-1])
        if self._dtype == EVENT:
            told = rows[(rows["flags"] & F_NO_EXCH_TIME) == 0]
            if len(told):
                least = int((told["ts_local_ns"] - told["ts_exch_ns"]).min())
                known = self.min_latency_ns
                self.min_latency_ns = least if known is None else min(known, least)


def on_disk(path: Path) -> None:
    """Make a file's bytes survive a power cut."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
