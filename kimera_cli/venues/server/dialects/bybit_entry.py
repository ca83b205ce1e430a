"""Orders as Bybit writes them, read into what the exchange takes.

https://bybit-exchange.github.io/docs/v5/order/create-order. Built is spot without leverage. A
market buy is sized in the quote coin unless marketUnit says baseCoin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from kimera_cli.venues.server.dialects.bybit_text import BybitError, Names, invalid, spot_only
from kimera_cli.venues.server.model import OrderRequest, SelfTrade, Side, Tif

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_SIDES: Final[Mapping[str, Side]] = {"Buy": "buy", "Sell": "sell"}
_TIFS: Final[Mapping[str, Tif]] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "PostOnly": "gtc"}
SMP: Final[Mapping[str, SelfTrade]] = {
    "None": "none",
    "CancelMaker": "cancel_oldest",
    "CancelTaker": "cancel_newest",
    "CancelBoth": "cancel_both",
}
_ABSENT = ("triggerPrice", "takeProfit", "stopLoss", "slippageTolerance", "reduceOnly")
"""Parameters of kinds of orders that are not here."""
Parameters = Mapping[str, Any]


def order_request(names: Names, parameters: Parameters) -> OrderRequest:
    """Return the order of a request; BybitError says what is wrong."""
    spot_only(parameters)
    market = names.traded(parameters.get("symbol"))
    side = _SIDES.get(str(parameters.get("side")))
    kind = str(parameters.get("orderType"))
    if side is None:
        raise BybitError(170117, "Invalid side.")
    if kind not in ("Limit", "Market"):
        raise BybitError(170116, "Invalid orderType.")
    tif = str(parameters.get("timeInForce") or ("GTC" if kind == "Limit" else "IOC"))
    if tif not in _TIFS or (kind == "Market" and tif == "PostOnly"):
        raise BybitError(170115, "Invalid timeInForce.")
    smp = SMP.get(str(parameters.get("smpType") or "None"))
    if smp is None:
        raise invalid("smpType")
    if str(parameters.get("isLeverage", 0)) != "0":
        raise invalid("isLeverage")
    if parameters.get("orderFilter", "Order") != "Order":
        raise invalid("orderFilter")
    for name in _ABSENT:
        if parameters.get(name):
            raise invalid(name)
    size = _text(parameters, "qty")
    unit = _unit(parameters, kind, side)
    return OrderRequest(
        market.symbol, side, "limit" if kind == "Limit" else "market",
        qty=size if unit != "quoteCoin" else None, cost=size if unit == "quoteCoin" else None,
        price=_text(parameters, "price") if kind == "Limit" else None,
        tif=_TIFS[tif] if kind == "Limit" else "ioc", post_only=tif == "PostOnly",
        client_id=_link_id(parameters), self_trade=smp,
        extra={"timeInForce": tif, "marketUnit": unit, "smpType": _smp_name(parameters)},
    )  # fmt: skip


def _unit(parameters: Parameters, kind: str, side: Side) -> str:
    """Return in which coin a market order is sized; empty for a limit order."""
    if kind == "Limit":
        return ""
    unit = str(parameters.get("marketUnit") or ("quoteCoin" if side == "buy" else "baseCoin"))
    if unit not in ("baseCoin", "quoteCoin"):
        raise invalid("marketUnit")
    return unit


def _text(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(name)
    return value


def _link_id(parameters: Parameters) -> str:
    text = str(parameters.get("orderLinkId") or "")
    if text and not _LINK_ID.fullmatch(text):
        raise invalid("orderLinkId")
    return text


def _smp_name(parameters: Parameters) -> str:
    return str(parameters.get("smpType") or "None")


def ids_of(parameters: Parameters) -> tuple[int | None, str]:
    """Return (venue id, client id) of a request; the venue's goes first where both are given."""
    venue, client = str(parameters.get("orderId") or ""), str(parameters.get("orderLinkId") or "")
    if not venue and not client:
        raise BybitError(10001, "params error: orderId or orderLinkId is required")
    if venue:
        return (int(venue) if venue.isdecimal() else -1), ""
    return None, client
