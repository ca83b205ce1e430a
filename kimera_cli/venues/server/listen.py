"""Ports of a host: plain and TLS, on 127.0.0.1 only, and the beat of time."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from kimera_cli.errors import VenueError
from kimera_cli.venues.server.connection import Connection
from kimera_cli.venues.server.host import TICK_S, Handler, Host

LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Listener:
    """A host (or the control API) that listens. Port 0 takes a free one."""

    host: Handler
    port: int = 0
    tls_port: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list)
    _beat: asyncio.TimerHandle | None = None

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Open the plain port and, with a TLS context, the TLS port."""
        self.port = await self._open(self.port, None)
        if context is not None:
            self.tls_port = await self._open(self.tls_port, context)
        if isinstance(self.host, Host):
            self._turn(self.host)

    async def _open(self, port: int, context: ssl.SSLContext | None) -> int:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: Connection(self.host, context is not None), LOOPBACK, port, ssl=context
            )
        except OSError as error:
            raise VenueError(
                "venue.port", f"expected port {port} free on {LOOPBACK}, was not: {error}",
                "give another port, or 0 for any free one",
            ) from None  # fmt: skip
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _turn(self, host: Host) -> None:
        host.tick()
        self._beat = asyncio.get_running_loop().call_later(TICK_S, self._turn, host)

    async def stop(self) -> None:
        """Close the ports and all connections."""
        if self._beat is not None:
            self._beat.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self.host.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
