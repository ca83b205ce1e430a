"""Orders at HTX: place, cancel, the dead-man switch.

https://www.htx.com/en-us/opend/newApiPages/. A market buy is sized in the quote asset, a market
sell in the base. Client ids are not checked for uniqueness (since 2021-05-26): the newest order
answers to one. Orders of one account trade with each other unless `self-match-prevent` is 1.
"""

from __future__ import annotations

import re
from typing import Any

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.dialects import htx_errors as errors
from kimera_cli.venues.server.dialects import htx_shapes as shapes
from kimera_cli.venues.server.dialects.htx_errors import HtxError
from kimera_cli.venues.server.dialects.htx_text import (
    account_number,
    ms,
    name_of,
    names,
    order_number,
    order_text,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Kind, Order, OrderRequest, Reject, Side, Tif

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TYPES: dict[str, tuple[Kind, Tif, bool]] = {
    "limit": ("limit", "gtc", False),
    "market": ("market", "ioc", False),
    "limit-maker": ("limit", "gtc", True),
    "ioc": ("limit", "ioc", False),
    "limit-fok": ("limit", "fok", False),
}
CLOSED_NS, OPEN_NS = 2 * 3600 * NS_PER_S, 8 * 3600 * NS_PER_S
"""How long after its creation an order is found by its client id: ended, still open."""
LEAST_S = 5
MOST_AT_ONCE = 100
Body = dict[str, Any]


def place(exchange: Exchange, key: Key, body: object) -> str:
    """Create an order; the answer is its id as text."""
    wanted = _checked(exchange, key, body)
    side, kind = _side(wanted), TYPES[_kind(wanted)][0]
    market = names(exchange.markets).get(str(wanted["symbol"]))
    try:
        return str(order_text(exchange.place(key.account, _request(exchange, wanted)).id))
    except Reject as reject:
        asset = (market.quote if side == "buy" else market.base) if market else ""
        free = exchange.ledger.accounts[key.account].balance(asset).free
        raise errors.of_reject(reject, market, side, kind, free) from None


def _checked(exchange: Exchange, key: Key, body: object) -> Body:
    """Return the body when it is well formed; HtxError otherwise."""
    if not isinstance(body, dict):
        raise HtxError("bad-request", "the body is not a JSON object")
    for name in ("account-id", "symbol", "type", "amount"):
        if body.get(name) in (None, ""):
            raise errors.missing(name)
    if account_number(body["account-id"]) != key.account:
        raise HtxError(
            "account-get-accounts-inexistent-error",
            f"account for id `{body['account-id']}` and user id `{key.account}` does not exist",
        )
    side, _, kind = str(body["type"]).partition("-")
    if side not in ("buy", "sell") or kind not in TYPES or body.get("stop-price"):
        raise HtxError("order-type-invalid", f"Order type is invalid: {body['type']}")
    if TYPES[kind][0] == "limit" and body.get("price") in (None, ""):
        raise errors.missing("price")
    client_id = body.get("client-order-id")
    if client_id and not CLIENT_ID.fullmatch(str(client_id)):
        raise HtxError("invalid-client-order-id", "The client-order-id is invalid")
    return body


def _side(body: Body) -> Side:
    return "buy" if str(body["type"]).startswith("buy-") else "sell"


def _kind(body: Body) -> str:
    return str(body["type"]).partition("-")[2]


def _request(exchange: Exchange, body: Body) -> OrderRequest:
    market = names(exchange.markets).get(str(body["symbol"]))
    if market is None:
        raise Reject("bad_symbol")
    side, (kind, tif, post_only) = _side(body), TYPES[_kind(body)]
    by_cost = kind == "market" and side == "buy"
    return OrderRequest(
        market.symbol,
        side,
        kind,
        qty=None if by_cost else str(body["amount"]),
        cost=str(body["amount"]) if by_cost else None,
        price=str(body["price"]) if kind == "limit" else None,
        tif=tif,
        post_only=post_only,
        client_id=str(body.get("client-order-id") or ""),
        self_trade="cancel_newest" if str(body.get("self-match-prevent", 0)) == "1" else "none",
    )


def place_batch(exchange: Exchange, key: Key, body: object) -> list[Body]:
    """Create up to ten orders, one result each."""
    if not isinstance(body, list) or not 1 <= len(body) <= 10:
        raise HtxError("bad-request", "expected a list of 1 to 10 orders")
    found: list[Body] = []
    for each in body:
        client_id = str(each.get("client-order-id") or "") if isinstance(each, dict) else ""
        try:
            number = int(place(exchange, key, each))
        except HtxError as error:
            refused = {"err-code": error.code, "err-msg": error.message}
            found.append({"client-order-id": client_id, **refused})
        else:
            found.append({"order-id": number, "client-order-id": client_id})
    return found


def by_client_id(exchange: Exchange, key: Key, client_id: str) -> Order:
    """Return the newest order of a client id, while the venue still knows it by that; HtxError."""
    try:
        order = exchange.find(key.account, client_id=client_id)
    except Reject:
        raise errors.not_known() from None
    age = exchange.clock.now_ns() - order.created_ns
    if age > (OPEN_NS if order.is_open else CLOSED_NS):
        raise errors.not_known()
    return order


def by_id(exchange: Exchange, key: Key, text: str) -> Order:
    """Return an order by the venue's id; HtxError."""
    if not text.isdecimal():
        raise errors.malformed("order-id")
    try:
        return exchange.find(key.account, order_number(text))
    except Reject:
        raise errors.not_known() from None


def cancel(exchange: Exchange, key: Key, text: str) -> str:
    """Cancel an order; the answer is its id as text."""
    order = by_id(exchange, key, text)
    if not order.is_open:
        raise errors.ended(shapes.FINAL[shapes.state_of(order)])
    exchange.cancel(key.account, order.id)
    return text


def cancel_client(exchange: Exchange, key: Key, body: object) -> int:
    """Cancel by client id; the answer is a state: 10 cancelling, 5 to 7 ended, 0 not known."""
    client_id = body.get("client-order-id") if isinstance(body, dict) else None
    if not client_id:
        raise errors.missing("client-order-id")
    try:
        order = by_client_id(exchange, key, str(client_id))
    except HtxError:
        return 0
    if not order.is_open:
        return shapes.FINAL[shapes.state_of(order)]
    exchange.cancel(key.account, order.id)
    return 10


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def cancel_batch(exchange: Exchange, key: Key, body: object) -> Body:
    """Cancel up to fifty orders by either id."""
    wanted = body if isinstance(body, dict) else {}
    ids, client_ids = (_list(wanted.get(n)) for n in ("order-ids", "client-order-ids"))
    if bool(ids) == bool(client_ids) or len(ids) + len(client_ids) > 50:
        raise HtxError("bad-request", "expected 1 to 50 of order-ids or client-order-ids")
    done: list[str] = []
    refused: list[Body] = []
    for text in map(str, ids or client_ids):
        try:
            order = by_id(exchange, key, text) if ids else by_client_id(exchange, key, text)
            cancel(exchange, key, str(order_text(order.id)))
            done.append(text)
        except HtxError as error:
            refused.append(
                {
                    "err-msg": error.message,
                    "order-state": error.more.get("order-state", 0),
                    "order-id": text if ids else "",
                    "err-code": error.code,
                    "client-order-id": "" if ids else text,
                }
            )
    return {"success": done, "failed": refused}


def cancel_open(exchange: Exchange, key: Key, body: object) -> Body:
    """Cancel up to a hundred open orders, of some markets or of all."""
    wanted = body if isinstance(body, dict) else {}
    chosen = {name for name in str(wanted.get("symbol") or "").split(",") if name}
    side, kinds = wanted.get("side"), str(wanted.get("types") or "")
    try:
        most = min(int(str(wanted.get("size") or MOST_AT_ONCE)), MOST_AT_ONCE)
    except ValueError:
        raise errors.malformed("size") from None
    found = [
        order
        for order in exchange.open_orders(key.account)
        if (not chosen or name_of(order.market) in chosen)
        and (not side or order.side == side)
        and (not kinds or shapes.type_of(order) in kinds.split(","))
    ]
    for order in found[:most]:
        exchange.cancel(key.account, order.id)
    left = found[most:]
    next_id = order_text(left[0].id) if left else -1
    return {"success-count": len(found[:most]), "failed-count": 0, "next-id": next_id}


def cancel_all_after(exchange: Exchange, key: Key, body: object) -> Body:
    """Set the dead-man switch: 0 is off, otherwise at least five seconds."""
    timeout = body.get("timeout") if isinstance(body, dict) else None
    try:
        seconds = int(str(timeout))
    except ValueError:
        raise errors.failed_v2(2003, "missing mandatory field") from None
    if seconds != 0 and seconds < LEAST_S:
        raise errors.failed_v2(2002, "invalid field value in timeout")
    due = exchange.cancel_all_after(key.account, seconds * NS_PER_S)
    return {"currentTime": exchange.clock.now_ms(), "triggerTime": ms(due)}
