"""Orders as Kraken's REST and websocket write them, read into what the exchange takes.

https://docs.kraken.com/api-reference/trading/add-order and .../spot-websocket-v2/add_order. Built
are limit and market orders, good till cancelled or immediate or cancel, by quantity or (market
buys) by cost, with fees in quote. Kinds that this server does not have are refused as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from kimera_cli.venues.server import auth
from kimera_cli.venues.server.dialects.kraken_auth import KrakenError, Parameters, bad
from kimera_cli.venues.server.dialects.kraken_names import Pairs
from kimera_cli.venues.server.model import Kind, OrderRequest, SelfTrade, Side, Tif

_CLIENT_ID = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[!-~]{1,18}"
)
_SELF_TRADE: dict[str, SelfTrade] = {
    "cancel_newest": "cancel_newest",
    "cancel_oldest": "cancel_oldest",
    "cancel_both": "cancel_both",
}
_TIFS: dict[str, Tif] = {"gtc": "gtc", "ioc": "ioc"}
_FLAGS = {"post", "fciq", "nompp", "viqc"}
_REST_ABSENT = (
    "price2", "trigger", "close", "close[ordertype]", "starttm", "expiretm", "displayvol",
    "reduce_only",
)  # fmt: skip
_WS_ABSENT = (
    "triggers", "conditional", "effective_time", "expire_time", "display_qty", "margin",
    "reduce_only",
)  # fmt: skip
"""Parameters of kinds of orders that are not here."""
_MAX_USERREF = 1 << 31


def listed(parameters: Parameters, name: str) -> list[Any]:
    """Return a parameter that may be one value or several."""
    found = parameters.get(name)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def flag(value: object) -> bool:
    """Return a flag: JSON's own, or a word of a form."""
    return str(value).lower() == "true"


def check_deadline(parameters: Parameters, now_ns: int) -> None:
    """Refuse a request whose deadline (RFC 3339) has passed."""
    if "deadline" not in parameters:
        return
    at_ms = auth.iso_ms(str(parameters["deadline"]))
    if at_ms is None:
        raise bad("deadline")
    if at_ms * 1_000_000 <= now_ns:
        raise KrakenError("EService:Deadline elapsed")


def rest_order(pairs: Pairs, parameters: Parameters) -> OrderRequest:
    """Return the order of an AddOrder."""
    flags = {each for each in str(parameters.get("oflags", "")).split(",") if each}
    if flags - _FLAGS:
        raise bad("oflags")
    if str(parameters.get("leverage", "none")) not in ("none", ""):
        raise bad("leverage")
    fields = {
        "side": parameters.get("type"),
        "kind": parameters.get("ordertype"),
        "qty": None if "viqc" in flags else parameters.get("volume"),
        "cost": parameters.get("volume") if "viqc" in flags else None,
        "price": parameters.get("price"),
        "tif": parameters.get("timeinforce", "gtc"),
        "post_only": "post" in flags,
        "client_id": parameters.get("cl_ord_id"),
        "userref": parameters.get("userref"),
        "self_trade": str(parameters.get("stptype", "cancel_newest")).replace("-", "_"),
    }
    _refuse_others(parameters, _REST_ABSENT)
    market = pairs.find(str(parameters.get("pair", "")))
    return _request(market.symbol, fields, ("type", "ordertype", "volume", "timeinforce"))


def ws_order(pairs: Pairs, parameters: Parameters) -> OrderRequest:
    """Return the order of an add_order."""
    fields = {
        "side": parameters.get("side"),
        "kind": parameters.get("order_type"),
        "qty": parameters.get("order_qty"),
        "cost": parameters.get("cash_order_qty"),
        "price": parameters.get("limit_price"),
        "tif": parameters.get("time_in_force", "gtc"),
        "post_only": parameters.get("post_only") is True,
        "client_id": parameters.get("cl_ord_id"),
        "userref": parameters.get("order_userref"),
        "self_trade": parameters.get("stp_type", "cancel_newest"),
    }
    if parameters.get("fee_preference", "quote") != "quote":
        raise bad("fee_preference")
    if parameters.get("limit_price_type", "static") != "static":
        raise bad("limit_price_type")
    _refuse_others(parameters, _WS_ABSENT)
    market = pairs.find_v2(str(parameters.get("symbol", "")))
    return _request(market.symbol, fields, ("side", "order_type", "order_qty", "time_in_force"))


def batch_of(parameters: Parameters, most: int, **shared: object) -> list[Parameters]:
    """Return the entries of a batch, each with what they share; KrakenError when it is none."""
    orders = parameters.get("orders")
    if not isinstance(orders, list) or not 2 <= len(orders) <= most:
        raise bad("orders")
    if not all(isinstance(each, dict) for each in orders):
        raise bad("orders")
    return [{**each, **shared} for each in orders]


def _refuse_others(parameters: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if parameters.get(name) not in (None, "", "0", 0, False, "false"):
            raise bad(name)


def _request(symbol: str, fields: dict[str, Any], names: tuple[str, ...]) -> OrderRequest:
    """Return the order of fields; `names` are the venue's of side, kind, quantity and tif."""
    side_name, kind_name, qty_name, tif_name = names
    side, kind = fields["side"], fields["kind"]
    tif, self_trade = (
        _TIFS.get(str(fields["tif"]).lower()),
        _SELF_TRADE.get(str(fields["self_trade"])),
    )
    if side not in get_args(Side):
        raise bad(side_name)
    if kind not in get_args(Kind):
        raise bad(kind_name)
    if tif is None:
        raise bad(tif_name)
    if self_trade is None:
        raise bad("stp_type")
    if fields["qty"] is None and fields["cost"] is None:
        raise bad(qty_name)
    if kind == "market" and fields["post_only"]:
        raise bad("post_only")
    if kind == "limit" and (fields["price"] is None or fields["cost"] is not None):
        raise bad("price" if fields["price"] is None else qty_name)
    return OrderRequest(
        symbol, side, kind,
        qty=_text(fields["qty"]), price=_text(fields["price"]), cost=_text(fields["cost"]),
        tif=tif, post_only=fields["post_only"], self_trade=self_trade,
        **_identity(fields["client_id"], fields["userref"]),
    )  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _identity(client_id: object, userref: object) -> dict[str, Any]:
    """Return client id and user reference, of which an order has at most one."""
    if client_id and userref:
        raise bad("cl_ord_id")
    if client_id and not _CLIENT_ID.fullmatch(str(client_id)):
        raise bad("cl_ord_id")
    return {"client_id": str(client_id or ""), "extra": {"userref": user_reference(userref)}}


def user_reference(value: object) -> int:
    """Return a user reference, 0 when there is none."""
    try:
        found = int(str(value or 0))
    except ValueError:
        raise bad("userref") from None
    if not -_MAX_USERREF <= found < _MAX_USERREF:
        raise bad("userref")
    return found
