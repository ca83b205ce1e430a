"""Benchmarks."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import JsonObject, Record


class Bench(Record, frozen=True):
    """One row of `kimera bench`."""

    name: str
    n: int
    median_ns: float
    p99_ns: float
    p999_ns: float
    max_ns: float
    rate_per_s: float
    peer: str = ""
    peer_ratio: float | None = None
    limit_ratio: float | None = None
    target: str = ""
    met: bool | None = None
    machine: str = ""
    commit: str = ""
    detail: JsonObject = {}


class BenchChange(Record, frozen=True):
    """One benchmark in two saved results: time after / time before, with its 95 % interval."""

    name: str
    before_ns: float
    after_ns: float
    ratio: float
    low: float
    high: float
    verdict: Literal["faster", "slower", "noise", "other_machine"]
    before: str = ""
    after: str = ""
    reason: str = ""
