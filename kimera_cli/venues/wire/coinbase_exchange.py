"""Coinbase Exchange over REST: time + method + path + body are signed (HMAC-SHA256, base64).

https://docs.cdp.coinbase.com/exchange/rest-api/authentication. The secret is base64; the time is in
whole seconds and may differ by 30 s from the venue's. Client ids are UUIDs.
"""

from __future__ import annotations

import re

from kimera_cli.venues.wire.dialect import JSON, Dialect, IdRule, Signing, Way, post, request
from kimera_cli.venues.wire.template import Part, Send, Sign, Template

HEADERS = (
    "CB-ACCESS-KEY: <key>",
    "CB-ACCESS-SIGN: <base64>",
    "CB-ACCESS-TIMESTAMP: <copy time>",
    "CB-ACCESS-PASSPHRASE: <passphrase>",
)


def _limit(more: str) -> dict[str, str]:
    return {"order": f'"type":"limit",{more},"price":"<price>"'}


def _cancel(path: str) -> Template:
    return (
        Part("time", "<seconds>"),
        Part("target", f"DELETE{path}"),
        Sign("hmac256", "time"),
        Send(request("DELETE", path, *HEADERS)),
    )


REST = Dialect(
    way=Way("coinbaseexchange", "rest", "api.exchange.coinbase.com"),
    signing=Signing("sha256", "base64", passphrase=True),
    client_id=IdRule(
        re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "a UUID in small letters"
    ),
    sides=("buy", "sell"),
    orders={
        "gtc": _limit('"time_in_force":"GTC"'),
        "ioc": _limit('"time_in_force":"IOC"'),
        "fok": _limit('"time_in_force":"FOK"'),
        "post_only": _limit('"time_in_force":"GTC","post_only":true'),
        "market": {"order": '"type":"market"'},
    },
    place=(
        Part("time", "<seconds>"),
        Part("target", "POST/orders"),
        Part(
            "body",
            '{"product_id":"<symbol>","side":"<side>",<order>,"size":"<qty>",'
            '"client_oid":"<client_id>"}',
        ),
        Sign("hmac256", "time"),
        Send(post("/orders", *HEADERS, JSON)),
    ),
    cancel_client_id=_cancel("/orders/client:<client_id>"),
    cancel_venue_id=_cancel("/orders/<venue_id>"),
)
