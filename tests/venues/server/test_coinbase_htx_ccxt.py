"""Both Coinbases and HTX for unmodified ccxt.pro: kinds of orders, refusals, private streams.

HTX's balances are not among them: this ccxt looks for a list where the venue sends an object.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from served_venues import World

from kimera_cli.venues.server.model import Order, OrderRequest

FORGED = base64.b64encode(b"x" * 64).decode()
UUID = "0b1c2d3e-0000-4000-8000-000000000001"


class Venue(NamedTuple):
    """Where the venues differ, seen from ccxt."""

    wrong: tuple[tuple[dict[str, Any], str], ...]
    """Credentials, and the venue's own words."""
    posted: str
    """What becomes of a post-only order that would trade: ccxt's exception, or `canceled`."""


VENUES = {
    "coinbase": Venue((({"apiKey": "nobody"}, "Unauthorized"),), "ExchangeError"),
    "coinbaseexchange": Venue(
        (
            ({"apiKey": "nobody"}, "Invalid API Key"),
            ({"secret": FORGED}, "invalid signature"),
            ({"password": "x"}, "Invalid Passphrase"),
        ),
        "rejected",
    ),
    "htx": Venue(
        (
            ({"apiKey": "nobody"}, "Incorrect Access key"),
            ({"secret": "x"}, "Verification failure"),
        ),
        "canceled",
    ),
}
COST: dict[str, dict[str, Any]] = {
    "coinbase": {"cost": 1000},
    "coinbaseexchange": {"cost": 1000},
    "htx": {"createMarketBuyOrderRequiresPrice": False},
}
"""How ccxt is asked for a market buy by cost."""
NAMES = pytest.mark.parametrize("name", VENUES)


class Floor:
    """A served venue with a book of one order a side, at 49,900 and 50,100."""

    def __init__(self, world: World, name: str) -> None:
        self.exchange = world.exchange()
        self.market = self.exchange.markets[0]
        self.symbol = self.market.symbol
        self.ex = world.ccxt(name, enableRateLimit=False)
        self.account = world.account()
        self.quoter = world.account(f"quoter {self.symbol}")
        self.taker = world.account(f"taker {self.symbol}")
        self.exchange.cancel_all(self.quoter)
        self.other("buy", "1", "49900")
        self.other("sell", "1", "50100")

    def other(self, side: Any, qty: str, price: str | None = None, **more: Any) -> Order:
        """Somebody else's order: a quote, or with `tif` or without a price one that takes."""
        kind: Any = "limit" if price else "market"
        request = OrderRequest(self.symbol, side, kind, qty, price, **more)
        who = self.quoter if price and not more else self.taker
        return self.exchange.place(who, request)

    def newest(self) -> Order:
        """The client's newest order, as the exchange knows it."""
        return max(self.exchange.orders(self.account), key=lambda order: order.id)

    def create(self, kind: str, side: str, qty: float, price: Any = None, **params: Any) -> Any:
        return self.ex.create_order(self.symbol, kind, side, qty, price, params)


async def until(so: Callable[[], bool]) -> None:
    """Wait for the network; the guard of the world ends what never comes."""
    while not so():
        await asyncio.sleep(0.005)


