"""The host of the venues: who gets a request, through which faults, and the passing of time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from kimera_cli.venues.server.dialect import (
    Conversation,
    HttpError,
    Request,
    Response,
    VenueDialect,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.faults import Faults, Rule
from kimera_cli.venues.server.keys import KeyStore

if TYPE_CHECKING:
    from kimera_cli.venues.server.connection import Connection
    from kimera_cli.venues.server.websocket import ServerSocket

LOOPBACK_HOSTS = frozenset(("127.0.0.1", "localhost", "[::1]"))
LOG_LENGTH = 10_000
TICK_S = 0.01
REFUSED = frozenset(("refuse", "reset"))

Report = Callable[[str, str, Exception], None]


class LogEntry(msgspec.Struct, frozen=True):
    """One request or message of a client, and what it was answered (0: a message)."""

    ts_ns: int
    venue: str
    method: str
    target: str
    body: str
    status: int


class Background(Protocol):
    """What trades besides the clients."""

    def tick(self, now_ns: int) -> None:
        """Do what is due."""


@dataclass(slots=True, eq=False)
class Venue:
    """One venue of a host."""

    name: str
    exchange: Exchange
    dialect: VenueDialect
    keys: KeyStore
    faults: Faults
    on_bug: Report
    background: list[Background] = field(default_factory=list)
    log: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    maintenance: bool = False
    requests: int = 0
    bugs: int = 0
    first_answers: dict[str, bytes] = field(default_factory=dict)
    """Answers by target since a `stale` fault was set."""
    first_frames: dict[int, bytes] = field(default_factory=dict)
    """The first frame that each `stale` fault of frames met, by the fault's id."""

    def log_message(self, socket: ServerSocket, data: bytes) -> None:
        """Remember a websocket message."""
        text = data.decode("utf-8", "replace")
        now = self.exchange.clock.now_ns()
        self.log.append(LogEntry(now, self.name, "WS", socket.path, text, 0))

    def report(self, error: Exception, where: str) -> None:
        """Tell the operator of a bug."""
        self.bugs += 1
        self.on_bug(self.name, where, error)

    def leave(self, conversation: Conversation) -> None:
        """A conversation's socket is gone."""
        if conversation in self.dialect.conversations:
            self.dialect.conversations.remove(conversation)
        conversation.closed()

    def tick(self) -> None:
        """Let time pass: background, timers of the exchange, the dialect's batches."""
        now = self.exchange.clock.now_ns()
        for part in self.background:
            part.tick(now)
        self.exchange.tick()
        self.dialect.tick(now)


class Handler(Protocol):
    """What a Connection hands its requests to: a Host, or the control API."""

    connections: set[Connection]

    def connected(self, connection: Connection) -> None:
        """A TCP connection is made."""

    def handle(self, connection: Connection, request: Request, keep_alive: bool) -> None:
        """Answer a request, at once or later."""

    def upgrade(self, connection: Connection, request: Request) -> None:
        """Open a websocket, or refuse it."""


