"""A market without data: seeded order flow on the real matching engine, read like a recording.

The model is in kernels/flow.py; docs/explanation/synthetic-market.md says what it reproduces and
what it does not. A market is an event source: the same seed gives the same events, however cut.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from decimal import Decimal
from statistics import NormalDist
from typing import Any, Literal

import msgspec
import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.flow import FLOW, MAX_DEPTH, TABLE, flow_open, flow_run
from kimera_cli.kernels.match_book import BAND, CAPACITY
from kimera_cli.layouts import I64, VENUES, Events, empty_events
from kimera_cli.market.matching import new_engines
from kimera_cli.settings import Market

Family = Literal["l2", "l3"]

MODEL_VERSION = 1
"""Part of the source hash: a change of the model is a change of the data."""
START_NS = 1_704_067_200_000_000_000
"""2024-01-01T00:00:00Z, the venue's time of the first event."""
FEED_NS = 1_000_000
SECONDS_PER_YEAR = 365 * 86_400
SIZE_SD = 1.0
"""Standard deviation of the logarithm of a size."""
IMPACT_SHARE = 0.2
"""Share of the value's variance that comes from the surprise of market orders."""
DISTANCE_EXPONENT = 1.0
"""Limit orders arrive in proportion to distance ** -DISTANCE_EXPONENT."""
BLOCK = 4_096
"""Events that are made at once, at least."""

# Children of each kind of arrival, as shares of the excitation: rows are parents, columns children,
# in the order buy, sell, bid limit, ask limit, bid cancel, ask cancel. Every row sums to 1. Takers
# follow takers of their side, refill follows removal, quotes answer quotes.
BRANCHING = np.array(
    [
        [0.60, 0.00, 0.20, 0.00, 0.00, 0.20],
        [0.00, 0.60, 0.00, 0.20, 0.20, 0.00],
        [0.02, 0.00, 0.48, 0.20, 0.20, 0.10],
        [0.00, 0.02, 0.20, 0.48, 0.10, 0.20],
        [0.00, 0.02, 0.50, 0.10, 0.38, 0.00],
        [0.02, 0.00, 0.10, 0.50, 0.00, 0.38],
    ]
)


class SyntheticMarket:
    """One synthetic instrument, an endless event source (attributes as data.source.EventSource).

    `rows` and `end_ns` are 0: there is no end. Raises DataError `data.synthetic` for settings under
    which no market can be made.
    """

    def __init__(self, settings: Market, seed: int, index: int = 0, family: Family = "l2") -> None:
        self.settings = settings
        self.seed = seed
        self.index = index
        self.family = family
        self.instrument = _instrument(settings, index)
        self.rows = 0
        self.start_ns = START_NS + FEED_NS
        self.end_ns = 0
        self.min_latency_ns = FEED_NS
        _check(settings)

    @property
    def dataset(self) -> str:
        """`synthetic/SYMBOL/family`."""
        return f"{self.instrument.name}/{self.family}"

    @property
    def source_hash(self) -> str:
        """SHA-256 in hex over all that determines the events."""
        told = (MODEL_VERSION, self.settings, self.seed, self.index, self.family)
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()

    def chunks(self, size: int = 16_384) -> Iterator[Events]:
        """Yield events from the start, `size` at a time, each array fresh; there is no end."""
        flow = new_flow(self.settings, _seed_of(self.seed, self.index), self.family)
        engine = new_engines(1, _base_ticks(self.settings))[0]
        wanted = max(size, BLOCK)
        block = empty_events(wanted + 2 * CAPACITY + 2)
        block["venue"] = VENUES.index("synthetic")
        out = block.view(np.recarray)
        n = int(flow_open(flow, engine, _opening_orders(self.settings), out))
        while True:
            n = int(flow_run(flow, engine, out, n, wanted))
            whole = n - n % size
            for start in range(0, whole, size):
                yield block[start : start + size].copy()
            block[: n - whole] = block[whole:n]
            n -= whole


def synthetic_sources(settings: Market, seed: int, family: Family = "l2") -> list[SyntheticMarket]:
    """Return settings.instruments independent markets."""
    return [SyntheticMarket(settings, seed, k, family) for k in range(settings.instruments)]


