"""The matching engine by name: one instrument's continuous auction (rules: kernels/match.py)."""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.kernels.match import match_amend, match_cancel, match_new
from kimera_cli.kernels.match_book import (
    BAND,
    ENGINE,
    REPORT_CANCEL,
    REPORT_DECREMENT,
    REPORT_TRADE,
    best_price,
    cell_of,
    in_band,
    level_lots,
    next_price,
    place_of,
)
from kimera_cli.layouts import (
    ASK,
    BID,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NO_ASK,
    NO_BID,
    POST_ONLY,
    REJECTS,
)
from kimera_cli.market.book import Level

OrderType = Literal["limit", "market"]
TimeInForce = Literal["gtc", "ioc", "fok", "post_only"]
SelfTrade = Literal["none", "cancel_newest", "cancel_oldest", "cancel_both", "decrement"]

_TYPES = {"limit": LIMIT, "market": MARKET}
_TIFS = {"gtc": GTC, "ioc": IOC, "fok": FOK, "post_only": POST_ONLY}
_STPS = {"none": 0, "cancel_newest": 1, "cancel_oldest": 2, "cancel_both": 3, "decrement": 4}
_KINDS = {REPORT_TRADE: "trade", REPORT_CANCEL: "cancel", REPORT_DECREMENT: "decrement"}


class Execution(NamedTuple):
    """What a request did to one resting order: a trade, or an act of self-trade prevention."""

    kind: str
    maker_id: int
    maker_account: int
    maker_left_lots: int
    px_ticks: int
    qty_lots: int


class Answer(NamedTuple):
    """Outcome of a request. code is "ok" or why it was refused, or why its rest is gone."""

    code: str
    order_id: int
    filled_lots: int
    left_lots: int
    gone_lots: int
    executions: tuple[Execution, ...]

    @property
    def ok(self) -> bool:
        """True when the request did all it asked for."""
        return self.code == "ok"


class RestingOrder(NamedTuple):
    """One order in the book."""

    id: int
    account: int
    side: int
    px_ticks: int
    left_lots: int
    priority: int


def new_engines(n: int, base_ticks: int = 0, *, small_pages: bool = False) -> Any:
    """Return n empty engines, shape (n,) of dtype ENGINE, for prices in [base_ticks, + BAND).

    A few prices of an engine's 50 MB are in use. With small pages the system gives memory for those
    alone: some 100 KB; else by the 2 MB, as numpy asks for, which the processor finds faster.
    """
    if base_ticks < 0:
        raise DataError("data.engine", f"expected a lowest price >= 0, was {base_ticks}")
    memory = _small_pages(n * ENGINE.itemsize) if small_pages else None
    engines = np.zeros(n, ENGINE) if memory is None else np.frombuffer(memory, ENGINE)
    engines = engines.view(np.recarray)
    engines["base_ticks"] = base_ticks
    engines["best_bid_ticks"] = NO_BID
    engines["best_ask_ticks"] = NO_ASK
    return engines


def _small_pages(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, access=mmap.ACCESS_COPY)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with suppress(OSError):  # a system without huge pages
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory


class MatchingEngine:
    """One instrument's order book with price-time priority. Prices are ticks, sizes lots.

    Accounts are integers; 0 is nobody in particular (no self-trade prevention, and may cancel any
    order). Nothing raises for an order that a venue would refuse: the answer's code says so.
    Its memory comes by small pages: a process may have many.
    """

    def __init__(self, base_ticks: int = 0) -> None:
        self.state = new_engines(1, base_ticks, small_pages=True)[0]

    def submit(
        self,
        side: int,
        qty_lots: int,
        px_ticks: int | None = None,
        *,
        account: int = 0,
        order_type: OrderType = "limit",
        tif: TimeInForce = "gtc",
        self_trade: SelfTrade = "cancel_newest",
    ) -> Answer:
        """Submit an order; a limit order needs a price."""
        if order_type == "limit" and px_ticks is None:
            raise DataError("data.order", "expected a price with a limit order, was None")
        code = match_new(
            self.state, np.int64(account), side, np.int64(px_ticks or 0), np.int64(qty_lots),
            _TYPES[order_type], _TIFS[tif], _STPS[self_trade],
        )  # fmt: skip
        return self._answer(int(code))

    def cancel(self, order_id: int, account: int = 0) -> Answer:
        """Cancel a resting order of the account."""
        return self._answer(int(match_cancel(self.state, np.int64(order_id), np.int64(account))))

    def amend(self, order_id: int, px_ticks: int, qty_lots: int, account: int = 0) -> Answer:
        """Give a resting order a new price and open size."""
        code = match_amend(
            self.state, np.int64(order_id), np.int64(account), np.int64(px_ticks),
            np.int64(qty_lots),
        )  # fmt: skip
        return self._answer(int(code))

    def _answer(self, code: int) -> Answer:
        state = self.state
        n = int(state["n_reports"])
        reports = state["reports"][:n].tolist() if n else []
        executions = tuple(
            Execution(_KINDS[kind], maker, account, left, px, lots)
            for kind, maker, account, left, _, px, lots, _ in reports
        )
        return Answer(
            REJECTS[code], int(state["order_id"]), int(state["filled_lots"]),
            int(state["left_lots"]), int(state["gone_lots"]), executions,
        )  # fmt: skip

    @property
    def best_bid(self) -> Level | None:
        """Best bid, None when there is none."""
        return next(iter(self.levels(BID, 1)), None)

    @property
    def best_ask(self) -> Level | None:
        """Best ask, None when there is none."""
        return next(iter(self.levels(ASK, 1)), None)

    def levels(self, side: int, depth: int = 10) -> list[Level]:
        """Return the best levels of a side, best first."""
        found: list[Level] = []
        px = int(best_price(self.state, side))
        while px not in (NO_BID, NO_ASK) and len(found) < depth:
            found.append(Level(px, int(level_lots(self.state, side, np.int64(px)))))
            worse = px - 1 if side == BID else px + 1
            if not in_band(self.state, np.int64(worse)):
                break
            px = int(next_price(self.state, side, np.int64(worse)))
        return found

    def order(self, order_id: int) -> RestingOrder | None:
        """Return a resting order, None when it does not rest."""
        place = int(place_of(self.state, np.int64(order_id)))
        return self._order(place) if place else None

    def queue(self, side: int, px_ticks: int) -> list[RestingOrder]:
        """Return the orders of a level, front of the queue first."""
        if not in_band(self.state, np.int64(px_ticks)):
            return []
        place = int(self.state.levels[cell_of(self.state, side, np.int64(px_ticks))].head)
        found = []
        while place:
            found.append(self._order(place))
            place = int(self.state.orders[place].next)
        return found

    def _order(self, place: int) -> RestingOrder:
        o = self.state.orders[place]
        return RestingOrder(
            int(o.id), int(o.account), int(o.side), int(o.px_ticks), int(o.left_lots),
            int(o.priority),
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.state.n_orders)


PRICE_BAND = BAND
"""Number of prices that an engine accepts, from its base upwards."""
