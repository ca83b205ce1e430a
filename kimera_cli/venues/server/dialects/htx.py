"""HTX (the former Huobi), spot: api.huobi.pro with signed queries, and three websockets.

https://www.htx.com/en-us/opend/newApiPages/. Fees are paid in what is received. A limit-maker order
that would trade is accepted and then cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from kimera_cli.venues.server.dialect import (
    Conversation,
    Headers,
    HttpError,
    Options,
    Request,
    Response,
    Socket,
    VenueDialect,
    answer,
)
from kimera_cli.venues.server.dialects import htx_contracts as contracts
from kimera_cli.venues.server.dialects import htx_errors as errors
from kimera_cli.venues.server.dialects import htx_history as history
from kimera_cli.venues.server.dialects import htx_market as market
from kimera_cli.venues.server.dialects import htx_orders as orders
from kimera_cli.venues.server.dialects import htx_shapes as shapes
from kimera_cli.venues.server.dialects.htx_auth import authorized
from kimera_cli.venues.server.dialects.htx_books import LOOK_NS, Book, Told
from kimera_cli.venues.server.dialects.htx_errors import HtxError
from kimera_cli.venues.server.dialects.htx_limits import Limits
from kimera_cli.venues.server.dialects.htx_own import ChangeType
from kimera_cli.venues.server.dialects.htx_private import Private
from kimera_cli.venues.server.dialects.htx_stream import Stream
from kimera_cli.venues.server.dialects.htx_text import ms
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key, KeyStore
from kimera_cli.venues.server.model import BookChanged, Event, FeeTier, Market, Reject
from kimera_cli.venues.server.rules import Rules

TIERS = (("0", "0.002", "0.002"), ("5000000", "0.0016", "0.0018"), ("20000000", "0.001", "0.0014"))
Public = Callable[[Exchange, dict[str, str], int], Any]
Asked = Callable[[Exchange, Key, dict[str, str]], Any]
Told_ = Callable[[Exchange, Key, object], Any]


class Dialect(VenueDialect):
    """HTX spot."""

    venue = "htx"
    hosts = ("api.huobi.pro", "api-aws.huobi.pro", "api.htx.com", "api.hbdm.vn", "api.hbdm.com")
    rules = Rules(
        tiers=tuple(FeeTier(*map(Decimal, tier)) for tier in TIERS),
        self_trade="none",
        post_only_cross="cancel",
        client_id_unique="never",
    )

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Return btcusdt and ethusdt."""
        cent, ten = Decimal("0.01"), Decimal(10)
        return [
            Market(
                "BTC/USDT", cent, Decimal("0.000001"), Decimal(50_000), Decimal("0.00001"),
                Decimal(1000), ten,
            ),
            Market(
                "ETH/USDT", cent, Decimal("0.0001"), Decimal(3_000), Decimal("0.001"),
                Decimal(10_000), ten,
            ),
        ]  # fmt: skip

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        super().__init__(exchange, keys, options)
        self.limits = Limits()
        self.told: list[Told] = []
        """Messages of the numbered books that the present event makes."""
        self.change_type = "other"
        self._change = ChangeType()
        self._books: dict[str, Book] = {}
        self._next_look_ns = 0
        self._told_headers: Headers = ()

    # books and events

    def book(self, symbol: str) -> Book:
        """Return the numbered books of a market; they begin when they are first asked for."""
        found = self._books.get(symbol)
        if found is None:
            found = Book(self.exchange.market(symbol), self.exchange.book(symbol))
            self._books[symbol] = found
        return found

    def publish(self, event: Event) -> None:
        """Number what changed, then push it."""
        self.told = []
        self.change_type = self._change.take(event)
        if isinstance(event, BookChanged):
            book = self._books.get(event.market.symbol)
            if book is not None:
                self.told = book.change(event)
                if not self.options.cadence_ns(LOOK_NS):
                    self.told += book.look(event.ts_ns)
        super().publish(event)
        self._change.end(event)

    def tick(self, now_ns: int) -> None:
        """Look at the books every 100 ms, then let the conversations have their turn."""
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + LOOK_NS
            told = [each for book in self._books.values() for each in book.look(now_ns)]
            for conversation in self.conversations:
                if isinstance(conversation, Stream) and conversation.feed:
                    conversation.looked(told)
        super().tick(now_ns)

    # REST

    def rest(self, request: Request) -> Response:
        """Answer a request of either interface (/v1 and /market, /v2)."""
        self._told_headers = ()
        try:
            value = self._answer(request)
        except HtxError as error:
            raise HttpError(answer(error.body())) from None
        except Reject as reject:
            raise errors.failed("bad-request", reject.detail) from None
        return answer(value, headers=self._told_headers)

    def _answer(self, request: Request) -> Any:
        now, path = request.now_ns, request.path
        name = f"{request.method} {path}"
        if name in PUBLIC:
            self._count(request.peer, "public", now)
            return PUBLIC[name](self.exchange, request.query, now)
        trades = request.method == "POST"
        if not path.startswith(("/v1/", "/v2/")):
            raise HttpError(Response(b"Not Found", 404, (), "text/plain"))
        key = authorized(self.keys, request, "trade" if trades else "read")
        self._count(str(key.account), f"{request.method} {path.rpartition('/')[2]}", now)
        if name in CHANGING:
            return self._wrapped(path, CHANGING[name](self.exchange, key, request.json), now)
        if name in READING:
            return self._wrapped(path, READING[name](self.exchange, key, request.query), now)
        return self._wrapped(path, self._about(request.method, path, key), now)

    def _about(self, method: str, path: str, key: Key) -> Any:
        """Answer what has an id in its path."""
        match method, path.split("/")[2:]:
            case "GET", ["account", "accounts", number, "balance"]:
                return history.balance(self.exchange, key, number)
            case "GET", ["order", "orders", number]:
                return history.one(self.exchange, key, number)
            case "GET", ["order", "orders", number, "matchresults"]:
                return history.fills_of(self.exchange, key, number)
            case "POST", ["order", "orders", number, "submitcancel"]:
                return orders.cancel(self.exchange, key, number)
        raise HttpError(Response(b"Not Found", 404, (), "text/plain"))

    def _wrapped(self, path: str, value: Any, now_ns: int) -> dict[str, Any]:
        if path.startswith("/v2/"):
            return {"code": 200, "message": "success", "data": value, "success": True}
        return {"status": "ok", "data": value, "ts": ms(now_ns)}

    def _count(self, who: str, endpoint: str, now_ns: int) -> None:
        """Count a request; HttpError 429 over the limit."""
        if not self.options.limits:
            return
        passed, self._told_headers = self.limits.take(who, endpoint, now_ns)
        if not passed:
            raise errors.too_many(self._told_headers)

    def unavailable(self, request: Request) -> Response:
        """Return what the venue answers during maintenance."""
        return answer(HtxError("system-maintenance", "System is in maintenance!").body())

    def conversation(self, socket: Socket, request: Request) -> Conversation | None:
        """Open /ws, /feed or /ws/v2."""
        path = request.path.rstrip("/")
        if path in ("/ws", "/feed"):
            return Stream(self, socket, request)
        return Private(self, socket, request) if path == "/ws/v2" else None


