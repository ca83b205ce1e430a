"""Orders as OKX writes them, read into what the exchange takes.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-place-order. Built is spot without
margin (tdMode cash): limit, post_only, fok, ioc and market orders. A market buy is sized in quote
unless tgtCcy says base.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from kimera_cli.venues.server.dialects.okx_text import Names, OkxError, empty, wrong
from kimera_cli.venues.server.model import OrderRequest, SelfTrade, Side, Tif

_CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_TAG = re.compile(r"[A-Za-z0-9]{0,16}")
_SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}
_TIFS: Final[Mapping[str, Tif]] = {
    "limit": "gtc",
    "post_only": "gtc",
    "fok": "fok",
    "ioc": "ioc",
    "market": "ioc",
}
STP: Final[Mapping[str, SelfTrade]] = {
    "cancel_maker": "cancel_oldest",
    "cancel_taker": "cancel_newest",
    "cancel_both": "cancel_both",
}
Parameters = Mapping[str, Any]


def order_request(names: Names, parameters: Parameters) -> OrderRequest:
    """Return the order of a request's entry; OkxError says what is wrong."""
    market = names.of(parameters)
    for name in ("tdMode", "side", "ordType", "sz"):
        if not parameters.get(name):
            raise empty(name)
    if parameters.get("attachAlgoOrds"):
        raise wrong("attachAlgoOrds")
    if parameters["tdMode"] != "cash":
        raise OkxError("51010", "Request unsupported under current account mode")
    side, kind = _SIDES.get(str(parameters["side"])), str(parameters["ordType"])
    if side is None:
        raise wrong("side")
    if kind not in _TIFS:
        raise wrong("ordType")
    stp = STP.get(str(parameters.get("stpMode") or "cancel_maker"))
    if stp is None:
        raise wrong("stpMode")
    size = str(parameters["sz"])
    by_cost = kind == "market" and _target(parameters, side) == "quote_ccy"
    return OrderRequest(
        market.symbol, side, "market" if kind == "market" else "limit",
        qty=None if by_cost else size, cost=size if by_cost else None,
        price=_price(parameters, kind), tif=_TIFS[kind], post_only=kind == "post_only",
        client_id=_client_id(parameters), self_trade=stp,
        extra=_extra(parameters, kind, side),
    )  # fmt: skip


def _target(parameters: Parameters, side: Side) -> str:
    """Return in which currency a market order is sized."""
    target = str(parameters.get("tgtCcy") or ("quote_ccy" if side == "buy" else "base_ccy"))
    if target not in ("base_ccy", "quote_ccy"):
        raise wrong("tgtCcy")
    return target


def _price(parameters: Parameters, kind: str) -> str | None:
    if kind == "market":
        return None
    if not parameters.get("px"):
        raise empty("px")
    return str(parameters["px"])


def _client_id(parameters: Parameters) -> str:
    text = str(parameters.get("clOrdId") or "")
    if text and not _CLIENT_ID.fullmatch(text):
        raise wrong("clOrdId")
    return text


def _extra(parameters: Parameters, kind: str, side: Side) -> dict[str, str]:
    tag = str(parameters.get("tag") or "")
    if not _TAG.fullmatch(tag):
        raise wrong("tag")
    return {
        "ordType": kind,
        "tag": tag,
        "sz": str(parameters["sz"]),
        "stpMode": str(parameters.get("stpMode") or "cancel_maker"),
        "tgtCcy": _target(parameters, side) if kind == "market" else "",
    }


def ids_of(parameters: Parameters) -> tuple[int | None, str]:
    """Return (venue id, client id) of a request; the venue's goes first where both are given."""
    venue, client = str(parameters.get("ordId") or ""), str(parameters.get("clOrdId") or "")
    if not venue and not client:
        raise OkxError("51003", "Either client order ID or order ID is required.")
    if venue:
        return (int(venue) if venue.isdecimal() else -1), ""
    return None, client
