"""Kraken's private channels: executions and balances of one account.

https://docs.kraken.com/api/docs/websocket-v2/executions and .../balances. An order is told as
pending_new with all its fields, then as new; each fill is a trade, the last one followed by filled.
Balances are told as entries of the ledger: each fill moves base and quote.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server.dialects.kraken_names import transaction
from kimera_cli.venues.server.dialects.kraken_shapes import average, execution_id, ledger_id, reason
from kimera_cli.venues.server.dialects.kraken_text import moment, number, quantity
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import BUY, BalanceChanged, Fill, Order, OrderChanged

SNAPSHOT_FILLS = 50
Entry = dict[str, Any]


def told(event: OrderChanged) -> list[Entry]:
    """Return what one change of an order says, one message each."""
    order, at = event.order, moment(event.ts_ns)
    if event.what == "new":
        first = {**_described(order), "exec_type": "pending_new", "order_status": "pending_new"}
        return [{**first, "timestamp": at}, {**_named(order, "new", "new"), "timestamp": at}]
    if event.what == "trade" and event.fill is not None:
        entries = [{**trade(event.fill), "timestamp": at}]
        if order.status == "filled":
            entries.append({**_ended(order, "filled"), "timestamp": at})
        return entries
    if event.what == "amended":
        changed = {**_described(order), "exec_type": "amended", "order_status": status(order)}
        return [{**changed, **_done(order), "amended": True, "timestamp": at}]
    return [{**_ended(order, event.what), "reason": reason(order), "timestamp": at}]


def open_order(order: Order) -> Entry:
    """Return an order of the snapshot."""
    return {
        **_described(order),
        **_done(order),
        "exec_type": "pending_new" if not order.filled_lots else "status",
        "order_status": status(order),
        "timestamp": moment(order.created_ns),
    }


def trade(fill: Fill) -> Entry:
    """Return what a fill says, without its time."""
    order, market = fill.order, fill.order.market
    return {
        **_named(order, "trade", "partially_filled" if order.left_lots else "filled"),
        "exec_id": execution_id(fill),
        "trade_id": fill.trade_id,
        "symbol": market.symbol,
        "side": order.side,
        "last_qty": number(market.qty_text(fill.qty_lots)),
        "last_price": number(market.px_text(fill.px_ticks)),
        "liquidity_ind": "m" if fill.maker else "t",
        "cost": quantity(market.cost(fill.px_ticks, fill.qty_lots)),
        "order_type": order.kind,
        **_done(order),
        "fees": [{"asset": fill.fee_asset, "qty": quantity(fill.fee)}],
    }


def status(order: Order) -> str:
    """Return the venue's word for where an order is."""
    if order.is_open:
        return "partially_filled" if order.filled_lots else "new"
    return order.status


def _named(order: Order, exec_type: str, order_status: str) -> Entry:
    found = {
        "order_id": transaction("O", order.id),
        "exec_type": exec_type,
        "order_status": order_status,
    }
    if order.extra.get("userref"):
        found["order_userref"] = order.extra["userref"]
    if order.client_id:
        found["cl_ord_id"] = order.client_id
    return found


def _described(order: Order) -> Entry:
    market = order.market
    found = {
        **_named(order, "", ""),
        "symbol": market.symbol,
        "side": order.side,
        "order_type": order.kind,
        "order_qty": number(market.qty_text(order.qty_lots)),
        "time_in_force": order.tif.upper(),
        "cum_cost": number("0.0"),
        "fee_usd_equiv": quantity(sum(order.fees.values())),
        "fee_ccy_pref": "fciq",
    }
    if order.kind == "limit":
        found["limit_price_type"] = "static"
        found["limit_price"] = number(market.px_text(order.px_ticks))
    if order.quote_qty:
        found["cash_order_qty"] = quantity(order.quote_qty)
    if order.post_only:
        found["post_only"] = True
    return found


def _done(order: Order) -> Entry:
    return {
        "cum_qty": number(order.market.qty_text(order.filled_lots)),
        "cum_cost": quantity(order.cost),
        "avg_price": number(average(order)),
        "fee_usd_equiv": quantity(sum(order.fees.values())),
    }


def _ended(order: Order, exec_type: str) -> Entry:
    return {**_named(order, exec_type, order.status), "symbol": order.market.symbol, **_done(order)}


class Balances:
    """The ledger of one account as the balances channel tells it."""

    def __init__(self, exchange: Exchange, account: int) -> None:
        self._exchange = exchange
        self._account = account
        self._totals = self._all()
        self._moves = 0

    def snapshot(self) -> list[Entry]:
        """Return all balances."""
        return [
            {
                "asset": asset,
                "asset_class": "currency",
                "balance": quantity(total),
                "wallets": [{"type": "spot", "id": "main", "balance": quantity(total)}],
            }
            for asset, total in self._totals.items()
        ]

    def of_fill(self, fill: Fill) -> list[Entry]:
        """Return the two entries of a fill."""
        market = fill.order.market
        base = fill.qty_lots * market.lot_atoms
        quote = market.cost(fill.px_ticks, fill.qty_lots)
        sign = 1 if fill.order.side == BUY else -1
        moves = ((market.base, sign * base), (market.quote, -sign * quote))
        entries = []
        for leg, (asset, amount) in enumerate(moves):
            fee = fill.fee if fill.fee_asset == asset else 0
            total = self._totals.get(asset, 0) + amount - fee
            self._totals[asset] = total
            entry = _entry("trade", asset, amount, fee, total, fill.ts_ns)
            entries.append(
                {**entry, "ledger_id": ledger_id(fill, leg), "ref_id": execution_id(fill)}
            )
        return entries

    def of_change(self, event: BalanceChanged) -> list[Entry]:
        """Return the entry of a balance that no fill explains: a deposit or a withdrawal."""
        total = event.free + event.held
        amount = total - self._totals.get(event.asset, 0)
        if not amount:
            return []
        self._totals[event.asset] = total
        self._moves += 1
        kind = "deposit" if amount > 0 else "withdrawal"
        move = transaction("L", -self._moves)
        entry = _entry(kind, event.asset, amount, 0, total, event.ts_ns)
        return [{**entry, "ledger_id": move, "ref_id": transaction("A", -self._moves)}]

    def _all(self) -> dict[str, int]:
        held = self._exchange.balances(self._account).items()
        return {asset: free + hold for asset, (free, hold) in held}


def _entry(kind: str, asset: str, amount: int, fee: int, total: int, ts_ns: int) -> Entry:
    return {
        "timestamp": moment(ts_ns),
        "type": kind,
        "asset": asset,
        "asset_class": "currency",
        "category": kind,
        "wallet_type": "spot",
        "wallet_id": "main",
        "amount": quantity(amount),
        "fee": quantity(fee),
        "balance": quantity(total),
    }
