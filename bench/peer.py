"""hftbacktest as the peer of the replay: set up for the same market, imported only when asked for.

It runs on its fastest book (the vector of a range of interest around the traded prices) with its
exchange model without partial fills, its power queue model, and constant order latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from kimera_cli.errors import UsageError
from kimera_cli.layouts import TRADE, Events

from .machine import package
from .peer_events import PeerEvents, to_peer

HFTBACKTEST = "hftbacktest"
LADDER_SHARE = 0.02
"""The range of interest reaches this share beyond the traded prices; levels outside are ignored."""


def require() -> Any:
    """Import hftbacktest; UsageError `usage.peer_absent` names the extra that brings it."""
    try:
        return import_module(HFTBACKTEST)
    except ImportError as error:
        raise UsageError(
            "usage.peer_absent",
            f"expected the peer hftbacktest to be installed, was: {error}",
            "pip install 'kimera[peers]'",
        ) from None


def name() -> str:
    """`hftbacktest 2.4.4`: the peer as records name it."""
    return f"{HFTBACKTEST} {package(HFTBACKTEST)}"


@dataclass(frozen=True)
class Market:
    """What both simulators are told about one instrument and the way to it."""

    tick: float
    lot: float
    maker_fee: float
    taker_fee: float
    entry_ns: int
    response_ns: int
    queue_exponent: float


@dataclass(frozen=True)
class Outcome:
    """What a run of the peer came to."""

    submits: int
    cancels: int
    fills: int
    steps: int
    position_lots: int
    fees: float


class Simulator:
    """Builds fresh runs of hftbacktest over the same events."""

    def __init__(self, events: Events, market: Market) -> None:
        self.library = require()
        self.market = market
        self.rows: PeerEvents = to_peer(events, market.tick, market.lot)
        traded = events["px_ticks"][events["kind"] == TRADE]
        reach = traded if len(traded) else events["px_ticks"]
        self.low = float(reach.min()) * (1 - LADDER_SHARE) * market.tick
        self.high = float(reach.max()) * (1 + LADDER_SHARE) * market.tick

    def build(self) -> Any:
        """Return a run that has not begun."""
        market = self.market
        asset = (
            self.library.BacktestAsset()
            .data([self.rows])
            .linear_asset(1.0)
            .constant_order_latency(market.entry_ns, market.response_ns)
            .power_prob_queue_model(market.queue_exponent)
            .no_partial_fill_exchange()
            .trading_value_fee_model(market.maker_fee, market.taker_fee)
            .tick_size(market.tick)
            .lot_size(market.lot)
            .last_trades_capacity(0)
            .roi_lb(self.low)
            .roi_ub(self.high)
        )
        return self.library.ROIVectorMarketDepthBacktest([asset])

    def outcome(self, run: Any, counts: Any) -> Outcome:
        """Read the result of a run that has ended, and close it."""
        values = run.state_values(0)
        result = Outcome(
            submits=int(counts[0]),
            cancels=int(counts[1]),
            fills=int(values.num_trades),
            steps=int(counts[2]),
            position_lots=round(float(values.position) / self.market.lot),
            fees=float(values.fee),
        )
        run.close()
        return result


def grid_params(values: dict[str, float]) -> Any:
    """Return the parameters of strategies/grid.py in their order, for the compiled loop."""
    return np.array(list(values.values()), np.float64)
