"""Coinbase Exchange (the former Pro): api.exchange.coinbase.com and its websocket feed.

https://docs.cdp.coinbase.com/exchange. Fees are paid in the quote asset. Limits: 10 public requests
a second per address (15 at once), 15 private ones per profile (30 at once), 10 for /fills (20).
"""

from __future__ import annotations

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
)
from kimera_cli.venues.server.dialects import coinbaseexchange_market as market
from kimera_cli.venues.server.dialects import coinbaseexchange_orders as orders
from kimera_cli.venues.server.dialects.coinbase_limits import Buckets, Rate
from kimera_cli.venues.server.dialects.coinbaseexchange_auth import authorized
from kimera_cli.venues.server.dialects.coinbaseexchange_feed import Feed, Message
from kimera_cli.venues.server.dialects.coinbaseexchange_orders import failed
from kimera_cli.venues.server.dialects.coinbaseexchange_shapes import product, profile_id
from kimera_cli.venues.server.dialects.coinbaseexchange_stream import Stream
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key, KeyStore
from kimera_cli.venues.server.model import Event, FeeTier, Market, Reject
from kimera_cli.venues.server.rules import Rules

TIERS = (
    ("0", "0.004", "0.006"),
    ("10000", "0.0025", "0.004"),
    ("50000", "0.0015", "0.0025"),
    ("100000", "0.001", "0.002"),
    ("1000000", "0.0008", "0.0018"),
    ("15000000", "0.0006", "0.0016"),
    ("75000000", "0.0003", "0.0012"),
)
RATES = {"public": Rate(10, 15), "private": Rate(15, 30), "fills": Rate(10, 20)}
PUBLIC = frozenset(("time", "products", "currencies"))
Found = tuple[Any, Headers]


class Dialect(VenueDialect):
    """Coinbase Exchange."""

    venue = "coinbaseexchange"
    hosts = ("api.exchange.coinbase.com", "ws-feed.exchange.coinbase.com")
    rules = Rules(
        fee_asset="quote",
        tiers=tuple(FeeTier(*map(Decimal, tier)) for tier in TIERS),
        self_trade="decrement",
        cost_includes_fee=True,
        max_open_orders=500,
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
        self.feed = Feed()
        self.messages: list[Message] = []
        """The full feed's messages of the present event."""
        self.buckets = Buckets(RATES)

    def publish(self, event: Event) -> None:
        """Number the messages of an event, then push it."""
        self.messages = self.feed.take(event)
        super().publish(event)

    def rest(self, request: Request) -> Response:
        """Answer a request."""
        parts = [part for part in request.path.split("/") if part]
        public = request.method == "GET" and bool(parts) and parts[0] in PUBLIC
        try:
            if public:
                self._count("public", request.peer, request.now_ns)
                value, headers = self._public(parts, request)
            else:
                value, headers = self._private(parts, request)
        except Reject as reject:
            raise failed(reject.detail) from None
        return answer(value, headers=headers)

    def _count(self, scope: str, who: str, now_ns: int) -> None:
        """Count a request; HttpError 429 over the limit."""
        if self.options.limits and not self.buckets.take(scope, who, now_ns)[0]:
            kind = "Public" if scope == "public" else "Private"
            raise failed(f"{kind} rate limit exceeded", 429)

    def _public(self, parts: list[str], request: Request) -> Found:
        exchange = self.exchange
        match parts:
            case ["time"]:
                return market.time(request.now_ns), ()
            case ["currencies"]:
                return market.currencies(exchange), ()
            case ["currencies", name]:
                found = [c for c in market.currencies(exchange) if c["id"] == name.upper()]
                if found:
                    return found[0], ()
            case ["products"]:
                return market.products(exchange), ()
            case ["products", "spark-lines"]:
                return market.spark_lines(exchange), ()
            case ["products", name]:
                return product(market.market_of(exchange, name)), ()
            case ["products", name, about]:
                return self._product(name, about, request)
        raise failed("NotFound", 404)

    def _product(self, name: str, about: str, request: Request) -> Found:
        """Answer a question about one product."""
        exchange, query = self.exchange, request.query
        if about == "book":
            number = self.feed.sequence(market.market_of(exchange, name).symbol)
            return market.book(exchange, name, query, number, request.now_ns), ()
        if about == "ticker":
            return market.ticker(exchange, name, request.now_ns), ()
        if about == "stats":
            return market.stats(exchange, name), ()
        if about == "trades":
            return market.trades(exchange, name, query)
        if about == "candles":
            return market.candles(exchange, name, query), ()
        raise failed("NotFound", 404)

    def _private(self, parts: list[str], request: Request) -> Found:
        key = authorized(self.keys, request, "read" if request.method == "GET" else "trade")
        scope = "fills" if parts == ["fills"] else "private"
        self._count(scope, str(key.account), request.now_ns)
        if request.method == "GET":
            return self._read(parts, key, request)
        exchange = self.exchange
        match request.method, parts:
            case "POST", ["orders"]:
                return orders.place(exchange, key, request), ()
            case "DELETE", ["orders"]:
                return orders.cancel_all(exchange, key, request.query), ()
            case "DELETE", ["orders", name]:
                return orders.cancel(exchange, key, name), ()
        raise failed("NotFound", 404)

    def _read(self, parts: list[str], key: Key, request: Request) -> Found:
        exchange = self.exchange
        match parts:
            case ["accounts"]:
                return orders.accounts(exchange, key), ()
            case ["accounts", name]:
                found = [a for a in orders.accounts(exchange, key) if a["id"] == name]
                if found:
                    return found[0], ()
            case ["orders"]:
                return orders.listed(exchange, key, request)
            case ["orders", name]:
                return orders.one(exchange, key, name), ()
            case ["fills"]:
                return orders.fills(exchange, key, request.query)
            case ["fees"]:
                return orders.fees(exchange, key), ()
            case ["profiles"]:
                return [{"id": profile_id(key.account), "name": "default", "active": True}], ()
        raise failed("NotFound", 404)

    def conversation(self, socket: Socket, request: Request) -> Stream | None:
        """Open the websocket feed, which has one address for everything."""
        return Stream(self, socket, request)
