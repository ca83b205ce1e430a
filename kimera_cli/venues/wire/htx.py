"""HTX (Huobi) spot over REST: the query of four sorted parameters is signed, the body is not.

https://www.htx.com/en-us/opend/newApiPages/?id=419 (HMAC-SHA256 over method, host, path and query,
one a line; base64 inside the query). The venue's time has whole seconds. A market buy is sized in
the quote currency: it sends price x size, so the caller's price says how much may be spent.
"""

from __future__ import annotations

import re

from kimera_cli.venues.wire.dialect import JSON, Dialect, IdRule, Signing, Way, post
from kimera_cli.venues.wire.template import Part, Send, Sign, Template

QUERY = "AccessKeyId=<key>&SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=<query_time>"
LIMIT = ',"amount":"<qty>","price":"<price>"'
SIDES = ("buy", "sell")


def _signed(path: str, body: str) -> Template:
    return (
        Part("text", f"POST\n<host>\n{path}\n"),
        Part("query", QUERY),
        Sign("hmac256", "text"),
        Part("query", "&Signature=<base64_in_query>"),
        Part("body", body),
        Send(post(f"{path}?<copy query>", JSON)),
    )


def _kind(name: str) -> dict[str, str]:
    return {"order": f'"type":"<side>-{name}"{LIMIT}'}


REST = Dialect(
    way=Way("htx", "rest", "api.huobi.pro"),
    signing=Signing("sha256", "text"),
    client_id=IdRule(re.compile(rb"[A-Za-z0-9_-]{1,64}"), "1 to 64 of letters, digits and _ -"),
    sides=SIDES,
    orders={
        "gtc": _kind("limit"),
        "ioc": _kind("ioc"),
        "fok": _kind("limit-fok"),
        "post_only": _kind("limit-maker"),
        "market": (
            {"order": '"type":"buy-market","amount":"<cost>"'},
            {"order": '"type":"sell-market","amount":"<qty>"'},
        ),
    },
    place=_signed(
        "/v1/order/orders/place",
        '{"account-id":"<account_id>","symbol":"<symbol>",<order>,"source":"spot-api",'
        '"client-order-id":"<client_id>"}',
    ),
    cancel_client_id=_signed(
        "/v1/order/orders/submitCancelClientOrder", '{"client-order-id":"<client_id>"}'
    ),
    cancel_venue_id=_signed("/v1/order/orders/<venue_id>/submitcancel", "{}"),
    options=("account_id",),
)
