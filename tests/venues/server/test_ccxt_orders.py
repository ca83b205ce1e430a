"""Kraken, OKX and Bybit for unmodified ccxt.pro: kinds of orders, refusals, private streams."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from served_venues import World

from kimera_cli.venues.server.model import Order, OrderRequest

Bad = tuple[dict[str, Any], str, str]


class Venue(NamedTuple):
    """Where three venues differ, seen from ccxt."""

    wrong: tuple[Bad, ...]
    """Credentials or clock, ccxt's exception, and the venue's own words."""
    ended: dict[str, tuple[str, str]]
    """What becomes of an order that cannot rest: status in the exchange and why; else refused."""
    fetch: dict[str, Any]
    protect: dict[str, Any]
    client_id: str


LATE, EARLY = ({"options": {"timeDifference": d}} for d in (60_000, -60_000))
FORGED = base64.b64encode(b"x" * 64).decode()
VENUES = {
    "kraken": Venue(
        (
            ({"apiKey": "nobody"}, "AuthenticationError", "EAPI:Invalid key"),
            ({"secret": FORGED}, "ExchangeError", "EAPI:Invalid signature"),
        ),
        {"ioc": ("expired", "ioc")},
        {}, {}, "a1b2c3d4-0000-4000-8000-000000000001",
    ),
    "okx": Venue(
        (
            ({"apiKey": "nobody"}, "AuthenticationError", "50111"),
            ({"secret": "x"}, "AuthenticationError", "50113"),
            ({"password": "x"}, "AuthenticationError", "50105"),
            (LATE, "InvalidNonce", "50102"),
            (EARLY, "InvalidNonce", "50102"),
        ),
        {"ioc": ("expired", "ioc"), "fok": ("expired", "fok"), "post": ("canceled", "post_only")},
        {}, {}, "kim0001",
    ),
    "bybit": Venue(
        (
            ({"apiKey": "nobody"}, "AuthenticationError", "10003"),
            ({"secret": "x"}, "AuthenticationError", "10004"),
            (LATE, "InvalidNonce", "10002"),
            (EARLY, "InvalidNonce", "10002"),
        ),
        {"ioc": ("expired", "ioc"), "fok": ("expired", "fok"), "post": ("canceled", "post_only")},
        {"acknowledged": True}, {"type": "spot"}, "kim_0001",
    ),
}  # fmt: skip
NAMES = pytest.mark.parametrize("name", VENUES)


class Floor:
    """A served venue with a book of one order a side, at 49,900 and 50,100."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.exchange = world.exchange()
        self.market = self.exchange.markets[0]
        self.symbol = self.market.symbol
        self.ex = world.ccxt(name, enableRateLimit=False)
        self.account = world.account()
        self.quoter = world.account(f"quoter {self.symbol}")
        self.exchange.cancel_all(self.quoter)
        self.other("buy", "1", "49900")
        self.other("sell", "1", "50100")

    def other(self, side: Any, qty: str, price: str) -> Order:
        """Somebody else's order."""
        request = OrderRequest(self.symbol, side, "limit", qty, price)
        return self.exchange.place(self.quoter, request)

    def limit(self, qty: float, price: float, **params: Any) -> Awaitable[Any]:
        """A buy through ccxt."""
        return self.ex.create_order(self.symbol, "limit", "buy", qty, price, params)  # type: ignore[no-any-return]

    @property
    def last(self) -> Order:
        """The client's newest order."""
        return self.exchange.orders(self.account)[-1]


async def until(so: Callable[[], bool]) -> None:
    """Wait for the network; the guard of the world ends what never comes."""
    while not so():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("name", "bad"), [(name, bad) for name, venue in VENUES.items() for bad in venue.wrong]
)
def test_wrong_credentials_and_clocks_are_refused(serve: Any, name: str, bad: Bad) -> None:
    config, kind, words = bad

    async def scenario(world: World) -> None:
        import ccxt

        good, ex = (world.ccxt(name, enableRateLimit=False, **c) for c in ({}, config))
        symbol = world.exchange().markets[0].symbol
        await good.load_markets()
        ex.set_markets(good.markets, good.currencies)
        with pytest.raises(getattr(ccxt, kind), match=words) as found:
            await ex.create_order(symbol, "limit", "buy", 0.01, 49000)
        assert type(found.value).__name__ == kind
        assert not world.exchange().orders(world.account())

    ready = {"enableUnifiedMargin": False, "enableUnifiedAccount": True} if name == "bybit" else {}
    config = {**config, "options": {**ready, **config.get("options", {})}}
    serve(scenario, name, limits=False)


@NAMES
def test_each_kind_of_order(serve: Any, name: str) -> None:
    about = VENUES[name]

    async def scenario(world: World) -> None:
        import ccxt

        floor = Floor(world, name)
        kinds: dict[str, tuple[float, float, dict[str, Any]]] = {
            "ioc": (1.5, 50100, {"timeInForce": "IOC"}),
            "fok": (1.5, 50100, {"timeInForce": "FOK"}),
            "post": (0.01, 50100, {"postOnly": True}),
        }
        for kind, (qty, price, params) in kinds.items():
            before = len(floor.exchange.orders(floor.account))
            if kind not in about.ended:
                with pytest.raises(ccxt.ExchangeError):
                    await floor.limit(qty, price, **params)
                assert len(floor.exchange.orders(floor.account)) == before
                continue
            await floor.limit(qty, price, **params)
            assert (floor.last.status, floor.last.reason) == about.ended[kind]
            if kind == "ioc":
                assert floor.market.qty(floor.last.filled_lots) == 1
                floor.other("sell", "1", "50100")
        await floor.limit(0.01, 50000, postOnly=True)
        assert floor.last.is_open
        assert floor.last.post_only
        await floor.ex.create_market_buy_order_with_cost(floor.symbol, 500)
        assert 499 < floor.last.cost / 1e18 <= 500
        floor.exchange.cancel_all(floor.account)
        sold = await floor.ex.create_order(floor.symbol, "market", "sell", 0.25)
        seen = await floor.ex.fetch_order(sold["id"], floor.symbol, about.fetch)
        assert (seen["filled"], seen["average"], seen["status"]) == (0.25, 49900, "closed")

    serve(scenario, name, limits=False)


