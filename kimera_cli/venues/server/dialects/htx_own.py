"""What HTX's private channels say of an order's steps and of its fills."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects import htx_shapes as shapes
from kimera_cli.venues.server.dialects.htx_text import account_id, ms, name_of, order_text
from kimera_cli.venues.server.model import Deposited, Event, Order, OrderChanged, RequestDone

MODES = ("0", "1", "2")
CHANGES = {
    "new": "order-place",
    "trade": "order-match",
    "canceled": "order-cancel",
    "expired": "order-cancel",
    "amended": "order-place",
}


class ChangeType:
    """Why balances move in the present request: the last thing that happened before."""

    def __init__(self) -> None:
        self.now = "other"

    def take(self, event: Event) -> str:
        """Take an event; return the reason of balance changes from here on."""
        if isinstance(event, OrderChanged):
            if self.now != "order-match":
                self.now = CHANGES[event.what]
        elif isinstance(event, Deposited):
            self.now = "deposit" if event.amount > 0 else "withdraw"
        return self.now

    def end(self, event: Event) -> None:
        """Forget at the end of a request."""
        if isinstance(event, RequestDone):
            self.now = "other"


def _terms(order: Order) -> dict[str, Any]:
    """Return price and size: a market order has no price, a market buy a value for its size."""
    if order.kind == "limit":
        return {
            "orderPrice": amounts.text(order.px_ticks * order.market.tick_atoms),
            "orderSize": amounts.text(shapes.size_of(order)),
        }
    if order.quote_qty:
        return {"orderValue": amounts.text(order.quote_qty)}
    return {"orderSize": amounts.text(shapes.size_of(order))}


def _done(order: Order) -> dict[str, Any]:
    """Return what is executed and what remains, in quote for a market buy."""
    executed = order.filled_lots * order.market.lot_atoms
    remains = order.left_lots * order.market.lot_atoms
    if order.quote_qty:
        executed, remains = order.cost, max(0, order.quote_qty - order.cost)
        remains = 0 if order.status == "filled" else remains
    return {
        "execAmt": amounts.text(executed),
        "remainAmt": amounts.text(remains),
        "totalTradeAmount": amounts.text(order.cost),
    }


def _head(order: Order, event: str, status: str) -> dict[str, Any]:
    return {
        "eventType": event,
        "symbol": name_of(order.market),
        "orderId": order_text(order.id),
        "clientOrderId": order.client_id,
        "orderSource": "spot-api",
        "type": shapes.type_of(order),
        "orderStatus": status,
        "accountId": account_id(order.account),
        **_terms(order),
    }


def order_step(event: OrderChanged) -> dict[str, Any] | None:
    """Return a step of an order for the channel `orders`."""
    order, fill = event.order, event.fill
    if event.what == "new":
        return _head(order, "creation", "submitted") | {"orderCreateTime": ms(order.created_ns)}
    if event.what in ("canceled", "expired"):
        head = _head(order, "cancellation", shapes.state_of(order))
        return head | _done(order) | {"lastActTime": ms(event.ts_ns)}
    if fill is None:
        return None
    trade = {
        "tradePrice": amounts.text(fill.px_ticks * order.market.tick_atoms),
        "tradeVolume": amounts.text(fill.qty_lots * order.market.lot_atoms),
        "tradeId": fill.trade_id,
        "tradeTime": ms(fill.ts_ns),
        "aggressor": not fill.maker,
    }
    return _head(order, "trade", shapes.state_of(order)) | trade | _done(order)


def clearing(event: OrderChanged, *, cancels: bool) -> dict[str, Any] | None:
    """Return a fill (or, when wanted, a cancel) for the channel `trade.clearing`."""
    order, fill = event.order, event.fill
    body = {
        "symbol": name_of(order.market),
        "orderId": order_text(order.id),
        "orderSide": order.side,
        "orderType": shapes.type_of(order),
        "accountId": account_id(order.account),
        "source": "spot-api",
        **_terms(order),
        "clientOrderId": order.client_id,
        "orderCreateTime": ms(order.created_ns),
        "orderStatus": shapes.state_of(order),
    }
    if fill is not None:
        return {
            "eventType": "trade",
            **body,
            "tradePrice": amounts.text(fill.px_ticks * order.market.tick_atoms),
            "tradeVolume": amounts.text(fill.qty_lots * order.market.lot_atoms),
            "aggressor": not fill.maker,
            "tradeId": fill.trade_id,
            "tradeTime": ms(fill.ts_ns),
            "transactFee": amounts.text(fill.fee),
            "feeCurrency": fill.fee_asset.lower(),
            "feeDeduct": "0",
            "feeDeductType": "",
        }
    if cancels and event.what in ("canceled", "expired"):
        left = amounts.text(order.left_lots * order.market.lot_atoms)
        return {"eventType": "cancellation", **body, "remainAmt": left}
    return None
