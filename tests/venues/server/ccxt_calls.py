"""A call of each unified method of ccxt.pro that a user of spot markets has, with its arguments."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from served_venues import GUARD_S, World

from kimera_cli.venues.server.model import OrderRequest

BEATS = 400
"""Looks at the answer of a subscription, 5 ms apart, before it is called silent."""


class SilentError(Exception):
    """A subscription never told anything."""


class Caller:
    """One client of one venue, in a world of its own."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.exchange = world.exchange()
        self.market = self.exchange.markets[0]
        self.symbol = self.market.symbol
        self.account = world.account()
        self.taker = world.account(f"taker {self.symbol}")
        self.low = float(self.market.start_px) * 0.98
        self.ex = world.ccxt(name, enableRateLimit=False)
        self.ex.newUpdates = True
        self.find = {"acknowledged": True} if name == "bybit" else {}
        """What ccxt wants with a query of one order."""

    async def rest(self) -> str:
        """Place an order that rests; return its id."""
        placed = await self.ex.create_order(self.symbol, "limit", "buy", 0.01, self.low)
        return str(placed["id"])

    async def trade(self) -> str:
        """Sell a little at market; return the order's id."""
        sold = await self.ex.create_order(self.symbol, "market", "sell", 0.001)
        return str(sold["id"])

    def leg(self, **more: Any) -> dict[str, Any]:
        """One order of several."""
        return {
            "symbol": self.symbol, "type": "limit", "side": "buy", "amount": 0.01,
            "price": self.low, "params": {}, **more,
        }  # fmt: skip

    async def call(self, method: str) -> Any:
        """Call a method by its name in ccxt's documentation."""
        try:
            return await asyncio.wait_for(self._call(method), GUARD_S)
        finally:
            self.exchange.cancel_all(self.account)

    async def _call(self, method: str) -> Any:
        run = getattr(self.ex, snake(method))
        if method.startswith("watch"):
            return await self._watch(method, run)
        if method in PREPARED:
            return await PREPARED[method](self, run)
        if method in QUERIES:
            await self.rest()
            await self.trade()
            return await run(*QUERIES[method](self))
        return await run(*ARGUMENTS.get(method, lambda c: (c.symbol,))(self))

    async def _watch(self, method: str, run: Callable[..., Awaitable[Any]]) -> Any:
        """Subscribe, and let things happen until the answer comes."""
        private = "Order" in method or "My" in method or "Balance" in method
        private = private and "Book" not in method
        arguments = WATCHED.get(method, lambda c: (c.symbol,))(self)
        found = asyncio.ensure_future(run(*arguments))
        for beat in range(BEATS):
            if found.done():
                return await found
            if beat % 20 == 10:
                request = OrderRequest(self.symbol, "buy", "market", "0.001")
                self.exchange.place(self.taker, request)
                if private:
                    await self.trade()
            await asyncio.sleep(0.005)
        found.cancel()
        raise SilentError(method)


def snake(name: str) -> str:
    """fetchOHLCVWs: fetch_ohlcv_ws."""
    parted = name.replace("OHLCV", "Ohlcv")
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", parted)


Arguments = Callable[[Caller], tuple[Any, ...]]
NOTHING: Arguments = lambda c: ()  # noqa: E731
SYMBOLS: Arguments = lambda c: ([c.symbol],)  # noqa: E731
LIMIT: Arguments = lambda c: (c.symbol, "limit", "buy", 0.01, c.low)  # noqa: E731
STOP: Arguments = lambda c: (c.symbol, "limit", "sell", 0.01, c.low * 0.99, c.low)  # noqa: E731
COST: Arguments = lambda c: (c.symbol, 100)  # noqa: E731

ARGUMENTS: dict[str, Arguments] = {
    **dict.fromkeys(
        ("fetchTime", "fetchStatus", "fetchMarkets", "fetchCurrencies", "fetchBalance",
         "fetchTradingFees", "fetchAccounts", "fetchBalanceWs"), NOTHING),
    **dict.fromkeys(("fetchTickers", "fetchBidsAsks", "fetchLastPrices"), SYMBOLS),
    **dict.fromkeys(("fetchOHLCV", "fetchOHLCVWs"), lambda c: (c.symbol, "1m", None, 5)),
    **dict.fromkeys(("createOrder", "createOrderWs", "createPostOnlyOrder"), LIMIT),
    **dict.fromkeys(("createTriggerOrder",), STOP),
    "createMarketBuyOrderWithCost": COST, "createMarketSellOrderWithCost": COST,
    "createOrders": lambda c: ([c.leg(), c.leg(price=c.low - 10)],),
    "cancelAllOrdersAfter": lambda c: (10_000, {"type": "spot"} if c.name == "bybit" else {}),
    **dict.fromkeys(("fetchLedger", "fetchDeposits", "fetchWithdrawals"),
                    lambda c: (c.market.base,)),
    "fetchDepositAddress": lambda c: (c.market.base,),
}  # fmt: skip
QUERIES: dict[str, Arguments] = dict.fromkeys(
    ("fetchTrades", "fetchMyTrades", "fetchOpenOrders", "fetchClosedOrders", "fetchCanceledOrders",
     "fetchOrders", "fetchTradesWs", "fetchMyTradesWs", "fetchOpenOrdersWs", "fetchOrdersWs"),
    lambda c: (c.symbol,),
)  # fmt: skip
WATCHED: dict[str, Arguments] = {
    "watchBalance": NOTHING,
    "watchOHLCV": lambda c: (c.symbol, "1m"),
    "watchOHLCVForSymbols": lambda c: ([[c.symbol, "1m"]],),
    **dict.fromkeys(
        ("watchTickers", "watchBidsAsks", "watchOrderBookForSymbols", "watchTradesForSymbols"),
        SYMBOLS,
    ),
}
Prepared = Callable[[Caller, Any], Awaitable[Any]]


async def _find(c: Caller, run: Any) -> Any:
    return await run(await c.rest(), c.symbol, c.find)


async def _trades_of(c: Caller, run: Any) -> Any:
    return await run(await c.trade(), c.symbol, None, None, c.find)


async def _edit(c: Caller, run: Any) -> Any:
    return await run(await c.rest(), c.symbol, "limit", "buy", 0.02, c.low - 10)


async def _cancel(c: Caller, run: Any) -> Any:
    bare = c.name == "kraken" and run.__name__.endswith("ws")
    found = await run(await c.rest(), None if bare else c.symbol)
    assert not c.exchange.open_orders(c.account)
    return found


async def _cancel_several(c: Caller, run: Any) -> Any:
    bare = c.name == "kraken" and run.__name__.endswith("ws")
    found = await run([await c.rest(), await c.rest()], None if bare else c.symbol)
    assert not c.exchange.open_orders(c.account)
    return found


async def _cancel_all(c: Caller, run: Any) -> Any:
    await c.rest()
    found = await run(None if c.name == "kraken" else c.symbol)
    assert not c.exchange.open_orders(c.account)
    return found


async def _edit_several(c: Caller, run: Any) -> Any:
    return await run([c.leg(id=await c.rest(), amount=0.02)])


PREPARED: dict[str, Prepared] = {
    "fetchOrder": _find, "fetchOrderWs": _find, "fetchOrderTrades": _trades_of,
    "editOrder": _edit, "editOrderWs": _edit, "editOrders": _edit_several,
    "cancelOrder": _cancel, "cancelOrderWs": _cancel,
    "cancelOrders": _cancel_several, "cancelOrdersWs": _cancel_several,
    "cancelAllOrders": _cancel_all, "cancelAllOrdersWs": _cancel_all,
}  # fmt: skip
