"""Kraken spot: REST and websocket v2.

Sources: https://docs.kraken.com/api-reference and https://docs.kraken.com/exchange/guides. Fees
are charged in quote (flag fciq); a client id is unique among open orders.
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
from kimera_cli.venues.server.dialects.kraken_auth import Gate, KrakenError
from kimera_cli.venues.server.dialects.kraken_books import Books
from kimera_cli.venues.server.dialects.kraken_desk import OrderDesk
from kimera_cli.venues.server.dialects.kraken_entry import check_deadline
from kimera_cli.venues.server.dialects.kraken_feed import Feed
from kimera_cli.venues.server.dialects.kraken_limits import Limits
from kimera_cli.venues.server.dialects.kraken_names import Pairs
from kimera_cli.venues.server.dialects.kraken_private import Private
from kimera_cli.venues.server.dialects.kraken_public import Public
from kimera_cli.venues.server.dialects.kraken_socket import KrakenConversation
from kimera_cli.venues.server.dialects.kraken_text import COST_DIGITS, error_text
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import KeyStore
from kimera_cli.venues.server.model import Event, FeeTier, Market, Reject
from kimera_cli.venues.server.rules import Rules

TIERS = tuple(
    FeeTier(Decimal(volume), Decimal(maker), Decimal(taker))
    for volume, maker, taker in (
        (0, "0.0025", "0.0040"), (10_000, "0.0020", "0.0035"), (50_000, "0.0014", "0.0024"),
        (100_000, "0.0012", "0.0022"), (250_000, "0.0010", "0.0020"), (500_000, "0.0008", "0.0018"),
        (1_000_000, "0.0006", "0.0016"), (2_500_000, "0.0004", "0.0014"),
        (5_000_000, "0.0002", "0.0012"), (10_000_000, "0", "0.0010"),
    )
)  # fmt: skip
PUBLIC, PRIVATE = "/0/public/", "/0/private/"


class Dialect(VenueDialect):
    """Kraken's protocol over one exchange."""

    venue: ClassVar[str] = "kraken"
    hosts: ClassVar[tuple[str, ...]] = ("api.kraken.com", "ws.kraken.com", "ws-auth.kraken.com")
    rules: ClassVar[Rules] = Rules(
        fee_asset="quote", fee_digits=COST_DIGITS, tiers=TIERS, max_open_orders=225
    )

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Return three pairs with the venue's own steps."""
        lot, least = Decimal("0.00000001"), Decimal("0.5")
        return [
            Market(symbol, Decimal(tick), lot, Decimal(px), Decimal(qty), min_notional=least)
            for symbol, tick, px, qty in (
                ("BTC/USD", "0.1", "50000", "0.00005"),
                ("ETH/USD", "0.01", "2500", "0.001"),
                ("BTC/USDT", "0.1", "50000", "0.00005"),
            )
        ]

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        super().__init__(exchange, keys, options)
        self.pairs = Pairs(exchange.markets)
        self.gate = Gate(keys, exchange.clock)
        self.limits = Limits(self.options.limits)
        self.desk = OrderDesk(exchange, self.pairs, self.limits)
        self.books = Books(exchange)
        self.feed = Feed(exchange)
        self._public = Public(exchange, self.pairs)
        self._private = Private(self.desk, self.gate)

    def rest(self, request: Request) -> Response:
        """Answer a REST request: always 200, refusals in `error`."""
        try:
            return answer({"error": [], "result": self._result(request)})
        except KrakenError as refusal:
            return answer({"error": [refusal.text]})
        except Reject as reject:
            return answer({"error": [error_text(reject)]})

    def _result(self, request: Request) -> Any:
        path, now = request.path, request.now_ns
        if path.startswith(PUBLIC) and request.method in ("GET", "POST"):
            public = self._public.methods.get(path.removeprefix(PUBLIC))
            if public is None:
                raise KrakenError("EGeneral:Unknown method")
            self._count(("peer", request.peer), 1.0, now)
            return public({**request.query, **request.form})
        private = self._private.methods.get(path.removeprefix(PRIVATE))
        if not path.startswith(PRIVATE) or private is None or request.method != "POST":
            raise KrakenError("EGeneral:Unknown method")
        key, parameters = self.gate.enter(request, private.permission)
        self._count(key.key, private.cost, now)
        check_deadline(parameters, now)
        return private.answer(key, parameters)

    def _count(self, who: object, cost: float, now_ns: int) -> None:
        if cost and not self.limits.request(who, cost, now_ns):
            raise KrakenError("EAPI:Rate limit exceeded")

    def publish(self, event: Event) -> None:
        """Let the books see an event before the conversations do."""
        self.books.see(event)
        super().publish(event)

    def conversation(self, socket: Socket, request: Request) -> Conversation | None:
        """Return the conversation of a websocket: both hosts speak v2 at /v2."""
        if request.path.rstrip("/") not in ("/v2", "/auth/v2"):
            return None
        return KrakenConversation(self, socket, request)
