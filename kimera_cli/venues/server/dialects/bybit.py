"""Bybit v5 spot of a unified account: REST, public, private and trade websocket.

Source: https://bybit-exchange.github.io/docs/v5/intro. A post-only order that would trade is
accepted and then rejected on the stream; fees are charged in what is received; self-trades are
allowed unless smpType says otherwise.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

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
from kimera_cli.venues.server.dialects.book_channel import BookChannels
from kimera_cli.venues.server.dialects.bybit_account import PrivateConversation
from kimera_cli.venues.server.dialects.bybit_auth import Gate
from kimera_cli.venues.server.dialects.bybit_books import QUIET_NS, BookWriter
from kimera_cli.venues.server.dialects.bybit_dcp import Protection
from kimera_cli.venues.server.dialects.bybit_limits import BUSY, Limits
from kimera_cli.venues.server.dialects.bybit_orders import TradeConversation
from kimera_cli.venues.server.dialects.bybit_private import Private
from kimera_cli.venues.server.dialects.bybit_public import Public
from kimera_cli.venues.server.dialects.bybit_stream import Stream
from kimera_cli.venues.server.dialects.bybit_streams import PublicConversation
from kimera_cli.venues.server.dialects.bybit_text import BybitError, Names, error_of
from kimera_cli.venues.server.dialects.bybit_trade import OrderDesk
from kimera_cli.venues.server.dialects.bybit_wallet import Wallets
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import KeyStore
from kimera_cli.venues.server.model import BookChanged, Event, FeeTier, Market, Reject, Traded
from kimera_cli.venues.server.rules import Rules

TIERS = (
    FeeTier(Decimal(0), Decimal("0.001"), Decimal("0.001")),
    FeeTier(Decimal(1_000_000), Decimal("0.000675"), Decimal("0.0008")),
    FeeTier(Decimal(5_000_000), Decimal("0.00065"), Decimal("0.000775")),
)
PREFIX = "/v5/"
CONVERSATIONS: dict[str, type[Conversation]] = {
    "/v5/public/spot": PublicConversation,
    "/v5/private": PrivateConversation,
    "/v5/trade": TradeConversation,
}


class Dialect(VenueDialect):
    """Bybit's protocol over one exchange."""

    venue: ClassVar[str] = "bybit"
    hosts: ClassVar[tuple[str, ...]] = ("api.bybit.com", "stream.bybit.com")
    rules: ClassVar[Rules] = Rules(
        tiers=TIERS,
        self_trade="none",
        post_only_cross="cancel",
        fok_unfilled="expire",
        client_id_unique="kept",
        max_open_orders=500,
    )

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Return three instruments with steps as the venue has them."""
        return [
            Market(
                symbol,
                Decimal(tick),
                Decimal(lot),
                Decimal(px),
                Decimal(qty),
                min_notional=Decimal(5),
            )
            for symbol, tick, lot, px, qty in (
                ("BTC/USDT", "0.1", "0.000001", "50000", "0.000011"),
                ("ETH/USDT", "0.01", "0.00001", "2500", "0.00024"),
                ("SOL/USDT", "0.01", "0.001", "150", "0.006"),
            )
        ]

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        super().__init__(exchange, keys, options)
        self.names = Names(exchange.markets)
        self.gate = Gate(keys, exchange.clock)
        self.limits = Limits(self.options.limits)
        self.desk = OrderDesk(exchange, self.names)
        self.wallets = Wallets(exchange)
        self.protection = Protection(exchange)
        self.writer = BookWriter(exchange)
        self.books = BookChannels(exchange, self.writer.change)
        self.stream = Stream(exchange)
        self.touched: dict[str, int] = {}
        self._public = Public(exchange, self.names)
        self._private = Private(self.desk, self.names, self.wallets, self.protection)

    # REST

    def rest(self, request: Request) -> Response:
        """Answer a REST request."""
        if not self.limits.admit(request.peer, request.now_ns):
            return Response(b"403, access too frequent", 403, (), "text/plain")
        headers: list[tuple[str, str]] = []
        try:
            code, text, result, extra = 0, "OK", *self._answer(request, headers)
        except BybitError as error:
            code, text, result, extra = error.code, error.text, {}, {}
        except Reject as reject:
            known = error_of(reject)
            code, text, result, extra = known.code, known.text, {}, {}
        return answer(
            {
                "retCode": code,
                "retMsg": text,
                "result": result,
                "retExtInfo": extra,
                "time": self.clock.now_ms(),
            },
            headers=(*headers, ("Timenow", str(self.clock.now_ms()))),
        )

    def _answer(
        self, request: Request, headers: list[tuple[str, str]]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        path = request.path.removeprefix(PREFIX)
        public = self._public.methods.get(path)
        if public is not None and request.method == "GET":
            return public(request.query), {}
        private = self._private.methods.get((request.method, path))
        if private is None or not request.path.startswith(PREFIX):
            raise BybitError(10017, "request path not found")
        key = self.gate.enter(request, private.permission)
        state = self.limits.take(key.account, path, request.now_ns, private.size(request))
        told: Headers = state.headers()
        headers.extend(told)
        if not state.passed:
            raise BUSY
        return private.answer(key, request)

    # websocket

    def conversation(self, socket: Socket, request: Request) -> Conversation | None:
        """Return the conversation of a websocket."""
        found = CONVERSATIONS.get(request.path)
        return None if found is None else found(self, socket, request)

    def publish(self, event: Event) -> None:
        """Let the book channels see an event, and the conversations."""
        if isinstance(event, BookChanged | Traded):
            self.touched[event.market.symbol] = self.clock.now_ns()
        super().publish(event)
        if isinstance(event, BookChanged):
            self.books.see(event)

    def tick(self, now_ns: int) -> None:
        """Tell books that are due, and the best level that was quiet for three seconds."""
        self.protection.tick(now_ns)
        self.books.tick(now_ns)
        for channel in self.books.idle(now_ns, QUIET_NS):
            if channel.depth == 1:
                channel.told_ns = now_ns
                channel.tell(self.writer.snapshot(channel))
        super().tick(now_ns)

    def restarted(self) -> None:
        """The venue restarts: whole books that say so."""
        for channel in self.books.all():
            channel.tell(self.writer.anew(channel))
