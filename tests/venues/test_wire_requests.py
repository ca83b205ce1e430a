"""Every request of every venue: read back by an independent parser, checked by its own rules.

The verifiers say what a venue's server checks, in plain Python; ccxt's requests pass them too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimera_cli.venues.orders.lookup import expiry_ns


def mac(secret: bytes, text: str | bytes, name: str = "sha256") -> bytes:
    return hmac.digest(secret, text.encode() if isinstance(text, str) else text, name)


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def binance_ok(http: Any, secret: bytes, key: str) -> bool:
    text = http.body or http.target.partition("?")[2]
    signed, _, signature = text.rpartition("&signature=")
    return http.headers["X-MBX-APIKEY"] == key and mac(secret, signed).hex() == signature


def bybit_ok(http: Any, secret: bytes, key: str) -> bool:
    h = http.headers
    text = h["X-BAPI-TIMESTAMP"] + key + h["X-BAPI-RECV-WINDOW"] + http.body
    return h["X-BAPI-API-KEY"] == key and mac(secret, text).hex() == h["X-BAPI-SIGN"]


def okx_ok(http: Any, secret: bytes, key: str) -> bool:
    h = http.headers
    text = h["OK-ACCESS-TIMESTAMP"] + http.method + http.target + http.body
    return h["OK-ACCESS-KEY"] == key and base64_of(mac(secret, text)) == h["OK-ACCESS-SIGN"]


def kraken_ok(http: Any, secret: bytes, key: str) -> bool:
    hashed = hashlib.sha256((http.form["nonce"] + http.body).encode()).digest()
    signature = base64_of(mac(secret, http.path.encode() + hashed, "sha512"))
    return http.headers["API-Key"] == key and http.headers["API-Sign"] == signature


def htx_ok(http: Any, secret: bytes, key: str) -> bool:
    query, _, _ = http.target.partition("?")[2].rpartition("&Signature=")
    text = "\n".join((http.method, "api.huobi.pro", http.path, query))
    names = [pair.partition("=")[0] for pair in query.split("&")]
    given = http.query
    return (
        names == sorted(names)
        and given["AccessKeyId"] == key
        and base64_of(mac(secret, text)) == given["Signature"]
    )


def coinbase_ok(http: Any, secret: bytes, key: str) -> bool:
    h = http.headers
    text = h["CB-ACCESS-TIMESTAMP"] + http.method + http.target + http.body
    return h["CB-ACCESS-KEY"] == key and base64_of(mac(secret, text)) == h["CB-ACCESS-SIGN"]


VERIFIERS: dict[str, Callable[[Any, bytes, str], bool]] = {
    "binance": binance_ok,
    "bybit": bybit_ok,
    "okx": okx_ok,
    "kraken": kraken_ok,
    "htx": htx_ok,
    "coinbaseexchange": coinbase_ok,
}


def verified(desk: Any, venue: str, http: Any) -> bool:
    dialect = desk.dialects[venue, "rest"]
    return VERIFIERS[venue](http, desk.raw_secret(dialect), desk.key)


def test_every_order_is_signed_as_the_venue_checks(desk: Any, venue: str) -> None:
    wire = desk.wire(venue)
    for kind, side in desk.orders(wire.dialect):
        http = desk.http(desk.place(wire, kind, side))
        assert verified(desk, venue, http), (kind, side)
        assert http.headers["Host"] == wire.dialect.way.host
        assert http.method == "POST"


def test_every_cancel_is_signed_as_the_venue_checks(desk: Any, venue: str) -> None:
    wire = desk.wire(venue)
    for name, value in (("client_id", desk.client_id(venue)), ("venue_id", b"OABCDE-12345-F")):
        http = desk.http(wire.cancel(desk.now_ns, **{name: value}))
        assert verified(desk, venue, http), name
        assert value.decode() in http.target + http.body


def test_a_changed_byte_is_seen(desk: Any, venue: str) -> None:
    """The verifiers are able to say no: HTX alone does not sign the body."""
    http = desk.http(desk.place(desk.wire(venue), "gtc", "buy"))
    changed = http._replace(body=http.body.replace("50000.12", "50000.13"))
    assert changed != http
    assert verified(desk, venue, changed) is (venue == "htx")
    dialect = desk.dialects[venue, "rest"]
    wrong = desk.raw_secret(dialect)[::-1]
    assert not VERIFIERS[venue](http, wrong, desk.key)


STEPS = st.sampled_from(["0.01", "0.5", "0.00001", "1", "25", "0.025", "1E+1", "0.000000000001"])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tick=STEPS,
    lot=STEPS,
    px=st.integers(1, 10**9),
    qty=st.integers(1, 10**9),
    more=st.integers(0, 10**18),
)
def test_price_and_size_arrive_exactly(
    desk: Any, tick: str, lot: str, px: int, qty: int, more: int
) -> None:
    """Whatever the steps: what the reader gets is ticks x tick and lots x lot, and signed."""
    for venue, read in READ.items():
        wire = desk.wire(venue, tick=tick, lot=lot)
        http = desk.http(wire.place(0, 0, 0, px, qty, desk.client_id(venue), desk.now_ns + more, 0))
        assert verified(desk, venue, http)
        got_px, got_qty = read(http)
        assert (Decimal(got_px), Decimal(got_qty)) == (px * Decimal(tick), qty * Decimal(lot))
        assert "E" not in got_px + got_qty


READ: dict[str, Callable[[Any], tuple[str, str]]] = {
    "binance": lambda http: (http.form["price"], http.form["quantity"]),
    "bybit": lambda http: (http.json["price"], http.json["qty"]),
    "okx": lambda http: (http.json["px"], http.json["sz"]),
    "kraken": lambda http: (http.form["price"], http.form["volume"]),
    "htx": lambda http: (http.json["price"], http.json["amount"]),
    "coinbaseexchange": lambda http: (http.json["price"], http.json["size"]),
}


# --- published examples --------------------------------------------------------------------------


def test_binance_rest_documented_example(desk: Any) -> None:
    """Spot REST API, "SIGNED endpoint example for POST /api/v3/order", HMAC keys, request body."""
    from kimera_cli.venues.wire.dialect import Dialect
    from kimera_cli.venues.wire.template import Part, Send, Sign

    http = _documented(
        desk,
        Dialect,
        "binance",
        (
            Part("body", "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=<qty>"),
            Part("body", "&price=<price>&recvWindow=5000&timestamp=<milliseconds>"),
            Sign("hmac256", "body"),
            Part("body", "&signature=<hex>"),
            Send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: <length body>\r\n\r\n<copy body>"),
        ),
        b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
        (1, 1, 1_499_827_319_559),
        ("0.1", "1"),
    )
    assert http.body == (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559"
        "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    )


def test_kraken_documented_example(desk: Any) -> None:
    """Spot REST authentication: buy 1.25 XBTUSD at 37,500 with the nonce 1616492376594."""
    from kimera_cli.venues.wire import kraken
    from kimera_cli.venues.wire.dialect import Dialect

    parameters = "&ordertype=limit&pair=XBTUSD&price=<price>&type=buy&volume=<qty>"
    http = _documented(
        desk,
        Dialect,
        "kraken",
        kraken._signed("/0/private/AddOrder", parameters),
        b"kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==",
        (37_500, 125, 1_616_492_376_594),
        ("1", "0.01"),
    )
    assert (
        http.body
        == "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    )
    assert http.headers["API-Sign"] == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def _documented(
    desk: Any,
    dialect_type: Any,
    venue: str,
    template: Any,
    secret: bytes,
    numbers: tuple[int, int, int],
    steps: tuple[str, str],
) -> Any:
    """Build one request of a template with a published key."""
    from kimera_cli.venues.wire.account import Account
    from kimera_cli.venues.wire.order_wire import OrderWire

    shipped = desk.dialects[venue, "rest"]
    dialect = dialect_type(
        way=shipped.way,
        signing=shipped.signing,
        client_id=shipped.client_id,
        sides=("buy", "sell"),
        orders={"gtc": {}},
        place=template,
    )
    account = Account(shipped.signing, desk.key, secret)
    wire = OrderWire(dialect, desk.instrument(*steps), account, symbol="XBTUSD")
    px, qty, now_ms = numbers
    return desk.http(wire.place(0, 0, 0, px, qty, b"unused", now_ms * 1_000_000))


def test_binance_websocket_documented_example(desk: Any) -> None:
    """WebSocket API, "SIGNED request example (HMAC)": the sorted text and its signature."""
    from kimera_cli.venues.wire.account import Account
    from kimera_cli.venues.wire.dialect import Dialect
    from kimera_cli.venues.wire.order_wire import OrderWire
    from kimera_cli.venues.wire.template import Part, Send, Sign

    shipped = desk.dialects["binance", "websocket"]
    dialect = Dialect(
        way=shipped.way,
        signing=shipped.signing,
        client_id=shipped.client_id,
        sides=("BUY", "SELL"),
        orders={"gtc": {}},
        place=(
            Part("query", "apiKey=<key>&newOrderRespType=ACK&price=<price>.00&quantity="),
            Part("query", "<qty>000000&recvWindow=<window>&side=<side>&symbol=<symbol>"),
            Part("query", "&timeInForce=GTC&timestamp=<milliseconds>&type=LIMIT"),
            Sign("hmac256", "query"),
            Send('{"query":"<copy query>","signature":"<hex>"}'),
        ),
        defaults={"window": "5000"},
    )
    secret = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    account = Account(shipped.signing, desk.key, secret)
    wire = OrderWire(
        dialect,
        desk.instrument("1", "0.01"),
        account,
        symbol="BTCUSDT",
        options={"window": "100"},
    )
    message = json.loads(bytes(wire.place(1, 0, 0, 52_000, 1, b"x", 1_645_423_376_532 * 10**6)))
    assert message["query"].startswith(f"apiKey={desk.key}&newOrderRespType=ACK&price=52000.00&")
    assert "quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT" in message["query"]
    assert message["signature"] == (
        "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"
    )


@pytest.mark.parametrize("kind", ["gtc", "ioc", "fok", "post_only", "market"])
def test_binance_websocket_orders(desk: Any, kind: str) -> None:
    """The signature is over all parameters sorted, as the frame itself has them."""
    wire = desk.wire("binance", "websocket")
    for side in desk.sides:
        message = json.loads(desk.place(wire, kind, side))
        signature = message["params"].pop("signature")
        assert list(message["params"]) == sorted(message["params"])
        text = "&".join(f"{name}={value}" for name, value in message["params"].items())
        assert mac(desk.raw_secret(wire.dialect), text).hex() == signature
        assert (message["id"], message["method"]) == ("7", "order.place")


def expiry_of(http: Any, venue: str) -> float:
    """Return when an order's request says that it expires, in ms."""
    h = http.headers
    if venue == "binance":
        return int(http.form["timestamp"]) + int(http.form["recvWindow"])
    if venue == "bybit":
        return int(h["X-BAPI-TIMESTAMP"]) + int(h["X-BAPI-RECV-WINDOW"])
    if venue == "okx":
        return int(h["expTime"])
    return datetime.fromisoformat(http.form["deadline"]).timestamp() * 1000


