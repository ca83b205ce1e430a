"""What a run says while it trades, and what it came to."""

from __future__ import annotations

from typing import Literal

import msgspec

from kimera_cli.records.base import JsonObject, Record


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
    """One order that the gate refused, with the limit that it met.

    A live run writes denials that repeat (same strategy, instrument and code) once a second:
    `count` is how many this one stands for, itself among them; the other fields are its own.
    """

    seq: int
    ts_ns: int
    code: str
    strategy: str
    instrument: str
    side: Literal["buy", "sell"]
    px: str
    qty: str
    count: int = 1


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


class Breaker(Record, frozen=True):
    """The overload breaker opened or closed: events waited longer than they may.

    `queue_age_ns` is the 99th percentile over the last window of how long events of the feed had
    waited when the loop took them. While it is open no new risk is taken.
    """

    seq: int
    ts_ns: int
    state: Literal["open", "closed"]
    queue_age_ns: int
    limit_ns: int


class Notice(Record, frozen=True):
    """Something went wrong around a run and was, or is being, mended: a connection, a book."""

    ts_ns: int
    code: str
    message: str
    details: JsonObject = {}


class Holding(msgspec.Struct, frozen=True):
    """What a run held of an asset at its end; `market` is `total` in the sum over its markets.

    Signed: negative is short. Null where no price is known that it needs.
    """

    market: str
    asset: str
    qty: float | None
    """Base units."""
    value: float | None
    """Portfolio currency, at the last known price."""


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
    feed: JsonObject = {}
    holdings: list[Holding] = []
