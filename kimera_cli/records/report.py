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


class Stage(Record, frozen=True):
    """How long one stage of the loop took, over a run: `kimera run` with run.stages.

    `under` and `over` were counted apart: a clock that went back, a time beyond 68 s.
    """

    run: str
    stage: str
    count: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    under: int = 0
    over: int = 0


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
