"""nautilus_trader as a peer of the replay: its event-driven backtest over the same messages.

It gets its fastest form: one OrderBookDeltas object per message, made before the watch starts, no
logging, no risk engine, no bars. Imported only when the peer is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, F_LAST, NO_SIDE

VENUE = Venue("PEER")
ID = InstrumentId(Symbol("BTCUSDT-PERP"), VENUE)
CASH = 10_000_000
"""USDT; its accounts are binary fractions and refuse their own sums where this is much more."""


@dataclass
class Counts:
    """What a run came to."""

    steps: int = 0
    submits: int = 0
    cancels: int = 0
    fills: int = 0


class Watcher(Strategy):  # type: ignore[misc]
    """Looks at the best prices at each interval and does nothing."""

    def __init__(self, interval_ns: int) -> None:
        super().__init__()
        self.interval_ns = interval_ns
        self.counts = Counts()

    def on_start(self) -> None:
        """Ask for the book, and for the timer."""
        import pandas as pd

        self.subscribe_order_book_deltas(ID, BookType.L2_MBP)
        interval = pd.Timedelta(self.interval_ns, "ns")
        self.clock.set_timer("step", interval, callback=self.on_step)

    def on_step(self, event: Any) -> None:
        """Take one step."""
        self.counts.steps += 1
        book = self.cache.order_book(ID)
        if book is not None and (bid := book.best_bid_price()) is not None:
            self.step(bid, book.best_ask_price())

    def step(self, bid: Any, ask: Any) -> None:
        """Do nothing with the best prices."""


class Grid(Watcher):
    """The decisions of strategies/grid.py, in Python as this peer's strategies are."""

    def __init__(self, interval_ns: int, params: dict[str, float], tick: float, lot: float) -> None:
        super().__init__(interval_ns)
        self.levels, self.gap = int(params["levels"]), int(params["gap_ticks"])
        self.half, self.skew = params["half_spread_ticks"], params["skew_ticks"]
        self.lots, self.max_units = int(params["order_lots"]), params["max_units"]
        self.tick, self.lot = tick, lot
        self.position = 0
        self.orders: dict[int, Any] = {}

    def step(self, bid: Any, ask: Any) -> None:
        """Lay both ladders out anew and mend the difference."""
        if ask is None:
            return
        best_bid, best_ask = round(float(bid) / self.tick), round(float(ask) / self.tick)
        units = self.position / self.lots
        mid, skew = 0.5 * (best_bid + best_ask), units * self.skew
        first_bid = min(math.floor((mid - self.half - skew) / self.gap) * self.gap, best_bid)
        first_ask = max(math.ceil((mid + self.half - skew) / self.gap) * self.gap, best_ask)
        bids = range(first_bid, first_bid - self.levels * self.gap, -self.gap)
        asks = range(first_ask, first_ask + self.levels * self.gap, self.gap)
        for px, order in list(self.orders.items()):
            if order.is_open and px not in (bids if order.side == OrderSide.BUY else asks):
                self.cancel_order(order)
                self.counts.cancels += 1
        if units < self.max_units:
            self._send(OrderSide.BUY, bids)
        if units > -self.max_units:
            self._send(OrderSide.SELL, asks)

    def _send(self, side: Any, prices: range) -> None:
        instrument = self.cache.instrument(ID)
        for px in prices:
            if px in self.orders:
                continue
            order = self.order_factory.limit(
                ID,
                side,
                instrument.make_qty(self.lots * self.lot),
                instrument.make_price(px * self.tick),
                post_only=True,
            )
            self.orders[px] = order
            self.submit_order(order)
            self.counts.submits += 1

    def on_order_filled(self, event: Any) -> None:
        """Follow the position."""
        self.counts.fills += 1
        lots = round(float(event.last_qty) / self.lot)
        self.position += lots if event.order_side == OrderSide.BUY else -lots

    def on_order_event(self, event: Any) -> None:
        """Forget orders that are closed."""
        order = self.cache.order(event.client_order_id)
        if order is not None and order.is_closed:
            self.orders.pop(round(float(order.price) / self.tick), None)


def data_of(events: Any, instrument: Instrument) -> list[Any]:
    """Return the messages (levels, trades) as the peer's objects, in the order of local time."""
    made: list[Any] = []
    message: list[Any] = []
    decimals = _decimals(instrument.tick), _decimals(instrument.lot)
    tick, lot = instrument.tick, instrument.lot
    for number, e in enumerate(events.view(np.ndarray).tolist()):
        row = dict(zip(events.dtype.names, e, strict=True))
        ts_event, ts_init = row["ts_exch_ns"], row["ts_local_ns"]
        last = bool(row["flags"] & F_LAST)
        if row["kind"] not in (DEPTH, CLEAR):
            px = Price(row["px_ticks"] * float(tick), decimals[0])
            qty = Quantity(row["qty_lots"] * float(lot), decimals[1])
            trade = TradeId(str(number))
            made.append(TradeTick(ID, px, qty, _AGGRESSOR[row["side"]], trade, ts_event, ts_init))
            continue
        message.append(_delta(row, last, tick, lot, decimals))
        if last:
            made.append(OrderBookDeltas(ID, message))
            message = []
    return made


_AGGRESSOR = {
    BID: AggressorSide.BUYER,
    ASK: AggressorSide.SELLER,
    NO_SIDE: AggressorSide.NO_AGGRESSOR,
}


def _delta(
    row: dict[str, int], last: bool, tick: Decimal, lot: Decimal, decimals: tuple[int, int]
) -> Any:
    ts = row["ts_exch_ns"], row["ts_local_ns"]
    if row["kind"] == CLEAR:
        return OrderBookDelta.clear(ID, row["seq"], *ts)
    order = BookOrder(
        OrderSide.BUY if row["side"] == BID else OrderSide.SELL,
        Price(row["px_ticks"] * float(tick), decimals[0]),
        Quantity(row["qty_lots"] * float(lot), decimals[1]),
        0,
    )
    action = BookAction.UPDATE if row["qty_lots"] else BookAction.DELETE
    flags = RecordFlag.F_LAST if last else 0
    return OrderBookDelta(ID, action, order, flags, row["seq"], *ts)


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def engine_for(
    data: list[Any], strategy: Strategy, instrument: Instrument, latency_ns: int
) -> BacktestEngine:
    """Return an engine that is ready to run."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("PEER-001"),
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.MARGIN,
        starting_balances=[Money(CASH, USDT)],
        book_type=BookType.L2_MBP,
        latency_model=LatencyModel(base_latency_nanos=latency_ns),
    )
    engine.add_instrument(_instrument(instrument))
    engine.add_data(data, validate=False, sort=False)
    engine.add_strategy(strategy)
    return engine


def _instrument(instrument: Instrument) -> CryptoPerpetual:
    decimals = _decimals(instrument.tick), _decimals(instrument.lot)
    return CryptoPerpetual(
        instrument_id=ID,
        raw_symbol=ID.symbol,
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=decimals[0],
        size_precision=decimals[1],
        price_increment=Price(float(instrument.tick), decimals[0]),
        size_increment=Quantity(float(instrument.lot), decimals[1]),
        maker_fee=Decimal(str(instrument.maker_fee)),
        taker_fee=Decimal(str(instrument.taker_fee)),
        ts_event=0,
        ts_init=0,
    )
