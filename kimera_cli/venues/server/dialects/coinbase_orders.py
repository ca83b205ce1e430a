"""Orders at Coinbase Advanced Trade: place, preview, edit, cancel.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders. A refused order is
an answer 200 with `success` false; the reason is in `error` where the venue's enumeration of
failures of new orders has it, and always in `preview_failure_reason`. A client id that was used
before is answered with the order that has it. Orders good till a date and stop orders are not
offered (UNSUPPORTED_ORDER_CONFIGURATION).
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialect import HttpError, Request, refuse
from kimera_cli.venues.server.dialects import coinbase_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_text import (
    order_number,
    order_uuid,
    product_id,
    symbol_of,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import OrderRequest, Reason, Reject

KINDS: dict[str, dict[str, Any]] = {
    "market_market_ioc": {"kind": "market", "tif": "ioc"},
    "sor_limit_ioc": {"tif": "ioc"},
    "limit_limit_fok": {"tif": "fok"},
    "limit_limit_gtc": {},
}
ABSENT = ("leverage", "margin_type", "attached_order_configuration")
"""Parameters of kinds of orders that are not here."""
KNOWN = "UNKNOWN_FAILURE_REASON"
FAILURES: dict[Reason, tuple[str, str, str]] = {
    "bad_symbol": ("INVALID_PRODUCT_ID", "INVALID_PRODUCT_ID", "Invalid product id"),
    "bad_request": ("INVALID_REQUEST", "INVALID_ORDER_CONFIG", "Invalid order configuration"),
    "tick": ("INVALID_PRICE_PRECISION", "INVALID_PRICE_PRECISION", "Price is too accurate"),
    "lot": ("INVALID_SIZE_PRECISION", "INVALID_SIZE_PRECISION", "Size is too accurate"),
    "min_qty": (KNOWN, "INVALID_BASE_SIZE_TOO_SMALL", "Order size is below the minimum"),
    "max_qty": (KNOWN, "INVALID_BASE_SIZE_TOO_LARGE", "Order size is above the maximum"),
    "min_notional": (KNOWN, "INVALID_QUOTE_SIZE_TOO_SMALL", "Order value is below the minimum"),
    "post_only": (
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "Invalid limit price for post only order",
    ),
    "funds": ("INSUFFICIENT_FUND", "INSUFFICIENT_FUND", "Insufficient balance in source account"),
    "price_band": ("INVALID_LIMIT_PRICE", "INVALID_LIMIT_PRICE", "Invalid limit price"),
    "no_liquidity": ("INVALID_NO_LIQUIDITY", "INVALID_NO_LIQUIDITY", "No liquidity"),
    "halted": ("ORDER_ENTRY_DISABLED", "PRODUCT_TRADING_DISABLED", "Orderbook is disabled"),
    "cancel_only": (
        "ORDER_ENTRY_DISABLED",
        "PRODUCT_TRADING_DISABLED",
        "Orderbook is in cancel only mode",
    ),
    "too_many_orders": ("COMMANDER_REJECTED_NEW_ORDER", "", "Too many open orders"),
    "book_full": ("COMMANDER_REJECTED_NEW_ORDER", "", "Order rejected"),
}
"""(`error`, `preview_failure_reason` without its PREVIEW_, `message`)."""
EDITS: dict[Reason, str] = {
    "not_found": "ORDER_NOT_FOUND",
    "tick": "INVALID_EDITED_PRICE",
    "lot": "INVALID_EDITED_SIZE",
    "min_qty": "INVALID_EDITED_SIZE",
    "min_notional": "INVALID_EDITED_SIZE",
    "bad_request": "CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
}


def invalid(why: str) -> HttpError:
    """Return the answer to a request that is not well formed."""
    return refuse({"error": "INVALID_ARGUMENT", "error_details": why, "message": why}, 400)


def parse(body: dict[str, Any]) -> OrderRequest:
    """Return what a new order's body asks for; HttpError 400 when it is not well formed."""
    side, configured = str(body.get("side", "")).lower(), body.get("order_configuration")
    if side not in ("buy", "sell"):
        raise invalid("side is required")
    if not isinstance(configured, dict) or len(configured) != 1:
        raise invalid("order_configuration is required")
    ((name, details),) = configured.items()
    if name not in KINDS or not isinstance(details, dict):
        raise Reject("bad_request", f"order configuration {name} is not supported")
    for absent in ABSENT:
        if body.get(absent):
            raise Reject("bad_request", f"{absent} is not supported")
    return OrderRequest(
        symbol_of(body.get("product_id")),
        "buy" if side == "buy" else "sell",
        qty=details.get("base_size"),
        cost=details.get("quote_size"),
        price=details.get("limit_price"),
        post_only=details.get("post_only") is True,
        client_id=str(body.get("client_order_id") or ""),
        **KINDS[name],
    )


