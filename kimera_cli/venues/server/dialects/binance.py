"""Binance spot: REST, public streams, and the websocket API with order entry and user data.

Shapes follow public captures; https://developers.binance.com/docs/binance-spot-api-docs has the
rules. Not offered: stop and OCO orders, order lists, margin, SBE, listen keys (withdrawn by the
venue), `1s` and `1M` bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from kimera_cli.venues.server.dialect import (
    Conversation,
    Headers,
    Options,
    Request,
    Response,
    Socket,
    VenueDialect,
    answer,
)
from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.dialects.binance_actions import Action, Actions, Params
from kimera_cli.venues.server.dialects.binance_auth import check_rest
from kimera_cli.venues.server.dialects.binance_calls import HANDSHAKE_WEIGHT, CallConversation
from kimera_cli.venues.server.dialects.binance_errors import BinanceError, of_reject
from kimera_cli.venues.server.dialects.binance_info import coins
from kimera_cli.venues.server.dialects.binance_limits import Limits
from kimera_cli.venues.server.dialects.binance_market import MINUTE_NS, MarketData, interval_of
from kimera_cli.venues.server.dialects.binance_streams import Stream, StreamConversation, Streams
from kimera_cli.venues.server.dialects.binance_tape import Tape
from kimera_cli.venues.server.dialects.binance_ticks import day_event, kline_event, mini_event
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import KeyStore, Permission
from kimera_cli.venues.server.model import (
    BookChanged,
    Event,
    Market,
    Reject,
    RequestDone,
    Traded,
)
from kimera_cli.venues.server.rules import Rules

NOT_FOUND = Response(b"<html><body><h2>404 Not found</h2></body></html>", 404, (), "text/html")


RESTRICTIONS = "/sapi/v1/account/apiRestrictions"
"""What a key may do."""


class Signed(NamedTuple):
    """A route that needs a key."""

    act: Action
    permission: Permission
    weight: int = 1


class Dialect(VenueDialect):
    """Binance over one exchange."""

    venue = "binance"
    hosts: ClassVar[tuple[str, ...]] = (
        "api.binance.com", "api1.binance.com", "api2.binance.com", "api3.binance.com",
        "api4.binance.com", "api-gcp.binance.com", "data-api.binance.vision",
        "stream.binance.com", "data-stream.binance.vision", "ws-api.binance.com",
        "fapi.binance.com", "dapi.binance.com", "eapi.binance.com",
    )  # fmt: skip
    rules = Rules(self_trade="cancel_oldest", max_open_orders=200)

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Two markets against USDT and one between them."""
        return [
            _market("BTC/USDT", "0.01", "0.00001", "50000", "5"),
            _market("ETH/USDT", "0.01", "0.0001", "2500", "5"),
            _market("ETH/BTC", "0.00001", "0.0001", "0.05", "0.0001"),
        ]

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        super().__init__(exchange, keys, options)
        self.limits = Limits() if self.options.limits else None
        self.actions = Actions(exchange)
        self.tapes = {m.symbol: Tape(m) for m in exchange.markets}
        self.best_told: dict[str, Any] = {}
        self.streams = Streams(self)
        self.calls: list[CallConversation] = []
        self.data = MarketData(self.actions, self.tapes)
        self._public = self._public_routes()
        self._signed = self._signed_routes()
        self.public_calls = self._public_call_names()
        self.signed_calls = self._signed_call_names()

    # REST

    def rest(self, request: Request) -> Response:
        """Answer a REST request."""
        headers: Headers = ()
        try:
            value, headers = self._carry_out(request)
        except BinanceError as error:
            raise error.http() from None
        return NOT_FOUND if value is None else answer(value, 200, headers)

    def _carry_out(self, request: Request) -> tuple[Any, Headers]:
        public = self._public.get(request.path) if request.method == "GET" else None
        if public is not None:
            act, weight = public
            headers = self._charge(request, weight)
            return self.answered(lambda: act(request.query)), headers
        signed = self._signed.get((request.method, request.path))
        if signed is None:
            return None, ()
        headers = self._charge(request, signed.weight)
        key, params = check_rest(request, self.keys, signed.permission)
        if request.path == RESTRICTIONS:
            return self.answered(lambda: shapes.restrictions(key)), headers
        if self.limits is not None and request.method == "POST" and "order" in request.path:
            headers += self.limits.order(key.account, request.now_ns)
        return self.answered(lambda: signed.act(key.account, params)), headers

    def _charge(self, request: Request, weight: int) -> Headers:
        if self.limits is None:
            return ()
        return self.limits.charge(request.peer, weight, request.now_ns)

    def answered(self, act: Callable[[], Any]) -> Any:
        """Run an action; what the exchange refuses becomes a BinanceError."""
        try:
            return act()
        except Reject as reject:
            raise of_reject(reject) from None
        except ValueError:
            raise BinanceError(-1100, "Illegal characters found in a parameter.") from None

    def _public_routes(self) -> dict[str, tuple[Callable[[Params], Any], int]]:
        data = self.data
        empty: Callable[[Params], Any] = lambda _: {"symbols": []}  # noqa: E731
        spot: dict[str, tuple[Callable[[Params], Any], int]] = {
            "ping": (data.ping, 1), "time": (data.time, 1), "exchangeInfo": (data.info, 20),
            "depth": (data.depth, 5), "trades": (data.trades, 25),
            "historicalTrades": (data.trades, 25), "aggTrades": (data.agg_trades, 4),
            "klines": (data.klines, 2), "uiKlines": (data.klines, 2), "avgPrice": (data.average, 2),
            "ticker/24hr": (data.day, 2), "ticker/price": (data.last_price, 2),
            "ticker/bookTicker": (data.best, 2),
        }  # fmt: skip
        routes = {f"/api/v3/{name}": route for name, route in spot.items()}
        routes["/sapi/v1/system/status"] = (data.system, 1)
        for path in ("/fapi/v1", "/dapi/v1", "/eapi/v1"):  # no derivatives here
            routes[f"{path}/exchangeInfo"] = (empty, 1)
        return routes

    def _signed_routes(self) -> dict[tuple[str, str], Signed]:
        act = self.actions
        nothing: Action = lambda account, params: []  # noqa: E731
        spot = {
            ("POST", "order"): Signed(act.place, "trade"),
            ("POST", "order/test"): Signed(act.test, "trade"),
            ("POST", "order/cancelReplace"): Signed(act.replace, "trade"),
            ("PUT", "order/amend/keepPriority"): Signed(act.amend, "trade", 4),
            ("GET", "order"): Signed(act.status, "read", 4),
            ("DELETE", "order"): Signed(act.cancel, "trade"),
            ("GET", "openOrders"): Signed(act.open_orders, "read", 6),
            ("DELETE", "openOrders"): Signed(act.cancel_all, "trade"),
            ("GET", "allOrders"): Signed(act.all_orders, "read", 20),
            ("GET", "account"): Signed(act.account, "read", 20),
            ("GET", "account/commission"): Signed(act.commission, "read", 20),
            ("GET", "myTrades"): Signed(act.my_trades, "read", 20),
        }
        routes = {(method, f"/api/v3/{name}"): route for (method, name), route in spot.items()}
        routes["GET", RESTRICTIONS] = Signed(nothing, "read")
        for path in ("margin/allPairs", "margin/isolated/allPairs"):
            routes["GET", f"/sapi/v1/{path}"] = Signed(nothing, "read")
        routes["GET", "/sapi/v1/asset/tradeFee"] = Signed(act.trade_fees, "read")
        routes["GET", "/sapi/v1/capital/config/getall"] = Signed(
            lambda account, params: coins(self.exchange, account), "read", 10
        )
        return routes

    # websocket API

    def _public_call_names(self) -> dict[str, Callable[[Params], Any]]:
        data = self.data
        return {
            "ping": data.ping, "time": data.time, "exchangeInfo": data.info, "depth": data.depth,
            "trades.recent": data.trades, "trades.historical": data.trades,
            "trades.aggregate": data.agg_trades, "klines": data.klines, "uiKlines": data.klines,
            "avgPrice": data.average, "ticker.24hr": data.day, "ticker.price": data.last_price,
            "ticker.book": data.best,
        }  # fmt: skip

    def _signed_call_names(self) -> dict[str, tuple[Action, Permission]]:
        act = self.actions
        trade: dict[str, Action] = {
            "order.place": act.place, "order.test": act.test, "order.cancel": act.cancel,
            "order.cancelReplace": act.replace, "order.amend.keepPriority": act.amend,
            "openOrders.cancelAll": act.cancel_all,
        }  # fmt: skip
        read: dict[str, Action] = {
            "order.status": act.status, "openOrders.status": act.open_orders,
            "allOrders": act.all_orders, "myTrades": act.my_trades,
            "account.status": act.account, "account.commission": act.commission,
        }  # fmt: skip
        calls: dict[str, tuple[Action, Permission]] = {n: (a, "trade") for n, a in trade.items()}
        return calls | {name: (action, "read") for name, action in read.items()}

    def weight_of_call(self, method: str) -> int:
        """Return what a request of the websocket API weighs."""
        return 20 if method in ("allOrders", "myTrades", "account.status") else 1

    # sockets

    def conversation(self, socket: Socket, request: Request) -> Conversation | None:
        """Open a socket of the streams or of the websocket API."""
        if request.path.startswith("/ws-api/v3"):
            if self.limits is not None:
                self._handshake(request)
            return CallConversation(self, socket, request)
        if request.path.startswith(("/ws", "/stream")):
            return StreamConversation(self, socket, request)
        return None

    def _handshake(self, request: Request) -> None:
        try:
            self._charge(request, HANDSHAKE_WEIGHT)
        except BinanceError as error:
            raise error.http() from None

    def publish(self, event: Event) -> None:
        """Public streams by channel; user data by socket."""
        kind = type(event)
        if kind is BookChanged:
            self.streams.book(event)  # type: ignore[arg-type]
            return
        if kind is Traded:
            self._traded(event)  # type: ignore[arg-type]
            return
        if kind is RequestDone:
            self._aggregates()
        for conversation in self.conversations:
            if type(conversation) is CallConversation and conversation.users:
                conversation.push(event)

    def _traded(self, event: Traded) -> None:
        market, trade = event.market, event.trade
        self.tapes[market.symbol].add(trade)
        for stream in self.streams.live("trade", market.symbol):
            ms = trade.ts_ns // shapes.MS
            self.streams.send(
                stream.name,
                {
                    "e": "trade", "E": ms, "s": shapes.name_of(market), "t": trade.id,
                    "p": shapes.price(market, trade.px_ticks),
                    "q": shapes.size(market, trade.qty_lots), "T": ms,
                    "m": trade.side == "sell", "M": True,
                },
            )  # fmt: skip

    def _aggregates(self) -> None:
        for symbol, tape in self.tapes.items():
            if not tape.fresh:
                continue
            streams = self.streams.live("aggTrade", symbol)
            for aggregate in tape.take_fresh():
                for stream in streams:
                    head = {"e": "aggTrade", "E": self.clock.now_ms()}
                    name = shapes.name_of(tape.market)
                    self.streams.send(stream.name, {**head, "s": name, **aggregate.shape()})

    def timed_values(self, stream: Stream, now_ns: int) -> Iterator[Any]:
        """Yield what a stream of intervals has to say now."""
        market, now_ms = stream.market, now_ns // shapes.MS
        if market is None:
            event = day_event if stream.channel == "tickers" else mini_event
            yield [event(self.data.day_of(m), now_ms) for m in self.exchange.markets]
        elif stream.channel == "kline":
            width = interval_of(stream.interval) * MINUTE_NS
            [bar] = self.exchange.candles(market.symbol, width, limit=1)
            yield kline_event(market, bar, stream.interval, width, now_ms)
        elif stream.channel == "partial":
            bids, asks = self.exchange.book(market.symbol, stream.depth)
            sides = {"bids": shapes.levels(market, bids), "asks": shapes.levels(market, asks)}
            yield {"lastUpdateId": market.seq, **sides}
        elif stream.channel == "avgPrice":
            average = self.data.average({"symbol": shapes.name_of(market)})
            yield {
                "e": "avgPrice", "E": now_ms, "s": shapes.name_of(market), "i": "5m",
                "w": average["price"], "T": now_ms,
            }  # fmt: skip
        else:
            event = day_event if stream.channel == "ticker" else mini_event
            yield event(self.data.day_of(market), now_ms)

    def tick(self, now_ns: int) -> None:
        """Send the streams that are due."""
        super().tick(now_ns)
        self.streams.tick(now_ns)


def _market(symbol: str, tick: str, lot: str, start: str, least: str) -> Market:
    return Market(
        symbol, Decimal(tick), Decimal(lot), Decimal(start), Decimal(lot),
        min_notional=Decimal(least),
    )  # fmt: skip
