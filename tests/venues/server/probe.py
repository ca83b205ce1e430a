"""A venue's dialect without a network: requests signed by ccxt, conversations whose frames stay.

The clock stands until it is stepped. ccxt only signs; its clock is the venue's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from kimera_cli.venues.server.build import Setup, build_host, client_key
from kimera_cli.venues.server.dialect import Conversation, Request
from kimera_cli.venues.server.frames import Frame, text_frame
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Order, OrderRequest

START_NS = 1_790_000_000_000_000_000


class Said(NamedTuple):
    """A venue's answer."""

    status: int
    body: Any
    headers: dict[str, str]


class Talk:
    """The client's side of a websocket."""

    peer = "127.0.0.1"

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.closed_with: tuple[int, str] | None = None
        self.conversation: Conversation = None  # type: ignore[assignment]

    def send(self, message: Frame | str | bytes) -> None:
        self.frames.append(message if isinstance(message, Frame) else text_frame(message))

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed_with = (code, reason)

    def say(self, **message: Any) -> None:
        """Send a message to the venue."""
        self.conversation.receive(json.dumps(message))

    def take(self) -> list[Any]:
        """Return and forget the messages received."""
        said = [json.loads(frame.plain) for frame in self.frames]
        self.frames.clear()
        return said


class Probe:
    """One venue."""

    def __init__(self, name: str, *, limits: bool = False, cadence_ns: int | None = None) -> None:
        setup = Setup(venues=(name,), seed=7, rate=0, limits=limits, cadence_ns=cadence_ns)
        self.host = build_host(setup, None, self._bug, start_ns=START_NS)
        self.venue = self.host.venues[name]
        self.exchange, self.dialect = self.venue.exchange, self.venue.dialect
        self.clock = self.exchange.clock
        self.market = self.exchange.markets[0]
        self.key = client_key(self.venue)

    def _bug(self, venue: str, where: str, error: Exception) -> None:
        raise AssertionError(f"{venue} {where}") from error

    def act(self, times: int) -> None:
        """Let the background trade."""
        for background in self.venue.background:
            for _ in range(times):
                background.act()  # type: ignore[attr-defined]

    def account(self, name: str) -> int:
        """Return the id of an account by its name."""
        return next(a.id for a in self.exchange.ledger.accounts.values() if a.name == name)

    def place(self, side: Any, qty: str, price: str | None = None, **more: Any) -> Order:
        """The background's taker places an order."""
        kind: Any = "market" if price is None else "limit"
        request = OrderRequest(self.market.symbol, side, kind, qty, price, **more)
        return self.exchange.place(self.account(f"taker {self.market.symbol}"), request)

    def signer(self, key: Key | None = None, late_ms: int = 0, **changes: Any) -> Any:
        """Return a ccxt client whose clock is the venue's, `late_ms` behind."""
        import ccxt

        key = key or self.key
        config = {"apiKey": key.key, "secret": key.secret, "password": key.passphrase}
        client = getattr(ccxt, self.venue.name)({**config, **changes})
        client.milliseconds = lambda: self.clock.now_ms() - late_ms
        client.seconds = lambda: (self.clock.now_ms() - late_ms) // 1000
        return client

    def call(self, client: Any, api: Any, method: str, path: str, **params: Any) -> Said:
        """Send a request that ccxt signed."""
        made = client.sign(path, api, method, params)
        return self.ask(method, made["url"], made["body"] or "", made["headers"] or {})

    def ask(self, method: str, url: str, body: str = "", headers: Mapping[str, str] = {}) -> Said:
        """Send a request as it is."""
        parts = urlsplit(url)
        lower = {name.lower(): str(value) for name, value in headers.items()}
        host = parts.netloc or self.dialect.hosts[0]
        request = Request(method, parts.path, parts.query, lower, body.encode(), host)
        answer = self.host.carry_out(self.venue, request)
        self.exchange.check_conservation()
        return Said(answer.status, _json(answer.body), dict(answer.headers))

    def open(self, path: str = "/", host: str = "") -> Talk:
        """Open a websocket."""
        talk = Talk()
        host = host or self.dialect.hosts[0]
        request = Request("GET", path, host=host, now_ns=self.clock.now_ns())
        conversation = self.dialect.conversation(talk, request)
        assert conversation is not None, path
        talk.conversation = conversation
        self.dialect.conversations.append(conversation)
        conversation.opened()
        return talk

    def step(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.step(round(seconds * 1e9))
        self.venue.tick()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()