def place(exchange: Exchange, key: Key, request: Request) -> dict[str, Any]:
    """Create an order."""
    body = _body(request)
    if not body.get("client_order_id"):
        raise invalid("client_order_id is required")
    try:
        order = exchange.place(key.account, parse(body))
    except Reject as reject:
        if reject.reason != "dup_client_id" or reject.order is None:
            return failure(reject, body)
        order = reject.order
    return {
        "success": True,
        "success_response": {
            "order_id": order_uuid(order.id),
            "product_id": product_id(order.market),
            "side": order.side.upper(),
            "client_order_id": order.client_id,
            "attached_order_id": "",
        },
        "order_configuration": shapes.configuration(order),
    }


def failure(reject: Reject, body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to an order that is refused."""
    error, preview, message = FAILURES.get(reject.reason, (KNOWN, "", reject.detail))
    if "not supported" in reject.detail:
        error, message = "UNSUPPORTED_ORDER_CONFIGURATION", reject.detail
    return {
        "success": False,
        "error_response": {
            "error": error,
            "message": message,
            "error_details": reject.detail,
            "preview_failure_reason": f"PREVIEW_{preview}"
            if preview
            else "UNKNOWN_PREVIEW_FAILURE_REASON",
        },
        "order_configuration": body.get("order_configuration"),
    }


def preview(exchange: Exchange, key: Key, request: Request) -> dict[str, Any]:
    """Say what would become of an order."""
    body = _body(request)
    wanted = parse({**body, "client_order_id": ""})
    errors: list[str] = []
    try:
        exchange.check(key.account, wanted)
    except Reject as reject:
        errors.append("PREVIEW_" + FAILURES.get(reject.reason, ("", "INVALID_ORDER_CONFIG"))[1])
    return {
        "order_total": _total(exchange, wanted) if not errors else "0",
        "commission_total": "0",
        "errs": errors,
        "warning": [],
        "best_bid": _best(exchange, wanted.symbol, 0),
        "best_ask": _best(exchange, wanted.symbol, 1),
        "base_size": str(wanted.qty or "0"),
        "quote_size": str(wanted.cost or "0"),
        "is_max": False,
        "preview_id": "",
    }


def _total(exchange: Exchange, wanted: OrderRequest) -> str:
    market = exchange.market(wanted.symbol)
    if wanted.qty is None or wanted.price is None:
        return str(wanted.cost or "0")
    return amounts.text(market.cost(market.ticks(wanted.price), market.lots(wanted.qty)))


def _best(exchange: Exchange, symbol: str, side: int) -> str:
    if symbol not in exchange.desks:
        return ""
    levels = exchange.book(symbol, 1)[side]
    return exchange.market(symbol).px_text(levels[0][0]) if levels else ""


def edit(exchange: Exchange, key: Key, request: Request) -> dict[str, Any]:
    """Change price and size of an order that is good till cancelled; its id stays."""
    body = _body(request)
    try:
        order = exchange.find(key.account, order_number(str(body.get("order_id"))))
        if order.kind != "limit" or order.tif != "gtc":
            return _edit_failure("ONLY_LIMIT_ORDER_EDITS_SUPPORTED")
        exchange.amend(key.account, order.id, price=body.get("price"), qty=body.get("size"))
    except Reject as reject:
        if reject.reason in EDITS:
            return _edit_failure(EDITS[reject.reason])
        preview_reason = FAILURES.get(reject.reason, ("", "INVALID_ORDER_CONFIG"))[1]
        return _edit_failure("COMMANDER_REJECTED_EDIT_ORDER", f"PREVIEW_{preview_reason}")
    return {"success": True, "success_response": {"order_id": order_uuid(order.id)}, "errors": []}


def _edit_failure(
    reason: str, preview_reason: str = "UNKNOWN_PREVIEW_FAILURE_REASON"
) -> dict[str, Any]:
    why = {"edit_failure_reason": reason, "preview_failure_reason": preview_reason}
    return {"success": False, "error_response": why, "errors": [why]}


def cancel(exchange: Exchange, key: Key, request: Request) -> dict[str, Any]:
    """Cancel orders by id, one result each."""
    wanted = _body(request).get("order_ids")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= 100:
        raise invalid("order_ids must have 1 to 100 entries")
    return {"results": [_cancel_one(exchange, key, str(text)) for text in wanted]}


def _cancel_one(exchange: Exchange, key: Key, text: str) -> dict[str, Any]:
    try:
        exchange.cancel(key.account, order_number(text))
    except Reject:
        return {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": text}
    why = "UNKNOWN_CANCEL_FAILURE_REASON"
    return {"success": True, "failure_reason": why, "order_id": text}


def _body(request: Request) -> dict[str, Any]:
    body = request.json
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    return body
