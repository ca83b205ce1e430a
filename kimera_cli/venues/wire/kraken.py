"""Kraken spot, over REST and over websocket v2.

https://docs.kraken.com/exchange/guides/rest/authentication. REST signs path + SHA-256(nonce + body)
with HMAC-SHA512 and the base64-decoded secret; the nonce must rise with every request of the key.
A websocket is not signed for: its orders carry the token that REST gave (`login` of REST asks for
it). The venue documents GTC, IOC and GTD; it has no fill-or-kill. An order that reaches the
matching engine behind its `deadline` (2 to 60 s ahead) is refused; cancels have none.
"""

from __future__ import annotations

import re

from kimera_cli.venues.wire.dialect import FORM, Dialect, IdRule, Signing, Way, post
from kimera_cli.venues.wire.template import Part, Send, Sign, Template

SIGNING = Signing("sha512", "base64")
CLIENT_ID = IdRule(
    re.compile(
        rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[A-Za-z0-9_-]{1,18}",
    ),
    "a UUID, 32 hex digits, or 1 to 18 of letters, digits and _ -",
)


def _signed(path: str, parameters: str) -> Template:
    return (
        Part("nonce", "<nonce>"),
        Part("body", f"nonce=<copy nonce>{parameters}"),
        Sign("sha256", "nonce"),
        Part("message", f"{path}<digest>"),
        Sign("hmac512", "message"),
        Send(post(path, "API-Key: <key>", "API-Sign: <base64>", FORM)),
    )


REST = Dialect(
    way=Way("kraken", "rest", "api.kraken.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("buy", "sell"),
    orders={
        "gtc": {"order": "ordertype=limit&price=<price>"},
        "ioc": {"order": "ordertype=limit&timeinforce=IOC&price=<price>"},
        "post_only": {"order": "ordertype=limit&oflags=post&price=<price>"},
        "market": {"order": "ordertype=market"},
    },
    place=_signed(
        "/0/private/AddOrder",
        "&pair=<symbol>&type=<side>&<order>&volume=<qty>&cl_ord_id=<client_id>"
        "&deadline=<expires_query_time>Z",
    ),
    cancel_client_id=_signed("/0/private/CancelOrder", "&cl_ord_id=<client_id>"),
    cancel_venue_id=_signed("/0/private/CancelOrder", "&txid=<venue_id>"),
    login=_signed("/0/private/GetWebSocketsToken", ""),
    defaults={"window": "5000"},
)


def _message(method: str, parameters: str) -> Template:
    return (
        Send(
            f'{{"method":"{method}","params":{{{parameters},"token":"<token>"}},'
            '"req_id":<request_id>}'
        ),
    )


WEBSOCKET = Dialect(
    way=Way("kraken", "websocket", "ws-auth.kraken.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("buy", "sell"),
    orders={
        "gtc": {"order": '"order_type":"limit","limit_price":<price>'},
        "ioc": {"order": '"order_type":"limit","time_in_force":"ioc","limit_price":<price>'},
        "post_only": {"order": '"order_type":"limit","post_only":true,"limit_price":<price>'},
        "market": {"order": '"order_type":"market"'},
    },
    place=_message(
        "add_order",
        '<order>,"side":"<side>","order_qty":<qty>,"symbol":"<symbol>","cl_ord_id":"<client_id>",'
        '"deadline":"<expires_rfc3339>"',
    ),
    cancel_client_id=_message("cancel_order", '"cl_ord_id":["<client_id>"]'),
    cancel_venue_id=_message("cancel_order", '"order_id":["<venue_id>"]'),
    defaults={"window": "5000"},
)
