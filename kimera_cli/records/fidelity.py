"""How far a live run and its replay differ: `kimera report fidelity`."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class Agreement(Record, frozen=True):
    """How far a run and its replay agree in one market; `instrument` empty: over all of them.

    Names that begin with `replay_` are of the replay, the others of the run. Differences are the
    run's value less the replay's. `within` is the share of the run's fills whose match is at most
    so far in venue time. Basis points are of the replay's price, and positive when the run traded
    worse: paid more, or got less.
    """

    run: str
    instrument: str
    same_fills: bool
    """Each fill is the same in venue time, order, side, price, quantity and position."""
    identical: bool
    """So is the time at which it was known. Trade hashes agree then, in a run on one market: they
    also hold a fill's number among those of all markets."""
    orders: int
    replay_orders: int
    same_orders: int
    fills: int
    replay_fills: int
    matched: int
    """Fills of the run with a match, at least in part."""
    run_only: int
    """Fills of the run with none."""
    replay_only: int
    fill_rate: float | None
    """Share of the orders sent that were filled, at least in part."""
    replay_fill_rate: float | None
    within: dict[str, float]
    late_p50_ns: int | None
    """How much later the replay's match is, in the median; negative: earlier."""
    apart_p95_ns: int | None
    """Time between a fill and its match, 95th percentile."""
    turnover: float
    replay_turnover: float
    fees: float
    replay_fees: float
    pnl: float
    replay_pnl: float
    pnl_difference: float
    currency: str
    bought: str = ""
    replay_bought: str = ""
    sold: str = ""
    replay_sold: str = ""
    buy_px: float | None = None
    """Average price, by quantity."""
    replay_buy_px: float | None = None
    buy_worse_bps: float | None = None
    sell_px: float | None = None
    replay_sell_px: float | None = None
    sell_worse_bps: float | None = None
    matched_worse_bps: float | None = None
    """Average over what is matched, by quantity."""
    maker_share: float | None = None
    """Of the fills, by number."""
    replay_maker_share: float | None = None
    position: str = ""
    """At the end."""
    replay_position: str = ""
    position_apart: str = ""
    """Largest difference of the two positions."""
    position_same: float | None = None
    """Share of the time in which both positions were the same."""
    equity_apart: float | None = None
    """Largest difference of the two results on their way."""
    parted_ns: int | None = None
    """When the two first did something else; None: they never did."""


class FillMatch(Record, frozen=True):
    """A fill of a run and its match in the replay, or that there is none."""

    run: str
    strategy: str
    instrument: str
    side: Literal["buy", "sell"]
    match: Literal["order", "time", "run_only", "replay_only"]
    """By the same order, by time and side, or in one of the two only."""
    qty: str
    ts_exch_ns: int | None = None
    replay_ts_exch_ns: int | None = None
    late_ns: int | None = None
    """How much later the replay's is."""
    px: str = ""
    replay_px: str = ""
    worse_bps: float | None = None
    maker: bool | None = None
    replay_maker: bool | None = None
    order_id: int | None = None
    replay_order_id: int | None = None
    cause: str = ""
    """Code of the difference that this fill counts in."""


class FidelityCause(Record, frozen=True):
    """One class of differences between a run and its replay, in words."""

    run: str
    instrument: str
    cause: str
    count: int
    text: str
    median_ns: int | None = None


class FidelityBasis(Record, frozen=True):
    """What was compared: the first record of `kimera report fidelity`."""

    run: str
    executor: Literal["paper", "live"]
    status: str
    queue_model: str
    latency: str
    """The replay's times of orders and answers."""
    seconds: float
    """Market time that both cover."""
    trade_hash: str
    replay_trade_hash: str
    window_ns: int
    """Fills of other orders are matched when they are no further apart."""
    recorded_until_ns: int | None = None
    """The recording ends before the run does."""
    replay: str = ""
    """Folder of the replay, if it was kept."""
