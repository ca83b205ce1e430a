"""Binance spot over REST: one form, signed as it stands (HMAC-SHA256, hex).

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security. The venue takes
the parameters in any order, so what never changes comes first: its first 64 bytes are then hashed
once and for all. `newOrderRespType=ACK` is the venue's fastest answer: fills come on the user
stream.
"""

from __future__ import annotations

import re

from kimera_cli.venues.wire.dialect import FORM, Dialect, IdRule, Signing, Way, post, request
from kimera_cli.venues.wire.template import Part, Send, Sign

SIGNING = Signing("sha256", "text")
CLIENT_ID = IdRule(
    re.compile(rb"[.A-Z:/a-z0-9_-]{1,36}"), "1 to 36 of letters, digits and . : / _ -"
)
CONSTANT = "newOrderRespType=ACK&recvWindow=<window>"
KEY = "X-MBX-APIKEY: <key>"
LIMIT = f"{CONSTANT}&quantity=<qty>&price=<price>"


def _cancel(which: str) -> tuple[Part | Sign | Send, ...]:
    return (
        Part("query", f"symbol=<symbol>&recvWindow=<window>&{which}&timestamp=<milliseconds>"),
        Sign("hmac256", "query"),
        Part("query", "&signature=<hex>"),
        Send(request("DELETE", "/api/v3/order?<copy query>", KEY)),
    )


REST = Dialect(
    way=Way("binance", "rest", "api.binance.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("BUY", "SELL"),
    orders={
        "gtc": {"order": f"type=LIMIT&timeInForce=GTC&{LIMIT}"},
        "ioc": {"order": f"type=LIMIT&timeInForce=IOC&{LIMIT}"},
        "fok": {"order": f"type=LIMIT&timeInForce=FOK&{LIMIT}"},
        "post_only": {"order": f"type=LIMIT_MAKER&{LIMIT}"},
        "market": {"order": f"type=MARKET&{CONSTANT}&quantity=<qty>"},
    },
    place=(
        Part("body", "symbol=<symbol>&side=<side>&<order>"),
        Part("body", "&newClientOrderId=<client_id>&timestamp=<milliseconds>"),
        Sign("hmac256", "body"),
        Part("body", "&signature=<hex>"),
        Send(post("/api/v3/order", KEY, FORM)),
    ),
    cancel_client_id=_cancel("origClientOrderId=<client_id>"),
    cancel_venue_id=_cancel("orderId=<venue_id>"),
    defaults={"window": "5000"},
)
