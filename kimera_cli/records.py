"""Every public output line, declared once.

A record is a CLI line, an API body, a TUI row and an entry of the published JSON Schema. Adding an
optional field is allowed; anything else raises SCHEMA_VERSION. Times are int64 ns since the Unix
epoch, UTC (exact in Python, beyond 2^53 in JavaScript). A float that can be undefined is declared
`float | None`; NaN never leaves.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SCHEMA_VERSION = 1

JsonObject = dict[str, Any]


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag=_snake,
    forbid_unknown_fields=True,
):
    """Base of all records; `type` is the class name in snake case."""


class End(Record, frozen=True):
    """Last line of every stream: without it the producer died."""

    status: Literal["ok", "partial", "error", "interrupted"]
    rows: int
    code: int


class Error(Record, frozen=True):
    """What went wrong, with a stable dotted code and the mend."""

    code: str
    message: str
    hint: str = ""
    details: JsonObject = {}


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


class Doctor(Record, frozen=True):
    """One item of the host and installation check."""

    item: str
    status: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""


class Order(Record, frozen=True):
    """One step in the life of an own order; its first, `submitted`, tells order_type and tif."""

    seq: int
    ts_ns: int
    ts_exch_ns: int
    event: str
    strategy: str
    instrument: str
    order_id: int
    side: Literal["buy", "sell"]
    px: str
    qty: str
    left: str
    reason: str = ""
    order_type: Literal["limit", "market"] | None = None
    tif: Literal["gtc", "ioc", "fok", "post_only"] | None = None


class Fill(Record, frozen=True):
    """One execution of an own order."""

    seq: int
    ts_ns: int
    ts_exch_ns: int
    strategy: str
    instrument: str
    order_id: int
    side: Literal["buy", "sell"]
    px: str
    qty: str
    left: str
    maker: bool
    fee: float
    fee_currency: str
    position: str
    mid: float | None = None


class Denial(Record, frozen=True):
    """One order that the gate refused, with the limit that it met."""

    seq: int
    ts_ns: int
    code: str
    strategy: str
    instrument: str
    side: Literal["buy", "sell"]
    px: str
    qty: str


class Funding(Record, frozen=True):
    """One funding payment on a position; positive is paid."""

    seq: int
    ts_ns: int
    ts_exch_ns: int
    strategy: str
    instrument: str
    paid: float
    currency: str
    position: str


class Halt(Record, frozen=True):
    """A limit or the kill switch was met: no new risk from here on."""

    seq: int
    ts_ns: int
    code: str


class RunSummary(Record, frozen=True):
    """What a run came to."""

    run: str
    status: Literal["complete", "interrupted", "halted"]
    events: int
    orders: int
    fills: int
    denied: int
    pnl: float
    fees: float
    max_drawdown: float
    currency: str
    trade_hash: str
    events_per_s: float
    seconds: float
    folder: str
    fidelity: JsonObject
    cancels: int = 0
    rejects: int = 0
    maker_fills: int = 0
    sharpe: float | None = None
    sharpe_se: float | None = None
    fees_by_currency: dict[str, float] = {}
    pnl_by_strategy: dict[str, float] = {}
    halted_by: str = ""
    durability: str = ""
    market_seconds: float = 0.0
    loop_events_per_s: float | None = None
    fill_ratio: float | None = None
    report: str = ""


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


class ProfileValue(Record, frozen=True):
    """One value of a profile with the place it comes from."""

    key: str
    value: Any
    origin: str


class ProfileInfo(Record, frozen=True):
    """One profile that can be named with --profile."""

    profile: str
    path: str
    summary: str


class JournalEntry(Record, frozen=True):
    """One entry of the audit stream."""

    seq: int
    ts_ns: int
    kind: str
    hash: str
    body: JsonObject
    text: str = ""


class JournalCheck(Record, frozen=True):
    """Result of verifying one part of a run: a hash chain, the trade hash, a file."""

    run: str
    entries: int
    ok: bool
    bad_seq: int | None = None
    detail: str = ""
    check: str = ""
    file: str = ""
    table: str = ""
    last_seq: int | None = None
    hash: str = ""


class Exported(Record, frozen=True):
    """One file that was written for other programs."""

    path: str
    format: str
    rows: int
    bytes: int
    sha256: str


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


class HostItem(Record, frozen=True):
    """One thing that `tune-host probe` found: what it is, what a profile advises, and why.

    `status`: ok, change (apply sets it), manual (needs what `reason` says), absent, info (a fact).
    `settable`: now, boot (kernel command line), login (limits.d), outside (by hand), no.
    """

    item: str
    area: str
    current: str
    advised: str
    status: Literal["ok", "change", "manual", "absent", "info"]
    settable: Literal["now", "boot", "login", "outside", "no"]
    why: str
    effect: str
    reason: str = ""
    profile: str = ""
    paths: list[str] = []


class HostChange(Record, frozen=True):
    """One exact change that `tune-host plan` lists.

    `how`: write (a file of /proc or /sys), file (sysctl.d, limits.d), boot (kernel command line),
    hand (run `command` yourself). `needs` is what stands between now and its effect.
    """

    item: str
    path: str
    old: str
    new: str
    how: Literal["write", "file", "boot", "hand"]
    needs: str = ""
    command: str = ""
    reason: str = ""


class HostResult(Record, frozen=True):
    """What became of one change of `tune-host apply`, `revert` or `verify`.

    apply: planned, applied, already, partial, denied. revert: reverted, already, conflict, gone,
    denied. verify: held, changed.
    """

    action: Literal["apply", "revert", "verify"]
    item: str
    path: str
    old: str
    new: str
    found: str
    status: Literal[
        "planned",
        "applied",
        "already",
        "partial",
        "denied",
        "reverted",
        "conflict",
        "gone",
        "held",
        "changed",
    ]
    reason: str = ""


class Jitter(Record, frozen=True):
    """Delays under two states of the host, measured in turn (A B, B A, ...), in ns.

    `ratio` is the p99.9 after over the p99.9 before, with its 99 % interval over the rounds and the
    share of flipped rounds that are as far from 1.
    """

    measure: str
    rounds: int
    samples: int
    before_p50_ns: float
    after_p50_ns: float
    before_p99_ns: float
    after_p99_ns: float
    before_p999_ns: float
    after_p999_ns: float
    before_max_ns: float
    after_max_ns: float
    ratio: float
    low: float
    high: float
    p_value: float
    verdict: Literal["lower", "higher", "no difference measured"]
    compared: str = ""
    detail: JsonObject = {}


class Preparation(Record, frozen=True):
    """One step of preparing the process for a run: what was asked for, and what was read back."""

    item: str
    status: Literal["applied", "partial", "denied"]
    asked: str
    got: str
    reason: str = ""
    hint: str = ""


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


ALL: tuple[type[Record], ...] = tuple(Record.__subclasses__())
