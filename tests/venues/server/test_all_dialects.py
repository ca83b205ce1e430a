"""One story that every venue of the registry tells the same way, heard by unmodified ccxt.pro."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from served_venues import World

from kimera_cli.venues.server.dialects import available
from kimera_cli.venues.server.model import OrderRequest

VENUES = pytest.mark.parametrize("name", available())
MODES = pytest.mark.parametrize("mode", ["hijack", "plain"])
MAKERS_SIDE = {"coinbase"}
"""Where a public trade's side is the resting order's, and ccxt leaves it so."""
FETCH = {"bybit": {"acknowledged": True}}
"""What ccxt wants with fetch_order."""


def shown(market: Any, levels: Any) -> list[list[float]]:
    """A book's levels as ccxt has them."""
    return [[float(market.price(p)), float(market.qty(n))] for p, n in levels]


async def until(so: Callable[[], bool]) -> None:
    """Wait for the network; the guard of the world ends what never comes."""
    while not so():
        await asyncio.sleep(0.005)


@VENUES
@MODES
def test_market_data_is_the_exchange_s(serve: Any, name: str, mode: str) -> None:
    async def scenario(world: World) -> None:
        exchange, ex = world.exchange(), world.ccxt(name, mode, enableRateLimit=False)
        market = exchange.markets[0]
        markets = await ex.load_markets()
        assert {m.symbol for m in exchange.markets} == set(markets)
        about = markets[market.symbol]
        assert Decimal(str(about["precision"]["price"])) == market.tick
        assert Decimal(str(about["precision"]["amount"])) == market.lot
        bids, asks = exchange.book(market.symbol, 5)
        found = await ex.fetch_order_book(market.symbol, 20)
        for side, truth in (("bids", bids), ("asks", asks)):
            best = [level[:2] for level in found[side][:5]]
            assert [price for price, _ in best] == [price for price, _ in shown(market, truth)]
            sizes = [size for _, size in shown(market, truth)]
            # kraken's REST books have three decimals
            assert [size for _, size in best] == pytest.approx(sizes, abs=0.001)
        taker = world.account(f"taker {market.symbol}")
        exchange.place(taker, OrderRequest(market.symbol, "buy", "market", "0.5"))
        trades = await ex.fetch_trades(market.symbol)
        assert sum(Decimal(str(t["amount"])) for t in trades) == Decimal("0.5")
        assert {t["side"] for t in trades} == {"sell" if name in MAKERS_SIDE else "buy"}
        ticker = await ex.fetch_ticker(market.symbol)
        assert ticker["last"] == float(market.price(exchange.trades(market.symbol)[-1].px_ticks))
        bars = await ex.fetch_ohlcv(market.symbol, "1m", limit=10)
        assert bars[-1][4] == ticker["last"]
        assert {b[0] - a[0] for a, b in pairwise(bars)} == {60_000}
        if ex.has["fetchStatus"]:
            assert (await ex.fetch_status())["status"] == "ok"

    serve(scenario, name, limits=False)


@VENUES
@MODES
def test_an_order_s_life_and_the_money(serve: Any, name: str, mode: str) -> None:
    async def scenario(world: World) -> None:
        exchange, ex = world.exchange(), world.ccxt(name, mode, enableRateLimit=False)
        market, account = exchange.markets[0], world.account()
        symbol, low = market.symbol, float(market.start_px) * 0.98
        placed = await ex.create_order(symbol, "limit", "buy", 0.01, low)
        [resting] = exchange.open_orders(account)
        [listed] = await ex.fetch_open_orders(symbol)
        assert (listed["id"], listed["price"], listed["amount"]) == (placed["id"], low, 0.01)
        assert (listed["side"], listed["status"]) == ("buy", "open")
        held = Decimal(str((await ex.fetch_balance())[market.quote]["used"]))
        assert held == Decimal(exchange.balances(account)[market.quote][1]) / 10**18 > 0
        await ex.cancel_order(placed["id"], symbol)
        assert not exchange.open_orders(account)
        assert resting.status == "canceled"

        bought = await ex.create_order(symbol, "limit", "buy", 0.3, float(market.start_px) * 1.01)
        wish = FETCH.get(name, {})
        seen = await ex.fetch_order(bought["id"], symbol, wish)
        assert (seen["status"], seen["filled"]) == ("closed", 0.3)
        sold = await ex.create_order(symbol, "market", "sell", 0.2)
        assert (await ex.fetch_order(sold["id"], symbol, wish))["filled"] == 0.2
        fills = await ex.fetch_my_trades(symbol)
        by_side = {"buy": Decimal(0), "sell": Decimal(0)}
        for fill in fills:
            by_side[fill["side"]] += Decimal(str(fill["amount"]))
            assert fill["fee"]["cost"] >= 0
        assert by_side == {"buy": Decimal("0.3"), "sell": Decimal("0.2")}
        balance = await ex.fetch_balance()
        for asset, (free, reserved) in exchange.balances(account).items():
            assert balance[asset]["total"] == pytest.approx((free + reserved) / 1e18, rel=1e-12)

    serve(scenario, name, limits=False)


