"""Decision tables: what they are, how good, how they were used."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class DecisionTable(Record, frozen=True):
    """One decision table: what it was learnt on and how much of it is filled; ticks of the mid."""

    path: str
    version: int
    dataset: str
    axes: str
    cells: int
    filled: int
    sure: int
    min_confidence: float
    start_ns: int
    end_ns: int
    expires_ns: int
    states: int
    moves: int
    width: float
    clip_ticks: float
    edge_ticks: float
    least_support: float
    source_hash: str
    sha256: str
    kimera: str = ""


class TableCell(Record, frozen=True):
    """One cell of a decision table with its bounds by feature; null where it has none."""

    cell: int
    bounds: dict[str, list[float | None]]
    version: int
    expected_ticks: float
    action: Literal["sell", "hold", "buy"]
    p_sell: float
    p_hold: float
    p_buy: float
    confidence: float
    support: float


class TableQuality(Record, frozen=True):
    """How well a table, or the member that filled it, tells the next move of the mid.

    Measured on states after the last one it learnt from. `r2` is against the mean move of the past;
    errors are of a bootstrap over blocks of time, null where there are too few.
    """

    dataset: str
    of: Literal["table", "member"]
    start_ns: int
    end_ns: int
    states: int
    moves: int
    blocks: int
    r2: float | None
    r2_se: float | None
    r2_clipped: float | None
    r2_clipped_se: float | None
    correlation: float | None
    correlation_se: float | None
    direction: float | None
    direction_se: float | None
    baseline_ticks: float
    baseline_direction: float | None


class TableUse(Record, frozen=True):
    """How a table served: lookups that found an entry, and how often a fresh computation agreed.

    `chance` is how often two that know nothing of each other would agree, `kappa` the agreement
    beyond that (Cohen 1960).
    """

    dataset: str
    version: int
    lookups: int
    hits: int
    hit_rate: float
    hit_rate_se: float | None
    compared: int
    agreement: float | None
    agreement_se: float | None
    chance: float | None
    kappa: float | None
    fresh_sell: float | None
    fresh_hold: float | None
    fresh_buy: float | None
    mean_age_s: float
    max_age_s: float
    statuses: dict[str, int]
    min_confidence: float
    met: bool | None = None
    strategy: str = ""
    dropped: int = 0


class TablePoint(Record, frozen=True):
    """One point of the curve of hit rate against agreement, over cells and confidence."""

    dataset: str
    cells: int
    min_confidence: float
    lookups: int
    hit_rate: float
    hit_rate_se: float | None
    agreement: float | None
    agreement_se: float | None
