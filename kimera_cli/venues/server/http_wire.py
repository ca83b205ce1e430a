"""HTTP/1.1 answers as bytes, and the websocket handshake."""

from __future__ import annotations

import base64
import hashlib
from http import HTTPStatus

from kimera_cli.venues.server.dialect import Response

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}
_STATUS[418] = "HTTP/1.1 418 I'm a teapot\r\n"


def response_bytes(response: Response, keep_alive: bool = True) -> bytes:
    """Return an answer as it goes out."""
    status = _STATUS.get(response.status) or f"HTTP/1.1 {response.status} \r\n"
    extra = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
    head = (
        f"{status}Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n{extra}"
        f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + response.body


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept of a client's key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def upgrade_bytes(key: str) -> bytes:
    """Return the answer that completes a websocket handshake, without extensions."""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    ).encode()
