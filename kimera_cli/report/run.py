"""One finished (or cut off) run as the report reads it: manifest, rows by kind, instruments.

The report does not know who keeps run folders: it is given a `RunSource`, reads each file once and
keeps plain arrays. A run that did not end cleanly may lack files; what is absent is said in
`notes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kimera_cli.errors import DataError
from kimera_cli.layouts import R_FILL, R_MARKOUT, R_SAMPLE, RECORD
from kimera_cli.records import RunSummary
from kimera_cli.report.money import Leg

Rows = NDArray[np.void]
"""Structured array of dtype RECORD, shape (n,)."""

CLEAN = ("complete", "interrupted", "halted")
"""Statuses of a run that wrote all its files."""


class RunSource(Protocol):
    """What a report needs of a run folder; `engine.runfolder.RunFolder` is one."""

    path: Path
    manifest: dict[str, Any]

    def summary(self) -> RunSummary:
        """Return what the run came to."""

    def fills(self) -> Rows:
        """Return the R_FILL rows."""

    def samples(self) -> Rows:
        """Return the R_SAMPLE rows."""

    def markouts(self) -> Rows:
        """Return the R_MARKOUT rows."""

    def events(self) -> Rows:
        """Return every row."""


@dataclass(frozen=True)
class Run:
    """Everything that is known of one run."""

    run: str
    path: Path
    status: str
    manifest: dict[str, Any]
    summary: RunSummary | None
    currency: str
    cash: float
    strategies: tuple[str, ...]
    legs: tuple[Leg, ...]
    fills: Rows
    samples: Rows
    markouts: Rows
    orders: Rows
    """All other rows: intents, denials, answers, funding, halts."""
    notes: tuple[str, ...]

    @property
    def ended_cleanly(self) -> bool:
        """Whether the run wrote all its files."""
        return self.status in CLEAN

    @property
    def fidelity(self) -> dict[str, Any]:
        """What the result assumes: source, queue, latency, fees, seed."""
        stated: dict[str, Any] = self.manifest.get("fidelity") or {}
        return stated


def read(source: RunSource) -> Run:
    """Read a run; DataError when a file of a cleanly ended run is missing or damaged."""
    manifest = source.manifest
    status = str(manifest.get("status", "running"))
    absent: list[str] = []
    events = _rows(source.events, "events", status, absent)
    kept = ~np.isin(events["kind"], (R_FILL, R_MARKOUT, R_SAMPLE))
    return Run(
        run=str(manifest.get("run", source.path.name)),
        path=source.path,
        status=status,
        manifest=manifest,
        summary=_summary(source, status, absent),
        currency=str(manifest.get("currency", "USD")),
        cash=float(manifest.get("cash") or 0.0),
        strategies=tuple(str(s["name"]) for s in manifest.get("strategies", [])),
        legs=_legs(source),
        fills=_rows(source.fills, "fills", status, absent),
        samples=_rows(source.samples, "samples", status, absent),
        markouts=_rows(source.markouts, "markouts", status, absent),
        orders=events[kept],
        notes=_notes(status, absent),
    )


def _legs(source: RunSource) -> tuple[Leg, ...]:
    rates = source.manifest.get("profile", {}).get("portfolio", {}).get("rates", {})
    try:
        return tuple(
            Leg.from_manifest(s["instrument"], rates, str(source.manifest.get("currency", "USD")))
            for s in source.manifest.get("sources", [])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "data.run_manifest",
            f"expected sources with their instruments in {source.path}/manifest.json, was {error}",
            "restore the manifest or run again",
        ) from error


def _rows(read_file: Callable[[], Rows], what: str, status: str, absent: list[str]) -> Rows:
    try:
        return read_file()
    except DataError:
        if status in CLEAN:
            raise
        absent.append(what)
        return np.empty(0, RECORD)


def _summary(source: RunSource, status: str, absent: list[str]) -> RunSummary | None:
    try:
        return source.summary()
    except DataError:
        if status in CLEAN and (status != "interrupted" or (source.path / "summary.json").exists()):
            raise
        absent.append("summary")
        return None


_WHY_ABSENT = {
    "running": "the run has not ended, or was killed: its files are written when it ends",
    "interrupted": "the run was killed, and recovered from its journal",
}


def _notes(status: str, absent: list[str]) -> tuple[str, ...]:
    if not absent:
        return ()
    why = _WHY_ABSENT.get(status, "the run failed before its files were complete")
    return (f"{why} (not there: {', '.join(absent)}); the journal holds what was committed",)
