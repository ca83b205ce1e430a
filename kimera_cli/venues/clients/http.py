"""One HTTP/1.1 connection: a request's bytes out, one whole answer in.

Parsing is httptools' (llhttp). Requests are not pipelined: an answer belongs to the request before
it, or to none, and then the connection is ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, cast

import httptools

LARGEST = 64 << 20
"""Bytes of an answer; a larger one ends the connection."""


class Response(NamedTuple):
    """One whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    sent_ns: int = 0
    """When the request was written, by this host's clock."""
    received_ns: int = 0


class Broken(Exception):  # noqa: N818 - it is an end of a connection, not always an error
    """The connection ended, or said what is no HTTP, before an answer was whole."""


class Connection(asyncio.Protocol):
    """One connection, for one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.used = 0
        """Requests that were written here."""
        self.idle_since_ns = 0
        self._waiter: asyncio.Future[Response] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    @property
    def is_open(self) -> bool:
        """Whether a request can be written."""
        return self.transport is not None and not self.transport.is_closing()

    async def exchange(self, request: bytes | memoryview, answer_s: float) -> Response:
        """Write a request and wait for its answer.

        Broken when there will be none, TimeoutError when there is none in time.
        """
        if self.transport is None or self.transport.is_closing() or self._waiter is not None:
            raise Broken("the connection is closed or in use")
        self._headers, self._body = {}, bytearray()
        waiter: asyncio.Future[Response] = self._loop.create_future()
        self._waiter = waiter
        self.used += 1
        self.transport.write(request)
        guard = self._loop.call_later(answer_s, self._late)
        try:
            return await waiter
        except (asyncio.CancelledError, TimeoutError):
            self.close()  # a late answer must not be taken for that of the next request
            raise
        finally:
            guard.cancel()
            self._waiter = None

    def close(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = cast("asyncio.Transport", transport)  # aiofastnet's is of no such class
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Parse; bytes that nobody asked for end the connection."""
        if self._waiter is None or self._waiter.done():
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {type(error).__name__}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits learns that the connection ended."""
        self._fail(f"the connection ended: {exc or 'closed by the other side'}")

    # --- what httptools calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body += body
        if len(self._body) > LARGEST:
            self._fail(f"an answer of more than {LARGEST} bytes")
            self.close()

    def on_message_complete(self) -> None:
        """Hand the answer to whoever waits."""
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer: the real one follows
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Response(status, self._headers, bytes(self._body)))
        if not self._parser.should_keep_alive() and self.transport is not None:
            self.transport.close()

    def _late(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _fail(self, why: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Broken(why))
