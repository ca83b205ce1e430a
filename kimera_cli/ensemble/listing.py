"""A table as records: what it is, and what every filled cell says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from kimera_cli.ensemble.quantiser import Quantiser
from kimera_cli.ensemble.table_file import TableFile
from kimera_cli.layouts import TABLE_AXES
from kimera_cli.records import DecisionTable, TableCell

_ACTIONS: dict[int, Literal["sell", "hold", "buy"]] = {-1: "sell", 0: "hold", 1: "buy"}


def table_record(path: Path, table: TableFile, sha256: str) -> DecisionTable:
    """Return what a table is; `sure` counts the cells whose confidence suffices."""
    quantiser = table.quantiser()
    entries = table.side()["entries"][0][: quantiser.cells]
    known = entries["version"] > 0
    bins = zip(table.axes, quantiser.bins, strict=True)
    return DecisionTable(
        path=str(path),
        version=table.version,
        dataset=table.learnt.dataset,
        axes=",".join(f"{name}:{count}" for name, count in bins),
        cells=quantiser.cells,
        filled=int(known.sum()),
        sure=int((known & (entries["confidence"] >= table.min_confidence)).sum()),
        min_confidence=table.min_confidence,
        start_ns=table.learnt.start_ns,
        end_ns=table.learnt.end_ns,
        expires_ns=table.expires_ns,
        states=table.learnt.states,
        moves=table.learnt.moves,
        width=table.width,
        clip_ticks=table.clip_ticks,
        edge_ticks=table.edge_ticks,
        least_support=table.least_support,
        source_hash=table.learnt.source_hash,
        sha256=sha256,
        kimera=table.kimera,
    )


def cell_records(table: TableFile) -> Iterator[TableCell]:
    """Yield every filled cell with its bounds; None where a bin has no lower or upper one."""
    quantiser = table.quantiser()
    entries = table.side()["entries"][0][: quantiser.cells]
    for cell in np.flatnonzero(entries["version"] > 0):
        entry = entries[cell]
        yield TableCell(
            cell=int(cell),
            bounds=_bounds(quantiser, int(cell)),
            version=int(entry["version"]),
            expected_ticks=float(entry["expected_ticks"]),
            action=_ACTIONS[int(entry["action"])],
            p_sell=float(entry["p_sell"]),
            p_hold=float(entry["p_hold"]),
            p_buy=float(entry["p_buy"]),
            confidence=float(entry["confidence"]),
            support=float(entry["support"]),
        )


def _bounds(quantiser: Quantiser, cell: int) -> dict[str, list[float | None]]:
    bounds: dict[str, list[float | None]] = {}
    for axis, edges, stride in zip(quantiser.axes, quantiser.edges, quantiser.strides, strict=True):
        at = cell // stride % (len(edges) + 1)
        low = float(edges[at - 1]) if at > 0 else None
        high = float(edges[at]) if at < len(edges) else None
        bounds[TABLE_AXES[axis]] = [low, high]
    return bounds
