"""What Coinbase Exchange says of products, orders, fills and accounts.

Decimal numbers are text: sizes and prices with 8 decimals, fees and values with 16; ids of trades
and sequences are JSON numbers.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.admission import RATE, Rates
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso,
    named_uuid,
    order_uuid,
    product_id,
)
from kimera_cli.venues.server.model import Fill, Market, Order, OrderRequest, Ticker, Trade

STPS = {
    "dc": "decrement",
    "co": "cancel_oldest",
    "cn": "cancel_newest",
    "cb": "cancel_both",
}
NO_VALUE = "0.0000000000000000"


def eight(market: Market, lots: int) -> str:
    """Return a size with 8 decimals."""
    return market.qty_text(lots, 8)


def px8(market: Market, px_ticks: int) -> str:
    """Return a price with 8 decimals."""
    return market.px_text(px_ticks, 8)


def profile_id(account: int) -> str:
    """Return the name of an account's profile."""
    return named_uuid("profile", account)


def user_id(account: int) -> str:
    """Return the name of an account's user: 24 hex digits."""
    return named_uuid("user", account).replace("-", "")[:24]


def product(market: Market) -> dict[str, Any]:
    """Return a product."""
    return {
        "id": product_id(market),
        "base_currency": market.base,
        "quote_currency": market.quote,
        "quote_increment": format(market.tick, "f"),
        "base_increment": format(market.lot, "f"),
        "display_name": f"{market.base}-{market.quote}",
        "min_market_funds": format(market.min_notional, "f"),
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": market.status == "cancel_only",
        "status": "delisted" if market.status == "delisted" else "online",
        "status_message": "",
        "trading_disabled": market.status != "trading",
        "fx_stablecoin": False,
        "max_slippage_percentage": "0.02000000",
        "auction_mode": False,
        "high_bid_limit_percentage": "",
    }


def currency(asset: str, fiat: bool) -> dict[str, Any]:
    """Return an asset."""
    step = "0.01" if fiat else "0.00000001"
    return {
        "id": asset,
        "name": asset,
        "min_size": step,
        "status": "online",
        "message": "",
        "max_precision": step,
        "convertible_to": [],
        "details": {"type": "fiat" if fiat else "crypto", "symbol": None, "sort_order": 0},
        "default_network": "",
        "supported_networks": [],
        "display_name": asset,
    }


def order_body(order: Order, rates: Rates, *, pending: bool = False) -> dict[str, Any]:
    """Return an order; `pending` is how the venue acknowledges one: before any fill."""
    filled, cost, fills = (0, 0, ()) if pending else (order.filled_lots, order.cost, order.fills)
    body: dict[str, Any] = {
        "id": order_uuid(order.id),
        "product_id": product_id(order.market),
        "profile_id": profile_id(order.account),
        "side": order.side,
        "type": order.kind,
        **_terms(order, rates, _size(order, pending=pending)),
        "post_only": order.post_only,
        "created_at": iso(order.created_ns),
        "fill_fees": amounts.fixed(sum(fill.fee for fill in fills), 16),
        "filled_size": eight(order.market, filled),
        "executed_value": amounts.fixed(cost, 16),
        "market_type": "spot",
        "status": "pending" if pending else "open" if order.is_open else "done",
        "settled": not pending and order.status == "filled",
    }
    if order.client_id:
        body["client_oid"] = order.client_id
    if not pending and not order.is_open:
        body["done_at"] = iso(order.updated_ns)
        body["done_reason"] = "filled" if order.status == "filled" else "canceled"
    return body


def _size(order: Order, *, pending: bool) -> str:
    """Return an order's size; a resting order is smaller by what self-trade prevention took."""
    whole = pending or order.reason == "self_trade"
    return eight(order.market, order.qty_lots - (0 if whole else order.prevented_lots))


def _terms(order: Order, rates: Rates, size: str) -> dict[str, Any]:
    if order.kind == "limit":
        return {
            "price": px8(order.market, order.px_ticks),
            "size": size,
            "time_in_force": order.tif.upper(),
        }
    if not order.quote_qty:
        return {"size": size}
    net = order.quote_qty * RATE // (RATE + rates.taker)
    return {
        "funds": amounts.fixed(net, 16),
        "specified_funds": amounts.fixed(order.quote_qty, 16),
    }


def rejected(market: Market, request: OrderRequest, account: int, now_ns: int) -> dict[str, Any]:
    """Return a post-only order that would have traded: an answer 200 with status rejected."""
    px, lots = market.ticks(request.price or 0), market.lots(request.qty or 0)
    return {
        "id": named_uuid("rejected", account, request.client_id, now_ns),
        "product_id": product_id(market),
        "profile_id": profile_id(account),
        "side": request.side,
        "type": "limit",
        "price": px8(market, px),
        "size": eight(market, lots),
        "time_in_force": "GTC",
        "post_only": True,
        "created_at": iso(now_ns),
        "reject_reason": "post only",
        "fill_fees": NO_VALUE,
        "filled_size": "0.00000000",
        "executed_value": NO_VALUE,
        "market_type": "spot",
        "status": "rejected",
        "settled": False,
        **({"client_oid": request.client_id} if request.client_id else {}),
    }


def fill_body(fill: Fill) -> dict[str, Any]:
    """Return a fill."""
    order, market = fill.order, fill.order.market
    return {
        "created_at": iso(fill.ts_ns),
        "trade_id": fill.trade_id,
        "product_id": product_id(market),
        "order_id": order_uuid(order.id),
        "user_id": user_id(order.account),
        "profile_id": profile_id(order.account),
        "liquidity": "M" if fill.maker else "T",
        "price": px8(market, fill.px_ticks),
        "size": eight(market, fill.qty_lots),
        "fee": amounts.fixed(fill.fee, 16),
        "side": order.side,
        "settled": True,
        "usd_volume": amounts.fixed(market.cost(fill.px_ticks, fill.qty_lots), 16),
        "market_type": "spot",
        "funding_currency": market.quote,
    }


def account_body(account: int, asset: str, free: int, held: int) -> dict[str, Any]:
    """Return one wallet."""
    return {
        "id": named_uuid("wallet", account, asset),
        "currency": asset,
        "balance": amounts.fixed(free + held, 16),
        "hold": amounts.fixed(held, 16),
        "available": amounts.text(free),
        "profile_id": profile_id(account),
        "trading_enabled": True,
        "pending_deposit": NO_VALUE,
        "display_name": asset,
    }


def trade_body(trade: Trade) -> dict[str, Any]:
    """Return a trade; `side` is the resting order's."""
    return {
        "trade_id": trade.id,
        "side": trade.maker_side,
        "size": eight(trade.market, trade.qty_lots),
        "price": px8(trade.market, trade.px_ticks),
        "time": iso(trade.ts_ns),
    }


def stats(day: Ticker) -> dict[str, str]:
    """Return the last 24 hours; of the last 30 days the venue server knows one."""
    market = day.market
    return {
        "open": market.px_text(day.open_px),
        "high": market.px_text(day.high_px),
        "low": market.px_text(day.low_px),
        "last": market.px_text(day.last_px),
        "volume": eight(market, day.lots),
        "volume_30day": eight(market, day.lots),
    }