@NAMES
def test_client_ids_amends_and_cancels(serve: Any, name: str) -> None:
    about = VENUES[name]

    async def scenario(world: World) -> None:
        import ccxt

        floor = Floor(world, name)
        ex, symbol = floor.ex, floor.symbol
        placed = await floor.limit(0.01, 49000, clientOrderId=about.client_id)
        assert floor.last.client_id == about.client_id
        with pytest.raises(ccxt.ExchangeError):
            await floor.limit(0.01, 49000, clientOrderId=about.client_id)
        await ex.edit_order(placed["id"], symbol, "limit", "buy", 0.02, 48900)
        [listed] = await ex.fetch_open_orders(symbol)
        assert (listed["id"], listed["amount"], listed["price"]) == (placed["id"], 0.02, 48900)
        assert listed["clientOrderId"] == about.client_id
        await ex.cancel_order(placed["id"], symbol)
        with pytest.raises(ccxt.OrderNotFound):
            await ex.cancel_order(placed["id"], symbol)
        assert [o.status for o in floor.exchange.orders(floor.account)] == ["canceled"]
        [closed] = await ex.fetch_closed_orders(symbol) or await ex.fetch_canceled_orders(symbol)
        assert (closed["id"], closed["status"]) == (placed["id"], "canceled")

    serve(scenario, name, limits=False)


@NAMES
def test_orders_over_the_websocket(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        floor = Floor(world, name)
        ex, symbol = floor.ex, floor.symbol
        placed = await ex.create_order_ws(symbol, "limit", "buy", 0.01, 49000)
        assert str(floor.market.price(floor.last.px_ticks)) == "49000.0"
        await ex.edit_order_ws(placed["id"], symbol, "limit", "buy", 0.02, 48900)
        assert floor.last.qty_lots == 2 * floor.market.lots("0.01")
        await ex.cancel_order_ws(placed["id"], None if name == "kraken" else symbol)
        assert floor.last.status == "canceled"
        with pytest.raises(ccxt.ExchangeError, match=r"Insufficient|170131|51008"):
            await ex.create_order_ws(symbol, "limit", "sell", 900, 51000)
        await ex.create_order_ws(symbol, "market", "sell", 0.1)
        assert not floor.last.left_lots

    serve(scenario, name, limits=False)


@NAMES
def test_fills_and_balances_are_pushed(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        floor = Floor(world, name)
        ex, symbol, market = floor.ex, floor.symbol, floor.market
        ex.newUpdates = True
        await ex.load_markets()
        fills: list[Any] = []
        balances: list[Any] = []

        async def follow(watch: Callable[[], Awaitable[Any]], into: list[Any]) -> None:
            while True:
                found = await watch()
                into.extend(found if isinstance(found, list) else [found])

        tasks = [
            asyncio.create_task(follow(lambda: ex.watch_my_trades(symbol), fills)),
            asyncio.create_task(follow(ex.watch_balance, balances)),
        ]
        await until(lambda: len(world.venue().dialect.conversations) > 0)
        await world.settle()
        await floor.limit(0.01, 50000)
        floor.other("sell", "0.004", "50000")
        await until(lambda: len(fills) == 1)
        floor.other("sell", "0.006", "50000")
        await until(lambda: len(fills) == 2)
        assert [f["amount"] for f in fills] == [0.004, 0.006]
        assert {f["takerOrMaker"] for f in fills} == {"maker"}
        assert {f["price"] for f in fills} == {50000.0}
        paid = sum(abs(Decimal(str(f["fee"]["cost"]))) for f in fills)
        [(asset, fee)] = floor.last.fees.items()
        assert paid == Decimal(fee) / 10**18
        assert {f["fee"]["currency"] for f in fills} == {asset}
        truth = sum(floor.exchange.balances(floor.account)[market.base])
        await until(
            lambda: bool(balances) and balances[-1][market.base]["total"] == float(truth / 1e18)
        )
        for task in tasks:
            task.cancel()

    serve(scenario, name, limits=False)


@NAMES
def test_the_dead_man_s_switch_and_the_ticker(serve: Any, name: str) -> None:
    about = VENUES[name]

    async def scenario(world: World) -> None:
        floor = Floor(world, name)
        ex, symbol = floor.ex, floor.symbol
        await floor.limit(0.01, 49000)
        await ex.cancel_all_orders_after(10_000, about.protect)
        if name != "bybit":  # there it takes a websocket that falls silent
            floor.exchange.clock.step(11 * 10**9)
            await until(lambda: not floor.exchange.open_orders(floor.account))
            assert floor.last.reason == "dead_man"
        ticker = await ex.watch_ticker(symbol)
        assert ticker["last"] == 50000
        bars = await ex.watch_ohlcv(symbol, "1m")
        assert bars[-1][4] == 50000
        trades = asyncio.create_task(ex.watch_trades(symbol))
        taker = world.account(f"taker {symbol}")
        while not trades.done():
            floor.exchange.place(taker, OrderRequest(symbol, "buy", "market", "0.001"))
            await asyncio.sleep(0.005)
        found = await trades
        assert (found[0]["price"], found[0]["side"]) == (50100, "buy")

    serve(scenario, name, limits=False)
