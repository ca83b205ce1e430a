"""Where a venue's hosts are: on the internet, or at a venue server on this machine.

A client always speaks to the venue's own host name (it is in the `Host` header, in what is signed,
and in the certificate); only the socket goes elsewhere. At a venue server every host of the venues
that it serves is one port of 127.0.0.1, by TLS under its own CA or plain; every other host is
refused, so that nothing meant for the server can reach a real venue.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from kimera_cli.errors import UsageError, VenueError

TLS_PORT = 443
LOOPBACK = "127.0.0.1"
RECORD = "venue_listening"


class Endpoint(NamedTuple):
    """What to dial for a host."""

    address: str
    port: int
    tls: ssl.SSLContext | None


@dataclass(frozen=True)
class Internet:
    """The venues themselves."""

    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @property
    def live(self) -> bool:
        """Whether orders sent here are orders at a venue."""
        return True

    def endpoint(self, host: str, port: int = TLS_PORT) -> Endpoint:
        """Return what to dial for a host."""
        return Endpoint(host, port, self.tls)


@dataclass(frozen=True)
class Server:
    """A venue server on this machine; `tls` None: its plain port."""

    port: int
    tls: ssl.SSLContext | None = None
    hosts: frozenset[str] = frozenset()
    """Hosts that it answers for; empty: it was not said, and it will refuse by itself."""

    @property
    def live(self) -> bool:
        """Whether orders sent here are orders at a venue."""
        return False

    def endpoint(self, host: str, port: int = TLS_PORT) -> Endpoint:
        """Return what to dial for a host; VenueError `venue.not_served` for a host it has not."""
        if self.hosts and host not in self.hosts:
            raise VenueError(
                "venue.not_served",
                f"expected a host of the venue server, was {host}",
                "start it with this venue: kimera venue serve --venues ...",
            )
        return Endpoint(LOOPBACK, self.port, self.tls)


Addresses = Internet | Server


class Listening(msgspec.Struct):
    """What is read of the server's own record (`kimera venue serve --format jsonl`)."""

    type: str = ""
    port: int = 0
    tls_port: int = 0
    ca: str = ""
    keys: str = ""


def addresses_of(server: str | None) -> Addresses:
    """Return where the venues' hosts are: at the server of `--server`, else on the internet."""
    return server_from(server)[0] if server else Internet()


def server_from(text: str) -> tuple[Server, Path | None]:
    """Return the server of `--server` and where its keys are: a record's file, or a plain address.

    UsageError `usage.server` when it is neither, or not on this machine.
    """
    if "://" in text:
        return Server(_port(text)), None
    path = Path(text)
    record = _record(path)
    if not record.tls_port or not record.ca:
        server = Server(record.port)
    else:
        server = Server(record.tls_port, _trust(record.ca, path))
    return server, Path(record.keys) if record.keys else None


def _port(url: str) -> int:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # no number, or one that no port has
        port = None
    if parts.scheme != "http" or parts.hostname not in (LOOPBACK, "localhost") or not port:
        raise UsageError(
            "usage.server",
            f"expected http://{LOOPBACK}:PORT or the file of a venue_listening record, was {url}",
            "a venue server is on this machine; kimera venue serve says where",
        )
    return port


def _record(path: Path) -> Listening:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    for line in lines:
        try:
            found = msgspec.json.decode(line, type=Listening)
        except msgspec.DecodeError:
            continue
        if found.type == RECORD and (found.port or found.tls_port):
            return found
    raise _unreadable(path, "no such record")


def _trust(ca: str, path: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise _unreadable(path, f"a CA file {ca} that cannot be read ({error})") from None


def _unreadable(path: Path, was: str) -> UsageError:
    return UsageError(
        "usage.server",
        f"{path}: expected a {RECORD} record, was {was}",
        "kimera venue serve --format jsonl > FILE writes it",
        file=str(path),
    )
