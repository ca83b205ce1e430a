"""ccxt as it is, offline, is asked for the same orders: same signature, same meaning.

Its private requests come out of `sign`; where it puts parameters in another order than we do, what
is compared is what they say, and its own signing of our parameters.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

PLACES = {
    "bybit": ("v5/order/create", "v5/order/cancel"),
    "okx": ("trade/order", "trade/cancel-order"),
    "kraken": ("AddOrder", "CancelOrder"),
    "htx": ("v1/order/orders/place", "v1/order/orders/submitCancelClientOrder"),
    "coinbaseexchange": ("orders", "orders/client:0b1c2d3e-0000-4000-8000-000000000001"),
}
API = {"htx": ["spot", "private"]}
HASHED = {
    "bybit": "X-BAPI-SIGN",
    "okx": "OK-ACCESS-SIGN",
    "kraken": "API-Sign",
    "coinbaseexchange": "CB-ACCESS-SIGN",
}
"""The header that carries the signature."""


def parameters(http: Any) -> dict[str, Any]:
    """What a request says in its body, whichever way it is written."""
    if http.body.startswith("["):
        (only,) = json.loads(http.body)
        return dict(only)
    if http.body.startswith("{"):
        return dict(json.loads(http.body))
    return dict(parse_qsl(http.body or http.target.partition("?")[2]))


@pytest.mark.parametrize("what", [0, 1], ids=["place", "cancel"])
@pytest.mark.parametrize("name", sorted(PLACES))
def test_ccxt_signs_our_parameters_to_the_same_bytes(desk: Any, name: str, what: int) -> None:
    """Body, address and signature, byte for byte, of every kind of order and the cancel."""
    exchange, wire = desk.ccxt(name), desk.wire(name)
    built = (
        [bytes(wire.cancel(desk.now_ns, client_id=desk.client_id(name)))]
        if what
        else [desk.place(wire, kind, side) for kind, side in desk.orders(wire.dialect)]
    )
    for data in built:
        ours = desk.http(data)
        given = parameters(ours) if ours.body else {}
        exchange.options["lastNonce"] = None
        if name == "kraken":
            nonce = int(given.pop("nonce"))
            exchange.incrementing_nonce = lambda nonce=nonce: nonce
        theirs = exchange.sign(PLACES[name][what], API.get(name, ["private"]), ours.method, given)
        assert (theirs["body"] or "") == ours.body
        assert theirs["url"].endswith(ours.target)
        if name in HASHED:
            assert theirs["headers"][HASHED[name]] == ours.headers[HASHED[name]]
        theirs["headers"].pop("Referer", None)  # ccxt's own name, at Bybit
        for header, value in theirs["headers"].items():
            if ours.body or header != "Content-Type":
                assert ours.headers[header] == str(value)


def ask(desk: Any, exchange: Any, kind: str, side: str, name: str) -> Any:
    """What ccxt sends for the same order."""
    more: dict[str, Any] = {"clientOrderId": desk.client_id(name).decode()}
    more |= {"ioc": {"timeInForce": "IOC"}, "fok": {"timeInForce": "FOK"}}.get(kind, {})
    more |= {"postOnly": True} if kind == "post_only" else {}
    type_, price = ("market", None) if kind == "market" else ("limit", 50000.12)
    if name == "htx" and kind == "market":
        price = 50000.12
    if name == "bybit" and kind == "market":
        more["marketUnit"] = "baseCoin"
        exchange.options["createMarketBuyOrderRequiresPrice"] = False
    (symbol,) = exchange.markets
    return desk.ask_ccxt(exchange.create_order, symbol, type_, side, 0.001, price, more)


STATED = {
    "binance": {"newOrderRespType", "timestamp", "signature", "recvWindow"},
    "bybit": {"timeInForce"},
    "okx": {"tgtCcy"},
    "kraken": {"nonce", "deadline"},
    "htx": {"source"},
    "coinbaseexchange": {"time_in_force"},
}
"""What we say and ccxt leaves to the venue's default, or says otherwise: looked at below."""


def test_ccxt_means_the_same_order(desk: Any, venue: str) -> None:
    """Names and values of every parameter, for every kind and side that both have."""
    wire = desk.wire(venue)
    for kind, side in desk.orders(wire.dialect):
        exchange = desk.ccxt(venue)
        ours = parameters(desk.http(desk.place(wire, kind, side)))
        theirs = parameters(ask(desk, exchange, kind, side, venue))
        if (venue, kind, side) == ("htx", "market", "buy"):
            assert Decimal(ours.pop("amount")) == Decimal("50.00012")
            theirs.pop("amount")  # rounded down to the precision of sizes
        if venue == "bybit" and (kind, side) == ("market", "buy"):
            assert (ours.pop("marketUnit"), theirs.pop("marketUnit", "baseCoin")) == (
                "baseCoin",
            ) * 2
        assert {k: v for k, v in ours.items() if k not in STATED[venue]} == {
            k: v for k, v in theirs.items() if k not in STATED[venue]
        }, (kind, side)


