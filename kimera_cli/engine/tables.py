"""Decision tables of a run: one reader per strategy and instrument, watched while it runs.

A table is mounted before the loop starts (view.table is the address of its reader). Between slices
the lookups that the readers kept are computed anew; at the end each reader says how it was served.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kimera_cli.data.source import EventSource
from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.ensemble.table_file import TableFile, load
from kimera_cli.ensemble.watch import Watch, check_instrument
from kimera_cli.errors import DataError, UsageError
from kimera_cli.files import sha256_of
from kimera_cli.records import TableUse
from kimera_cli.strategies.protocol import StrategyInfo


class RunTable(NamedTuple):
    """A table as a run uses it; the manifest states path and hash."""

    path: Path
    sha256: str
    table: TableFile


class _Mounted(NamedTuple):
    watch: Watch
    dataset: str
    strategy: str


def open_tables(paths: Sequence[Path], sources: Sequence[EventSource]) -> tuple[RunTable, ...]:
    """Return the tables of a run's instruments.

    DataError `data.table_*` for a bad file; UsageError `usage.table` for a table of an instrument
    that the run has not, or for two of one instrument.
    """
    found: dict[str, RunTable] = {}
    for path in paths:
        opened = RunTable(path, sha256_of(path) if path.is_file() else "", load(path))
        name = _instrument(opened.table.learnt.dataset)
        if name in found:
            raise UsageError(
                "usage.table",
                f"expected one table of {name}, was {found[name].path} and {path}",
                "leave one of them out",
            )
        if name not in {_instrument(source.dataset) for source in sources}:
            check_instrument(opened.table, sources[0].dataset, str(path))
        found[name] = opened
    return tuple(found.values())


def reads_table(info: StrategyInfo) -> bool:
    """Return whether a strategy's file looks at `view.table`."""
    tree = ast.parse(info.path.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "table"
        and isinstance(node.value, ast.Name)
        for node in ast.walk(tree)
    )


class Tables:
    """The tables of a run that are mounted; keeps their memory alive."""

    def __init__(
        self,
        tables: Sequence[RunTable],
        arrays: LoopArrays,
        datasets: Sequence[str],
        strategies: Sequence[str],
    ) -> None:
        """Give each sleeve a reader of its instrument's table, where there is one."""
        by_name = {_instrument(t.table.learnt.dataset): t.table for t in tables}
        self._mounted: list[_Mounted] = []
        for s, sleeve in enumerate(arrays.sleeves):
            dataset, strategy = datasets[int(sleeve["stream"])], strategies[int(sleeve["strategy"])]
            table = by_name.get(_instrument(dataset))
            if table is not None:
                watch = Watch(table)
                arrays.views[s]["table"] = watch.address
                self._mounted.append(_Mounted(watch, dataset, strategy))

    def look_back(self) -> None:
        """Compute anew what the readers kept since the last call."""
        for mounted in self._mounted:
            mounted.watch.look_back()

    def records(self) -> Iterator[TableUse]:
        """Yield how each reader that looked anything up was served."""
        for watch, dataset, strategy in self._mounted:
            record = watch.record(dataset, strategy)
            if record.lookups:
                yield record


def stated(tables: Sequence[RunTable]) -> list[dict[str, Any]]:
    """Return what the manifest says of the tables."""
    return [
        {
            "path": str(t.path.absolute()),
            "sha256": t.sha256,
            "version": t.table.version,
            "dataset": t.table.learnt.dataset,
        }
        for t in tables
    ]


def stated_tables(
    found: Sequence[Mapping[str, Any]], sources: Sequence[EventSource]
) -> tuple[RunTable, ...]:
    """Return the tables that a manifest states; DataError `data.table_changed` for another one."""
    opened = open_tables([Path(one["path"]) for one in found], sources)
    for one, table in zip(found, opened, strict=True):
        if table.sha256 != one["sha256"]:
            raise DataError(
                "data.table_changed",
                f"expected {table.path} as it was ({one['sha256'][:12]}), was {table.sha256[:12]}",
                "restore the file, or start a new run with --table",
                file=str(table.path),
            )
    return opened


def _instrument(dataset: str) -> str:
    return dataset.rsplit("/", 1)[0]
