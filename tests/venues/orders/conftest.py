"""Makers of intents, orders and fills, and a reference venue whose messages get lost and mixed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.entry import Planned, Released
from kimera_cli.venues.orders.outcome import (
    Accepted,
    FillUpdate,
    Intent,
    OrderUpdate,
    VenueFill,
    VenueOrder,
)

SESSION = 77
SYMBOL = "BTCUSDT"


def make_intent(number: int = 1, **changes: Any) -> Intent:
    values: dict[str, Any] = {
        "number": number,
        "client_id": client_id("binance", IntentKey(SESSION, number)),
        "venue": "binance",
        "account": "main",
        "symbol": SYMBOL,
        "side": "buy",
        "kind": "limit",
        "tif": "gtc",
        "created_ns": 1000 + number,
        "price": Decimal(100),
        "quantity": Decimal(10),
    }
    return Intent(**values | changes)


def make_order(intent: Intent | None = None, **changes: Any) -> VenueOrder:
    values: dict[str, Any] = {"venue": "binance", "symbol": SYMBOL, "venue_order_id": "v1",
                              "status": "open"}  # fmt: skip
    if intent is not None:
        values |= {
            "venue_order_id": f"v{intent.number}",
            "client_id": intent.client_id,
            "side": intent.side,
            "kind": intent.kind,
            "price": intent.price,
            "quantity": intent.quantity,
        }
    return VenueOrder(**values | changes)


def make_fill(
    intent: Intent | None = None, trade: int = 1, qty: Any = 1, **changes: Any
) -> VenueFill:
    values: dict[str, Any] = {
        "venue": "binance",
        "symbol": SYMBOL,
        "trade_id": f"t{trade}",
        "venue_order_id": "v1",
        "side": "buy",
        "price": Decimal(100),
        "quantity": Decimal(qty),
        "fee": Decimal("0.001"),
        "fee_asset": "BNB",
        "ts_ns": 2000 + trade,
    }
    if intent is not None:
        values |= {
            "venue_order_id": f"v{intent.number}",
            "side": intent.side,
            "client_id": intent.client_id,
        }
    return VenueFill(**values | changes)


class History(NamedTuple):
    """What truly happened to one order, and every message that the venue made of it."""

    intent: Intent
    messages: list[Any]
    final: VenueOrder
    fills: list[VenueFill]

    @property
    def truth(self) -> list[Any]:
        """What the venue answers when it is asked at the end."""
        return [OrderUpdate(order=self.final), *(FillUpdate(fill=f) for f in self.fills)]

    @property
    def start(self) -> list[Any]:
        return [
            Planned(intent=self.intent),
            Released(client_id=self.intent.client_id, ts_ns=1, expires_ns=2),
        ]


@st.composite
def histories(draw: st.DrawFn, number: int = 1) -> History:
    """An order's life: accepted, filled in parts, then closed or still open."""
    versioned = draw(st.booleans())
    names_client = draw(st.booleans())
    intent = make_intent(number, side=draw(st.sampled_from(["buy", "sell"])))
    left, version, filled = 10, 1, Decimal(0)
    fills: list[VenueFill] = []

    def order(status: str) -> VenueOrder:
        stamps = {"version": version} if versioned else {"updated_ns": version}
        return make_order(intent, status=status, filled=filled, created_ns=1, **stamps)

    messages: list[Any] = [OrderUpdate(order=order("open"))]
    for trade in range(draw(st.integers(0, 4))):
        qty = draw(st.integers(1, left)) if left else 0
        if not qty:
            break
        left, version, filled = left - qty, version + 1, filled + qty
        fill = make_fill(intent, 100 * number + trade, qty)
        if not names_client:
            fill = make_fill(intent, 100 * number + trade, qty, client_id="")
        fills.append(fill)
        messages += [FillUpdate(fill=fill), OrderUpdate(order=order("open" if left else "filled"))]
    final = messages[-1].order
    if left and draw(st.booleans()):
        version += 1
        final = order(draw(st.sampled_from(["canceled", "expired"])))
        messages.append(OrderUpdate(order=final))
    return History(intent, messages, final, fills)


@st.composite
def deliveries(draw: st.DrawFn, messages: list[Any], *, drops: bool) -> list[Any]:
    """The messages reordered, some twice, and (with `drops`) some never."""
    twice = draw(st.lists(st.sampled_from(messages), max_size=4))
    mixed = draw(st.permutations([*messages, *twice]))
    if drops:
        kept = draw(st.lists(st.booleans(), min_size=len(mixed), max_size=len(mixed)))
        mixed = [m for m, keep in zip(mixed, kept, strict=True) if keep]
    return list(mixed)


def accepted(intent: Intent) -> Accepted:
    return Accepted(venue_order_id=f"v{intent.number}", ts_ns=3)


@pytest.fixture(scope="session")
def make() -> Any:
    """The makers, for tests (which cannot import this file)."""

    class Make:
        session = SESSION
        symbol = SYMBOL
        intent = staticmethod(make_intent)
        order = staticmethod(make_order)
        fill = staticmethod(make_fill)
        histories = staticmethod(histories)
        deliveries = staticmethod(deliveries)
        accepted = staticmethod(accepted)

    return Make
