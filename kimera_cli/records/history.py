"""What `kimera fetch` asks a venue for: history into the catalog, and the market as it is now."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class Candle(Record, frozen=True):
    """One bar of a venue; decimals as the venue wrote them, without trailing zeros."""

    dataset: str
    ts_ns: int
    """Start of the bar."""
    open: str
    high: str
    low: str
    close: str
    volume: str | None = None
    complete: bool = True
    """Whether the bar's time was over; one that was not is never stored."""


class PublicTrade(Record, frozen=True):
    """One trade of a market; `side` is the taker's."""

    dataset: str
    ts_ns: int
    id: int
    side: str
    px: str
    qty: str


class FundingRate(Record, frozen=True):
    """The rate that longs paid shorts at a time, as a fraction."""

    dataset: str
    ts_ns: int
    rate: str


class Gap(Record, frozen=True):
    """A stretch [start_ns, end_ns) that a venue gave nothing for; the next fetch asks again."""

    dataset: str
    start_ns: int
    end_ns: int
    bars: int | None = None
    """How many bars are missing; null where that cannot be known (trades)."""


class Fetched(Record, frozen=True):
    """What a fetch of one dataset came to."""

    dataset: str
    symbol: str
    start_ns: int
    end_ns: int
    """Of what was asked for, this end excluded."""
    rows: int
    """Rows of that time in the catalog now; `added` by this fetch."""
    added: int
    pages: int
    """Answers of the venue."""
    gaps: int
    seconds: float
    inexact: int = 0
    """Volumes of added rows with more digits than a double keeps."""


class VenueMarket(Record, frozen=True):
    """One market of a venue."""

    venue: str
    symbol: str
    id: str
    """As the venue calls it."""
    kind: str
    base: str
    quote: str
    active: bool | None = None
    tick: str | None = None
    lot: str | None = None
    min_qty: str | None = None
    min_notional: str | None = None
    maker_fee: str | None = None
    taker_fee: str | None = None


class Ticker(Record, frozen=True):
    """Prices of a market now, and over its last 24 hours."""

    venue: str
    symbol: str
    ts_ns: int
    bid: str | None = None
    bid_qty: str | None = None
    ask: str | None = None
    ask_qty: str | None = None
    last: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    volume: str | None = None
    quote_volume: str | None = None


class BookSnapshot(Record, frozen=True):
    """The book of a market now: [price, quantity] a level, best first."""

    venue: str
    symbol: str
    ts_ns: int
    bids: list[list[str]]
    asks: list[list[str]]
    seq: int | None = None
    """The venue's number of this state of the book, where it has one."""


class ConsolidatedLevel(Record, frozen=True):
    """One level of one venue in the book over all venues, from the best net price down."""

    side: Literal["bid", "ask"]
    level: int
    """From 1."""
    market: str
    px: str
    """In the market's own quote currency."""
    qty: str
    """Base units."""
    gross: str
    """In the common currency."""
    net: str
    """And with the taker fee: what a unit costs (ask) or brings (bid)."""


class ConsolidatedTop(Record, frozen=True):
    """Best net prices over all venues. Money is in `currency`, by `rates`."""

    ts_ns: int
    asset: str
    currency: str
    bid: str = ""
    bid_qty: str = ""
    bid_market: str = ""
    ask: str = ""
    ask_qty: str = ""
    ask_market: str = ""
    crossed_bps: float | None = None
    """Best net bid above best net ask; negative: the spread that is left."""
    arbitrage: bool = False
    """Whether buying at one venue and selling at another brings something, fees paid."""
    markets: int = 0
    """Books that count."""
    left_out: dict[str, str] = {}
    """Books that do not, and why."""
    rates: dict[str, str] = {}
    """`currency` per unit of each quote currency."""
    taker_fees: dict[str, str] = {}
