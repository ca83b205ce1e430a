"""Outbound websocket frames (RFC 6455): server frames are not masked, so one serves all sockets."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec

OP_TEXT = 0x1
OP_BINARY = 0x2
OP_CLOSE = 0x8
OP_PING = 0x9
OP_PONG = 0xA

_encode = msgspec.json.Encoder(decimal_format="string").encode


class Frame:
    """One message, framed once: `wire` is what goes out, `payload` what the client reads.

    `plain` is what it says, where the payload is compressed.
    """

    __slots__ = ("opcode", "payload", "plain", "wire")

    def __init__(self, payload: bytes, opcode: int = OP_TEXT, plain: bytes | None = None) -> None:
        self.payload = payload
        self.opcode = opcode
        self.plain = payload if plain is None else plain
        self.wire = header(opcode, len(payload)) + payload


def header(opcode: int, size: int) -> bytes:
    """Return the header of a final, unmasked frame."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")


def text_frame(payload: str | bytes) -> Frame:
    """Return a text frame of ready text."""
    return Frame(payload.encode() if isinstance(payload, str) else payload)


def binary_frame(payload: bytes) -> Frame:
    """Return a binary frame."""
    return Frame(payload, OP_BINARY)


def gzip_frame(value: Any) -> Frame:
    """Return a binary frame of a value as gzipped JSON (htx)."""
    plain = _encode(value)
    return Frame(gzip.compress(plain, 1, mtime=0), OP_BINARY, plain)


def json_frame(value: Any) -> Frame:
    """Return a text frame of a value as compact JSON (msgspec.Raw stands as it is)."""
    return Frame(_encode(value))


def json_bytes(value: Any) -> bytes:
    """Return a value as compact JSON; Decimal becomes a string, msgspec.Raw stands as it is."""
    return _encode(value)
