"""The hijack for ccxt without asyncio: what it takes as `session` is of requests.

Connections are made here and not by name: whatever host, proxy or address a URL has, the socket
leads to the server's TLS port or is not made at all.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from kimera_cli.venues.server.hijack import LOOPBACK, not_simulated


def hijack_requests(hosts: Iterable[str], tls_port: int, root: Path | str) -> requests.Session:
    """Return a session for the simulated hosts; it trusts the server's authority alone."""
    session = requests.Session()
    session.trust_env = False
    adapter = _Adapter(_pools(frozenset(hosts), tls_port), str(root))
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


class _Adapter(HTTPAdapter):
    """Connects by our own pools, and verifies by our root whatever a request asks for."""

    def __init__(self, pools: dict[str, Any], root: str) -> None:
        self._pools = pools
        self._root = root
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the manager of pools; none of them connects elsewhere."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **_: Any) -> Any:
        """Refuse every proxy."""
        raise requests.exceptions.ProxyError(str(not_simulated(proxy)))

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Verify by the root (ccxt asks for the system's authorities by `verify=True`)."""
        super().cert_verify(conn, url, self._root, cert)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        """Say the same for the key of the pool."""
        return super().build_connection_pool_key_attributes(request, self._root, cert)


def _pools(hosts: frozenset[str], tls_port: int) -> dict[str, Any]:
    """Return the classes of pools by scheme, whose sockets lead to the server alone."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            raise NewConnectionError(self, str(not_simulated(f"http://{self.host}")))

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            if self.host not in hosts:
                raise NewConnectionError(self, str(not_simulated(self.host)))
            return socket.create_connection((LOOPBACK, tls_port), self.timeout)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
