"""Strategies and their parameters, files that were written."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class Strategy(Record, frozen=True):
    """One strategy that this installation knows."""

    strategy: str
    origin: str
    summary: str
    params: dict[str, float] = {}
    protocol: Literal["compiled", "python"] = "compiled"
    interval_ns: int = 0
    path: str = ""


class StrategyParam(Record, frozen=True):
    """One parameter of a strategy with its meaning, unit and default."""

    strategy: str
    param: str
    default: float
    unit: str = ""
    meaning: str = ""


class Written(Record, frozen=True):
    """One file that a command wrote."""

    path: str
    kind: str
