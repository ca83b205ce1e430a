"""What Coinbase Advanced Trade tells of past and open orders, fills and wallets, in pages.

A page ends with a cursor when there is more; the newest comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.admission import tier_of
from kimera_cli.venues.server.dialect import HttpError, refuse
from kimera_cli.venues.server.dialects import coinbase_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_orders import invalid
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso_ns,
    named_uuid,
    order_number,
    product_id,
    symbol_of,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Order, Reject
from kimera_cli.venues.server.rules import Rules

PAGE = 1000
T = TypeVar("T")


def not_found(what: str) -> HttpError:
    """Return the answer to a question about something that is not there."""
    return refuse({"error": "NOT_FOUND", "error_details": what, "message": what}, 404)


def one(exchange: Exchange, key: Key, text: str) -> dict[str, Any]:
    """Return one order."""
    try:
        return {"order": shapes.order_body(exchange.find(key.account, order_number(text)))}
    except Reject:
        raise not_found("order with this orderID was not found") from None


def listed(exchange: Exchange, key: Key, query: dict[str, str]) -> dict[str, Any]:
    """Return orders, newest first, a page at a time."""
    found = [o for o in exchange.orders(key.account) if _wanted(o, query)]
    page, cursor = paged(found[::-1], query, lambda order: order.id, PAGE)
    return {
        "orders": [shapes.order_body(order) for order in page],
        "sequence": "0",
        "has_next": bool(cursor),
        "cursor": cursor,
    }


def _wanted(order: Order, query: dict[str, str]) -> bool:
    product = query.get("product_id") or query.get("product_ids") or product_id(order.market)
    status = query.get("order_status") or shapes.STATUS[order.status]
    side = query.get("order_side") or order.side.upper()
    begin, end = query.get("start_date"), query.get("end_date")
    return (
        product.upper() == product_id(order.market)
        and status == shapes.STATUS[order.status]
        and side == order.side.upper()
        and (not begin or order.created_ns >= iso_ns(begin, "start_date"))
        and (not end or order.created_ns < iso_ns(end, "end_date"))
    )


def fills(exchange: Exchange, key: Key, query: dict[str, str]) -> dict[str, Any]:
    """Return fills, newest first, a page at a time."""
    ids = query.get("order_ids") or query.get("order_id") or ""
    product = query.get("product_ids") or query.get("product_id") or ""
    begin, end = query.get("start_sequence_timestamp"), query.get("end_sequence_timestamp")
    found = exchange.fills(
        key.account,
        symbol_of(product) if product else "",
        since_ns=iso_ns(begin, "start_sequence_timestamp") if begin else 0,
        order_id=order_number(ids) if ids else None,
    )
    if end:
        until = iso_ns(end, "end_sequence_timestamp")
        found = [fill for fill in found if fill.ts_ns < until]
    page, cursor = paged(found[::-1], query, lambda fill: fill.serial, 100)
    return {"fills": [shapes.fill_body(fill) for fill in page], "cursor": cursor}


def paged(
    found: Sequence[T], query: dict[str, str], number: Callable[[T], int], default: int
) -> tuple[Sequence[T], str]:
    """Return a page of things, highest number first, and the cursor of the next ("": none)."""
    try:
        limit = min(max(int(query.get("limit") or default), 1), PAGE)
        after = int(query.get("cursor") or 0)
    except ValueError:
        raise invalid("limit and cursor must be numbers") from None
    rest = [each for each in found if number(each) < after] if after else found
    page = rest[:limit]
    return page, str(number(page[-1])) if len(rest) > limit else ""


def accounts(exchange: Exchange, key: Key) -> dict[str, Any]:
    """Return all wallets of an account."""
    found = [
        shapes.account_body(key.account, asset, free, held, exchange.started_ns)
        for asset, (free, held) in sorted(exchange.balances(key.account).items())
    ]
    return {"accounts": found, "has_next": False, "cursor": "", "size": len(found)}


def account(exchange: Exchange, key: Key, text: str) -> dict[str, Any]:
    """Return one wallet."""
    for asset, (free, held) in exchange.balances(key.account).items():
        if named_uuid("wallet", key.account, asset) == text:
            return {
                "account": shapes.account_body(key.account, asset, free, held, exchange.started_ns)
            }
    raise not_found("account not found")


def wallets(exchange: Exchange, key: Key) -> dict[str, Any]:
    """Return all wallets as the older interface has them: totals, holds included."""
    found = [
        shapes.wallet_body(key.account, asset, free + held)
        for asset, (free, held) in sorted(exchange.balances(key.account).items())
    ]
    return {"pagination": {"limit": 250, "order": "desc", "next_uri": None}, "data": found}


def permissions(key: Key) -> dict[str, Any]:
    """Return what a key may do."""
    return {
        "can_view": key.may("read"),
        "can_trade": key.may("trade"),
        "can_transfer": key.may("withdraw"),
        "portfolio_uuid": named_uuid("portfolio", key.account),
        "portfolio_type": "DEFAULT",
    }


def summary(exchange: Exchange, rules: Rules, key: Key) -> dict[str, Any]:
    """Return an account's volume, fees and fee tier."""
    owner = exchange.ledger.accounts[key.account]
    tier = tier_of(rules, owner.volume)
    number = rules.tiers.index(tier)
    above = rules.tiers[number + 1].volume if number + 1 < len(rules.tiers) else None
    volume = float(amounts.decimal_of(owner.volume))
    fees = float(amounts.decimal_of(sum(fill.fee for fill in owner.fills)))
    return {
        "total_volume": volume,
        "total_fees": fees,
        "fee_tier": {
            "pricing_tier": f"Advanced {number + 1}",
            "usd_from": format(tier.volume, "f"),
            "usd_to": "" if above is None else format(above, "f"),
            "taker_fee_rate": format(tier.taker, "f"),
            "maker_fee_rate": format(tier.maker, "f"),
            "aop_from": "",
            "aop_to": "",
        },
        "margin_rate": None,
        "goods_and_services_tax": None,
        "advanced_trade_only_volume": volume,
        "advanced_trade_only_fees": fees,
        "coinbase_pro_volume": 0,
        "coinbase_pro_fees": 0,
        "total_balance": "",
        "has_promo_fee": False,
    }