class Host:
    """Several venues behind one port or two."""

    def __init__(self, venues: list[Venue], faults: Faults) -> None:
        self.venues = {venue.name: venue for venue in venues}
        self.by_host = {name: venue for venue in venues for name in venue.dialect.hosts}
        self.faults = faults
        self.connections: set[Connection] = set()

    # routing

    def route(self, request: Request) -> Venue | None:
        """Return the venue of a request, by Host header or first path segment (taken off)."""
        name = request.host.rpartition(":")[0] or request.host
        venue = self.by_host.get(name)
        if venue is None and name in LOOPBACK_HOSTS:
            segment, slash, rest = request.path[1:].partition("/")
            venue = self.venues.get(segment)
            if venue is not None:
                request.path = slash + rest or "/"
                request.plain = True
        return venue

    def connected(self, connection: Connection) -> None:
        """A TCP connection is made."""
        if "connect" not in self.faults.by_hook:
            return
        rule = self.faults.find("connect", "*", b"tcp")
        if rule is not None:
            self._refuse(connection, rule)

    def _refuse(self, connection: Connection, rule: Rule) -> None:
        if rule.action == "half_open":
            connection.frozen = True
        elif rule.action == "status":
            body = Response(rule.body.encode(), rule.status, tuple(rule.headers.items()))
            connection.write(body, keep_alive=False)
        else:
            connection.drop()

    # requests

    def handle(self, connection: Connection, request: Request, keep_alive: bool) -> None:
        """Answer a request, now or (faults) later or never."""
        venue = self.route(request)
        if venue is None:
            connection.write(_unknown(request), keep_alive)
            return
        venue.requests += 1
        hooks = self.faults.by_hook
        if not hooks:
            connection.write(self.carry_out(venue, request), keep_alive)
            return
        text = _text(request)
        rule = self.faults.find("request.before", venue.name, text) if hooks else None
        if rule is None:
            self._after(venue, connection, request, keep_alive)
        elif rule.action == "drop":
            self._log(venue, request, 0)
            connection.drop()
        elif rule.action == "reply":
            self._log(venue, request, rule.status)
            connection.write(_reply(rule), keep_alive)
        else:
            _later(rule.seconds, self._after, venue, connection, request, keep_alive)

    def carry_out(self, venue: Venue, request: Request) -> Response:
        """Let the dialect answer."""
        request.now_ns = venue.exchange.clock.now_ns()
        if venue.maintenance:
            response = venue.dialect.unavailable(request)
        else:
            try:
                response = venue.dialect.rest(request)
            except HttpError as early:
                response = early.response
            except Exception as error:  # a bug of the dialect must not stop the server
                venue.report(error, f"{request.method} {request.path}")
                response = Response(b"internal error", 500, (), "text/plain")
        self._log(venue, request, response.status)
        return response

    def _after(
        self, venue: Venue, connection: Connection, request: Request, keep_alive: bool
    ) -> None:
        response = self.carry_out(venue, request)
        first = response.body
        if self.faults.wants_stale:
            first = venue.first_answers.setdefault(request.target, first)
        rule = self.faults.find("request.after", venue.name, _text(request))
        if rule is not None and rule.action == "drop":
            connection.drop()
            return
        if rule is not None and rule.action == "delay":
            _later(rule.seconds, self._write_late, connection, response, keep_alive)
            return
        if rule is not None:
            _damage(response, rule, first)
        self._write_late(connection, response, keep_alive)

    def _write_late(self, connection: Connection, response: Response, keep_alive: bool) -> None:
        connection.write(response, keep_alive)
        connection.resume()

    def _log(self, venue: Venue, request: Request, status: int) -> None:
        now, body = venue.exchange.clock.now_ns(), request.body.decode("utf-8", "replace")
        venue.log.append(LogEntry(now, venue.name, request.method, request.target, body, status))

    # websockets

    def upgrade(self, connection: Connection, request: Request) -> None:
        """Open a websocket, or refuse it."""
        venue = self.route(request)
        key = request.headers.get("sec-websocket-key", "")
        if venue is None or not key:
            connection.write(_unknown(request), keep_alive=False)
            return
        request.now_ns = venue.exchange.clock.now_ns()
        if "connect" in self.faults.by_hook:
            rule = self.faults.find("connect", venue.name, request.target.encode())
            if rule is not None:
                self._refuse(connection, rule)
                return
        if venue.maintenance:
            connection.write(venue.dialect.unavailable(request), keep_alive=False)
            return
        self._open(venue, connection, request, key)

    def _open(self, venue: Venue, connection: Connection, request: Request, key: str) -> None:
        pending = _Pending(request.peer)
        try:
            conversation = venue.dialect.conversation(pending, request)
        except HttpError as early:
            connection.write(early.response, keep_alive=False)
            return
        if conversation is None:
            connection.write(_unknown(request), keep_alive=False)
            return
        socket = connection.become_socket(venue, request.target, key)
        conversation.socket = socket
        socket.conversation = conversation
        venue.dialect.conversations.append(conversation)
        socket.guard(conversation.opened)

    # time

    def tick(self) -> None:
        """Let time pass at all venues."""
        for venue in self.venues.values():
            try:
                venue.tick()
            except Exception as error:  # a bug must not stop the other venues' time
                venue.report(error, "tick")

    def sockets(self, venue: str | None = None) -> list[ServerSocket]:
        """Return the open websockets (of one venue)."""
        found = [c.socket for c in self.connections if c.socket is not None]
        return [s for s in found if venue is None or s.venue.name == venue]


class _Pending:
    """Stands for the socket until the handshake is answered; nothing may be sent before."""

    def __init__(self, peer: str) -> None:
        self.peer = peer

    def send(self, message: object) -> None:
        raise RuntimeError("nothing can be sent before opened()")

    def close(self, code: int = 1000, reason: str = "") -> None:
        raise RuntimeError("nothing can be closed before opened()")


def _later(seconds: float, act: Callable[..., None], *args: object) -> None:
    asyncio.get_running_loop().call_later(seconds, act, *args)


def _text(request: Request) -> bytes:
    return f"{request.method} {request.target}\n".encode() + request.body


def _unknown(request: Request) -> Response:
    text = f"no simulated venue at {request.host}{request.path}"
    return Response(text.encode(), 404, (), "text/plain")


def _reply(rule: Rule) -> Response:
    html = rule.body.lstrip().startswith("<")
    return Response(
        rule.body.encode(), rule.status, tuple(rule.headers.items()),
        "text/html" if html else "application/json",
    )  # fmt: skip


def _damage(response: Response, rule: Rule, first: bytes) -> None:
    if rule.action == "reply":
        fake = _reply(rule)
        response.status, response.body = fake.status, fake.body
        response.headers, response.content_type = fake.headers, fake.content_type
    elif rule.action == "empty":
        response.body = b""
    elif rule.action == "truncate":
        response.body = response.body[: rule.size]
    elif rule.action == "replace":
        response.body = rule.replaced(response.body)
    elif rule.action == "stale":
        response.body = first
