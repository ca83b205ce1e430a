"""The slower protocol: a class that is called with plain Python objects.

`Market` wraps the very VIEW record that a compiled strategy reads and appends to the same actions,
so a class and a compiled function that decide alike give the same run. Prices are in quote currency
and sizes in units of size (base units, or contracts); the `*_ticks` and `*_lots` attributes are the
exact integers behind them.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from kimera_cli.kernels import strategy as actions
from kimera_cli.layouts import (
    ASK,
    BID,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    MAX_ACTIONS,
    ORDER_NONE,
    POST_ONLY,
    VIEW,
)
from kimera_cli.names import nearest
from kimera_cli.strategies.protocol import StrategyError

Side = Literal["buy", "sell"]
Tif = Literal["gtc", "ioc", "fok", "post_only"]
SIDES: dict[str, int] = {"buy": BID, "sell": ASK}
TIFS: dict[str, int] = {"gtc": GTC, "ioc": IOC, "fok": FOK, "post_only": POST_ONLY}
STATES = ("none", "pending", "open", "cancelling", "amending")
WAKES = ("event", "timer", "fill", "group")
STEP_TOLERANCE = 1e-6
"""How far from a whole number of ticks or lots a float may be and still mean that number."""


class Order(NamedTuple):
    """One own order as this side of the wire knows it."""

    slot: int
    """Index into view.orders."""
    id: int
    side: Side
    px: float
    qty: float
    """What is still open."""
    state: str
    """pending, open, cancelling or amending."""
    tag: int
    sent_ns: int
    px_ticks: int
    left_lots: int


class Market:
    """One instrument at one moment, the own account in it, and the way to act."""

    def __init__(self, view: Any, params: dict[str, float] | None = None) -> None:
        self.view = view
        self.params = params or {}

    def __getattr__(self, name: str) -> Any:
        """Give every number of the VIEW record: ofi, vol_fast, cash, best_bid_lots ..."""
        fields = VIEW.names or ()
        if name not in fields:
            near = nearest(name, fields)
            raise AttributeError(
                f"Market has no {name}" + (f": did you mean {near}?" if near else "")
            )
        return self.view[name].item()

    @property
    def best_bid(self) -> float | None:
        """Best bid in quote currency; None when the side is empty."""
        ticks = int(self.view["best_bid_ticks"])
        return ticks * float(self.view["tick"]) if ticks > 0 else None

    @property
    def best_ask(self) -> float | None:
        """Best ask in quote currency; None when the side is empty."""
        ticks = int(self.view["best_ask_ticks"])
        return ticks * float(self.view["tick"]) if 0 < ticks < actions.WHOLE_LIMIT else None

    @property
    def mid(self) -> float:
        """Mid in quote currency; NaN when one side is empty."""
        return float(self.view["mid_ticks"]) * float(self.view["tick"])

    @property
    def has_market(self) -> bool:
        """True when both sides hold a price and they do not cross."""
        return bool(actions.has_market(self.view))

    @property
    def position(self) -> float:
        """Position in units of size; negative is short."""
        return int(self.view["position_lots"]) * float(self.view["lot"])

    @property
    def wake(self) -> str:
        """Why this call: event, timer, fill or group."""
        return WAKES[int(self.view["reason"])]

    @property
    def orders(self) -> list[Order]:
        """Own orders in this instrument, in table order."""
        rows = self.view["orders"]
        slots = np.flatnonzero(rows["state"] != ORDER_NONE).tolist()
        return [self._order(slot, rows[slot].tolist()) for slot in slots]

    def _order(self, slot: int, row: tuple[int, ...]) -> Order:
        state, order_id, side, px_ticks, left_lots, tag, sent_ns, _ = row  # layouts.OPEN_ORDER
        return Order(
            slot=slot,
            id=order_id,
            side="buy" if side == BID else "sell",
            px=px_ticks * float(self.view["tick"]),
            qty=left_lots * float(self.view["lot"]),
            state=STATES[state],
            tag=tag,
            sent_ns=sent_ns,
            px_ticks=px_ticks,
            left_lots=left_lots,
        )

    def ticks(self, px: float) -> int:
        """Return a price in ticks; ValueError when it is no whole number of them."""
        return _steps(px, float(self.view["tick"]), "price", "tick")

    def lots(self, qty: float) -> int:
        """Return a size in lots; ValueError when it is no whole number of them."""
        return _steps(qty, float(self.view["lot"]), "size", "lot")

    def size_for(self, notional: float) -> float:
        """Return the size that `notional` (portfolio currency) buys, in whole lots; 0 when none."""
        lots = actions.lots_for_notional(self.view, float(notional))
        return int(lots) * float(self.view["lot"])

    def sellable(self, qty: float) -> float:
        """Return how much of `qty` may be sold: on spot what is held; 0 below the minimum."""
        lots = actions.sellable_lots(self.view, self.lots(qty))
        return int(lots) * float(self.view["lot"])

    def buy(self, px: float | None, qty: float, tif: Tif = "gtc", tag: int = 0) -> None:
        """Ask for a buy order; px None is a market order."""
        self._place(BID, px, qty, tif, tag)

    def sell(self, px: float | None, qty: float, tif: Tif = "gtc", tag: int = 0) -> None:
        """Ask for a sell order; px None is a market order."""
        self._place(ASK, px, qty, tif, tag)

    def _place(self, side: int, px: float | None, qty: float, tif: Tif, tag: int) -> None:
        if tif not in TIFS:
            raise ValueError(f"expected tif gtc, ioc, fok or post_only, was {tif!r}")
        kind, ticks = (MARKET, 0) if px is None else (LIMIT, self.ticks(px))
        self._act(actions.place, side, ticks, self.lots(qty), kind, TIFS[tif], tag)

    def cancel(self, order: Order) -> None:
        """Ask to cancel one order."""
        self._act(actions.cancel, order.slot)

    def amend(self, order: Order, px: float, qty: float) -> None:
        """Ask to move an order to a price and a new open size."""
        self._act(actions.amend, order.slot, self.ticks(px), self.lots(qty))

    def cancel_all(self) -> None:
        """Ask to cancel every own order in this instrument."""
        self._act(actions.cancel_all)

    def _act(self, action: Callable[..., int], *values: int) -> None:
        if action(self.view, *values) < 0:
            raise ValueError(f"expected at most {MAX_ACTIONS} actions in one call, was more")


def _steps(value: float, step: float, what: str, unit: str) -> int:
    ratio = float(value) / step
    if not abs(ratio) < actions.WHOLE_LIMIT or abs(ratio - round(ratio)) > STEP_TOLERANCE:
        raise ValueError(f"expected {what} as a whole number of {unit}s of {step:g}, was {value!r}")
    return round(ratio)


class Strategy:
    """Base of strategies that want plain Python objects; one instance per instrument.

    State lives in attributes; `self.params` holds the parameters by name.
    """

    params: dict[str, float]

    def on_start(self) -> None:
        """Prepare; called once before the first wake, with `self.params` set."""

    def on_wake(self, market: Market) -> None:
        """Look at the market and act."""
        raise NotImplementedError


class PythonStrategy:
    """Calls a Strategy class from the loop: `decide(view)` as a compiled strategy would."""

    def __init__(
        self, name: str, path: Path, cls: type[Strategy], params: dict[str, float]
    ) -> None:
        self.name = name
        self.path = path
        self.cls = cls
        self.params = dict(params)
        self._instances: dict[int, Strategy] = {}

    def decide(self, view: Any) -> int:
        """Let the instance of view.instrument act on a VIEW numpy.record; return 0.

        StrategyError `strategy.raised`, naming file and line, for whatever it raises.
        """
        try:
            self._instance(int(view.instrument)).on_wake(Market(view, self.params))
        except Exception as error:
            raise self._failure(error) from error
        return 0

    def _instance(self, instrument: int) -> Strategy:
        if instrument not in self._instances:
            made = self.cls()
            made.params = dict(self.params)
            made.on_start()
            self._instances[instrument] = made
        return self._instances[instrument]

    def _failure(self, error: Exception) -> StrategyError:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if f.filename == str(self.path)]
        line = (own[-1].lineno if own else None) or 0
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return StrategyError(
            "strategy.raised",
            f"expected strategy {self.name} to decide, was {text} at {self.path}:{line}",
            "mend that line; --debug shows the traceback",
            strategy=self.name,
            file=str(self.path),
            line=line,
        )
