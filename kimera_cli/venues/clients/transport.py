"""Keep-alive HTTP/1.1 over TLS to the hosts of venues, with an exact word on what was sent.

For an order it makes all the difference whether its request can have reached the venue:
`NotSentError` is raised only before the first byte was written, `NoAnswerError` for everything
after.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from dataclasses import dataclass, field

from aiofastnet import create_connection

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.addresses import Addresses
from kimera_cli.venues.clients.http import Broken, Connection, Response
from kimera_cli.venues.clients.world import World

CONNECT_S = 5.0
ANSWER_S = 10.0
IDLE_S = 20.0
"""A connection that was idle for longer is not used again: the venue may be closing it."""
KEPT = 4
"""Idle connections kept per host."""
_NS = 1_000_000_000


class NotSentError(VenueError):
    """No byte of the request was written; `venue.dns`, `venue.tls` or `venue.unreachable`."""


class NoAnswerError(VenueError):
    """The request was written, in part or whole, and no whole answer came: `venue.no_answer`.

    `details` have `waited_s` when the time to answer ran out.
    """


@dataclass
class Transport:
    """Connections to all hosts of all venues of a process."""

    addresses: Addresses
    world: World
    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S
    opened: int = 0
    """Connections that came about."""
    _idle: dict[str, list[Connection]] = field(default_factory=dict)

    async def exchange(
        self, host: str, request: bytes | memoryview, answer_s: float | None = None
    ) -> Response:
        """Send a request and return the whole answer, or raise NotSentError or NoAnswerError.

        A connection that the venue closed meanwhile is left, and a new one made, before the first
        byte.
        """
        connection = self._kept(host) or await self._open(host)
        limit = self.answer_s if answer_s is None else answer_s
        sent_ns = self.world.now_ns()
        try:
            got = await connection.exchange(request, limit)
        except TimeoutError:
            raise _no_answer(host, f"nothing for {limit:g} s", waited_s=limit) from None
        except Broken as error:
            raise _no_answer(host, str(error)) from None
        self._keep(host, connection)
        return Response(got.status, got.headers, got.body, sent_ns, self.world.now_ns())

    async def warm(self, host: str) -> None:
        """Open a connection before it is needed."""
        self._keep(host, await self._open(host))

    def close(self) -> None:
        """End all idle connections."""
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()

    def _kept(self, host: str) -> Connection | None:
        kept = self._idle.get(host, [])
        while kept:
            connection = kept.pop()
            idle_ns = self.world.monotonic_ns() - connection.idle_since_ns
            if connection.is_open and idle_ns < IDLE_S * _NS:
                return connection
            connection.close()
        return None

    def _keep(self, host: str, connection: Connection) -> None:
        kept = self._idle.setdefault(host, [])
        if connection.is_open and len(kept) < KEPT:
            connection.idle_since_ns = self.world.monotonic_ns()
            kept.append(connection)
        else:
            connection.close()

    async def _open(self, host: str) -> Connection:
        endpoint = self.addresses.endpoint(host)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_s):
                _, connection = await create_connection(
                    loop,
                    Connection,
                    endpoint.address,
                    endpoint.port,
                    ssl=endpoint.tls,
                    server_hostname=host if endpoint.tls else None,
                )
        except TimeoutError:
            raise _unreachable(host, f"no connection within {self.connect_s:g} s") from None
        except socket.gaierror as error:
            raise _failed("dns", host, "a host with an address", str(error.strerror)) from None
        except ssl.SSLError as error:
            raise _failed("tls", host, "a certificate that is trusted", _of_tls(error)) from None
        except OSError as error:
            was = os.strerror(error.errno) if error.errno else str(error)
            raise _unreachable(host, was) from None
        self.opened += 1
        return connection


def _of_tls(error: ssl.SSLError) -> str:
    with contextlib.suppress(AttributeError):
        return str(error.verify_message)  # type: ignore[attr-defined]
    return error.reason or type(error).__name__


def _unreachable(host: str, was: str) -> NotSentError:
    return _failed("unreachable", host, "a connection", was)


HINTS = {
    "dns": "check the network and the name servers of this host",
    "tls": "check the clock of this host, and that nothing stands between it and the venue",
    "unreachable": "check the network; kimera venue serve must run where --server says",
}


def _failed(kind: str, host: str, expected: str, was: str) -> NotSentError:
    return NotSentError(
        f"venue.{kind}", f"{host}: expected {expected}, was {was}", HINTS[kind], host=host
    )


def _no_answer(host: str, was: str, **details: float) -> NoAnswerError:
    return NoAnswerError(
        "venue.no_answer",
        f"{host}: expected an answer, was {was}",
        "the request may have been carried out: what it was about is looked up",
        host=host,
        **details,
    )
