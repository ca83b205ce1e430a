"""Orders at Coinbase Exchange: place, cancel, look up, fills; with the venue's messages.

https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/orders. A new order is answered
as pending, before any fill. A post-only order that would trade is answered 200 with status
`rejected`. Changing an order is not offered (the venue has it over FIX alone).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.admission import RATE
from kimera_cli.venues.server.dialect import Headers, HttpError, Request, refuse
from kimera_cli.venues.server.dialects import coinbaseexchange_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_text import (
    is_uuid,
    iso_ns,
    order_number,
    order_uuid,
    product_id,
    symbol_of,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Reject

OPEN_STATES = frozenset(("open", "pending", "active"))
PAGE = 1000
ABSENT = ("stop", "stop_price", "cancel_after", "max_floor")
"""Parameters of kinds of orders that are not here."""
T = TypeVar("T")


def failed(message: str, status: int = 400) -> HttpError:
    """Return the venue's error answer."""
    return refuse({"message": message}, status)


def reject_error(reject: Reject, market: Market | None) -> HttpError:
    """Return the venue's words for what the exchange refuses."""
    tick = market.px_text(1) if market else ""
    lot = market.qty_text(1) if market else ""
    least = market.qty_text(market.min_lots) if market else ""
    most = format(market.max_qty, "f") if market else ""
    words = {
        "bad_symbol": "Product not found",
        "dup_client_id": "client_oid already exists",
        "tick": f"price is too accurate. Smallest unit is {tick}",
        "lot": f"size is too accurate. Smallest unit is {lot}",
        "min_qty": f"size is too small. Minimum size is {least}",
        "max_qty": f"size is too large. Maximum size is {most}",
        "min_notional": f"funds is too small. Minimum funds is {_funds(market)}",
        "funds": "Insufficient funds",
        "price_band": "Invalid Price",
        "halted": "Trading is disabled",
        "cancel_only": "Cancel only mode",
        "no_liquidity": "Insufficient liquidity",
        "too_many_orders": "Max open orders exceeded",
    }
    return failed(words.get(reject.reason, reject.detail))


def _funds(market: Market | None) -> str:
    return amounts.fixed(market.min_cost, 8) if market else ""


def parse(body: dict[str, Any]) -> OrderRequest:
    """Return what a new order's body asks for; HttpError when it is not well formed."""
    side, kind = body.get("side"), body.get("type", "limit")
    tif, stp = str(body.get("time_in_force") or "GTC"), str(body.get("stp", "dc"))
    client_id = str(body.get("client_oid") or "")
    post_only = body.get("post_only") is True
    for name in ABSENT:
        if body.get(name):
            raise failed(f"{name} is not supported")
    if side not in ("buy", "sell"):
        raise failed("side is invalid")
    if kind not in ("limit", "market"):
        raise failed(f"type {kind} is not supported")
    if tif not in ("GTC", "IOC", "FOK") or (post_only and tif != "GTC"):
        raise failed(f"time_in_force {tif} is invalid")
    if stp not in shapes.STPS:
        raise failed("stp is invalid")
    if client_id and not is_uuid(client_id):
        raise failed("client_oid must be a valid UUID")
    return OrderRequest(
        symbol_of(body.get("product_id")),
        side,
        kind,
        qty=body.get("size"),
        price=body.get("price") if kind == "limit" else None,
        cost=body.get("funds") if kind == "market" else None,
        tif=tif.lower(),  # type: ignore[arg-type]
        post_only=post_only,
        client_id=client_id,
        self_trade=shapes.STPS[stp],  # type: ignore[arg-type]
    )


def place(exchange: Exchange, key: Key, request: Request) -> dict[str, Any]:
    """Create an order."""
    body = request.json
    if not isinstance(body, dict):
        raise failed("Invalid JSON")
    wanted = parse(body)
    desk = exchange.desks.get(wanted.symbol)
    try:
        order = exchange.place(key.account, wanted)
    except Reject as reject:
        if reject.reason == "post_only" and desk is not None:
            return shapes.rejected(desk.market, wanted, key.account, request.now_ns)
        raise reject_error(reject, desk.market if desk else None) from None
    return shapes.order_body(order, exchange.rates(key.account), pending=True)


def find(exchange: Exchange, key: Key, name: str) -> Order:
    """Return an order by id or `client:` id; HttpError 400 or 404."""
    client_id = name.removeprefix("client:") if name.startswith("client:") else ""
    if not is_uuid(client_id or name):
        raise failed("Invalid order id")
    try:
        if client_id:
            return exchange.find(key.account, client_id=client_id)
        return exchange.find(key.account, order_number(name))
    except Reject:
        raise failed("NotFound", 404) from None


