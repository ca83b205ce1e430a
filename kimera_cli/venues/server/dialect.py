"""A venue's protocol over an Exchange: what a dialect file writes, and what it is given.

How to write one (binance.py is the model; keep each file under 200 lines, split REST, websocket
and shapes):

* One class per venue, a subclass of VenueDialect, named `Dialect` in `dialects/<venue>.py` and
  listed in `dialects/__init__.py`. Class attributes: `venue`, `hosts` (real host names that it
  answers for), `rules` (Rules), and `default_markets()`. Canonical symbols are `BTC/USDT`; map
  them to the venue's own names in the dialect.
* REST: `rest(request) -> Response`, synchronous. `request.path` is the venue's own path in both
  modes (plain mode's `/<venue>` prefix is gone). `request.raw_query` and `request.body` are the
  bytes as sent: verify signatures over these, never over decoded ones. `request.text` is method
  and path for signatures. Raise `HttpError(Response)` to leave early. Catch `Reject` from the
  exchange and write the venue's own error body. A path that is not known: the venue's own 404.
* Signatures: primitives in auth.py; `self.keys.find(name)` gives the Key (secret, passphrase,
  account, permissions). Trading requests need `key.may("trade")`, reading ones `key.may("read")`.
* Websocket: `conversation(socket, request) -> Conversation | None` (None: the handshake is
  answered with 404). `opened()`, `receive(message)` (str for text, bytes for binary frames, ping
  and close frames are the server's business), `push(event)` for every event of the exchange,
  `tick(now_ns)` about every 10 ms of the exchange's time, `closed()`.
* Sending: `socket.send(frame)`, the frame of json_frame(value), gzip_frame(value), text_frame(...).
  Numbers that must keep their digits: `msgspec.Raw(b"63250.10")`. A message that many sockets get
  is encoded once: `frame = self.dialect.once(("trade", market.symbol), lambda: json_frame(...))`;
  the key is forgotten after the event. Channels of one cadence and depth differ in their key.
* Batches (binance depth@100ms, okx books): collect in `push`, send in `tick` when
  `options.cadence_ns(default)` has passed; cadence 0 means with each event, at once.
* Own rate limits: primitives in limits.py, only when `self.options.limits` is True.
* Times: `request.now_ns` and `event.ts_ns`, `self.clock.now_ns()`; never the host's clock.
* Amounts: `market.px_text`, `market.qty_text`, `amounts.text`, `amounts.fixed`, `market.ticks`,
  `market.lots` (these raise Reject tick, lot). Never floats on the way in.
* An order's venue id is `order.id` (an int) in whatever dress the venue gives it; what the request
  said beyond the model goes into `OrderRequest.extra` and comes back as `order.extra`.

The text and JSON types of every answer must be those of the real captures.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl

import msgspec

from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, json_bytes
from kimera_cli.venues.server.keys import KeyStore
from kimera_cli.venues.server.model import Event, Market
from kimera_cli.venues.server.rules import Rules

JSON = "application/json"
Headers = tuple[tuple[str, str], ...]


def parameters(text: str) -> dict[str, str]:
    """Return the decoded parameters of a query or a form; the last of a name counts."""
    if not text:
        return {}
    if "%" in text or "+" in text:
        return dict(parse_qsl(text, keep_blank_values=True))
    pairs = (pair.partition("=") for pair in text.split("&") if pair)
    return {name: value for name, _, value in pairs}


class Request:
    """One HTTP request as received. Header names are lower case."""

    def __init__(
        self,
        method: str,
        path: str,
        raw_query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        host: str = "",
        now_ns: int = 0,
        peer: str = "127.0.0.1",
        plain: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.raw_query = raw_query
        self.headers = headers or {}
        self.body = body
        self.host = host
        """The Host header, port included as the client wrote it."""
        self.now_ns = now_ns
        """The exchange's time of arrival."""
        self.peer = peer
        self.plain = plain
        """True when the venue was chosen by the path's first segment, not by the Host header."""

    @property
    def target(self) -> str:
        """Path and raw query, as many signatures want it."""
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path

    @cached_property
    def query(self) -> dict[str, str]:
        """Decoded query parameters."""
        return parameters(self.raw_query)

    @cached_property
    def form(self) -> dict[str, str]:
        """Decoded form body."""
        return parameters(self.body.decode("utf-8", "replace"))

    @cached_property
    def json(self) -> Any:
        """Decoded JSON body; None when there is none or it is none."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except msgspec.DecodeError:
            return None


class Response(msgspec.Struct):
    """One HTTP answer; mutable, so that the server's faults can replace parts."""

    body: bytes = b""
    status: int = 200
    headers: Headers = ()
    content_type: str = JSON


