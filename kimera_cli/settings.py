"""Every setting of a profile: name, type, range and default, declared once.

profiles/development.toml lists the same settings with the same values and explains each of them; a
test compares the two. Reading and layering of profiles is in `profile`. Durations are text (`5s`,
`10m`) in a profile and nanoseconds (`*_ns` properties) in code. A setting never holds a secret.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from kimera_cli.units import parse_duration_ns

DURATION = r"^(?=.*[1-9])\d+(\.\d+)?(ns|us|ms|s|m|h|d)$"
"""A number above zero and its unit."""

Duration = Annotated[
    str, Meta(pattern=DURATION, description="a duration such as 250ms, 90s, 15m or 2d")
]
Speed = Annotated[
    str,
    Meta(
        pattern=r"^(max|realtime|(?=.*[1-9])\d+(\.\d+)?x)$",
        description="max, realtime or a factor such as 10x",
    ),
]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(gt=0, le=1)]
Below1 = Annotated[float, Meta(ge=0, lt=1)]
Nanoseconds = Annotated[int, Meta(ge=0, le=60_000_000_000)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, unknown keys refused."""


class Run(Section, frozen=True):
    """[run]: what `kimera run` does when no option says otherwise."""

    strategies: list[str] = field(default_factory=lambda: ["glft"])
    duration: Duration = "10m"
    events: Count = 0
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    speed: Speed = "max"
    out: Annotated[str, Meta(min_length=1)] = "runs"
    sample_interval: Duration = "1s"
    durability: Literal["batch", "process", "disk"] = "batch"
    shape: Literal["threads", "single", "split"] = "threads"
    backpressure: Literal["wait", "conflate"] = "wait"
    stages: bool = False

    @property
    def duration_ns(self) -> int:
        """Market time to run, in ns."""
        return parse_duration_ns(self.duration)

    @property
    def sample_interval_ns(self) -> int:
        """Market time between samples of equity, in ns."""
        return parse_duration_ns(self.sample_interval)


class Portfolio(Section, frozen=True):
    """[portfolio]: the money that risk fractions refer to."""

    currency: Annotated[str, Meta(min_length=1)] = "USD"
    cash: Positive = 1_000_000.0
    rates: dict[str, Positive] = field(
        default_factory=lambda: {"USD": 1.0, "USDT": 1.0, "USDC": 1.0}
    )


class Latency(Section, frozen=True):
    """[latency]: feed, order entry and response, each in ns."""

    feed: Literal["recorded", "constant", "lognormal"] = "recorded"
    feed_ns: Nanoseconds = 1_000_000
    entry: Literal["constant", "lognormal", "recorded"] = "constant"
    entry_ns: Nanoseconds = 1_000_000
    response: Literal["constant", "lognormal", "recorded"] = "constant"
    response_ns: Nanoseconds = 1_000_000
    sigma: Annotated[float, Meta(ge=0, le=5)] = 0.5
    min_feed_ns: Nanoseconds = 100_000


class Queue(Section, frozen=True):
    """[queue]: where our resting orders stand in line."""

    model: Literal["risk_averse", "power", "log", "l3"] = "risk_averse"
    exponent: Annotated[float, Meta(gt=0, le=10)] = 2.0
    partial_fills: bool = True


class Fees(Section, frozen=True):
    """[fees]: optional overrides of the instruments' own fees, as fractions of traded value."""

    maker: Annotated[float, Meta(ge=-0.01, le=0.05)] | None = None
    taker: Annotated[float, Meta(ge=-0.01, le=0.05)] | None = None


class Risk(Section, frozen=True):
    """[risk]: hard limits of the gate; fractions are of the portfolio's value."""

    max_order_fraction: Fraction = 0.10
    max_position_fraction: Fraction = 0.10
    max_asset_fraction: Fraction = 0.20
    max_open_orders: Annotated[int, Meta(ge=1, le=10_000)] = 64
    max_orders_per_s: Positive = 100.0
    order_burst: Annotated[int, Meta(ge=1, le=100_000)] = 50
    venue_orders_per_s: dict[str, Positive] = field(default_factory=dict)
    venue_order_burst: dict[str, Annotated[int, Meta(ge=1, le=100_000)]] = field(
        default_factory=dict
    )
    collar_bps: Positive = 500.0
    max_drawdown: Fraction = 0.10
    max_daily_loss: Fraction = 0.05
    stale_after: Duration = "5s"
    max_queue_age: Duration = "100ms"
    self_trade: Literal["cancel_new", "cancel_resting"] = "cancel_new"
    spot_short: bool = False

    @property
    def stale_after_ns(self) -> int:
        """Age after which data are stale, in ns."""
        return parse_duration_ns(self.stale_after)

    @property
    def max_queue_age_ns(self) -> int:
        """How long events may wait before the overload breaker opens, in ns."""
        return parse_duration_ns(self.max_queue_age)


class Market(Section, frozen=True):
    """[market]: the synthetic market of the demo; rates are events per second."""

    model: Literal["hawkes", "poisson"] = "hawkes"
    instruments: Annotated[int, Meta(ge=1, le=64)] = 1
    start_px: Positive = 60_000.0
    tick: Positive = 0.1
    lot: Positive = 0.001
    limit_rate: Positive = 300.0
    market_rate: Positive = 8.0
    cancel_rate: NonNegative = 2.0
    mean_lots: Positive = 50.0
    depth: Annotated[int, Meta(ge=5, le=500)] = 40
    excitation: Below1 = 0.5
    decay_per_s: Positive = 10.0
    volatility: NonNegative = 0.3


class Journal(Section, frozen=True):
    """[journal]: group commit of the audit stream."""

    group_commit_ms: Annotated[float, Meta(ge=0, le=10_000)] = 20.0
    max_commit_ms: Annotated[float, Meta(gt=0, le=60_000)] = 1_000.0

    def __post_init__(self) -> None:
        if self.group_commit_ms > self.max_commit_ms:
            raise ValueError(
                "expected journal.group_commit_ms at most journal.max_commit_ms, "
                f"was {self.group_commit_ms:g} and {self.max_commit_ms:g}"
            )


class Live(Section, frozen=True):
    """[live]: orders at real venues."""

    allow: bool = False
    dead_man_s: Annotated[int, Meta(ge=0, le=120)] = 30
    orders: Literal["rest", "websocket"] = "rest"


class Profile(Section, frozen=True):
    """All settings of one invocation."""

    run: Run = field(default_factory=Run)
    portfolio: Portfolio = field(default_factory=Portfolio)
    latency: Latency = field(default_factory=Latency)
    queue: Queue = field(default_factory=Queue)
    fees: Fees = field(default_factory=Fees)
    risk: Risk = field(default_factory=Risk)
    market: Market = field(default_factory=Market)
    journal: Journal = field(default_factory=Journal)
    live: Live = field(default_factory=Live)
    strategies: dict[str, dict[str, float]] = field(
        default_factory=lambda: {
            "glft": {
                "k": 4.0,
                "gamma": 0.5,
                "intensity": 16.0,
                "order_notional": 2_000.0,
                "tolerance_bps": 0.05,
            }
        }
    )
