"""Fetched history in the catalog: a dataset that grows page by page, each page whole or not there.

Rows that were fetched are sources of their own in the dataset's manifest. Bars are one source,
whatever was fetched when. Trades are one source per stretch without a hole, so that the time
between two sources is what is still missing. A page is one Parquet part, merged with the parts that
it overlaps; the manifest is replaced last, so a killed fetch loses the page that it was at. What is
in a dataset does not depend on how it was paged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kimera_cli.data import manifest
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import Rows
from kimera_cli.data.manifest import DatasetInfo, Part, Source
from kimera_cli.data.parquet import PartWriter, columns, layout_of, read_rows
from kimera_cli.data.source import day_of
from kimera_cli.data.staging import LOCK, locked, on_disk, workshop
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT, I64, aligned_zeros

FORMAT = "ccxt"
"""Format of fetched sources in the manifest."""
MOST_PARTS = 32
"""Parts of one day or year before they become one."""
_CHUNK = 131_072


class History:
    """One dataset of fetched rows. `origin` says in the manifest where they are from.

    DataError `data.mixed` when the dataset holds imported rows: nobody could tell afterwards which
    of two rows of the same time is the venue's.
    """

    def __init__(self, catalog: Catalog, instrument: Instrument, family: str, origin: str) -> None:
        self.catalog, self.family = catalog, family
        self.name = f"{instrument.name}/{family}"
        self.dtype = layout_of(family)
        self.events = self.dtype == EVENT
        self._time = "ts_local_ns" if self.events else "ts_ns"
        self._origin = origin
        self._folder = manifest.folder(catalog.root, self.name)
        info = manifest.load(self._folder)
        self._refuse_imports(info.sources if info else [])
        self.instrument = info.instrument if info else instrument
        """As it was when the first row came: one dataset has one grid."""

    def sources(self) -> list[Source]:
        """Return what is held, in the order of time."""
        info = manifest.load(self._folder)
        return info.sources if info else []

    def rows(self, start_ns: int, end_ns: int) -> Rows:
        """Return the held rows of [start_ns, end_ns), in order."""
        parts = [part for source in self.sources() for part in source.parts]
        near = [part for part in parts if part.start_ns < end_ns and part.end_ns >= start_ns]
        rows = self._read(near)
        times = rows[self._time]
        return rows[(times >= start_ns) & (times < end_ns)]

    def times(self, start_ns: int, end_ns: int) -> I64:
        """Return the times of the held rows of [start_ns, end_ns)."""
        return self.rows(start_ns, end_ns)[self._time].copy()

    def add(self, rows: Rows, *, joins: bool = True) -> Rows:
        """Write a page; return those of its rows that were not there, in order.

        A row is known by its time (bars) or by its time and number (trades); what is held stays.
        `joins`: nothing is missing between the source that ends before this page and the page.
        """
        with workshop(self.catalog.root) as where, locked(self.catalog.root / LOCK):
            sources = self.sources()
            taken = self._belongs(sources, rows, joins)
            held = [part for source in taken for part in source.parts]
            kept, made, fresh = self._merge(where, held, rows)
            if not len(fresh) and len(taken) == 1:
                return fresh
            others = [source for source in sources if source not in taken]
            self._commit([*kept, *made], others)
            self._drop(set(held) - set(kept) - set(made))
        return fresh

    def settle(self) -> None:
        """Make one part of each day (bars: year), as if all had come in one page."""
        with workshop(self.catalog.root) as where, locked(self.catalog.root / LOCK):
            for source in self.sources():
                kept, made, _ = self._merge(where, source.parts, self._none(), whole=True)
                if made:
                    others = [each for each in self.sources() if each.hash != source.hash]
                    self._commit([*kept, *made], others)
                    self._drop(set(source.parts) - set(kept) - set(made))

    def _belongs(self, sources: Sequence[Source], rows: Rows, joins: bool) -> list[Source]:
        if not self.events:
            return list(sources)
        low, high = int(rows[self._time].min()), int(rows[self._time].max())
        found = [each for each in sources if each.start_ns <= high and each.end_ns >= low]
        if not joins or any(each.start_ns <= low for each in found):
            return found
        before = [each for each in sources if each.end_ns < low]
        return [*before[-1:], *found]

    def _merge(
        self, where: Path, held: Sequence[Part], rows: Rows, *, whole: bool = False
    ) -> tuple[list[Part], list[Part], Rows]:
        """Return the parts that stay, those that were made, and the rows that were not there."""
        by_partition: dict[str, list[Part]] = {}
        for part in held:
            by_partition.setdefault(part.partition, []).append(part)
        keys = np.array([self._partition(int(ts)) for ts in rows[self._time]])
        kept, made, fresh = [], [], []
        for key in dict.fromkeys([*by_partition, *keys.tolist()]):
            parts, new = by_partition.get(key, []), rows[keys == key] if len(rows) else rows
            met = self._met(parts, new, whole)
            merged, added = self._union(self._read(met), new)
            kept += [part for part in parts if part not in met]
            changed = len(added) or (whole and len(met) > 1)
            made += [self._write(where, key, merged)] if changed else []
            kept += [] if changed else met
            fresh.append(added)
        return kept, made, np.concatenate([self._none(), *fresh])

    def _met(self, parts: Sequence[Part], new: Rows, whole: bool) -> list[Part]:
        if whole or len(parts) >= MOST_PARTS:
            return list(parts)
        if not len(new):
            return []
        low, high = int(new[self._time].min()), int(new[self._time].max())
        return [part for part in parts if part.start_ns <= high and part.end_ns >= low]

    def _union(self, held: Rows, new: Rows) -> tuple[Rows, Rows]:
        """Return all rows in order, each once, and those of `new` that `held` has not."""
        rows = np.concatenate([held, new])
        is_new = np.arange(len(rows)) >= len(held)
        numbers = rows["seq"] if self.events else np.zeros(len(rows), np.int64)
        order = np.lexsort((is_new, numbers, rows[self._time]))
        rows, is_new, numbers = rows[order], is_new[order], numbers[order]
        first = np.ones(len(rows), bool)
        times = rows[self._time]
        first[1:] = (times[1:] != times[:-1]) | (numbers[1:] != numbers[:-1])
        return rows[first], rows[first & is_new]

    def _write(self, where: Path, partition: str, rows: Rows) -> Part:
        folder = f"{'day' if self.events else 'year'}={partition}"
        digest = hashlib.sha256()
        for name in columns(self.dtype):
            digest.update(np.ascontiguousarray(rows[name]).tobytes())
        file = f"{folder}/{digest.hexdigest()[:16]}.parquet"
        writer = PartWriter(
            where / "part.parquet",
            self.dtype,
            {"kimera.dataset": self.name, "kimera.source": self._origin},
        )
        writer.write(rows)
        writer.close()
        on_disk(writer.path)
        size = writer.path.stat().st_size
        (self._folder / file).parent.mkdir(parents=True, exist_ok=True)
        writer.path.replace(self._folder / file)
        times = rows[self._time]
        return Part(
            file=file,
            partition=partition,
            rows=len(rows),
            bytes=size,
            start_ns=int(times.min()),
            end_ns=int(times.max()),
        )

    def _commit(self, parts: Iterable[Part], others: Sequence[Source]) -> None:
        parts = sorted(parts, key=lambda each: (each.start_ns, each.end_ns))
        text = "\n".join([self.name, *(part.file for part in parts)])
        source = Source(
            hash=hashlib.sha256(text.encode()).hexdigest(),
            format=FORMAT,
            files=[self._origin],
            datasets=[self.name],
            rows=sum(part.rows for part in parts),
            start_ns=parts[0].start_ns,
            end_ns=max(part.end_ns for part in parts),
            parts=parts,
            min_latency_ns=0 if self.events else None,
        )
        sources = sorted([*others, source], key=lambda each: (each.start_ns, each.hash))
        info = manifest.load(self._folder)
        self._refuse_imports(info.sources if info else [])
        found = DatasetInfo(
            dataset=self.name, family=self.family, instrument=self.instrument, sources=sources
        )
        manifest.store(self._folder, found)

    def _drop(self, parts: Iterable[Part]) -> None:
        for part in parts:
            (self._folder / part.file).unlink(missing_ok=True)

    def _read(self, parts: Iterable[Part]) -> Rows:
        files = [self._folder / part.file for part in parts]
        read = [rows for file in files for rows in read_rows(file, self.dtype, _CHUNK)]
        return np.concatenate([self._none(), *read])

    def _none(self) -> Rows:
        return aligned_zeros(0, self.dtype)

    def _partition(self, ts_ns: int) -> str:
        day = day_of(ts_ns)
        return day if self.events else day[:4]

    def _refuse_imports(self, sources: Iterable[Source]) -> None:
        for source in sources:
            if source.format != FORMAT:
                raise DataError(
                    "data.mixed",
                    f"expected fetched rows in {self.name}, was an import of {source.files[0]}",
                    f"kimera fetch remove {self.name}",
                )
