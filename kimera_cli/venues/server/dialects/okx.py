"""OKX spot, API v5: REST, public, private and business websocket.

Source: https://www.okx.com/docs-v5/en. A post-only order that would trade, and a fill-or-kill order
that cannot be filled, are accepted and then cancelled; fees are charged in what is received.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from kimera_cli.venues.server.dialect import (
    Conversation,
    Options,
    Request,
    Response,
    Socket,
    VenueDialect,
    answer,
)
from kimera_cli.venues.server.dialects.book_channel import BookChannels
from kimera_cli.venues.server.dialects.okx_auth import Gate, check_expiry
from kimera_cli.venues.server.dialects.okx_balance import Balances
from kimera_cli.venues.server.dialects.okx_books import QUIET_NS, BookWriter
from kimera_cli.venues.server.dialects.okx_limits import TOO_MANY, Limits
from kimera_cli.venues.server.dialects.okx_private import Private
from kimera_cli.venues.server.dialects.okx_public import Days, Public
from kimera_cli.venues.server.dialects.okx_shapes import public_trade
from kimera_cli.venues.server.dialects.okx_socket import OkxConversation
from kimera_cli.venues.server.dialects.okx_text import Names, OkxError, micros, name_of, refusal_of
from kimera_cli.venues.server.dialects.okx_trade import OrderDesk, envelope
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, json_frame
from kimera_cli.venues.server.keys import KeyStore
from kimera_cli.venues.server.model import (
    BookChanged,
    Event,
    FeeTier,
    Market,
    Reject,
    Trade,
    Traded,
)
from kimera_cli.venues.server.rules import Rules

TIERS = (
    FeeTier(Decimal(0), Decimal("0.0008"), Decimal("0.001")),
    FeeTier(Decimal(5_000_000), Decimal("0.00045"), Decimal("0.0005")),
    FeeTier(Decimal(10_000_000), Decimal("0.0004"), Decimal("0.00045")),
)
PREFIX = "/api/v5/"
ACCESS = ("public", "private", "business")


class Dialect(VenueDialect):
    """OKX's protocol over one exchange."""

    venue: ClassVar[str] = "okx"
    hosts: ClassVar[tuple[str, ...]] = ("www.okx.com", "ws.okx.com")
    rules: ClassVar[Rules] = Rules(
        tiers=TIERS,
        self_trade="cancel_oldest",
        post_only_cross="cancel",
        fok_unfilled="expire",
        client_id_unique="kept",
        max_open_orders=500,
    )

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Return three instruments with the venue's own steps."""
        return [
            Market(symbol, Decimal(tick), Decimal(lot), Decimal(px), Decimal(least))
            for symbol, tick, lot, px, least in (
                ("BTC/USDT", "0.1", "0.00000001", "50000", "0.00001"),
                ("ETH/USDT", "0.01", "0.000001", "2500", "0.0001"),
                ("SOL/USDT", "0.01", "0.000001", "150", "0.001"),
            )
        ]

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        super().__init__(exchange, keys, options)
        self.names = Names(exchange.markets)
        self.gate = Gate(keys, exchange.clock)
        self.limits = Limits(self.options.limits)
        self.desk = OrderDesk(exchange, self.names, self.limits)
        self.balances = Balances(exchange)
        self.writer = BookWriter(exchange)
        self.books = BookChannels(exchange, self.writer.change)
        self._days = Days(exchange)
        self._touched: dict[str, int] = {}
        self._public = Public(exchange, self.names, self._days)
        self._private = Private(self.desk, self.names, self.balances)

    # REST

    def rest(self, request: Request) -> Response:
        """Answer a REST request."""
        try:
            return answer(self._answer(request))
        except OkxError as error:
            code, text = error.refusal
            return answer({"code": code, "msg": text, "data": []}, error.status)
        except Reject as reject:
            code, text = refusal_of(reject)
            return answer({"code": code, "msg": text, "data": []})

    def unavailable(self, request: Request) -> Response:
        """Return the code that its documents have for a service that is away."""
        text = "Service temporarily unavailable. Try again later"
        return answer({"code": "50001", "msg": text, "data": []}, 503)

    def _answer(self, request: Request) -> dict[str, Any]:
        path, now = request.path.removeprefix(PREFIX), request.now_ns
        public = self._public.methods.get(path)
        if public is not None and request.method == "GET":
            self._count(request.peer, path, now)
            return {"code": "0", "msg": "", "data": public(request.query)}
        private = self._private.methods.get((request.method, path))
        if private is None or not request.path.startswith(PREFIX):
            raise OkxError("404", "Not Found", 404)
        key = self.gate.enter(request, private.permission)
        self._count(key.account, path if request.method == "GET" else "", now)
        if not private.entries:
            return {"code": "0", "msg": "", "data": private.answer(key, request)}
        check_expiry(request.headers.get("exptime"), now)
        entries = private.answer(key, request)
        code, text = envelope(entries)
        times = {"inTime": micros(now), "outTime": micros(self.clock.now_ns())}
        return {"code": code, "data": entries, **times, "msg": text}

    def _count(self, who: object, path: str, now_ns: int) -> None:
        if not self.limits.take(who, path, now_ns):
            raise OkxError("50011", "Too Many Requests", TOO_MANY)

    # websocket

    def conversation(self, socket: Socket, request: Request) -> Conversation | None:
        """Return the conversation of a websocket: /ws/v5/public, /private or /business."""
        prefix, _, access = request.path.rpartition("/")
        if prefix != "/ws/v5" or access not in ACCESS:
            return None
        return OkxConversation(self, socket, request, access)

    def publish(self, event: Event) -> None:
        """Let the book channels see an event, and the conversations."""
        if isinstance(event, BookChanged | Traded):
            self._touched[event.market.symbol] = self.clock.now_ns()
        super().publish(event)
        if isinstance(event, BookChanged):
            self.books.see(event)

    def tick(self, now_ns: int) -> None:
        """Tell books that are due, and those that were quiet for a minute."""
        self.books.tick(now_ns)
        for channel in self.books.idle(now_ns, QUIET_NS):
            channel.told_ns = now_ns
            channel.tell(self.writer.quiet(channel))
        super().tick(now_ns)

    def moved(self, market: Market, since_ns: int) -> bool:
        """Whether a market changed after a time."""
        return self._touched.get(market.symbol, 0) > since_ns

    def ticker(self, market: Market) -> Frame:
        """Return the message of a ticker."""
        argument = {"channel": "tickers", "instId": name_of(market)}
        return json_frame({"arg": argument, "data": [self._days.ticker(market)]})

    def trade(self, channel: str, trade: Trade) -> Frame:
        """Return the message of a trade."""
        found: dict[str, Any] = public_trade(trade)
        if channel == "trades":
            found = {**found, "count": "1", "seqId": trade.id}
        argument = {"channel": channel, "instId": found["instId"]}
        return json_frame({"arg": argument, "data": [found]})
