"""What Coinbase Advanced Trade says of products, orders, fills and accounts.

Key names and JSON types are those of the recorded answers; sizes are text without trailing zeros.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso,
    named_uuid,
    order_uuid,
    price,
    product_id,
    size,
)
from kimera_cli.venues.server.model import Fill, Market, Order, Ticker

NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USD": "US Dollar"}
TIFS = {"gtc": "GOOD_UNTIL_CANCELLED", "ioc": "IMMEDIATE_OR_CANCEL", "fok": "FILL_OR_KILL"}
STATUS = {"open": "OPEN", "filled": "FILLED", "canceled": "CANCELLED", "expired": "CANCELLED"}
FIAT = ("USD", "EUR", "GBP")
WHY = {
    "user": "User requested cancel",
    "ioc": "Immediate or cancel remainder",
    "fok": "Fill or kill not filled",
    "no_liquidity": "Insufficient liquidity",
    "self_trade": "Self trade prevention",
}
"""`cancel_message` by the exchange's reason."""

LISTED_AT = "2023-01-01T00:00:00Z"
UNSAID = dict.fromkeys(
    (
        "market_cap", "base_cbrn", "quote_cbrn", "product_cbrn", "icon_color", "icon_url",
        "display_name_overwrite", "about_description", "best_bid_price", "best_ask_price",
    ),
    "",
)  # fmt: skip
"""What the venue leaves empty in a product."""


def product(market: Market, ticker: Ticker) -> dict[str, Any]:
    """Return a product as the lists of products have it."""
    return {
        "product_id": product_id(market),
        "price": price(market, ticker.last_px),
        "price_percentage_change_24h": _change(ticker),
        "volume_24h": size(market, ticker.lots),
        "volume_percentage_change_24h": "0",
        "base_increment": format(market.lot, "f"),
        "quote_increment": format(market.tick, "f"),
        "quote_min_size": format(market.min_notional, "f"),
        "quote_max_size": "150000000",
        "base_min_size": market.qty_text(market.min_lots),
        "base_max_size": format(market.max_qty, "f"),
        "base_name": NAMES.get(market.base, market.base),
        "quote_name": NAMES.get(market.quote, market.quote),
        "watched": False,
        "is_disabled": market.status == "delisted",
        "new": False,
        "status": "delisted" if market.status == "delisted" else "online",
        "cancel_only": market.status == "cancel_only",
        "limit_only": False,
        "post_only": False,
        "trading_disabled": market.status != "trading",
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": market.quote,
        "base_currency_id": market.base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": "",
        "alias_to": [],
        "base_display_symbol": market.base,
        "quote_display_symbol": market.quote,
        "view_only": False,
        "price_increment": format(market.tick, "f"),
        "display_name": product_id(market),
        "product_venue": "CBE",
        "approximate_quote_24h_volume": amounts.text(amounts.truncated(ticker.quote, 2)),
        "new_at": LISTED_AT,
        "is_alpha_testing": False,
        **UNSAID,
    }


def _change(ticker: Ticker) -> str:
    if not ticker.open_px:
        return "0"
    return f"{(ticker.last_px - ticker.open_px) / ticker.open_px * 100:.14g}"


def configuration(order: Order) -> dict[str, Any]:
    """Return `order_configuration` of an order."""
    market = order.market
    if order.kind == "market":
        if order.quote_qty:
            return {"market_market_ioc": {"quote_size": amounts.text(order.quote_qty)}}
        return {"market_market_ioc": {"base_size": size(market, order.qty_lots)}}
    limit: dict[str, Any] = {
        "base_size": size(market, order.qty_lots),
        "limit_price": price(market, order.px_ticks),
    }
    if order.tif == "gtc":
        return {"limit_limit_gtc": {**limit, "post_only": order.post_only}}
    return {"sor_limit_ioc" if order.tif == "ioc" else "limit_limit_fok": limit}


def fees_of(order: Order) -> int:
    """Return the fees of an order in atoms of quote."""
    return sum(fill.fee for fill in order.fills)


def after_fees(order: Order) -> int:
    """Return what an order's fills cost or brought, fees included, in atoms of quote."""
    return order.cost + fees_of(order) if order.side == "buy" else order.cost - fees_of(order)


def average(order: Order) -> str:
    """Return the mean price of an order's fills."""
    return format(order.average_px.normalize(), "f")


