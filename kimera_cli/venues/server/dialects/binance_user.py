"""Binance's user data: execution reports and account positions of one account.

https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import BalanceChanged, Deposited, Event, OrderChanged

WHAT = {
    "new": "NEW",
    "trade": "TRADE",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "amended": "REPLACED",
}
EXPIRY = {
    "ioc": "IOC_ORDER_EXPIRED",
    "fok": "FOK_ORDER_EXPIRED",
    "no_liquidity": "INSUFFICIENT_LIQUIDITY",
}


class UserData:
    """Turns events of one account into messages; positions come once per request."""

    def __init__(self, exchange: Exchange, account: int) -> None:
        self.exchange = exchange
        self.account = account
        self._moved: dict[str, tuple[int, int]] = {}

    def messages(self, event: Event) -> list[dict[str, Any]]:
        """Return the messages of an event; call it with every event, in order."""
        kind = type(event)
        if kind is OrderChanged:
            assert isinstance(event, OrderChanged)
            mine = event.order.account == self.account
            return [execution_report(event)] if mine else []
        if kind is BalanceChanged:
            assert isinstance(event, BalanceChanged)
            if event.account == self.account:
                self._moved[event.asset] = (event.free, event.held)
        elif isinstance(event, Deposited) and event.account == self.account:
            return [balance_update(event)]
        return []

    def position(self, now_ns: int) -> list[dict[str, Any]]:
        """Return the account position at the end of a request, if balances moved."""
        if not self._moved:
            return []
        moved, self._moved = self._moved, {}
        ms = now_ns // shapes.MS
        balances = [
            {"a": asset, "f": shapes.money(free), "l": shapes.money(held)}
            for asset, (free, held) in moved.items()
        ]
        return [{"e": "outboundAccountPosition", "E": ms, "u": ms, "B": balances}]


def balance_update(event: Deposited) -> dict[str, Any]:
    """Return the message of a deposit or withdrawal."""
    ms = event.ts_ns // shapes.MS
    return {
        "e": "balanceUpdate",
        "E": ms,
        "a": event.asset,
        "d": shapes.money(event.amount),
        "T": ms,
    }


def execution_report(event: OrderChanged) -> dict[str, Any]:
    """Return the message of one change of an order."""
    order, fill = event.order, event.fill
    market = order.market
    ms = event.ts_ns // shapes.MS
    canceled = event.what == "canceled" and order.reason == "user"
    what = WHAT[event.what]
    if order.reason == "self_trade" and event.what in ("canceled", "expired"):
        what = "TRADE_PREVENTION"
    report = {
        "e": "executionReport",
        "E": ms,
        "s": shapes.name_of(market),
        "c": f"cancel-{order.id}" if canceled else order.client_id,
        "S": order.side.upper(),
        "o": shapes.type_of(order),
        "f": order.tif.upper(),
        "q": shapes.size(market, order.qty_lots),
        "p": shapes.price(market, order.px_ticks),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": order.client_id if canceled else "",
        "x": what,
        "X": shapes.status_of(order),
        "r": "NONE",
        "i": order.id,
        "l": shapes.size(market, fill.qty_lots) if fill else "0.00000000",
        "z": shapes.size(market, order.filled_lots),
        "L": shapes.price(market, fill.px_ticks) if fill else "0.00000000",
        "n": shapes.money(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": ms,
        "t": fill.trade_id if fill else -1,
        "I": order.id * 64 + order.version,
        "w": order.is_open and order.kind == "limit",
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "O": order.created_ns // shapes.MS,
        "Z": shapes.money(order.cost),
        "Y": shapes.money(market.cost(fill.px_ticks, fill.qty_lots)) if fill else "0.00000000",
        "Q": shapes.money(order.quote_qty),
        "W": order.created_ns // shapes.MS,
        "V": shapes.STP[order.self_trade],
    }
    if quantity := shapes.prevented(order):
        report["A"] = quantity
    if event.what == "expired" and order.reason in EXPIRY:
        report["eR"] = EXPIRY[order.reason]
    return report
