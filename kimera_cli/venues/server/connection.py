"""One TCP connection: HTTP/1.1 with keep-alive and pipelining, until it becomes a websocket."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from kimera_cli.venues.server.dialect import Request, Response
from kimera_cli.venues.server.http_wire import response_bytes, upgrade_bytes
from kimera_cli.venues.server.websocket import ServerSocket

if TYPE_CHECKING:
    from kimera_cli.venues.server.host import Handler, Venue

MAX_BODY = 1 << 20


class Connection(asyncio.Protocol):
    """Parses requests and hands them to the host, one at a time and in order."""

    def __init__(self, host: Handler, secure: bool) -> None:
        self.host = host
        self.secure = secure
        self.transport: asyncio.Transport
        self.socket: ServerSocket | None = None
        self.peer = ""
        self.frozen = False
        """Half open: nothing is read and nothing answered any more."""
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._begin()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless a fault says otherwise."""
        self.transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or ("?",))[0]
        self.host.connections.add(self)
        self.host.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.host.connections.discard(self)
        if self.socket is not None:
            self.socket.lost()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self.frozen:
            return
        if self.socket is not None:
            self.socket.feed(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._next()
            self._feed_socket(data[cast(int, upgrade.args[0]) :])
        except httptools.HttpParserError:
            self.write(Response(b"Bad Request", 400, (), "text/plain"), keep_alive=False)
        else:
            self._next()

    def _feed_socket(self, rest: bytes) -> None:
        if self.socket is not None and rest:
            self.socket.feed(rest)

    # httptools

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body.append(body)
        if sum(map(len, self._body)) > MAX_BODY:
            self.write(Response(b"", 413, (), "text/plain"), keep_alive=False)

    def on_message_complete(self) -> None:
        """A request is whole."""
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            self._parser.get_method().decode(), path, query, self._headers,
            b"".join(self._body), self._headers.get("host", ""), 0, self.peer,
        )  # fmt: skip
        self._waiting.append((request, self._parser.should_keep_alive()))

    # answering

    def _next(self) -> None:
        while self._waiting and not self._busy and not self.frozen:
            request, keep_alive = self._waiting.popleft()
            self._busy = True
            if request.headers.get("upgrade", "").lower() == "websocket":
                self.host.upgrade(self, request)
                self._busy = False
            else:
                self.host.handle(self, request, keep_alive)

    def write(self, response: Response, keep_alive: bool = True) -> None:
        """Answer the request at hand and go on with the next."""
        self._busy = False
        if not self.transport.is_closing():
            self.transport.write(response_bytes(response, keep_alive))
            if not keep_alive:
                self.transport.close()

    def resume(self) -> None:
        """Go on after an answer that came later."""
        if self.socket is None:
            self._next()

    def drop(self) -> None:
        """Cut the connection at once (the peer sees a reset)."""
        self.frozen = True
        self.transport.abort()

    def become_socket(self, venue: Venue, path: str, key: str) -> ServerSocket:
        """Complete the handshake."""
        self.transport.write(upgrade_bytes(key))
        self.socket = ServerSocket(venue, self.transport, path, self.peer, self.secure)
        return self.socket
