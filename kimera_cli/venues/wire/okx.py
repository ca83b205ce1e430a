"""OKX v5 spot, over REST and over the private websocket.

https://www.okx.com/docs-v5/en/#overview-rest-authentication. REST signs time (RFC 3339, ms) +
method + path + body (HMAC-SHA256, base64). A websocket is signed for once (`login`); its orders
carry no signature and name the instrument by its number (`instIdCode` of public/instruments).
Market orders are sized in the base currency (`tgtCcy`). An order that reaches the venue later than
its `expTime` is refused; cancels have none.
"""

from __future__ import annotations

import re

from kimera_cli.venues.wire.dialect import JSON, Dialect, IdRule, Signing, Way, post
from kimera_cli.venues.wire.template import Part, Send, Sign, Template

SIGNING = Signing("sha256", "text", passphrase=True)
CLIENT_ID = IdRule(re.compile(rb"[A-Za-z0-9]{1,32}"), "1 to 32 of letters and digits")
BY_NAME, BY_NUMBER = '"instId":"<symbol>"', '"instIdCode":<inst_id_code>'
ORDER = '{{{},"tdMode":"cash","side":"<side>",<order>,"sz":"<qty>","clOrdId":"<client_id>"}}'
CANCEL = "{{{},{}}}"
CLIENT, VENUE = '"clOrdId":"<client_id>"', '"ordId":"<venue_id>"'


def _limit(kind: str) -> dict[str, str]:
    return {"order": f'"ordType":"{kind}","px":"<price>"'}


ORDERS = {
    "gtc": _limit("limit"),
    "ioc": _limit("ioc"),
    "fok": _limit("fok"),
    "post_only": _limit("post_only"),
    "market": {"order": '"ordType":"market","tgtCcy":"base_ccy"'},
}


def _signed(path: str, body: str, *headers: str) -> Template:
    return (
        Part("time", "<rfc3339>"),
        Part("target", f"POST{path}"),
        Part("body", body),
        Sign("hmac256", "time"),
        Send(
            post(
                path,
                "OK-ACCESS-KEY: <key>",
                "OK-ACCESS-SIGN: <base64>",
                "OK-ACCESS-TIMESTAMP: <copy time>",
                "OK-ACCESS-PASSPHRASE: <passphrase>",
                *headers,
                JSON,
            )
        ),
    )


def _message(operation: str, argument: str, more: str = "") -> Template:
    return (Send(f'{{"id":"<request_id>","op":"{operation}"{more},"args":[{argument}]}}'),)


REST = Dialect(
    way=Way("okx", "rest", "www.okx.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("buy", "sell"),
    orders=ORDERS,
    place=_signed("/api/v5/trade/order", ORDER.format(BY_NAME), "expTime: <expires_milliseconds>"),
    cancel_client_id=_signed("/api/v5/trade/cancel-order", CANCEL.format(BY_NAME, CLIENT)),
    cancel_venue_id=_signed("/api/v5/trade/cancel-order", CANCEL.format(BY_NAME, VENUE)),
    defaults={"window": "5000"},
)

WEBSOCKET = Dialect(
    way=Way("okx", "websocket", "ws.okx.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("buy", "sell"),
    orders=ORDERS,
    place=_message("order", ORDER.format(BY_NUMBER), ',"expTime":"<expires_milliseconds>"'),
    cancel_client_id=_message("cancel-order", CANCEL.format(BY_NUMBER, CLIENT)),
    cancel_venue_id=_message("cancel-order", CANCEL.format(BY_NUMBER, VENUE)),
    login=(
        Part("time", "<seconds>"),
        Part("target", "GET/users/self/verify"),
        Sign("hmac256", "time"),
        Send(
            '{"op":"login","args":[{"apiKey":"<key>","passphrase":"<passphrase_json>",'
            '"timestamp":"<copy time>","sign":"<base64>"}]}'
        ),
    ),
    options=("inst_id_code",),
    defaults={"window": "5000"},
)
