"""Ground truth as JSON: what really is at a venue, for the control API alone."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.accounts import Account
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Fill, Market, Order

Json = dict[str, Any]


def order(found: Order) -> Json:
    """Return an order, in the words of the model."""
    market = found.market
    return {
        "id": found.id,
        "client_id": found.client_id,
        "symbol": market.symbol,
        "side": found.side,
        "kind": found.kind,
        "tif": found.tif,
        "post_only": found.post_only,
        "price": market.px_text(found.px_ticks),
        "qty": market.qty_text(found.qty_lots),
        "filled": market.qty_text(found.filled_lots),
        "cost": amounts.text(found.cost),
        "status": found.status,
        "reason": found.reason,
        "created_ns": found.created_ns,
        "updated_ns": found.updated_ns,
    }


def fill(found: Fill) -> Json:
    """Return a fill."""
    market = found.order.market
    return {
        "trade_id": found.trade_id,
        "order_id": found.order.id,
        "client_id": found.order.client_id,
        "symbol": market.symbol,
        "side": found.order.side,
        "price": market.px_text(found.px_ticks),
        "qty": market.qty_text(found.qty_lots),
        "fee": amounts.text(found.fee),
        "fee_asset": found.fee_asset,
        "maker": found.maker,
        "ts_ns": found.ts_ns,
    }


def balances(exchange: Exchange, account: Account) -> Json:
    """Return free and held by asset."""
    return {
        asset: {"free": amounts.text(free), "held": amounts.text(held)}
        for asset, (free, held) in exchange.balances(account.id).items()
    }


def book(exchange: Exchange, market: Market, depth: int) -> Json:
    """Return the book of a market."""
    bids, asks = exchange.book(market.symbol, depth)
    return {
        "seq": market.seq,
        "bids": [[market.px_text(px), market.qty_text(lots)] for px, lots in bids],
        "asks": [[market.px_text(px), market.qty_text(lots)] for px, lots in asks],
    }


def totals(exchange: Exchange) -> Json:
    """Check every invariant and return counts."""
    exchange.check_conservation()
    return {
        "orders": len(exchange.orders_by_id),
        "trades": exchange.trade_count,
        "accounts": len(exchange.ledger.accounts),
        "conserved": True,
    }
