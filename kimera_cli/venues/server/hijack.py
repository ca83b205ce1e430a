"""Clients without a changed URL: every venue host leads to the server, every other host nowhere.

`hijack_session` is what an unmodified ccxt.pro takes as `session`: REST and websockets then reach
the TLS port of the server, and nothing else on earth. hijack_sync.py has the same for ccxt without
asyncio.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

LOOPBACK = "127.0.0.1"


def not_simulated(host: str) -> OSError:
    """Return the refusal of a host or address that is not the server's."""
    return OSError(errno.ENETUNREACH, f"{host} is not simulated: no test may reach a live venue")


class LoopbackResolver(AbstractResolver):
    """Resolves the venues' hosts to the server's TLS port, and refuses every other name."""

    def __init__(self, hosts: Iterable[str], tls_port: int) -> None:
        self.hosts = frozenset(hosts)
        self.tls_port = tls_port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the server's address; OSError for a host that is not simulated."""
        if host not in self.hosts:
            raise not_simulated(host)
        return [
            ResolveResult(
                hostname=host, host=LOOPBACK, port=self.tls_port, family=socket.AF_INET, proto=0,
                flags=int(socket.AI_NUMERICHOST),
            )
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


def client_context(root: Path) -> ssl.SSLContext:
    """Return a context that trusts the server's authority and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=root)
    return context


def hijack_session(hosts: Iterable[str], tls_port: int, root: Path) -> aiohttp.ClientSession:
    """Return a session for the simulated hosts; close it yourself, ccxt does not."""

    def only_the_server(address: aiohttp.AddrInfoType) -> socket.socket:
        # a URL with an address, or a proxy, passes by the resolver: no name is looked up
        family, kind, proto, _, place = address
        if place[:2] != (LOOPBACK, tls_port):
            raise not_simulated(f"{place[0]}:{place[1]}")
        return socket.socket(family, kind, proto)

    connector = aiohttp.TCPConnector(
        ssl=client_context(root),
        resolver=LoopbackResolver(hosts, tls_port),
        use_dns_cache=False,
        socket_factory=only_the_server,
    )
    return aiohttp.ClientSession(connector=connector)
