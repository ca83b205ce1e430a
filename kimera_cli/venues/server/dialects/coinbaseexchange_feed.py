"""Coinbase Exchange's full feed: each product's messages in order, numbered one after the other.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels#full-channel: an order is received,
matches, and is open or done in the end. The numbers go up by one with each message of a product,
whoever listens; channels that show some of the messages show their numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.admission import RATE
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso,
    order_uuid,
    price,
    product_id,
    size,
)
from kimera_cli.venues.server.dialects.coinbaseexchange_shapes import profile_id, user_id
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import (
    Event,
    Order,
    OrderChanged,
    RequestDone,
    Trade,
    Traded,
)

FIRST = 10_000_000_000
CANCEL_REASONS = {
    "ioc": "101:Time In Force",
    "fok": "101:Time In Force",
    "self_trade": "102:Self Trade Prevention",
    "no_liquidity": "106:Insufficient Liquidity",
}


class Message(NamedTuple):
    """One message of the full feed."""

    kind: str
    symbol: str
    body: dict[str, Any]
    """As everybody sees it; keys in the order of the wire."""
    orders: tuple[Order, ...]
    """The order, or maker and taker of a match."""

    def concerns(self, account: int) -> bool:
        """Return True when an order of the account is in it."""
        return any(order.account == account for order in self.orders)


class Feed:
    """Turns the exchange's events into numbered messages."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._new: list[Order] = []

    def sequence(self, symbol: str) -> int:
        """Return the number of a product's last message."""
        return self._last.get(symbol, FIRST)

    def take(self, event: Event) -> list[Message]:
        """Return the messages of an event."""
        if isinstance(event, Traded):
            return [self._match(event)]
        if isinstance(event, OrderChanged):
            return self._order(event)
        if isinstance(event, RequestDone):
            return self._rested(event.ts_ns)
        return []

    def _next(self, symbol: str) -> int:
        self._last[symbol] = number = self.sequence(symbol) + 1
        return number

    def _order(self, event: OrderChanged) -> list[Message]:
        order = event.order
        if event.what == "new":
            self._new.append(order)
            return [self._received(order, event.ts_ns)]
        return [] if order.is_open else [self._done(order, event.ts_ns)]

    def _rested(self, ts_ns: int) -> list[Message]:
        """The request is over: what is new and still open is on the book."""
        found = [self._open(order, ts_ns) for order in self._new if order.is_open]
        self._new.clear()
        return found

    def _received(self, order: Order, ts_ns: int) -> Message:
        terms: dict[str, Any] = {}
        if order.kind == "limit":
            terms = {"size": size(order.market, order.qty_lots), "price": _px(order)}
        elif order.quote_qty:
            terms = {"funds": amounts.text(order.quote_qty)}
        else:
            terms = {"size": size(order.market, order.qty_lots)}
        body = {"order_id": order_uuid(order.id), "order_type": order.kind, **terms}
        return self._message("received", order, body, ts_ns)

    def _open(self, order: Order, ts_ns: int) -> Message:
        left = size(order.market, order.left_lots)
        body = {"price": _px(order), "order_id": order_uuid(order.id), "remaining_size": left}
        return self._message("open", order, body, ts_ns)

    def _done(self, order: Order, ts_ns: int) -> Message:
        reason = "filled" if order.status == "filled" else "canceled"
        body: dict[str, Any] = {"order_id": order_uuid(order.id), "reason": reason}
        if order.kind == "limit":
            left = size(order.market, order.left_lots)
            body |= {"price": _px(order), "remaining_size": left}
        return self._message("done", order, body, ts_ns)

    def _message(self, kind: str, order: Order, body: dict[str, Any], ts_ns: int) -> Message:
        whole = {
            "type": kind,
            "side": order.side,
            "product_id": product_id(order.market),
            "time": iso(ts_ns),
            "sequence": self._next(order.market.symbol),
            **body,
        }
        return Message(kind, order.market.symbol, whole, (order,))

    def _match(self, event: Traded) -> Message:
        market, trade = event.market, event.trade
        body = {
            "type": "match",
            **match_body(trade),
            "product_id": product_id(market),
            "sequence": self._next(market.symbol),
            "time": iso(trade.ts_ns),
        }
        return Message("match", market.symbol, body, (event.maker, event.taker))


def match_body(trade: Trade) -> dict[str, Any]:
    """Return the part of a match that is the trade; `side` is the maker's."""
    return {
        "trade_id": trade.id,
        "maker_order_id": order_uuid(trade.maker_id),
        "taker_order_id": order_uuid(trade.taker_id),
        "side": trade.maker_side,
        "size": size(trade.market, trade.qty_lots),
        "price": price(trade.market, trade.px_ticks),
    }


def private(message: Message, account: int, exchange: Exchange) -> dict[str, Any]:
    """Return a message as the account in it sees it."""
    whole = message.body | {"user_id": user_id(account), "profile_id": profile_id(account)}
    if message.kind == "match":
        role = "maker" if message.orders[0].account == account else "taker"
        rates = exchange.rates(account)
        whole[f"{role}_user_id"] = user_id(account)
        whole[f"{role}_profile_id"] = profile_id(account)
        rate = rates.maker if role == "maker" else rates.taker
        whole[f"{role}_fee_rate"] = f"{rate / RATE:.4f}"
        return whole
    order = message.orders[0]
    if message.kind == "received" and order.client_id:
        whole["client_oid"] = order.client_id
    if message.kind == "done" and order.reason in CANCEL_REASONS:
        whole["cancel_reason"] = CANCEL_REASONS[order.reason]
    return whole


def _px(order: Order) -> str:
    return price(order.market, order.px_ticks)