def completion(order: Order) -> str:
    """Return how much of an order is filled, in percent."""
    return f"{order.filled_lots / order.qty_lots * 100:.6g}" if order.qty_lots else "0"


def user_id(order: Order) -> str:
    """Return the name of an order's owner."""
    return named_uuid("user", order.account)


def order_body(order: Order) -> dict[str, Any]:
    """Return an order as the historical endpoints have it."""
    market, done = order.market, not order.is_open
    fees = amounts.text(fees_of(order))
    return {
        "order_id": order_uuid(order.id),
        "product_id": product_id(market),
        "user_id": user_id(order),
        "order_configuration": configuration(order),
        "side": order.side.upper(),
        "client_order_id": order.client_id,
        "status": STATUS[order.status],
        "time_in_force": TIFS["ioc" if order.kind == "market" else order.tif],
        "created_time": iso(order.created_ns),
        "completion_percentage": completion(order),
        "filled_size": size(market, order.filled_lots),
        "average_filled_price": average(order),
        "fee": "",
        "number_of_fills": str(len(order.fills)),
        "filled_value": amounts.text(order.cost),
        "pending_cancel": False,
        "size_in_quote": bool(order.quote_qty),
        "total_fees": fees,
        "size_inclusive_of_fees": bool(order.quote_qty),
        "total_value_after_fees": amounts.text(after_fees(order)),
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": order.kind.upper(),
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": order.status == "filled",
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": WHY.get(order.reason, order.reason) if done else "",
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": amounts.text(order.hold),
        "is_liquidation": False,
        "last_fill_time": iso(order.fills[-1].ts_ns) if order.fills else None,
        "leverage": "",
        "margin_type": "",
        "retail_portfolio_id": named_uuid("portfolio", order.account),
        "originating_order_id": "",
        "attached_order_id": "",
    }


def fill_body(fill: Fill) -> dict[str, Any]:
    """Return a fill. Trade and entry ids are the venue's numbers as text."""
    order = fill.order
    return {
        "entry_id": named_uuid("entry", fill.serial, order.id),
        "trade_id": named_uuid("trade", fill.serial),
        "order_id": order_uuid(order.id),
        "trade_time": iso(fill.ts_ns),
        "trade_type": "FILL",
        "price": price(order.market, fill.px_ticks),
        "size": size(order.market, fill.qty_lots),
        "commission": amounts.text(fill.fee),
        "product_id": product_id(order.market),
        "sequence_timestamp": iso(fill.ts_ns),
        "liquidity_indicator": "MAKER" if fill.maker else "TAKER",
        "size_in_quote": False,
        "user_id": user_id(order),
        "side": order.side.upper(),
        "retail_portfolio_id": named_uuid("portfolio", order.account),
    }


def account_body(account: int, asset: str, free: int, held: int, opened_ns: int) -> dict[str, Any]:
    """Return one wallet of an account."""
    return {
        "uuid": named_uuid("wallet", account, asset),
        "name": f"{asset} Wallet",
        "currency": asset,
        "available_balance": {"value": amounts.text(free), "currency": asset},
        "default": True,
        "active": True,
        "created_at": iso(opened_ns),
        "updated_at": iso(opened_ns),
        "deleted_at": None,
        "type": "ACCOUNT_TYPE_FIAT" if asset in FIAT else "ACCOUNT_TYPE_CRYPTO",
        "ready": True,
        "hold": {"value": amounts.text(held), "currency": asset},
        "retail_portfolio_id": named_uuid("portfolio", account),
    }


def wallet_body(account: int, asset: str, total: int) -> dict[str, Any]:
    """Return one wallet as the older interface (/v2) has it."""
    fiat = asset in FIAT
    return {
        "id": named_uuid("wallet", account, asset),
        "name": f"{asset} Wallet",
        "primary": False,
        "type": "fiat" if fiat else "wallet",
        "currency": {
            "code": asset,
            "name": NAMES.get(asset, asset),
            "exponent": 2 if fiat else 8,
            "type": "fiat" if fiat else "crypto",
        },
        "balance": {"amount": amounts.text(total), "currency": asset},
        "resource": "account",
        "resource_path": f"/v2/accounts/{named_uuid('wallet', account, asset)}",
        "allow_deposits": True,
        "allow_withdrawals": True,
    }
