"""What a report holds."""

from __future__ import annotations

from kimera_cli.records.base import Record


class Metric(Record, frozen=True):
    """One metric of a run, with its standard error where one is defined."""

    run: str
    metric: str
    value: float | None
    se: float | None = None
    unit: str = ""
    definition: str = ""
    strategy: str = ""
    instrument: str = ""
    scope: str = ""
    n: int = 0
    reason: str = ""


class ReportFile(Record, frozen=True):
    """One report that was written."""

    run: str
    status: str
    file: str
    bytes: int


class Comparison(Record, frozen=True):
    """One metric of two runs, and whether their difference is more than noise."""

    metric: str
    base: str
    run: str
    base_value: float | None
    value: float | None
    difference: float | None
    se: float | None = None
    noise: bool | None = None
    unit: str = ""
    definition: str = ""
    reason: str = ""
