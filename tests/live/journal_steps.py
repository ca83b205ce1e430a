"""Orders of an account in memory, driven step by step, as the journal would."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from kimera_cli.instrument import Instrument
from kimera_cli.kernels.outside import ASKED
from kimera_cli.kernels.state import REQ_NEW
from kimera_cli.layouts import (
    BID,
    LIMIT,
    R_ACCEPTED,
    R_AMENDED,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_FILL,
    R_REJECTED,
    REJECTS,
)
from kimera_cli.live.bridge import Bridge, LoopOrder
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.entry import Answered, Entry, Planned, Released
from kimera_cli.venues.orders.outcome import (
    Accepted,
    FillUpdate,
    Intent,
    OrderUpdate,
    Outcome,
    VenueFill,
    VenueOrder,
)

PAIR = Instrument(
    venue="binance", symbol="BTCUSDT", kind="spot", tick=Decimal("0.01"), lot=Decimal("0.001"),
    base="BTC", quote="USDT",
)  # fmt: skip
KINDS = {
    R_ACCEPTED: "accepted",
    R_AMENDED: "amended",
    R_CANCEL_REJECTED: "kept",
    R_CANCELLED: "cancelled",
    R_FILL: "fill",
    R_REJECTED: "rejected",
}
T0 = 1_700_000_000_000_000_000


def asked(number: int = 1, **values: int) -> Any:
    """Return a request of the loop: by default, buy 5 lots at tick 10,000."""
    row = np.zeros(1, ASKED)[0]
    given = {"kind": REQ_NEW, "id": number, "side": BID, "type": LIMIT, "px_ticks": 10_000}
    for name, value in {**given, "qty_lots": 5, "slot": 2, "ts_ns": T0, **values}.items():
        row[name] = value
    return row


class Steps:
    """A bridge with the account behind it."""

    def __init__(self) -> None:
        self.orders = AccountOrders(session=7)
        self.bridge = Bridge({0: PAIR}, ["grid"])
        self.told: list[tuple[str, int, int, str]] = []
        """(kind, lots, left, code) of everything that the loop was told."""
        self.raw: list[Any] = []
        self._number = self._trade = 0

    def apply(self, entry: Entry) -> None:
        """Take one entry, and tell the loop."""
        for change in self.orders.apply(entry):
            self.say(self.bridge.changed(change))

    def say(self, rows: list[Any]) -> None:
        """Note what the loop is told."""
        for row in rows:
            self.raw.append(row)
            kind, lots = KINDS[int(row["kind"][0])], int(row["qty_lots"][0])
            code = "ok" if kind == "fill" else REJECTS[int(row["code"][0])]
            self.told.append((kind, lots, int(row["left_lots"][0]), code))

    def send(self, order: LoopOrder, order_type: int = LIMIT) -> str:
        """Send an order (anew) and return its client id."""
        self._number += 1
        wish: Wish = self.bridge.wish(order, order_type)
        intent = Intent(
            number=self._number,
            client_id=client_id("binance", IntentKey(7, self._number)),
            venue="binance",
            account="main",
            created_ns=T0,
            **wish._asdict(),
        )
        self.bridge.name(order, intent.client_id)
        self.apply(Planned(intent=intent))
        self.apply(Released(client_id=intent.client_id, ts_ns=T0, expires_ns=T0 + 1))
        return intent.client_id

    def answer(self, name: str, outcome: Outcome | str) -> None:
        """Let the venue answer; a text is the order's id there."""
        if isinstance(outcome, str):
            outcome = Accepted(venue_order_id=outcome, ts_ns=T0)
        self.apply(Answered(client_id=name, outcome=outcome))

    def fill(self, venue_id: str, quantity: str, price: str = "100.00", **more: Any) -> None:
        """Let the venue tell an execution."""
        self._trade += 1
        told = {"fee": Decimal("0.002"), "fee_asset": "USDT", "maker": True, **more}
        fill = VenueFill(
            venue="binance", symbol="BTCUSDT", trade_id=str(self._trade), venue_order_id=venue_id,
            side="buy", price=Decimal(price), quantity=Decimal(quantity), ts_ns=T0 + 5, **told,
        )  # fmt: skip
        self.apply(FillUpdate(fill=fill))

    def tell(self, venue_id: str, status: Any, filled: str = "0", **more: Any) -> None:
        """Let the venue tell an order."""
        order = VenueOrder(
            venue="binance", symbol="BTCUSDT", venue_order_id=venue_id, status=status,
            filled=Decimal(filled), **more,
        )  # fmt: skip
        self.apply(OrderUpdate(order=order))