@pytest.mark.parametrize("name", ["binance", "bybit", "kraken", "okx"])
def test_an_order_says_until_when_it_may_be_executed(desk: Any, name: str) -> None:
    """The doubt about a lost order ends when its request has expired: never later than that."""
    wire = desk.wire(name)
    last = expiry_ns(name, desk.now_ns) / 1e6
    for kind, side in desk.orders(wire.dialect):
        http = desk.http(desk.place(wire, kind, side))
        assert last - 1000 < expiry_of(http, name) <= last, (kind, side)


@pytest.mark.parametrize("name", ["binance", "bybit", "kraken", "okx"])
def test_an_order_by_websocket_says_so_too(desk: Any, name: str) -> None:
    wire = desk.wire(name, "websocket")
    last = expiry_ns(name, desk.now_ns) / 1e6
    sent = json.loads(desk.place(wire, "gtc", "buy"))
    said = {
        "binance": lambda: sent["params"]["timestamp"] + sent["params"]["recvWindow"],
        "bybit": lambda: sum(int(v) for v in sent["header"].values()),
        "kraken": lambda: datetime.fromisoformat(sent["params"]["deadline"]).timestamp() * 1000,
        "okx": lambda: int(sent["expTime"]),
    }[name]()
    assert last - 1 <= said <= last