def new_flow(settings: Market, rng: int, family: Family) -> Any:
    """Return the flow's state before its first event, a record of dtype FLOW."""
    flow = np.zeros(1, FLOW).view(np.recarray)[0]
    flow.rng = rng
    flow.ts_ns = START_NS
    flow.feed_ns = FEED_NS
    flow.l3 = family == "l3"
    flow.value_ticks = settings.start_px / settings.tick
    sigma = flow.value_ticks * settings.volatility / math.sqrt(SECONDS_PER_YEAR)
    share = IMPACT_SHARE if settings.volatility > 0 else 0.0
    flow.sigma = sigma * math.sqrt(1 - share)
    flow.impact_ticks = sigma * math.sqrt(share / (2 * settings.market_rate))
    flow.tilt_ticks = max(1.0, 2 * sigma / math.sqrt(settings.limit_rate))
    flow.pull_rate = settings.limit_rate
    flow.sizes[:] = _size_table(settings.mean_lots)
    flow.distances[:] = _distance_table(settings.depth)
    _set_arrivals(flow, settings)
    return flow


def _size_table(mean_lots: float) -> I64:
    """Return TABLE equally likely sizes of a lognormal distribution, rounded, at least 1."""
    normal = NormalDist()
    z = np.array([normal.inv_cdf((k + 0.5) / TABLE) for k in range(TABLE)])
    lots = mean_lots * np.exp(SIZE_SD * z - SIZE_SD**2 / 2)
    return np.asarray(np.maximum(1, np.rint(lots)), np.int64)


def _distance_table(depth: int) -> I64:
    """Return TABLE equally likely distances 1 .. depth under the power law."""
    weights = np.arange(1, depth + 1, dtype=float) ** -DISTANCE_EXPONENT
    cumulated = np.cumsum(weights) / weights.sum()
    levels = (np.arange(TABLE) + 0.5) / TABLE
    distances: I64 = 1 + np.searchsorted(cumulated, levels).astype(np.int64)
    return distances


def _set_arrivals(flow: Any, settings: Market) -> None:
    """Set base rates and jumps so that mean rates do not depend on the model.

    Mean rates m solve m = base + m N with N = excitation * BRANCHING, so base = m (1 - N). A base
    below a tenth of its mean is held there: some arrivals must come from outside.
    """
    excitation = settings.excitation if settings.model == "hawkes" else 0.0
    expected = np.repeat([settings.market_rate, settings.limit_rate, _cancels(settings)], 2)
    base = np.maximum(expected - expected @ (excitation * BRANCHING), 0.1 * expected)
    flow.own[:] = base
    flow.own[4:] = 0.0
    flow.cancel_rate = settings.cancel_rate * base[4] / expected[4] if expected[4] > 0 else 0.0
    flow.decay = settings.decay_per_s
    flow.jump[:] = (excitation * settings.decay_per_s * BRANCHING).ravel()


def _cancels(settings: Market) -> float:
    """What limit orders bring and market orders do not take must leave by cancellation."""
    return max(0.0, settings.limit_rate - settings.market_rate) if settings.cancel_rate else 0.0


def _opening_orders(settings: Market) -> int:
    """Orders per side around which the flow balances, but enough for a book."""
    steady = _cancels(settings) / settings.cancel_rate if settings.cancel_rate else 200.0
    return int(min(max(steady, 20.0), CAPACITY / 8))


def _base_ticks(settings: Market) -> int:
    return max(0, round(settings.start_px / settings.tick) - BAND // 2)


def _seed_of(seed: int, index: int) -> int:
    digest = hashlib.sha256(f"synthetic {seed} {index}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _instrument(settings: Market, index: int) -> Instrument:
    return Instrument(
        venue="synthetic",
        symbol="BTCUSD" if index == 0 else f"BTCUSD{index + 1}",
        kind="linear",
        tick=Decimal(str(settings.tick)),
        lot=Decimal(str(settings.lot)),
        base="BTC",
        quote="USD",
        min_qty=Decimal(str(settings.lot)),
        maker_fee=0.0,  # a venue for makers: else quotes near the touch can only lose
        taker_fee=0.0005,
    )


def _check(settings: Market) -> None:
    if settings.start_px / settings.tick < 10 * settings.depth:
        raise DataError(
            "data.synthetic",
            f"expected market.start_px of at least {10 * settings.depth} ticks (10 times depth), "
            f"was {settings.start_px / settings.tick:g}",
            "lower market.tick or market.depth",
        )
    if settings.depth > MAX_DEPTH or settings.market_rate >= settings.limit_rate:
        raise DataError(
            "data.synthetic",
            f"expected market.depth at most {MAX_DEPTH} and market_rate below limit_rate, was "
            f"{settings.depth}, {settings.market_rate:g} and {settings.limit_rate:g}",
            "takers cannot take more than is quoted",
        )