def one(exchange: Exchange, key: Key, name: str) -> dict[str, Any]:
    """Return one order."""
    return shapes.order_body(find(exchange, key, name), exchange.rates(key.account))


def cancel(exchange: Exchange, key: Key, name: str) -> str:
    """Cancel an order; the answer is its id."""
    try:
        order = find(exchange, key, name)
    except HttpError as error:
        raise failed("order not found", 404) if error.response.status == 404 else error from None
    if not order.is_open:
        raise failed("Order already done")
    exchange.cancel(key.account, order.id)
    return order_uuid(order.id)


def cancel_all(exchange: Exchange, key: Key, query: dict[str, str]) -> list[str]:
    """Cancel all orders, of one product or of all; the answer is their ids."""
    symbol = symbol_of(query["product_id"]) if query.get("product_id") else ""
    if symbol and symbol not in exchange.desks:
        raise failed("NotFound", 404)
    return [order_uuid(order.id) for order in exchange.cancel_all(key.account, symbol)]


def listed(exchange: Exchange, key: Key, request: Request) -> tuple[list[Any], Headers]:
    """Return orders by state, newest first."""
    query = request.query
    states = {v for k, v in parse_qsl(request.raw_query) if k in ("status", "status[]")}
    product = query.get("product_id", "").upper()
    begin, end = query.get("start_date"), query.get("end_date")
    found = [
        o
        for o in exchange.orders(key.account)
        if _state(o, states)
        and product in ("", product_id(o.market))
        and (not begin or o.created_ns >= iso_ns(begin, "start_date"))
        and (not end or o.created_ns < iso_ns(end, "end_date"))
    ]
    page, headers = paged(found[::-1], query, lambda order: order.id)
    rates = exchange.rates(key.account)
    return [shapes.order_body(order, rates) for order in page], headers


def _state(order: Order, states: set[str]) -> bool:
    if "all" in states:
        return True
    wanted = states or OPEN_STATES
    return bool(wanted & OPEN_STATES) if order.is_open else "done" in wanted


def fills(exchange: Exchange, key: Key, query: dict[str, str]) -> tuple[list[Any], Headers]:
    """Return fills of a product or of an order, newest first."""
    product, order = query.get("product_id"), query.get("order_id")
    if not product and not order:
        raise failed("order_id or product_id is required")
    symbol = symbol_of(product) if product else ""
    begin, end = query.get("start_date"), query.get("end_date")
    found = exchange.fills(
        key.account,
        symbol,
        since_ns=iso_ns(begin, "start_date") if begin else 0,
        order_id=order_number(order) if order else None,
    )
    if end:
        until = iso_ns(end, "end_date")
        found = [fill for fill in found if fill.ts_ns < until]
    page, headers = paged(found[::-1], query, lambda fill: fill.trade_id)
    return [shapes.fill_body(fill) for fill in page], headers


def paged(
    found: Sequence[T], query: dict[str, str], number: Callable[[T], int]
) -> tuple[Sequence[T], Headers]:
    """Return a page, newest first, and the cursors of its neighbours as headers.

    `after` asks for what is older than a cursor, `before` for what is newer.
    """
    try:
        limit = min(max(int(query.get("limit") or PAGE), 1), PAGE)
        after, before = int(query.get("after") or 0), int(query.get("before") or 0)
    except ValueError:
        raise failed("limit, before and after must be numbers") from None
    chosen = [x for x in found if (not after or number(x) < after) and number(x) > before]
    page = chosen[-limit:] if before and not after else chosen[:limit]
    if not page:
        return page, ()
    return page, (("cb-before", str(number(page[0]))), ("cb-after", str(number(page[-1]))))


def fees(exchange: Exchange, key: Key) -> dict[str, str]:
    """Return an account's fee rates and volume."""
    rates = exchange.rates(key.account)
    volume = exchange.ledger.accounts[key.account].volume
    return {
        "taker_fee_rate": f"{rates.taker / RATE:.4f}",
        "maker_fee_rate": f"{rates.maker / RATE:.4f}",
        "usd_volume": amounts.fixed(volume, 2),
    }


def accounts(exchange: Exchange, key: Key) -> list[dict[str, Any]]:
    """Return all wallets."""
    held = exchange.balances(key.account)
    return [shapes.account_body(key.account, asset, *held[asset]) for asset in sorted(held)]
