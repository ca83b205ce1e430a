"""Between the loop's orders, in ticks and lots, and the account's, in decimals. Pure.

The loop knows an order by a number and a place in a strategy's table; an account knows it by a
client id. A loop's order that is amended where the venue cannot do so in place is canceled, and
what is left of it is sent anew: to the loop it stays one order.

A fee that the venue keeps of what was bought makes the position smaller. The loop counts in lots,
so it is told of whole lots, rounded up: what it holds is there to be sold. The rest is dust.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from kimera_cli.instrument import Instrument, common_name
from kimera_cli.kernels.outside import TOLD
from kimera_cli.layouts import (
    BID,
    FOK,
    GTC,
    IOC,
    LIMIT,
    POST_ONLY,
    R_ACCEPTED,
    R_AMENDED,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_FILL,
    R_REJECTED,
    REJECTS,
)
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.account_orders import OrderChange
from kimera_cli.venues.orders.machine import CLOSED_BY_VENUE, OrderState, Phase
from kimera_cli.venues.orders.outcome import Reason, TimeInForce, VenueFill

TIFS: dict[int, TimeInForce] = {GTC: "gtc", IOC: "ioc", FOK: "fok", POST_ONLY: "post_only"}
CODES = {
    Reason.POST_ONLY: "post_only_would_cross",
    Reason.FILL_OR_KILL: "fok_not_filled",
    Reason.SELF_TRADE: "self_trade",
    Reason.MIN_QUANTITY: "min_size",
    Reason.MIN_NOTIONAL: "min_size",
    Reason.LIQUIDITY: "no_liquidity",
    Reason.PRICE_BAND: "price_band",
    Reason.FUNDS: "funds",
    Reason.HALTED: "halted",
    Reason.CANCEL_ONLY: "halted",
    Reason.MAINTENANCE: "halted",
    Reason.NOT_FOUND: "unknown_order",
    Reason.ALREADY_CLOSED: "too_late",
    Reason.NO_ANSWER: "not_sent",
}
KEPT = 10_000
"""Client ids that are known, open or not: as many orders as the account's journal keeps at hand."""
NEVER = frozenset({Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT})
"""Ends of orders that the venue never had."""
Told = Any
"""A row of dtype TOLD, shape (1,)."""


@dataclass(slots=True)
class LoopOrder:
    """One order of the loop, and what the loop has been told of it."""

    stream: int
    id: int
    sleeve: int
    slot: int
    side: int
    tif: int
    px_ticks: int
    left_lots: int
    client_id: str = ""
    """Of its latest order at the venue; the earlier ones are closed."""
    is_open: bool = False
    """Whether the loop was told that it is accepted."""
    wants: tuple[int, int] | None = None
    """Amendment under way: new price, and change of the open size in lots."""
    replaces: bool = False
    """Whether its order at the venue stands for an amended one."""
    over: bool = False


