"""Binance's limits: weight with its headers, 429, then 418 for longer each time, orders."""

from __future__ import annotations

from typing import Any

from market_world import START_NS
from served_venues import rest

from kimera_cli.venues.server.auth import mac_hex
from kimera_cli.venues.server.build import Setup, build_host, client_key
from kimera_cli.venues.server.dialect import HttpError, Response
from kimera_cli.venues.server.host import Venue

MINUTE_S = 60


def venue(**setup: Any) -> Venue:
    host = build_host(Setup(venues=["binance"], rate=0, **setup), None, bug, start_ns=START_NS)
    return host.venues["binance"]


def bug(name: str, where: str, error: Exception) -> None:
    raise error


def get(at: Venue, path: str, query: str = "") -> Response:
    try:
        return at.dialect.rest(rest(at, "GET", f"/api/v3/{path}", query))
    except HttpError as early:
        return early.response


def signed(at: Venue, method: str, path: str, query: str) -> Response:
    key = client_key(at)
    text = f"{query}&timestamp={at.exchange.clock.now_ms()}"
    text += f"&signature={mac_hex(key.secret, text)}"
    request = rest(at, method, f"/api/v3/{path}", text, headers={"x-mbx-apikey": key.key})
    try:
        return at.dialect.rest(request)
    except HttpError as early:
        return early.response


def headers(response: Response) -> dict[str, str]:
    return dict(response.headers)


def until_not(at: Venue, path: str, status: int) -> Response:
    """Ask until the status is another one, but not for ever."""
    for _ in range(1000):
        if (response := get(at, path)).status != status:
            return response
    raise AssertionError(f"{path}: still {status}")


def test_weight_is_counted_told_and_reset_each_minute() -> None:
    at = venue()
    assert headers(get(at, "ping"))["x-mbx-used-weight-1m"] == "1"
    assert headers(get(at, "exchangeInfo"))["x-mbx-used-weight"] == "21"
    at.exchange.clock.step(MINUTE_S * 10**9)
    assert headers(get(at, "ping"))["x-mbx-used-weight-1m"] == "1"


def test_too_much_weight_is_429_then_418_for_longer_each_time() -> None:
    at = venue()
    response = until_not(at, "exchangeInfo", 200)
    assert response.status == 429
    assert b'"code":-1003' in response.body
    assert 0 < int(headers(response)["retry-after"]) <= 60
    response = until_not(at, "ping", 429)
    assert response.status == 418
    assert headers(response)["retry-after"] == "120"
    at.exchange.clock.step(119 * 10**9)
    assert get(at, "ping").status == 418
    at.exchange.clock.step(10**9)
    assert get(at, "ping").status == 200
    until_not(at, "exchangeInfo", 200)
    until_not(at, "ping", 429)
    assert headers(get(at, "ping"))["retry-after"] == "240"


def test_orders_are_counted_per_account() -> None:
    at = venue()
    order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.01&price=48000"
    answers = [signed(at, "POST", "order", order) for _ in range(101)]
    assert [a.status for a in answers] == [200] * 100 + [429]
    assert headers(answers[99])["x-mbx-order-count-10s"] == "100"
    assert headers(answers[99])["x-mbx-order-count-1d"] == "100"
    assert b'"code":-1015' in answers[100].body
    assert signed(at, "DELETE", "order", "symbol=BTCUSDT&orderId=1").status == 400  # not counted
    at.exchange.clock.step(10 * 10**9)
    assert signed(at, "POST", "order", order).status == 200


def test_open_orders_are_limited() -> None:
    at = venue(limits=False)
    order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=48000"
    assert {signed(at, "POST", "order", order).status for _ in range(200)} == {200}
    assert b"MAX_NUM_ORDERS" in signed(at, "POST", "order", order).body


def test_without_limits_nothing_is_counted() -> None:
    at = venue(limits=False)
    answers = [get(at, "exchangeInfo") for _ in range(400)]
    assert {(a.status, a.headers) for a in answers} == {(200, ())}


def test_windows_of_time_and_malformed_requests() -> None:
    at = venue()
    for query, code in (
        ("symbol=BTCUSDT&recvWindow=60001", b"-1131"),
        ("symbol=BTCUSDT&orderId=abc", b"-1100"),
        ("symbol=BTCUSDT", b"-1102"),
        ("orderId=1", b"-1102"),
    ):
        assert code in signed(at, "GET", "order", query).body
    order = "symbol=BTCUSDT&quantity=0.01&price=48000&"
    for query, code in (
        ("side=UP&type=LIMIT&timeInForce=GTC", b"-1117"),
        ("side=BUY&type=STOP_LOSS", b"-1116"),
        ("side=BUY&type=LIMIT", b"-1102"),
        ("side=BUY&type=LIMIT&timeInForce=DAY", b"-1115"),
        ("side=BUY&type=MARKET&timeInForce=GTC", b"-1106"),
        ("side=BUY&type=LIMIT_MAKER&selfTradePreventionMode=X", b"-1100"),
        ("side=BUY&type=LIMIT&timeInForce=GTC&newClientOrderId=" + "x" * 37, b"-1100"),
    ):
        assert code in signed(at, "POST", "order", order + query).body
    assert b"-1120" in get(at, "klines", "symbol=BTCUSDT&interval=1x").body
    assert b"-1100" in get(at, "klines", "symbol=BTCUSDT&interval=1m&limit=x").body
    assert b"-1102" in get(at, "depth").body
