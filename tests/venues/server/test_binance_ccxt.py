"""Unmodified ccxt.pro at binance: REST, streams, websocket API; hijacked and by plain URLs."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from served_venues import World

from kimera_cli.venues.server.model import OrderRequest

PAIR = "BTC/USDT"
MODES = pytest.mark.parametrize("mode", ["hijack", "plain"])


def quote(world: World, side: Any, qty: str, price: str | None = None, **more: Any) -> Any:
    """The background places an order of its own."""
    account = world.account(f"taker {PAIR}")
    kind: Any = "limit" if price else "market"
    return world.exchange().place(account, OrderRequest(PAIR, side, kind, qty, price, **more))


async def raises(kind: str, act: Any) -> str:
    import ccxt

    with pytest.raises(getattr(ccxt, kind)) as found:
        await act
    assert type(found.value).__name__ == kind
    return str(found.value)


@MODES
def test_market_data(serve: Any, mode: str) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance", mode)
        markets = await ex.load_markets()
        assert set(markets) == {"BTC/USDT", "ETH/USDT", "ETH/BTC"}
        assert markets[PAIR]["precision"] == {
            "amount": 0.00001,
            "price": 0.01,
            "base": 1e-8,
            "quote": 1e-8,
        }
        assert markets[PAIR]["limits"]["cost"]["min"] == 5
        bids, asks = world.exchange().book(PAIR, 20)
        market = world.exchange().market(PAIR)
        found = await ex.fetch_order_book(PAIR, 20)
        assert found["bids"] == [[float(market.price(p)), float(market.qty(n))] for p, n in bids]
        assert found["asks"] == [[float(market.price(p)), float(market.qty(n))] for p, n in asks]
        assert found["nonce"] == market.seq
        ticker = await ex.fetch_ticker(PAIR)
        assert ticker["bid"] == found["bids"][0][0]
        bars = await ex.fetch_ohlcv(PAIR, "1h", limit=50)
        assert len(bars) == 50
        assert {b[0] - a[0] for a, b in pairwise(bars)} == {3_600_000}
        since = await ex.fetch_ohlcv(PAIR, "1h", since=bars[10][0], limit=3)
        assert since == bars[10:13]
        assert abs(await ex.fetch_time() - world.exchange().clock.now_ms()) < 60_000
        quote(world, "buy", "0.5")
        trades = await ex.fetch_trades(PAIR)
        assert sum(Decimal(str(t["amount"])) for t in trades) == Decimal("0.5")
        assert {t["side"] for t in trades} == {"buy"}

    serve(scenario, "binance")


@MODES
def test_orders_and_money(serve: Any, mode: str) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance", mode)
        placed = await ex.create_order(PAIR, "limit", "buy", 0.01, 49000, {"clientOrderId": "a1"})
        assert (placed["status"], placed["clientOrderId"]) == ("open", "a1")
        balance = await ex.fetch_balance()
        assert balance["USDT"] == {"free": 999_510.0, "used": 490.0, "total": 1_000_000.0}
        by_client_id = await ex.fetch_order("", PAIR, {"clientOrderId": "a1"})
        assert by_client_id["id"] == placed["id"]
        assert [o["id"] for o in await ex.fetch_open_orders(PAIR)] == [placed["id"]]
        edited = await ex.edit_order(placed["id"], PAIR, "limit", "buy", 0.02, 48900)
        assert edited["amount"] == 0.02
        canceled = await ex.cancel_order(edited["id"], PAIR)
        assert canceled["status"] == "canceled"
        bought = await ex.create_order(PAIR, "market", "buy", 0.5)
        assert bought["status"] == "closed"
        fills = await ex.fetch_my_trades(PAIR)
        assert sum(Decimal(str(f["amount"])) for f in fills) == Decimal("0.5")
        assert {f["fee"]["currency"] for f in fills} == {"BTC"}
        truth = world.exchange().balances(world.account())
        after = await ex.fetch_balance()
        for asset, (free, _) in truth.items():
            assert (
                Decimal(after["info"]["balances"][list(truth).index(asset)]["free"])
                == Decimal(free) / 10**18
            )
        ioc = await ex.create_order(PAIR, "limit", "buy", 0.01, 49000, {"timeInForce": "IOC"})
        assert (ioc["status"], ioc["filled"]) == ("expired", 0)
        cost = await ex.create_market_buy_order_with_cost(PAIR, 100)
        assert 0 < cost["cost"] <= 100

    serve(scenario, "binance")


@MODES
def test_refusals_are_the_venue_s_own(serve: Any, mode: str) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance", mode)
        await ex.load_markets()

        def limit(qty: float, price: float, side: str = "buy", **params: Any) -> Any:
            return ex.create_order(PAIR, "limit", side, qty, price, params)

        await limit(0.01, 49000, clientOrderId="x")
        assert '"code":-2010' in await raises("InvalidOrder", limit(0.01, 49000, clientOrderId="x"))
        await raises("InsufficientFunds", limit(500, 51000, "sell"))
        await raises("OrderImmediatelyFillable", limit(0.01, 50100, postOnly=True))
        assert "NOTIONAL" in await raises("BadRequest", limit(0.00002, 49000))
        await raises("OrderNotFound", ex.fetch_order("999", PAIR))
        await raises("OrderNotFound", ex.cancel_order("999", PAIR))
        assert "-1121" in await raises("BadSymbol", ex.public_get_depth({"symbol": "NONE"}))
        assert "-1100" in await raises("BadRequest", limit(0.01, 49000, clientOrderId="a b"))

    serve(scenario, "binance")


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"secret": "x" * 64}, "-1022"),
        ({"apiKey": "nobody"}, "-2015"),
        ({"options": {"timeDifference": 60_000}}, "-1021"),
        ({"options": {"timeDifference": -60_000}}, "-1021"),
    ],
)
def test_wrong_keys_and_clocks_are_refused(serve: Any, config: Any, code: str) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance", **config)
        import ccxt

        with pytest.raises(ccxt.BaseError, match=code):
            await ex.private_get_account()
        with pytest.raises(ccxt.BaseError, match=code):
            await ex.create_order_ws(PAIR, "limit", "buy", 0.01, 49000)
        assert not world.exchange().orders(world.account())

    options = {"fetchCurrencies": False, "fetchMargins": False}
    config = {**config, "options": {**options, **config.get("options", {})}}
    serve(scenario, "binance")


def test_a_key_that_may_only_read(serve: Any) -> None:
    async def scenario(world: World) -> None:
        made = await world.control("POST", "binance/key", {"permissions": ["read"]})
        ex = world.ccxt("binance", apiKey=made["key"], secret=made["secret"])
        assert (await ex.fetch_balance())["USDT"]["free"] == 1_000_000
        text = await raises(
            # what ccxt makes of -2015 after a request that passed
            "DDoSProtection",
            ex.create_order(PAIR, "limit", "buy", 0.01, 49000),
        )
        assert "-2015" in text

    serve(scenario, "binance")


@MODES
@pytest.mark.parametrize("cadence_ns", [0, None])
def test_the_book_of_the_stream_is_the_book(serve: Any, mode: str, cadence_ns: Any) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance", mode)
        await ex.watch_order_book(PAIR)
        trades = asyncio.create_task(ex.watch_trades(PAIR))
        await world.settle()
        flow = next(f for f in world.venue().background if f.market.symbol == PAIR)
        for _ in range(300):
            flow.act()
            await asyncio.sleep(0)
        market = world.exchange().market(PAIR)
        while ex.orderbooks[PAIR]["nonce"] != market.seq:
            await ex.watch_order_book(PAIR)
        bids, asks = world.exchange().book(PAIR, 10)
        book = ex.orderbooks[PAIR]
        shown = [level[:2] for level in book["bids"][:10]], [lv[:2] for lv in book["asks"][:10]]
        assert shown == (
            [[float(market.price(p)), float(market.qty(n))] for p, n in bids],
            [[float(market.price(p)), float(market.qty(n))] for p, n in asks],
        )
        assert (await trades)[0]["id"] == str(world.exchange().trades(PAIR)[0].id)

    serve(scenario, "binance", cadence_ns=cadence_ns)


@MODES
def test_own_orders_fills_and_balances_are_pushed(serve: Any, mode: str) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance", mode)
        ex.newUpdates = True
        await ex.load_markets()
        orders, fills, balances = [], [], []

        async def follow(watch: Any, into: list[Any]) -> None:
            while True:
                found = await watch()
                into.extend(dict(each) for each in (found if isinstance(found, list) else [found]))

        tasks = [
            asyncio.create_task(follow(lambda: ex.watch_orders(PAIR), orders)),
            asyncio.create_task(follow(lambda: ex.watch_my_trades(PAIR), fills)),
            asyncio.create_task(follow(ex.watch_balance, balances)),
        ]
        while not any(c.users for c in world.venue().dialect.conversations if hasattr(c, "users")):
            await asyncio.sleep(0.01)
        placed = await ex.create_order_ws(
            PAIR, "limit", "buy", 0.01, 49999.99, {"clientOrderId": "mine"}
        )
        best = world.exchange().book(PAIR, 1)[0][0]
        price = str(world.exchange().market(PAIR).price(best[0]))
        quote(world, "sell", "0.004", price, tif="ioc")
        quote(world, "sell", "0.006", price, tif="ioc")
        while len(fills) < 2:
            await asyncio.sleep(0.01)
        assert [o["status"] for o in orders if o["id"] == placed["id"]][-1] == "closed"
        assert {o["clientOrderId"] for o in orders} == {"mine"}
        assert [o["filled"] for o in orders] == [0, 0.004, 0.01]
        assert [f["amount"] for f in fills] == [0.004, 0.006]
        assert {f["takerOrMaker"] for f in fills} == {"maker"}
        truth = world.exchange().balances(world.account())
        assert (
            Decimal(str(ex.balance["spot"]["BTC"]["total"])) == Decimal(sum(truth["BTC"])) / 10**18
        )
        for task in tasks:
            task.cancel()

    serve(scenario, "binance")


def test_cancel_and_query_over_the_websocket_api(serve: Any) -> None:
    async def scenario(world: World) -> None:
        ex = world.ccxt("binance")
        placed = await ex.create_order_ws(PAIR, "limit", "sell", 0.01, 51000)
        assert (await ex.fetch_order_ws(placed["id"], PAIR))["status"] == "open"
        assert [o["id"] for o in await ex.fetch_open_orders_ws(PAIR)] == [placed["id"]]
        assert (await ex.cancel_order_ws(placed["id"], PAIR))["status"] == "canceled"
        await raises("OrderNotFound", ex.cancel_order_ws(placed["id"], PAIR))
        [base] = [
            b for b in (await ex.fetch_balance_ws())["info"]["balances"] if b["asset"] == "BTC"
        ]
        assert (base["free"], base["locked"]) == ("20.00000000", "0.00000000")

    serve(scenario, "binance")


def test_limits_are_told_beside_results_and_messages_are_counted(serve: Any) -> None:
    async def scenario(world: World) -> None:
        session = world.session()
        async with session.ws_connect("wss://ws-api.binance.com:443/ws-api/v3") as socket:
            await socket.send_json({"id": "a", "method": "time"})
            [weight] = (await socket.receive_json())["rateLimits"]
            assert (weight["rateLimitType"], weight["limit"], weight["count"]) == (
                "REQUEST_WEIGHT",
                6000,
                3,  # the handshake weighs 2
            )
            params = {"returnRateLimits": False}
            await socket.send_json({"id": "b", "method": "ping", "params": params})
            assert await socket.receive_json() == {"id": "b", "status": 200, "result": {}}
        async with session.ws_connect("wss://stream.binance.com:9443/ws", autoping=False) as socket:
            world.exchange().clock.step(20 * 10**9)
            ping = await socket.receive()
            assert ping.type == aiohttp.WSMsgType.PING
            for n in range(6):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": n})
            answers = [await socket.receive() for _ in range(6)]
            assert answers[-1].data == 1008

    serve(scenario, "binance")
