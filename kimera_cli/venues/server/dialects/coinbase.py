"""Coinbase Advanced Trade: api.coinbase.com with tokens, and its websocket.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis. Fees are paid in the quote asset;
the cost of a market order by cost includes them. REST limits: 30 private requests a second per
user, 10 public ones per address.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from kimera_cli.venues.server.dialect import (
    Headers,
    Options,
    Request,
    Response,
    Socket,
    VenueDialect,
    answer,
    refuse,
)
from kimera_cli.venues.server.dialects import coinbase_history as history
from kimera_cli.venues.server.dialects import coinbase_market as market
from kimera_cli.venues.server.dialects import coinbase_orders as orders
from kimera_cli.venues.server.dialects.coinbase_auth import authorized
from kimera_cli.venues.server.dialects.coinbase_limits import Buckets, Rate
from kimera_cli.venues.server.dialects.coinbase_stream import Stream
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key, KeyStore
from kimera_cli.venues.server.model import FeeTier, Market, Reject
from kimera_cli.venues.server.rules import Rules

ROOT = "/api/v3/brokerage/"
TIERS = (
    ("0", "0.004", "0.006"),
    ("10000", "0.0025", "0.004"),
    ("50000", "0.0015", "0.0025"),
    ("100000", "0.001", "0.002"),
    ("1000000", "0.0008", "0.0018"),
    ("15000000", "0.0006", "0.0016"),
    ("75000000", "0.0003", "0.0012"),
)
Open = Callable[["Dialect", Request], Any]
Signed = Callable[["Dialect", Key, Request], Any]


class Dialect(VenueDialect):
    """Coinbase Advanced Trade."""

    venue = "coinbase"
    hosts = (
        "api.coinbase.com",
        "advanced-trade-ws.coinbase.com",
        "advanced-trade-ws-user.coinbase.com",
    )
    rules = Rules(
        fee_asset="quote",
        tiers=tuple(FeeTier(*map(Decimal, tier)) for tier in TIERS),
        self_trade="decrement",
        client_id_unique="kept",
        cost_includes_fee=True,
    )

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Return BTC-USD and ETH-USD."""
        one, cent, satoshi = Decimal(1), Decimal("0.01"), Decimal("0.00000001")
        return [
            Market("BTC/USD", cent, satoshi, Decimal(50_000), satoshi, Decimal(3400), one),
            Market("ETH/USD", cent, satoshi, Decimal(3_000), satoshi, Decimal(42_000), one),
        ]

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        super().__init__(exchange, keys, options)
        self.buckets = Buckets({"private": Rate(30, 30), "public": Rate(10, 10)})
        self._told: Headers = ()

    def rest(self, request: Request) -> Response:
        """Answer a request of either interface (/v2, /api/v3/brokerage)."""
        self._told = ()
        try:
            return answer(self._answer(request), headers=self._told)
        except Reject as reject:
            if reject.reason == "bad_symbol":
                raise history.not_found("valid product_id is required") from None
            raise orders.invalid(reject.detail) from None

    def _answer(self, request: Request) -> Any:
        path = request.path.removeprefix(ROOT) if request.path.startswith(ROOT) else request.path
        name = f"{request.method} {path}"
        if name in OPEN:
            self._count("public", request.peer, request.now_ns)
            return OPEN[name](self, request)
        if path.startswith("market/"):
            self._count("public", request.peer, request.now_ns)
            return self._public(path.removeprefix("market/"), request)
        trades = name in TRADING
        handler = TRADING.get(name) or READING.get(name)
        if handler is None and request.method != "GET":
            raise history.not_found("Not found")
        key = authorized(self.keys, request, "trade" if trades else "read")
        self._count("private", str(key.account), request.now_ns)
        if handler is not None:
            return handler(self, key, request)
        return self._private(path, key, request)

    def _count(self, scope: str, who: str, now_ns: int) -> None:
        """Count a request; HttpError 429 over the limit."""
        if not self.options.limits:
            return
        passed, self._told = self.buckets.take(scope, who, now_ns)
        if not passed:
            why = "Too many requests"
            body = {"error": "rate_limit_exceeded", "error_details": why, "message": why}
            raise refuse(body, 429, self._told)

    def _private(self, path: str, key: Key, request: Request) -> Any:
        """Answer what has an id in its path."""
        head, _, last = path.rpartition("/")
        if head == "orders/historical":
            return history.one(self.exchange, key, last)
        if head == "accounts":
            return history.account(self.exchange, key, last)
        return self._public(path, request)

    def _public(self, path: str, request: Request) -> Any:
        """Answer public questions; both /market/... and the signed twins of these paths."""
        exchange, query = self.exchange, request.query
        match path.split("/"):
            case ["products"]:
                return market.products(exchange, query)
            case ["products", name]:
                return market.product(exchange, name)
            case ["products", name, "ticker"]:
                return market.trades(exchange, name, query)
            case ["products", name, "candles"]:
                return market.candles(exchange, name, query)
            case ["product_book"]:
                return market.book(exchange, query, request.now_ns)
            case ["best_bid_ask"]:
                return market.best_bid_ask(exchange, query, request.now_ns)
        raise history.not_found("Not found")

    def summary(self, key: Key) -> dict[str, Any]:
        """Return the account's fee tier."""
        return history.summary(self.exchange, self.rules, key)

    def conversation(self, socket: Socket, request: Request) -> Stream | None:
        """Open the websocket, which has one address for everything."""
        return Stream(self, socket, request)


OPEN: dict[str, Open] = {
    "GET /v2/time": lambda d, r: market.time_v2(r.now_ns),
    "GET /v2/currencies": lambda d, r: market.fiat(d.exchange),
    "GET /v2/currencies/crypto": lambda d, r: market.crypto(d.exchange),
    "GET /v2/exchange-rates": lambda d, r: market.rates(d.exchange),
    "GET time": lambda d, r: market.time_v3(r.now_ns),
}
READING: dict[str, Signed] = {
    "GET /v2/accounts": lambda d, k, r: history.wallets(d.exchange, k),
    "GET accounts": lambda d, k, r: history.accounts(d.exchange, k),
    "GET transaction_summary": lambda d, k, r: d.summary(k),
    "GET key_permissions": lambda d, k, r: history.permissions(k),
    "GET orders/historical/batch": lambda d, k, r: history.listed(d.exchange, k, r.query),
    "GET orders/historical/fills": lambda d, k, r: history.fills(d.exchange, k, r.query),
    "POST orders/preview": lambda d, k, r: orders.preview(d.exchange, k, r),
}
TRADING: dict[str, Signed] = {
    "POST orders": lambda d, k, r: orders.place(d.exchange, k, r),
    "POST orders/batch_cancel": lambda d, k, r: orders.cancel(d.exchange, k, r),
    "POST orders/edit": lambda d, k, r: orders.edit(d.exchange, k, r),
}
