"""Binance's signatures, windows of time and permissions, over REST and the websocket API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from direct_venue import Direct, exact

from kimera_cli.venues.server.auth import mac_hex
from kimera_cli.venues.server.keys import Key

ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=48000"
CALL = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.01", "price": "48000"}  # fmt: skip


@pytest.fixture
def binance() -> Direct:
    return Direct("binance")


def send(
    at: Direct, query: str = "", body: str = "", *, ahead_ms: int = 0, key: Key | None = None,
    method: str = "POST", path: str = "/api/v3/order", **changes: str,
) -> int:  # fmt: skip
    """One signed request; `changes` replace what is signed or sent. Returns its code, 0: none."""
    who = key or at.key
    query += f"{'&' if query else ''}timestamp={at.clock.now_ms() + ahead_ms}"
    sign = mac_hex(who.secret, changes.get("signed", query + body))
    query += f"&signature={changes.get('sign', sign)}"
    named = {"x_mbx_apikey": changes.get("name", who.key)}
    found = exact(at.request(method, path, query, body.encode(), **named).body)
    return int(found.get("code", 0)) if isinstance(found, dict) else 0


def call(at: Direct, key: Key | None = None, **changes: Any) -> int:
    """One order over the websocket API; returns the code, 0 for none."""
    who, line = key or at.key, at.line("/ws-api/v3")
    params = {**CALL, "apiKey": who.key, "timestamp": at.clock.now_ms()}
    signed = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["signature"] = mac_hex(who.secret, signed)
    message = {"id": 1, "method": "order.place", "params": {**params, **changes}}
    [answer] = line.say(msgspec.json.encode(message).decode())
    return int(answer.get("error", {}).get("code", 0))


def test_an_order_that_is_signed_right_is_placed(binance: Direct) -> None:
    assert send(binance, ORDER) == 0
    assert send(binance, body=ORDER) == 0, "parameters may stand in the body"
    assert call(binance) == 0
    assert len(binance.exchange.open_orders(binance.me)) == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign": "0" * 64}, -1022),
        ({"signed": "symbol=BTCUSDT"}, -1022),
        ({"sign": ""}, -1102),
        ({"name": "nobody"}, -2015),
        ({"name": ""}, -2014),
    ],
)
def test_requests_that_are_not_signed_right(binance: Direct, changes: Any, code: int) -> None:
    assert send(binance, ORDER, **changes) == code
    assert send(binance, body=ORDER, **changes) == code
    assert not binance.exchange.orders(binance.me)


def test_query_and_body_are_signed_together(binance: Direct) -> None:
    """Else somebody on the way could add an order to a signed query."""
    query = f"timestamp={binance.clock.now_ms()}"
    assert send(binance, body=ORDER, signed=query) == -1022
    assert send(binance, body=ORDER, signed=ORDER) == -1022
    assert not binance.exchange.orders(binance.me)


@pytest.mark.parametrize(
    ("ahead_ms", "code"), [(999, 0), (1000, -1021), (-5000, 0), (-5001, -1021), (-60_000, -1021)]
)
def test_the_window_of_time(binance: Direct, ahead_ms: int, code: int) -> None:
    assert send(binance, ORDER, ahead_ms=ahead_ms) == code
    assert len(binance.exchange.orders(binance.me)) == (not code)


def test_a_shorter_window_is_kept_to(binance: Direct) -> None:
    assert send(binance, f"{ORDER}&recvWindow=100", ahead_ms=-100) == 0
    assert send(binance, f"{ORDER}&recvWindow=100", ahead_ms=-101) == -1021


@pytest.mark.parametrize("window", ["nan", "inf", "-1", "0x10", "1e3", "5000 ", "1.2345"])
def test_a_window_that_is_no_number_lets_nothing_old_pass(binance: Direct, window: str) -> None:
    assert send(binance, f"{ORDER}&recvWindow={quote(window)}", ahead_ms=-3_600_000) == -1100
    assert not binance.exchange.orders(binance.me)


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("stopPrice=48000", -1106),
        ("trailingDelta=100", -1106),
        ("quoteOrderQty=100", -1106),
        ("icebergQty=0.001", -2010),
    ],
)
def test_no_other_order_is_placed_than_was_asked_for(
    binance: Direct, extra: str, code: int
) -> None:
    assert send(binance, f"{ORDER}&{extra}") == code
    assert not binance.exchange.orders(binance.me)


def test_a_reader_s_key_places_nothing(binance: Direct) -> None:
    reader = binance.another_key("read")
    assert send(binance, method="GET", path="/api/v3/account", key=reader) == 0
    assert send(binance, ORDER, key=reader) == -2015
    assert call(binance, reader) == -2015
    assert not binance.exchange.orders(binance.me)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "0" * 64}, -1022),
        ({"quantity": "0.02"}, -1022),
        ({"apiKey": "nobody"}, -2015),
        ({"timestamp": 1}, -1022),
    ],
)
def test_calls_that_are_not_signed_right(binance: Direct, changes: Any, code: int) -> None:
    assert call(binance, **changes) == code
    assert not binance.exchange.orders(binance.me)