class Bridge:
    """The orders of one run at one venue. `strategies`: the name of each sleeve's strategy."""

    def __init__(
        self, instruments: dict[int, Instrument], strategies: Sequence[str], shift_ns: int = 0
    ) -> None:
        self.instruments = instruments
        """By stream of the loop."""
        self._strategies = strategies
        self.shift_ns = shift_ns
        """This host's clock minus the venue's; known when the venue has answered."""
        self._orders: dict[int, LoopOrder] = {}
        self._by_client: dict[str, LoopOrder] = {}
        self._kept: dict[tuple[int, int], tuple[Decimal, int]] = {}
        """By stream and sleeve: fees paid in the base asset, and lots that the loop was told of."""

    # --- from the loop

    def begin(self, asked: Any) -> LoopOrder:
        """Take a new order of the loop."""
        names = ("stream", "id", "sleeve", "slot", "side", "tif", "px_ticks", "qty_lots")
        stream, number, sleeve, slot, side, tif, px_ticks, lots = (int(asked[n]) for n in names)
        order = LoopOrder(stream, number, sleeve, slot, side, tif, px_ticks, lots)
        self._orders[order.id] = order
        return order

    def order(self, number: int) -> LoopOrder | None:
        """Return an order of the loop that is not over."""
        return self._orders.get(number)

    def wish(self, order: LoopOrder, order_type: int) -> Wish:
        """Return what is to be sent for an order."""
        instrument = self.instruments[order.stream]
        is_limit = order_type == LIMIT
        tif = TIFS[order.tif]
        return Wish(
            symbol=instrument.symbol,
            side="buy" if order.side == BID else "sell",
            kind="limit" if is_limit else "market",
            tif=tif if is_limit or tif == "fok" else "ioc",
            price=order.px_ticks * instrument.tick if is_limit else None,
            quantity=order.left_lots * instrument.lot,
            strategy=self._strategies[order.sleeve],
        )

    def name(self, order: LoopOrder, client_id: str) -> None:
        """From now on this client id is the order."""
        order.client_id = client_id
        self._by_client[client_id] = order
        for _ in range(len(self._by_client) - KEPT):  # no word comes any more of what is over
            oldest = next(iter(self._by_client))
            if not (known := self._by_client.pop(oldest)).over:
                self._by_client[oldest] = known

    def open_orders(self) -> list[LoopOrder]:
        """Return the orders that are not over."""
        return list(self._orders.values())

    # --- to the loop

    def changed(self, change: OrderChange) -> list[Told]:
        """Return what the loop is told of a change of one order; nothing where it is not the run's.

        An order that `replaces` and has no client id is to be sent (again).
        """
        order = self._by_client.get(change.after.client_id)
        if order is None:
            return []
        told: list[Told] = []
        state = change.after
        latest = order.client_id == state.client_id
        if change.fill is not None:
            told += self._opened(order, state) if latest else []
            told.append(self._filled(order, change.fill))
        if not latest:
            return told
        if state.phase in (Phase.OPEN, Phase.PARTIAL):
            told += self._opened(order, state)
        elif state.phase in NEVER:
            told += self._never(order, state)
        elif state.phase in CLOSED_BY_VENUE and not state.owed:
            told += self._closed(order, state)
        return told

    def refused(self, order: LoopOrder, code: str, ts_ns: int) -> Told:
        """Return the end of an order that was not sent."""
        kind = R_CANCELLED if order.replaces or order.is_open else R_REJECTED
        return self._ended(order, kind, code, ts_ns)

    def kept(self, order: LoopOrder, code: str, ts_ns: int) -> Told:
        """Return that a cancel or an amendment was refused: the order stands as it did."""
        order.wants = None
        return self._told(order, R_CANCEL_REJECTED, code, ts_ns)

    def _opened(self, order: LoopOrder, state: OrderState) -> list[Told]:
        if order.is_open and not order.replaces:
            return []
        kind = R_AMENDED if order.replaces else R_ACCEPTED
        order.is_open, order.replaces = True, False
        return [self._told(order, kind, "ok", state.updated_ns)]

    def _filled(self, order: LoopOrder, fill: VenueFill) -> Told:
        instrument = self.instruments[order.stream]
        lots = round(fill.quantity / instrument.lot)
        order.left_lots -= lots
        told = self._told(order, R_FILL, "ok", fill.ts_ns)
        told["px_ticks"] = round(fill.price / instrument.tick)
        told["qty_lots"] = lots
        told["maker"] = int(bool(fill.maker))
        told["fee"] = fee_in_quote(fill, instrument)
        told["code"] = self._kept_lots(order, fill)
        return told

    def _kept_lots(self, order: LoopOrder, fill: VenueFill) -> int:
        """Return by how many lots the venue's fees have made the position smaller."""
        instrument = self.instruments[order.stream]
        if not fill.fee or common_name(fill.fee_asset) != common_name(instrument.base):
            return 0
        paid, told = self._kept.get((order.stream, order.sleeve), (Decimal(0), 0))
        paid += fill.fee
        lots = math.ceil(paid / instrument.lot)
        self._kept[order.stream, order.sleeve] = paid, lots
        return lots - told

    def dust(self) -> dict[str, Decimal]:
        """Return by symbol what the account has of the run beyond the loop's lots."""
        found: dict[str, Decimal] = {}
        for (stream, _), (paid, lots) in self._kept.items():
            instrument = self.instruments[stream]
            rest = lots * instrument.lot - paid
            if rest:
                found[instrument.symbol] = found.get(instrument.symbol, Decimal(0)) + rest
        return found

    def _closed(self, order: LoopOrder, state: OrderState) -> list[Told]:
        order.client_id = ""
        if order.wants is not None and self._replaced(order):
            return []
        if order.left_lots <= 0:
            self._forget(order)
            return []
        expired = "fok_not_filled" if order.tif == FOK else "ioc_expired"
        code = expired if order.tif in (IOC, FOK) else CODES.get(state.reason or "", "ok")  # type: ignore[arg-type]
        return [self._ended(order, R_CANCELLED, code, state.updated_ns)]

    def _never(self, order: LoopOrder, state: OrderState) -> list[Told]:
        order.client_id = ""
        code = "not_sent" if state.phase is not Phase.REJECTED else "refused"
        return [self.refused(order, CODES.get(state.reason or "", code), state.updated_ns)]  # type: ignore[arg-type]

    def _replaced(self, order: LoopOrder) -> bool:
        """Let what is left of an amended order be as it was to be; False when that is nothing."""
        assert order.wants is not None
        (order.px_ticks, change), order.wants = order.wants, None
        if order.left_lots <= 0 or order.left_lots + change <= 0:
            return False
        order.left_lots += change
        order.replaces = True
        return True

    def _ended(self, order: LoopOrder, kind: int, code: str, ts_ns: int) -> Told:
        told = self._told(order, kind, code, ts_ns)
        told["left_lots"] = 0
        self._forget(order)
        return told

    def _forget(self, order: LoopOrder) -> None:
        order.over = True
        self._orders.pop(order.id, None)

    def _told(self, order: LoopOrder, kind: int, code: str, ts_ns: int) -> Told:
        told = np.zeros(1, TOLD)
        for name in ("stream", "id", "sleeve", "slot", "side", "px_ticks", "left_lots"):
            told[name] = getattr(order, name)
        told["qty_lots"] = order.left_lots
        told["kind"], told["code"] = kind, REJECTS.index(code)
        told["ts_exch_ns"] = ts_ns + self.shift_ns
        told["fee"] = math.nan
        return told


def fee_in_quote(fill: VenueFill, instrument: Instrument) -> float:
    """Return a fill's fee in the quote currency; NaN when it was paid in a third asset."""
    asset = common_name(fill.fee_asset)
    if asset == common_name(instrument.quote) or not fill.fee:
        return float(fill.fee)
    if asset == common_name(instrument.base):
        return float(fill.fee * fill.price)
    return math.nan


def streams_of(instruments: Sequence[Instrument], venue: str) -> dict[int, Instrument]:
    """Return the streams of one venue."""
    return {k: each for k, each in enumerate(instruments) if each.venue == venue}
