"""Frames that a venue sends compressed (HTX: gzip) as the bytes that they stand for.

A frame is untrusted: its output is bounded before it is made, so that a few bytes that would
unpack to gigabytes (a bomb) cost no more than the largest frame.
"""

from __future__ import annotations

import zlib

from kimera_cli.errors import VenueError

LARGEST = 1 << 24
"""Bytes of the largest message: ten times the largest book that a venue sends."""
_GZIP = 31
"""zlib's window bits for a gzip header and trailer, whose CRC32 and length are checked."""


def inflate(payload: bytes | memoryview, limit: int = LARGEST) -> bytes:
    """Return the content of one gzip frame, at most `limit` bytes.

    VenueError `venue.frame` when it is no gzip, is damaged, is cut short, holds more than `limit`
    bytes, or when anything follows it.
    """
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(payload, limit + 1)
    except zlib.error as error:
        raise _bad("a gzip frame", str(error)) from None
    if len(content) > limit:
        raise _bad(f"at most {limit} bytes in a gzip frame", "more")
    if not stream.eof:
        raise _bad("a whole gzip frame", f"one cut short after {len(payload)} bytes")
    if stream.unused_data:
        raise _bad("one gzip frame", f"{len(stream.unused_data)} bytes behind it")
    return content


def _bad(expected: str, was: str) -> VenueError:
    return VenueError(
        "venue.frame",
        f"expected {expected}, was {was}",
        "record the connection's bytes and report the venue's new format",
    )
