"""What HTX tells of past and open orders, fills, accounts and fees.

Lists are newest first. A page begins with the entry that `from` names (it is told again) and goes
to older ones (`direct=next`) or newer ones (`prev`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.server.admission import RATE
from kimera_cli.venues.server.dialects import htx_errors as errors
from kimera_cli.venues.server.dialects import htx_shapes as shapes
from kimera_cli.venues.server.dialects.htx_errors import HtxError
from kimera_cli.venues.server.dialects.htx_orders import by_client_id, by_id
from kimera_cli.venues.server.dialects.htx_text import account_number, names, order_text
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Order

TWO_DAYS_MS = 2 * 86_400_000
Query = dict[str, str]
T = TypeVar("T")


def symbol_of(exchange: Exchange, query: Query, *, needed: bool = False) -> str:
    """Return the canonical symbol of a query, "" for none; HtxError."""
    name = query.get("symbol", "")
    if not name:
        if needed:
            raise errors.missing("symbol")
        return ""
    market = names(exchange.markets).get(name)
    if market is None:
        raise HtxError("base-symbol-error", "The symbol is invalid")
    return market.symbol


def own_account(key: Key, text: object) -> None:
    """Raise HtxError when the id is not that of the key's own spot account."""
    if account_number(text) != key.account:
        raise HtxError(
            "account-get-accounts-inexistent-error",
            f"account for id `{text}` and user id `{key.account}` does not exist",
        )


def balance(exchange: Exchange, key: Key, text: str) -> dict[str, Any]:
    """Return the balances of the spot account."""
    own_account(key, text)
    return shapes.balance(key.account, exchange.balances(key.account))


def one(exchange: Exchange, key: Key, text: str) -> dict[str, Any]:
    """Return one order by the venue's id."""
    return shapes.order_body(by_id(exchange, key, text))


def one_by_client_id(exchange: Exchange, key: Key, query: Query) -> dict[str, Any]:
    """Return one order by client id."""
    client_id = query.get("clientOrderId", "")
    if not client_id:
        raise errors.missing("clientOrderId")
    return shapes.order_body(by_client_id(exchange, key, client_id))


def open_orders(exchange: Exchange, key: Key, query: Query) -> list[Any]:
    """Return open orders."""
    if query.get("account-id"):
        own_account(key, query["account-id"])
    symbol = symbol_of(exchange, query)
    side = query.get("side")
    found = [o for o in exchange.open_orders(key.account, symbol) if not side or o.side == side]
    page = _page(found[::-1], query, lambda order: order_text(order.id), 100, 500)
    return [shapes.order_body(order, "filled") for order in page]


def orders(exchange: Exchange, key: Key, query: Query) -> list[Any]:
    """Return orders of a market in given states, of two days."""
    states = query.get("states", "").split(",")
    if states == [""]:
        raise errors.missing("states")
    symbol = symbol_of(exchange, query, needed=True)
    found = [
        o
        for o in exchange.orders(key.account, symbol)
        if shapes.state_of(o) in states and _within(o.created_ns, query)
    ]
    page = _page(found[::-1], query, lambda order: order_text(order.id), 100, 100)
    return [shapes.order_body(order) for order in page]


def history(exchange: Exchange, key: Key, query: Query) -> list[Any]:
    """Return ended orders of the last two days, of all markets or one."""
    symbol = symbol_of(exchange, query)
    oldest = (exchange.clock.now_ms() - TWO_DAYS_MS) * NS_PER_MS
    found: list[Order] = [
        o
        for o in exchange.orders(key.account, symbol, is_open=False, since_ns=oldest)
        if _within(o.created_ns, query)
    ]
    page = _page(found[::-1], query, lambda order: order_text(order.id), 100, 1000)
    return [shapes.order_body(order) for order in page]


def fills(exchange: Exchange, key: Key, query: Query) -> list[Any]:
    """Return fills of a market, of two days."""
    symbol = symbol_of(exchange, query)
    types = query.get("types", "")
    found = [
        f
        for f in exchange.fills(key.account, symbol)
        if _within(f.ts_ns, query) and (not types or shapes.type_of(f.order) in types.split(","))
    ]
    page = _page(found[::-1], query, shapes.fill_number, 100, 500)
    return [shapes.fill_body(fill) for fill in page]


def fills_of(exchange: Exchange, key: Key, text: str) -> list[Any]:
    """Return the fills of one order."""
    return [shapes.fill_body(fill) for fill in by_id(exchange, key, text).fills[::-1]]


def fee_rates(exchange: Exchange, key: Key, query: Query) -> list[Any]:
    """Return the account's fee rates in up to ten markets."""
    rates = exchange.rates(key.account)
    maker, taker = (f"{rate / RATE:.6f}".rstrip("0") for rate in rates)
    known = names(exchange.markets)
    wanted = [name for name in query.get("symbols", "").split(",") if name]
    if not wanted or len(wanted) > 10 or any(name not in known for name in wanted):
        raise errors.failed_v2(2002, "invalid field value in symbols")
    return [
        {
            "symbol": name,
            "makerFeeRate": maker,
            "takerFeeRate": taker,
            "actualMakerRate": maker,
            "actualTakerRate": taker,
        }
        for name in wanted
    ]


def _within(ns: int, query: Query) -> bool:
    """Return True when a time lies in the span that a query asks for, two days at most."""
    begin, end = _time(query, "start-time"), _time(query, "end-time")
    if begin and end and end - begin > TWO_DAYS_MS:
        raise HtxError("invalid-interval", "query window is greater than limitation")
    if begin and not end:
        end = begin + TWO_DAYS_MS
    elif end and not begin:
        begin = end - TWO_DAYS_MS
    at = ns // NS_PER_MS
    return (not begin or at >= begin) and (not end or at <= end)


def _time(query: Query, name: str) -> int:
    try:
        return int(query.get(name) or 0)
    except ValueError:
        raise errors.malformed(name) from None


def _page(
    found: Sequence[T], query: Query, number: Callable[[T], int], default: int, most: int
) -> Sequence[T]:
    size = min(_time(query, "size") or default, most)
    start = _time(query, "from")
    if not start:
        return found[:size]
    if query.get("direct", "next") == "prev":
        newer = [each for each in found if number(each) >= start]
        return newer[-size:]
    return [each for each in found if number(each) <= start][:size]