def answer(value: Any, status: int = 200, headers: Headers = ()) -> Response:
    """Return a value as a JSON answer."""
    return Response(json_bytes(value), status, headers)


class HttpError(Exception):
    """A request ends here with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def refuse(value: Any, status: int = 400, headers: Headers = ()) -> HttpError:
    """Return the exception that answers with a JSON value: `raise refuse({...}, 401)`."""
    return HttpError(answer(value, status, headers))


class Socket(Protocol):
    """A client's websocket, as a conversation sees it."""

    peer: str

    def send(self, message: Frame | str | bytes) -> None:
        """Send a frame, text (str) or binary (bytes)."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the server was asked for."""

    limits: bool = True
    """Keep the venue's rate limits."""
    cadence_ns_wanted: int | None = None
    """Interval of batched channels instead of the venue's own; 0: each change at once."""

    def cadence_ns(self, default_ns: int) -> int:
        """Return the interval of a batched channel."""
        return default_ns if self.cadence_ns_wanted is None else self.cadence_ns_wanted


class Conversation:
    """One websocket connection at a venue. Subclasses write receive and push."""

    def __init__(self, dialect: VenueDialect, socket: Socket, request: Request) -> None:
        self.dialect = dialect
        self.exchange = dialect.exchange
        self.socket = socket
        self.request = request

    def opened(self) -> None:
        """The handshake is done: greet, where the venue does."""

    def receive(self, message: str | bytes) -> None:
        """A client's message."""
        raise NotImplementedError

    def push(self, event: Event) -> None:
        """Something happened at the exchange."""

    def tick(self, now_ns: int) -> None:
        """Time passed (about every 10 ms): batches, heartbeats, expiries."""

    def closed(self) -> None:
        """The connection is gone."""

    def expire(self) -> None:
        """Its login ends before its time, the venue's own way; here: the socket is closed."""
        self.socket.close(1008, "session expired")


class VenueDialect:
    """One venue's protocol over one exchange."""

    venue: ClassVar[str] = ""
    hosts: ClassVar[tuple[str, ...]] = ()
    rules: ClassVar[Rules] = Rules()

    @classmethod
    def default_markets(cls) -> list[Market]:
        """Return the markets of a server that was not told otherwise."""
        raise NotImplementedError

    def __init__(self, exchange: Exchange, keys: KeyStore, options: Options | None = None) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.keys = keys
        self.options = options or Options()
        self.conversations: list[Conversation] = []
        self._memo: dict[Hashable, Frame] = {}
        exchange.subscribe(self.publish)

    def rest(self, request: Request) -> Response:
        """Answer a request; may raise HttpError."""
        raise NotImplementedError

    def conversation(self, socket: Socket, request: Request) -> Conversation | None:
        """Return the conversation of a new websocket, None where the path has none."""
        raise NotImplementedError

    def unavailable(self, request: Request) -> Response:
        """Return what the venue answers during maintenance (fault `maintenance`)."""
        return Response(b"<html><body>Service Unavailable</body></html>", 503, (), "text/html")

    def restarted(self) -> None:
        """The venue restarts: its sequence numbers begin anew (sockets are closed after this)."""
        for market in self.exchange.markets:
            market.seq = 0

    def publish(self, event: Event) -> None:
        """Push an event to all conversations."""
        self._memo.clear()
        for conversation in self.conversations:
            conversation.push(event)

    def once(self, key: Hashable, encode: Callable[[], Frame]) -> Frame:
        """Return the frame of this key for the present event, encoded by the first who asks."""
        frame = self._memo.get(key)
        if frame is None:
            frame = self._memo[key] = encode()
        return frame

    def tick(self, now_ns: int) -> None:
        """Time passed: conversations' ticks, and whatever the dialect adds."""
        self._memo.clear()
        for conversation in list(self.conversations):
            conversation.tick(now_ns)
