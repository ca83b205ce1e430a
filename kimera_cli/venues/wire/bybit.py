"""Bybit v5 spot, over REST and over the trade websocket.

https://bybit-exchange.github.io/docs/v5/guide#authentication. REST signs time + key + window + body
(HMAC-SHA256, hex). A websocket is signed for once (`login`); its orders carry no signature.
Market orders are sized in the base coin (`marketUnit`).
"""

from __future__ import annotations

import re

from kimera_cli.venues.wire.dialect import JSON, Dialect, IdRule, Signing, Way, post
from kimera_cli.venues.wire.template import Part, Send, Sign, Template

SIGNING = Signing("sha256", "text")
CLIENT_ID = IdRule(re.compile(rb"[A-Za-z0-9_-]{1,36}"), "1 to 36 of letters, digits and _ -")
ORDER = (
    '{"category":"spot","symbol":"<symbol>","side":"<side>",<order>,"qty":"<qty>",'
    '"orderLinkId":"<client_id>"}'
)
CANCEL = '{{"category":"spot","symbol":"<symbol>",{}}}'
BY_CLIENT_ID = CANCEL.format('"orderLinkId":"<client_id>"')
BY_VENUE_ID = CANCEL.format('"orderId":"<venue_id>"')


def _limit(tif: str) -> dict[str, str]:
    return {"order": f'"orderType":"Limit","timeInForce":"{tif}","price":"<price>"'}


ORDERS = {
    "gtc": _limit("GTC"),
    "ioc": _limit("IOC"),
    "fok": _limit("FOK"),
    "post_only": _limit("PostOnly"),
    "market": {"order": '"orderType":"Market","marketUnit":"baseCoin"'},
}


def _signed(path: str, body: str) -> Template:
    return (
        Part("time", "<milliseconds>"),
        Part("account", "<key><window>"),
        Part("body", body),
        Sign("hmac256", "time"),
        Send(
            post(
                path,
                "X-BAPI-API-KEY: <key>",
                "X-BAPI-TIMESTAMP: <copy time>",
                "X-BAPI-RECV-WINDOW: <window>",
                "X-BAPI-SIGN: <hex>",
                JSON,
            )
        ),
    )


def _message(operation: str, argument: str) -> Template:
    return (
        Send(
            '{"reqId":"<request_id>","header":{"X-BAPI-TIMESTAMP":"<milliseconds>",'
            f'"X-BAPI-RECV-WINDOW":"<window>"}},"op":"{operation}","args":[{argument}]}}'
        ),
    )


REST = Dialect(
    way=Way("bybit", "rest", "api.bybit.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("Buy", "Sell"),
    orders=ORDERS,
    place=_signed("/v5/order/create", ORDER),
    cancel_client_id=_signed("/v5/order/cancel", BY_CLIENT_ID),
    cancel_venue_id=_signed("/v5/order/cancel", BY_VENUE_ID),
    defaults={"window": "5000"},
)

WEBSOCKET = Dialect(
    way=Way("bybit", "websocket", "stream.bybit.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("Buy", "Sell"),
    orders=ORDERS,
    place=_message("order.create", ORDER),
    cancel_client_id=_message("order.cancel", BY_CLIENT_ID),
    cancel_venue_id=_message("order.cancel", BY_VENUE_ID),
    # The signed time is when the login expires: the caller gives one that lies ahead.
    login=(
        Part("text", "GET/realtime"),
        Part("time", "<milliseconds>"),
        Sign("hmac256", "text"),
        Send('{"op":"auth","args":["<key>",<copy time>,"<hex>"]}'),
    ),
    defaults={"window": "5000"},
)
