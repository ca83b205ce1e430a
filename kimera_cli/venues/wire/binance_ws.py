"""Binance spot over its websocket API: every request is signed (HMAC-SHA256, hex).

https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/request-security. Signed are
all parameters sorted by name, as `name=value` joined by `&`. (`session.logon`, after which nothing
is signed any more, takes Ed25519 keys only.)
"""

from __future__ import annotations

from kimera_cli.venues.wire.binance import CLIENT_ID, SIGNING
from kimera_cli.venues.wire.dialect import Dialect, Way
from kimera_cli.venues.wire.template import Part, Send, Sign, Template


def _template(method: str, before: str, after: str, js_before: str, js_after: str) -> Template:
    """Return a request whose parameters stand sorted around recvWindow."""
    return (
        Part("query", f"apiKey=<key>{before}&recvWindow=<window>{after}"),
        Sign("hmac256", "query"),
        Send(
            f'{{"id":"<request_id>","method":"{method}","params":{{"apiKey":"<key>"{js_before},'
            f'"recvWindow":<window>{js_after},"signature":"<hex>"}}}}'
        ),
    )


def _limit(kind: str, tif: str) -> dict[str, str]:
    return {
        "kind": kind,
        "price_text": "&price=<price>",
        "price_json": ',"price":"<price>"',
        "tif_text": f"&timeInForce={tif}" if tif else "",
        "tif_json": f',"timeInForce":"{tif}"' if tif else "",
    }


def _cancel(name: str, field: str) -> Template:
    return _template(
        "order.cancel",
        f"&{name}=<{field}>",
        "&symbol=<symbol>&timestamp=<milliseconds>",
        f',"{name}":"<{field}>"',
        ',"symbol":"<symbol>","timestamp":<milliseconds>',
    )


WEBSOCKET = Dialect(
    way=Way("binance", "websocket", "ws-api.binance.com"),
    signing=SIGNING,
    client_id=CLIENT_ID,
    sides=("BUY", "SELL"),
    orders={
        "gtc": _limit("LIMIT", "GTC"),
        "ioc": _limit("LIMIT", "IOC"),
        "fok": _limit("LIMIT", "FOK"),
        "post_only": _limit("LIMIT_MAKER", ""),
        "market": {**_limit("MARKET", ""), "price_text": "", "price_json": ""},
    },
    place=_template(
        "order.place",
        "&newClientOrderId=<client_id>&newOrderRespType=ACK<price_text>&quantity=<qty>",
        "&side=<side>&symbol=<symbol><tif_text>&timestamp=<milliseconds>&type=<kind>",
        ',"newClientOrderId":"<client_id>","newOrderRespType":"ACK"<price_json>,"quantity":"<qty>"',
        ',"side":"<side>","symbol":"<symbol>"<tif_json>,"timestamp":<milliseconds>,"type":"<kind>"',
    ),
    cancel_client_id=_cancel("origClientOrderId", "client_id"),
    cancel_venue_id=_cancel("orderId", "venue_id"),
    defaults={"window": "5000"},
)