@NAMES
def test_kinds_of_orders(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        floor = Floor(world, name)
        await floor.ex.load_markets()
        await floor.create("limit", "buy", 2, 50100, timeInForce="IOC")
        assert floor.market.qty(floor.newest().filled_lots) == 1
        assert floor.newest().status != "filled"
        floor.other("sell", "1", "50100")
        if name != "htx":  # ccxt 4.5 asks HTX for "buy-limit-fok" by its type alone
            await floor.create("limit", "buy", 2, 50100, timeInForce="FOK")
        else:
            await floor.create("limit-fok", "buy", 2, 50100)
        assert floor.newest().filled_lots == 0
        assert not floor.newest().is_open
        await floor.create("market", "sell", 0.1)
        assert floor.market.qty(floor.newest().filled_lots) == Decimal("0.1")
        await floor.create("market", "buy", 1000 if name == "htx" else None, **COST[name])
        spent = Decimal(floor.newest().cost) / 10**18
        assert Decimal(990) < spent <= 1000
        ids = {o["id"] for o in await floor.ex.fetch_open_orders(floor.symbol)}
        assert not ids

    serve(scenario, name, limits=False)


@NAMES
def test_post_only(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        floor, posted = Floor(world, name), VENUES[name].posted
        resting = await floor.create("limit", "buy", 0.01, 49950, postOnly=True)
        assert floor.newest().post_only
        assert (await floor.ex.fetch_order(resting["id"], floor.symbol))["status"] == "open"
        if hasattr(ccxt, posted):
            with pytest.raises(getattr(ccxt, posted)):
                await floor.create("limit", "buy", 0.01, 50100, postOnly=True)
        else:
            said = await floor.create("limit", "buy", 0.01, 50100, postOnly=True)
            assert said["info"].get("status") in ("rejected", "ok")
        assert [o.filled_lots for o in floor.exchange.orders(floor.account)].count(0) == (
            2 if posted == "canceled" else 1
        )
        assert len(floor.exchange.open_orders(floor.account)) == 1

    serve(scenario, name, limits=False)


@NAMES
def test_client_ids_cancels_and_lists(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        floor = Floor(world, name)
        word = "client_order_id" if name == "coinbase" else "clientOrderId"
        first = await floor.create("limit", "buy", 0.01, 49000, **{word: UUID})
        assert floor.newest().client_id == UUID
        found = await floor.ex.fetch_order(first["id"], floor.symbol)
        assert found["clientOrderId"] == UUID
        others = [await floor.create("limit", "buy", 0.01, 48000 + i) for i in range(3)]
        ids = [o["id"] for o in others]
        listed = await floor.ex.fetch_open_orders(floor.symbol)
        assert {o["id"] for o in listed} == {first["id"], *ids}
        if name == "coinbaseexchange":
            await floor.ex.cancel_all_orders(floor.symbol)
        else:
            await floor.ex.cancel_orders([*ids, first["id"]], floor.symbol)
        assert not floor.exchange.open_orders(floor.account)
        import ccxt

        with pytest.raises(ccxt.BaseError):
            await floor.ex.cancel_order(first["id"], floor.symbol)
        if name == "coinbase":
            again = await floor.create("limit", "buy", 0.01, 47000)
            edited = await floor.ex.edit_order(
                again["id"], floor.symbol, "limit", "buy", 0.02, 46000
            )
            assert edited["info"]["success_response"]["order_id"] == again["id"]
            assert floor.market.qty(floor.newest().qty_lots) == Decimal("0.02")

    serve(scenario, name, limits=False)


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [(name, *each) for name, venue in VENUES.items() for each in venue.wrong],
)
def test_wrong_credentials(serve: Any, name: str, config: Any, words: str) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        floor = Floor(world, name)
        await floor.ex.load_markets()
        wrong = world.ccxt(name, enableRateLimit=False, **config)
        wrong.markets, wrong.markets_by_id = floor.ex.markets, floor.ex.markets_by_id
        wrong.options["accounts"] = [{"id": "10000001", "type": "spot"}]
        with pytest.raises(ccxt.AuthenticationError, match=words):
            await wrong.create_order(floor.symbol, "limit", "buy", 0.01, 49000)
        assert not floor.exchange.orders(floor.account)

    serve(scenario, name, limits=False)


@NAMES
def test_own_orders_fills_and_ticker_are_pushed(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        floor = Floor(world, name)
        ex, seen, fills, tickers = floor.ex, [], [], []
        ex.newUpdates = True
        floor.other("buy", "0.01")
        await ex.load_markets()

        async def follow(watch: Any, into: list[Any]) -> None:
            while True:
                found = await watch(floor.symbol)
                into.extend(found if isinstance(found, list) else [found])

        tasks = [asyncio.create_task(follow(ex.watch_orders, seen))]
        tasks.append(asyncio.create_task(follow(ex.watch_ticker, tickers)))
        if ex.has["watchMyTrades"]:
            tasks.append(asyncio.create_task(follow(ex.watch_my_trades, fills)))
        dialect = world.venue().dialect
        await until(lambda: any(getattr(c, "account", 0) for c in dialect.conversations))
        await until(lambda: bool(tickers))
        while not seen:  # until the subscription is there
            await floor.create("limit", "buy", 0.01, 45000)
            await asyncio.sleep(0.01)
        placed = await floor.create("limit", "buy", 0.01, 49950)
        floor.other("sell", "0.004", "49950", tif="ioc")
        floor.other("sell", "0.006", "49950", tif="ioc")
        await until(lambda: any(o["status"] == "closed" for o in seen))
        assert {o["id"] for o in seen if o["status"] == "closed"} == {placed["id"]}
        if ex.has["watchMyTrades"]:
            await until(lambda: len(fills) >= 2)
            assert [f["amount"] for f in fills] == [0.004, 0.006]
            assert {f["side"] for f in fills} == {"buy"}
        await until(lambda: tickers[-1]["last"] == 49950)
        for task in tasks:
            task.cancel()

    serve(scenario, name, limits=False)
