"""How the hosts of venues are reached: as they are, or at a venue server on this machine.

A client always names the venue's own host, in its address, its `Host` header and its certificate;
an `Addresses` says where the socket goes. `kimera_cli.venues.clients.addresses` has one for a venue
server; `Direct` is the venues themselves.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

_PORTS = {"wss": 443, "https": 443, "ws": 80, "http": 80}
_PLAIN = {"wss": "ws", "https": "http"}


class Endpoint(Protocol):
    """What to dial for a host; `tls` None: without TLS."""

    @property
    def address(self) -> str:
        """Host name or IP address."""

    @property
    def port(self) -> int:
        """TCP port."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """Whom to trust."""


class Addresses(Protocol):
    """Tells where hosts are."""

    def endpoint(self, host: str, port: int = 443) -> Endpoint:
        """Return what to dial; VenueError for a host that must not be reached."""


class Host(NamedTuple):
    """An Endpoint."""

    address: str
    port: int
    tls: ssl.SSLContext | None


@dataclass(frozen=True)
class Direct:
    """Every host is where its name says."""

    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def endpoint(self, host: str, port: int = 443) -> Host:
        """Return the host itself."""
        return Host(host, port, self.tls)


class Dialled(NamedTuple):
    """An address as picows takes it."""

    url: str
    tls: ssl.SSLContext | None
    socket_factory: Callable[[Any], Awaitable[socket.socket]] | None


def dialled(url: str, addresses: Addresses) -> Dialled:
    """Return how to open a websocket address; one without TLS (ws://) is taken as it stands."""
    parts = urlsplit(url)
    if parts.scheme == "ws":
        return Dialled(url, None, None)
    host = parts.hostname or ""
    endpoint = addresses.endpoint(host, port_of(parts))
    address = (endpoint.address, endpoint.port)
    if endpoint.tls is not None and address == (host, port_of(parts)):
        return Dialled(url, endpoint.tls, None)

    async def connect(_: Any) -> socket.socket:
        return await _connected(*address)

    plain = urlunsplit(parts._replace(scheme=_PLAIN[parts.scheme]))
    return Dialled(url if endpoint.tls else plain, endpoint.tls, connect)


def port_of(parts: SplitResult) -> int:
    """Return the port of an address."""
    return parts.port or _PORTS[parts.scheme]


async def _connected(address: str, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
