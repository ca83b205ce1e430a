"""A dialect without a network: requests go in as objects, frames come out as JSON, time stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.dialect import Conversation, HttpError, Options, Request, Response
from kimera_cli.venues.server.dialects import load
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.flow import Flow
from kimera_cli.venues.server.frames import Frame
from kimera_cli.venues.server.keys import ALL, Key, KeyStore, Permission
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Side
from kimera_cli.venues.server.new_keys import new_key

START_NS = 1_790_000_000_123_456_789
S = 1_000_000_000


class FakeSocket:
    """Keeps what a conversation sends."""

    peer = "127.0.0.1"

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def send(self, message: Frame | str | bytes) -> None:
        """Keep a message."""
        if isinstance(message, Frame):
            self.payloads.append(message.payload)
        else:
            self.payloads.append(message.encode() if isinstance(message, str) else message)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Keep why it was closed."""
        self.closed = code, reason


class Line:
    """One websocket of a direct venue."""

    def __init__(self, direct: Direct, path: str) -> None:
        self.socket = FakeSocket()
        request = Request("GET", path, now_ns=direct.clock.now_ns())
        found = direct.dialect.conversation(self.socket, request)
        assert found is not None, path
        self.conversation: Conversation = found
        self.direct = direct
        direct.dialect.conversations.append(found)
        found.opened()

    def say(self, message: Any) -> list[Any]:
        """Send a message (JSON, or text as it is); return what came meanwhile."""
        self.conversation.receive(message if isinstance(message, str) else json.dumps(message))
        return self.take()

    def raw(self) -> list[bytes]:
        """Return the payloads since the last time."""
        found, self.socket.payloads = self.socket.payloads, []
        return found

    def take(self) -> list[Any]:
        """Return the messages since the last time; numbers are exact."""
        return [exact(payload) for payload in self.raw()]

    def drop(self) -> None:
        """The connection is gone."""
        self.direct.dialect.conversations.remove(self.conversation)
        self.conversation.closed()


class Direct:
    """One venue, a client with funds and its key, and somebody else who makes the market."""

    def __init__(self, venue: str, *, limits: bool = False, cadence_ns: int | None = 0) -> None:
        self.clock = Clock(start_ns=START_NS)
        kind = load(venue)
        self.exchange = Exchange(venue, kind.default_markets(), self.clock, 7, kind.rules)
        market = self.market
        self.me = self.exchange.open_account("client", _wealth(market, 10, 1_000_000)).id
        self.maker = self.exchange.open_account("maker", _wealth(market, 10**5, 10**10)).id
        self.taker = self.exchange.open_account("taker", _wealth(market, 10**5, 10**10)).id
        self.key = new_key(venue, 7, self.me)
        self.keys = KeyStore([self.key])
        self.dialect = kind(self.exchange, self.keys, Options(limits, cadence_ns))
        for step in range(1, 31):
            self.make("buy", "0.5", str(market.start_px - step))
            self.make("sell", "0.5", str(market.start_px + step))

    @property
    def market(self) -> Market:
        """The first market, BTC at 50,000."""
        return self.exchange.markets[0]

    def make(self, side: Side, qty: str, price: str, **more: Any) -> Order:
        """Place an order of somebody else."""
        request = OrderRequest(self.market.symbol, side, "limit", qty, price, **more)
        return self.exchange.place(self.maker, request)

    def take(self, side: Side, qty: str) -> Order:
        """Trade with the book, as a third."""
        request = OrderRequest(self.market.symbol, side, "market", qty)
        return self.exchange.place(self.taker, request)

    def another_key(self, *permissions: Permission) -> Key:
        """Return a key of the client that may do only this."""
        key = new_key(self.exchange.venue, 8, self.me, frozenset(permissions) or ALL, 1)
        self.keys.add(key)
        return key

    def request(
        self, method: str, path: str, query: str = "", body: bytes = b"", **headers: str
    ) -> Response:
        """Send a request; header names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        now = self.clock.now_ns()
        try:
            return self.dialect.rest(Request(method, path, query, named, body, "", now))
        except HttpError as early:
            return early.response

    def line(self, path: str) -> Line:
        """Open a websocket."""
        return Line(self, path)

    def step(self, seconds: float) -> None:
        """Let time pass, in beats of a tenth of a second."""
        for _ in range(round(seconds * 10)):
            self.clock.step(S // 10)
            self.exchange.tick()
            self.dialect.tick(self.clock.now_ns())

    def balance(self, asset: str) -> tuple[Decimal, Decimal]:
        """Return what the client has free and held, in units."""
        free, held = self.exchange.balances(self.me)[asset]
        return Decimal(free) / 10**18, Decimal(held) / 10**18

    def book(self, n: int) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
        """Return the best levels of bids and asks as the exchange has them."""
        bids, asks = (
            {self.market.price(px): self.market.qty(lots) for px, lots in side}
            for side in self.exchange.book(self.market.symbol, n)
        )
        return bids, asks

    def flow(self, acts: int, seed: int = 3) -> Iterator[int]:
        """Let a background trade, and time pass; yields after each act."""
        background = Flow(self.exchange, self.market, 0, seed)
        random = Random(seed)
        for act in range(acts):
            self.clock.step(random.randrange(1, 50_000_000))
            background.act()
            self.dialect.tick(self.clock.now_ns())
            yield act


def exact(payload: bytes) -> Any:
    """Read JSON with numbers as Decimal; other text stays text."""
    try:
        return json.loads(payload, parse_float=Decimal)
    except json.JSONDecodeError:
        return payload.decode()


def kinds(value: Any) -> Any:
    """Return the JSON types of a value: dictionaries by key, lists by their first entry."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    if value is None or isinstance(value, bool):
        return type(value).__name__
    return "number" if isinstance(value, int | float | Decimal) else type(value).__name__


def _wealth(market: Market, base: int, quote: int) -> dict[str, str]:
    return {market.base: str(base), market.quote: str(quote)}