def _ok(value: Any, now_ns: int) -> dict[str, Any]:
    return {"status": "ok", "data": value, "ts": ms(now_ns)}


PUBLIC: dict[str, Public] = {
    "GET /v1/common/symbols": lambda e, q, now: {"status": "ok", "data": market.symbols(e)},
    "GET /v1/common/currencys": lambda e, q, now: _ok([a.lower() for a in market.assets(e)], now),
    "GET /v1/common/timestamp": lambda e, q, now: {"status": "ok", "data": ms(now)},
    "GET /v2/market-status": lambda e, q, now: {
        "code": 200, "message": "success", "data": {"marketStatus": 1},
    },
    "GET /v2/reference/currencies": lambda e, q, now: {
        "code": 200, "data": [shapes.currency(asset) for asset in market.assets(e)],
    },
    "GET /linear-swap-api/v1/swap_contract_info": lambda e, q, now: _ok(contracts.linear(), now),
    "GET /swap-api/v1/swap_contract_info": lambda e, q, now: _ok(contracts.inverse(), now),
    "GET /api/v1/contract_contract_info": lambda e, q, now: _ok(contracts.futures(), now),
    "GET /market/depth": market.depth,
    "GET /market/detail": market.detail,
    "GET /market/detail/merged": market.merged,
    "GET /market/tickers": lambda e, q, now: market.tickers(e, now),
    "GET /market/trade": market.last_trade,
    "GET /market/history/trade": market.trades,
    "GET /market/history/kline": market.bars,
    "GET /market/history/candles": market.bars,
}  # fmt: skip
READING: dict[str, Asked] = {
    "GET /v1/account/accounts": lambda e, key, q: [shapes.account(key.account)],
    "GET /v2/user/uid": lambda e, key, q: key.account,
    "GET /v2/user/api-key": lambda e, key, q: [shapes.api_key(key)],
    "GET /v1/order/openOrders": history.open_orders,
    "GET /v1/order/orders": history.orders,
    "GET /v1/order/orders/getClientOrder": history.one_by_client_id,
    "GET /v1/order/history": history.history,
    "GET /v1/order/matchresults": history.fills,
    "GET /v2/reference/transact-fee-rate": history.fee_rates,
}
CHANGING: dict[str, Told_] = {
    "POST /v1/order/orders/place": orders.place,
    "POST /v1/order/batch-orders": orders.place_batch,
    "POST /v1/order/orders/submitCancelClientOrder": orders.cancel_client,
    "POST /v1/order/orders/batchcancel": orders.cancel_batch,
    "POST /v1/order/orders/batchCancelOpenOrders": orders.cancel_open,
    "POST /v2/algo-orders/cancel-all-after": orders.cancel_all_after,
}
