"""The control API: ground truth, the clock, foreign orders, market states, bad requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from served_venues import World

PAIR = "BTC/USDT"


def test_ground_truth_of_what_a_client_did(serve: Any) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance")
        await ex.create_order(PAIR, "limit", "buy", 0.01, 49000, {"clientOrderId": "mine"})
        await ex.create_order(PAIR, "market", "buy", 0.02)
        resting, taken = await world.control("GET", "binance/orders")
        assert (resting["client_id"], resting["status"]) == ("mine", "open")
        assert (taken["status"], taken["filled"]) == ("filled", "0.02000")
        fills = await world.control("GET", "binance/fills?symbol=BTC/USDT")
        assert sum(Decimal(f["qty"]) for f in fills) == Decimal("0.02")
        assert {f["order_id"] for f in fills} == {taken["id"]}
        balances = await world.control("GET", "binance/balances")
        assert balances["USDT"]["held"] == "490"
        log = await world.control("GET", "binance/log?last=1")
        assert (log[0]["method"], log[0]["status"]) == ("POST", 200)
        assert "type=MARKET" in log[0]["body"]
        assert (await world.control("GET", "binance/check"))["conserved"] is True
        book = await world.control("GET", "binance/book?symbol=BTC/USDT&depth=2")
        assert len(book["bids"]) == 2

    serve(scenario, "binance")


def test_foreign_orders_and_deposits_happen_behind_the_client_s_back(serve: Any) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance")
        foreign = {"symbol": PAIR, "side": "buy", "qty": "0.01", "price": "48000"}
        placed = await world.control("POST", "binance/order", foreign)
        assert [o["id"] for o in await ex.fetch_open_orders(PAIR)] == [str(placed["id"])]
        body = {"order_id": placed["id"]}
        canceled = await world.control("POST", "binance/cancel", body)
        assert (canceled["status"], canceled["reason"]) == ("canceled", "venue")
        await world.control("POST", "binance/deposit", {"asset": "USDT", "amount": "500.5"})
        assert (await ex.fetch_balance())["USDT"]["free"] == 1_000_500.5
        await world.control("POST", "binance/deposit", {"asset": "USDT", "amount": "-1000500.5"})
        assert (await ex.fetch_balance())["USDT"]["free"] == 0

    serve(scenario, "binance")


def test_the_clock_is_stepped_and_timers_fire(serve: Any) -> None:
    async def scenario(world: World) -> None:
        exchange, account = world.exchange(), world.account()
        order = await world.control(
            "POST", "binance/order", {"symbol": PAIR, "side": "buy", "qty": "1", "price": "48000"}
        )
        exchange.cancel_all_after(account, 60 * 10**9)
        before = exchange.clock.now_ns()
        found = await world.control("POST", "binance/clock", {"step_s": 61})
        assert found["now_ns"] >= before + 61 * 10**9
        assert exchange.find(account, order["id"]).reason == "dead_man"
        await world.control("POST", "binance/clock", {"set_ns": 10**18})
        assert 0 <= exchange.clock.now_ns() - 10**18 < 60 * 10**9

    serve(scenario, "binance")


def test_halts_new_filters_maintenance_and_restart(serve: Any) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        ex = world.ccxt("binance")
        await ex.load_markets()

        async def status(**body: Any) -> None:
            await world.control("POST", "binance/market", {"symbol": PAIR, **body})

        await status(status="halt")
        with pytest.raises(ccxt.BaseError, match="Market is closed"):
            await ex.create_order(PAIR, "limit", "buy", 0.01, 49000)
        await status(status="trading", min_notional="1000")
        with pytest.raises(ccxt.BaseError, match="NOTIONAL"):
            await ex.create_order(PAIR, "limit", "buy", 0.01, 49000)
        await world.control("POST", "binance/maintenance", {"on": True})
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await ex.fetch_time()
        await world.control("POST", "binance/maintenance", {"on": False})
        async with world.session().ws_connect("wss://stream.binance.com:9443/ws") as socket:
            assert (await world.control("POST", "binance/restart"))["sockets"] == 1
            assert (await socket.receive()).data == 1012
        world.venue().background[0].act()  # type: ignore[attr-defined]
        assert world.exchange().market(PAIR).seq < 10

    serve(scenario, "binance")


def test_a_key_is_made_and_withdrawn(serve: Any) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        made = await world.control("POST", "binance/key", {"account": "second"})
        ex = world.ccxt("binance", apiKey=made["key"], secret=made["secret"])
        assert (await ex.fetch_balance())["total"] == {}
        await world.control("DELETE", f"binance/key?key={made['key']}")
        with pytest.raises(ccxt.BaseError, match="-2015"):
            await ex.fetch_balance()

    serve(scenario, "binance")


def test_faults_are_injected_listed_and_cleared(serve: Any) -> None:
    async def scenario(world: World) -> None:
        rule = {"hook": "request.after", "action": "empty", "match": "ping", "count": 2}
        found = await world.control("POST", "faults", rule)
        listed = await world.control("GET", "faults")
        assert [r["id"] for r in listed["rules"]] == [found["id"]]
        async with world.session().get("https://api.binance.com/api/v3/ping") as answer:
            assert await answer.read() == b""
        assert (await world.control("DELETE", f"faults?id={found['id']}"))["cleared"] == 1
        async with world.session().get("https://api.binance.com/api/v3/ping") as answer:
            assert await answer.read() == b"{}"

    serve(scenario, "binance")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "nowhere", None, 404, "no GET /nowhere"),
        ("POST", "binance/orders", None, 404, "no POST"),
        ("POST", "faults", {"hook": "connect", "action": "drop"}, 400, "expected an action"),
        ("POST", "faults", None, 400, "expected a JSON object"),
        ("POST", "binance/deposit", {"asset": "USDT"}, 400, "amount"),
        ("POST", "binance/deposit", {"asset": "USDT", "amount": "x"}, 400, "expected a number"),
        ("POST", "binance/deposit", {"asset": "USDT", "amount": "-9e9"}, 400, "funds"),
        ("POST", "binance/market", {"symbol": PAIR, "status": "odd"}, 400, "expected a status"),
        ("POST", "binance/market", {"symbol": "X/Y", "status": "halt"}, 400, "no market X/Y"),
        ("GET", "binance/orders?account=nobody", None, 400, "client"),
        ("POST", "binance/order", {"symbol": PAIR, "side": "buy", "qty": "-1"}, 400, "lot"),
        ("POST", "binance/order", {"symbol": PAIR, "side": "up", "qty": "1"}, 400, "side"),
        ("POST", "binance/clock", {"step_s": "x"}, 400, "expected a number"),
        ("POST", "binance/clock", {"steps": 1}, 400, "expected step_s or set_ns"),
        ("POST", "binance/clock", [1], 400, "expected a JSON object"),
        ("GET", "binance/book", None, 400, "expected 'symbol'"),
    ],
)
def test_bad_requests_are_told(
    serve: Any, method: str, path: str, body: Any, status: int, words: str
) -> None:
    async def scenario(world: World) -> None:
        url = f"http://127.0.0.1:{world.serving.control.port}/{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, json=body) as answer,
        ):
            found = await answer.json()
            assert (answer.status, list(found)) == (status, ["error"])
            assert words in found["error"]

    serve(scenario, "binance")
