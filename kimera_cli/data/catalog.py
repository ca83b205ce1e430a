"""The market data on this machine: datasets as Parquet parts under one root, each with a manifest.

    root/venue=binance/instrument=BTCUSDT/family=l2/manifest.json
    root/venue=binance/instrument=BTCUSDT/family=l2/day=2024-08-08/<source hash>.parquet

Adding is atomic (workshop, rename, manifest last) and idempotent (parts are named by the hash of
their source). Several processes may import at once; readers never wait.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kimera_cli.data import manifest
from kimera_cli.data.importers.base import Batch
from kimera_cli.data.manifest import DatasetInfo, Source
from kimera_cli.data.parquet import layout_of
from kimera_cli.data.source import EventSource
from kimera_cli.data.staging import LOCK, Staged, StagedDataset, locked, on_disk, sweep
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT

_DATASETS = "venue=*/instrument=*/family=*"


class Catalog:
    """Datasets under `root` (`ctx.obj.home / "data"`); the folder is made at the first import."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def datasets(self) -> list[DatasetInfo]:
        """Return all datasets by name."""
        found = (manifest.load(path) for path in sorted(self.root.glob(_DATASETS)))
        return [info for info in found if info is not None and info.sources]

    def get(self, name: str) -> DatasetInfo:
        """Return one dataset; DataError `data.unknown_dataset` names the nearest one."""
        info = manifest.load(manifest.folder(self.root, name))
        if info is None:
            raise self._unknown(name)
        return info

    def holds(self, name: str) -> bool:
        """Tell whether there is a dataset of this name; also for what is no dataset name at all."""
        names = name.split("/")
        return len(names) == 3 and any(info.dataset == name for info in self.datasets())

    def files(self, info: DatasetInfo) -> list[Path]:
        """Return the Parquet files of a dataset's sources, in order."""
        path = manifest.folder(self.root, info.dataset)
        return [path / part.file for source in info.sources for part in source.parts]

    def open(self, name: str, source: str | None = None) -> EventSource:
        """Return a dataset (or one of its sources, by the start of its hash) for reading."""
        info = self.get(name)
        if source is not None:
            info = info.only(source)
        return EventSource(info, self.files(info))

    def instruments(self) -> dict[str, Instrument]:
        """Return the instruments of event datasets by `venue/symbol`: their grids are settled."""
        events = (info for info in self.datasets() if info.family in ("l2", "l3"))
        return {info.instrument.name: info.instrument for info in events}

    def imported(self, source_hash: str) -> list[DatasetInfo]:
        """Return the datasets of a source, each with that source only; [] unless all are there."""
        found = [
            info.only(source_hash)
            for info in self.datasets()
            if any(source.hash == source_hash for source in info.sources)
        ]
        complete = found and {info.dataset for info in found} == set(found[0].sources[0].datasets)
        return found if complete else []

    def add(self, staged: Sequence[StagedDataset], source: Source) -> list[DatasetInfo]:
        """Commit the parts of one import; `source` says what they have in common.

        A dataset that has the source already is left as it is.
        """
        finished = [(dataset, dataset.finish()) for dataset in staged]
        for _, parts in finished:
            for part in parts:
                on_disk(part.path)
        with locked(self.root / LOCK):
            return [self._commit(dataset, parts, source) for dataset, parts in finished]

    def tidy(self) -> int:
        """Remove what imports that died left behind; return how many folders and files."""
        if not self.root.exists():
            return 0
        with locked(self.root / LOCK):
            removed = sweep(self.root)
            for path in self.root.glob(_DATASETS):
                info = manifest.load(path)
                named = {part.file for s in info.sources for part in s.parts} if info else set()
                for part in path.glob("*=*/*.parquet"):
                    if part.relative_to(path).as_posix() not in named:
                        part.unlink()
                        removed += 1
        return removed

    def remove(self, name: str) -> DatasetInfo:
        """Delete one dataset, manifest first."""
        info = self.get(name)
        path = manifest.folder(self.root, name)
        with locked(self.root / LOCK):
            (path / manifest.FILE).unlink()
            shutil.rmtree(path)
        return info

    def _commit(self, dataset: StagedDataset, parts: list[Staged], common: Source) -> DatasetInfo:
        path = manifest.folder(self.root, dataset.name)
        info = manifest.load(path) or DatasetInfo(
            dataset=dataset.name,
            family=dataset.family,
            instrument=dataset.instrument,
            sources=[],
        )
        if any(source.hash == common.hash for source in info.sources):
            return info.only(common.hash)
        if layout_of(info.family) == EVENT and info.instrument != dataset.instrument:
            raise DataError(
                "data.grid",
                f"expected {info.instrument} as in the catalog, was {dataset.instrument}",
                f"remove what is there: kimera fetch remove {dataset.name}",
            )
        for part in parts:
            target = path / part.part.file
            target.parent.mkdir(parents=True, exist_ok=True)
            part.path.replace(target)
        source = _source(dataset, parts, common)
        sources = sorted([*info.sources, source], key=lambda each: (each.start_ns, each.hash))
        manifest.store(path, msgspec.structs.replace(info, sources=sources))
        return msgspec.structs.replace(info, sources=[source])

    def _unknown(self, name: str) -> DataError:
        import difflib

        names = [info.dataset for info in self.datasets()]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else "see `kimera fetch list`"
        return DataError("data.unknown_dataset", f"expected a dataset, was {name}", hint)


def _source(dataset: StagedDataset, parts: list[Staged], common: Source) -> Source:
    return msgspec.structs.replace(
        common,
        rows=dataset.rows,
        start_ns=min(part.part.start_ns for part in parts),
        end_ns=max(part.part.end_ns for part in parts),
        parts=[part.part for part in parts],
        min_latency_ns=dataset.min_latency_ns,
        backwards=dataset.backwards,
        backwards_line=dataset.backwards_line,
    )


def stage(where: Path, source_hash: str, staged: dict[str, StagedDataset], batch: Batch) -> None:
    """Write one batch into its dataset in the workshop."""
    name = f"{batch.instrument.name}/{batch.family}"
    if name not in staged:
        manifest.folder(where, name)  # refuses names that make no folder
        staged[name] = StagedDataset(where, batch.instrument, batch.family, source_hash)
    staged[name].write(batch)