def test_what_is_left_to_defaults_is_said_here(desk: Any) -> None:
    binance = desk.http(desk.place(desk.wire("binance"), "gtc", "buy")).form
    assert (binance["newOrderRespType"], binance["recvWindow"]) == ("ACK", "5000")
    bybit = desk.http(desk.place(desk.wire("bybit"), "gtc", "buy")).json
    assert bybit["timeInForce"] == "GTC"
    okx = desk.http(desk.place(desk.wire("okx"), "market", "buy")).json
    assert okx["tgtCcy"] == "base_ccy"
    assert "tgtCcy" not in desk.http(desk.place(desk.wire("okx"), "gtc", "buy")).json
    exchange = desk.http(desk.place(desk.wire("coinbaseexchange"), "post_only", "buy")).json
    assert (exchange["time_in_force"], exchange["post_only"]) == ("GTC", True)
    htx = desk.http(desk.place(desk.wire("htx"), "gtc", "buy")).json
    assert htx["source"] == "spot-api"


# --- websockets: ccxt.pro's frames, caught where it would send them ------------------------------


async def _frame(exchange: Any, call: Any) -> dict[str, Any]:
    """The message that ccxt.pro would have put on its socket."""
    caught: dict[str, Any] = {}

    async def watch(_url: str, _hash: str, message: Any, *_: Any, **__: Any) -> Any:
        caught.update(message)
        raise RuntimeError("caught")

    async def authenticate(*_: Any, **__: Any) -> str:
        return "TOKEN-of-the-session"

    exchange.watch, exchange.authenticate = watch, authenticate
    try:
        with pytest.raises(RuntimeError, match="caught"):
            await call(exchange)
    finally:
        await exchange.close()
    return caught


def pro(desk: Any, name: str) -> Any:
    """ccxt.pro's class with the markets, keys and clock of the plain one."""
    library = pytest.importorskip("ccxt.pro")
    plain = desk.ccxt(name)
    exchange = getattr(library, name)(
        {"apiKey": plain.apiKey, "secret": plain.secret, "password": plain.password}
    )
    exchange.milliseconds = plain.milliseconds
    exchange.options |= {
        k: plain.options[k] for k in ("defaultType", "recvWindow") if k in plain.options
    }
    exchange.set_markets(list(plain.markets.values()), plain.currencies)
    return exchange


@pytest.mark.parametrize("kind", ["gtc", "ioc", "post_only"])
@pytest.mark.parametrize("name", ["binance", "bybit", "okx", "kraken"])
def test_ccxt_pro_sends_the_same_message(desk: Any, name: str, kind: str) -> None:
    import asyncio

    wire = desk.wire(name, "websocket")
    ours = json.loads(desk.place(wire, kind, "sell"))
    more: dict[str, Any] = {"clientOrderId": desk.client_id(name).decode()}
    more |= {"ioc": {"timeInForce": "IOC"}, "post_only": {"postOnly": True}}.get(kind, {})

    async def run() -> dict[str, Any]:
        exchange = pro(desk, name)
        (symbol,) = exchange.markets
        return await _frame(
            exchange,
            lambda e: e.create_order_ws(symbol, "limit", "sell", 0.001, 50000.12, more),
        )

    theirs = asyncio.run(run())
    MESSAGES[name](ours, theirs)


def _same_binance(ours: Any, theirs: Any) -> None:
    assert ours["method"] == theirs["method"] == "order.place"
    signed_over = ("signature", "returnRateLimits", "newOrderRespType", "recvWindow")
    also_sent = ("clientOrderId", "postOnly")  # ccxt's unified names, which it lets through
    for name in (*signed_over, *also_sent):
        ours["params"].pop(name, None)
        theirs["params"].pop(name, None)
    assert ours["params"] == theirs["params"]


def _same_bybit(ours: Any, theirs: Any) -> None:
    assert (ours["op"], ours["header"]) == (theirs["op"], theirs["header"])
    ours["args"][0].pop("timeInForce")
    theirs["args"][0].pop("timeInForce", None)
    assert ours["args"] == theirs["args"]


def _same_okx(ours: Any, theirs: Any) -> None:
    assert (ours["op"], theirs["op"]) == ("order", "batch-orders")
    theirs["args"][0].pop("tgtCcy")
    assert ours["args"] == theirs["args"]


def _same_kraken(ours: Any, theirs: Any) -> None:
    assert ours["method"] == theirs["method"] == "add_order"
    assert ours["params"].pop("deadline") == "2023-11-14T22:13:25.123Z"
    assert ours["params"] == theirs["params"]


MESSAGES = {
    "binance": _same_binance,
    "bybit": _same_bybit,
    "okx": _same_okx,
    "kraken": _same_kraken,
}
