"""Market data: datasets, their checks, rows and exports."""

from __future__ import annotations

from kimera_cli.records.base import Record


class Check(Record, frozen=True):
    """One check of one dataset: how many of `total` passed."""

    check: str
    dataset: str
    passed: int
    total: int
    ok: bool
    detail: str = ""
    file: str = ""
    line: int | None = None
    value: float | None = None
    unit: str = ""


class Dataset(Record, frozen=True):
    """One dataset of the catalog."""

    dataset: str
    venue: str
    instrument: str
    kind: str
    family: str
    rows: int
    start_ns: int
    end_ns: int
    days: int
    bytes: int
    tick: str
    lot: str
    sources: list[str]


class Imported(Record, frozen=True):
    """What `fetch import` did with one dataset of one file."""

    source: str
    format: str
    dataset: str
    rows: int
    added: bool
    source_hash: str
    seconds: float


class Recording(Record, frozen=True):
    """What `fetch record` wrote of one venue."""

    file: str
    venue: str
    symbols: list[str]
    kinds: list[str]
    seconds: float
    messages: int
    answers: int
    """Answers of REST: books that were asked for."""
    bytes: int
    """Of messages and answers, as received; `stored_bytes` is the file."""
    stored_bytes: int
    events: int
    """What came of them, and what an import of the file has."""
    synced: int
    """Times that a book became the venue's; `lost`: times that it was not any more."""
    lost: int


class Exported(Record, frozen=True):
    """One file that was written for other programs."""

    path: str
    format: str
    rows: int
    bytes: int
    sha256: str


class DatasetSource(Record, frozen=True):
    """One recording that a dataset was imported from."""

    dataset: str
    file: str
    format: str
    source_hash: str
    rows: int
    start_ns: int
    end_ns: int
    min_latency_ns: int | None = None
    backwards: int = 0


class DatasetDay(Record, frozen=True):
    """One UTC day of a dataset of events, or one year of a dataset of bars."""

    dataset: str
    day: str
    rows: int
    start_ns: int
    end_ns: int
    messages: int = 0
    book: int = 0
    trades: int = 0
    quotes: int = 0
    low: str | None = None
    high: str | None = None


class Event(Record, frozen=True):
    """One market event with its decimals; flags are joined by `|`, ref is an order id in L3."""

    dataset: str
    ts_exch_ns: int
    ts_local_ns: int
    kind: str
    side: str
    px: str
    qty: str
    seq: int = 0
    ref: int = 0
    flags: str = ""
    line: int = 0


class Bar(Record, frozen=True):
    """One bar as its source told it; null where the source has no number."""

    dataset: str
    ts_ns: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    quote_volume: float | None = None
    trades: int | None = None
    line: int = 0