@VENUES
def test_refusals_have_the_right_class(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        exchange, ex = world.exchange(), world.ccxt(name, enableRateLimit=False)
        market = exchange.markets[0]
        await ex.load_markets()
        price = float(market.start_px)
        with pytest.raises(ccxt.InsufficientFunds):
            await ex.create_order(market.symbol, "limit", "sell", 900, price * 1.01)
        with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest, ccxt.ExchangeError)):
            await ex.create_order(market.symbol, "limit", "buy", float(market.lot), price * 0.9)
        assert not exchange.orders(world.account())
        wrong = world.ccxt(name, apiKey="nobody", enableRateLimit=False)
        wrong.markets, wrong.markets_by_id = ex.markets, ex.markets_by_id
        with pytest.raises(ccxt.AuthenticationError):
            await wrong.create_order(market.symbol, "limit", "buy", 0.01, price * 0.98)
        assert not exchange.orders(world.account())

    serve(scenario, name, limits=False)


@VENUES
def test_the_followed_book_is_the_book(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        exchange, ex = world.exchange(), world.ccxt(name, enableRateLimit=False)
        market = exchange.markets[0]
        following = asyncio.create_task(_follow(ex, market.symbol))
        flow = next(f for f in world.venue().background if f.market is market)
        seen: list[Any] = []
        watching = asyncio.create_task(_trades(ex, market.symbol, seen))
        await until(lambda: bool(world.host.sockets()))
        while not seen or not ex.orderbooks.get(market.symbol, {}).get("bids"):
            flow.act()
            await asyncio.sleep(0.001)
        for _ in range(200):
            flow.act()
            await asyncio.sleep(0)

        def agrees() -> bool:
            bids, asks = exchange.book(market.symbol, 10)
            book = ex.orderbooks[market.symbol]
            mine = [[level[:2] for level in book[side][:10]] for side in ("bids", "asks")]
            return mine == [shown(market, bids), shown(market, asks)]

        await until(agrees)
        assert {trade["symbol"] for trade in seen} == {market.symbol}
        following.cancel()
        watching.cancel()

    serve(scenario, name, limits=False)


async def _follow(ex: Any, symbol: str) -> None:
    while True:
        await ex.watch_order_book(symbol)


async def _trades(ex: Any, symbol: str, into: list[Any]) -> None:
    while True:
        into += await ex.watch_trades(symbol)


@VENUES
def test_own_orders_are_pushed(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        exchange, ex = world.exchange(), world.ccxt(name, enableRateLimit=False)
        ex.newUpdates = True
        market = exchange.markets[0]
        await ex.load_markets()
        seen: list[Any] = []
        watching = asyncio.create_task(_orders(ex, market.symbol, seen))
        low = float(market.price(exchange.book(market.symbol, 1)[0][0][0] * 9 // 10))
        while not seen:  # until the subscription is there
            await ex.create_order(market.symbol, "limit", "buy", 0.01, low)
            await asyncio.sleep(0.01)
        best = exchange.book(market.symbol, 1)[0][0][0]
        price = float(market.price(best + 1))
        placed = await ex.create_order(market.symbol, "limit", "buy", 0.01, price)
        taker = world.account(f"taker {market.symbol}")
        text = format(market.price(best + 1), "f")
        request = OrderRequest(market.symbol, "sell", "limit", "0.01", text, tif="ioc")
        exchange.place(taker, request)
        await until(lambda: any(o["status"] == "closed" for o in seen if o["id"] == placed["id"]))
        watching.cancel()

    serve(scenario, name, limits=False)


async def _orders(ex: Any, symbol: str, into: list[Any]) -> None:
    while True:
        into += await ex.watch_orders(symbol)
