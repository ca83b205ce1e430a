"""A recording of live feeds: what was received, byte for byte, with the local time of each piece.

The first line is a Header in JSON. Every other line is

    <local ns> <connection> <what>[ <content>]

and ends with a line feed. `what`, and its content:

    begin     the feed began: what its reader has of the books is older (recordings of runs)
    open      a connection came about and its streams were asked for
    text      a message, as it was received
    book N    the answer to a request for the book of instrument N
    told N    the answer that the book of instrument N is compared with
    watch N   that answer was asked for; judge N: it was compared
    silent N  the depth channel of instrument N was given up as silent
    lost      the connection is gone
    end       the recording ended as it should; nothing follows

A content that is no single line of text is base64, and `64` stands behind the word: `text64`. What
is not there was not received: a line without its end, or an archive that is cut off, is the tear of
a recorder that was killed, and everything before it counts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from kimera_cli.data.streams import Progress, open_blocks
from kimera_cli.errors import DataError
from kimera_cli.feeds.dialect import Kind
from kimera_cli.instrument import Instrument

VERSION = 1
MAGIC = b'{"recording":"kimera"'


class Part(msgspec.Struct, frozen=True):
    """What went over one connection; `numbers` are places in the header's instruments."""

    numbers: tuple[int, ...]
    kinds: tuple[Kind, ...]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    recording: str = "kimera"
    version: int = VERSION
    venue: str
    started_ns: int
    instruments: tuple[Instrument, ...]
    connections: tuple[Part, ...]


class Line(NamedTuple):
    """One line of a recording."""

    number: int
    ts_ns: int
    connection: int
    what: str
    instrument: int
    """-1 where it speaks of none."""
    content: bytes


def header_line(header: Header) -> bytes:
    """Return the first line of a recording."""
    return msgspec.json.encode(header) + b"\n"


def line_of(
    ts_ns: int, connection: int, what: str, content: bytes | memoryview = b"", instrument: int = -1
) -> bytes:
    """Return one line."""
    body = bytes(content)
    begin = f"{ts_ns} {connection} {what}"
    end = "" if instrument < 0 else f" {instrument}"
    if b"\n" in body or b"\r" in body or not body.isascii():
        return f"{begin}64{end} ".encode() + base64.b64encode(body) + b"\n"
    return f"{begin}{end}".encode() + (b" " + body if body else b"") + b"\n"


def read_header(path: Path, line: bytes) -> Header:
    """Return the header; DataError `data.bad_line`."""
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, DataError) as error:
        raise _bad(path, 1, f"the header of a recording ({error})", line) from None
    if header.version != VERSION:
        raise _bad(path, 1, f"version {VERSION} of the format", str(header.version).encode())
    return header


def read_lines(path: Path, progress: Progress | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield (1-based line number, line) of every whole line; a tear at the end is left out.

    DataError when the file cannot be read, or is damaged in other ways than being cut off.
    """
    number, carry = 0, b""
    blocks = open_blocks(path, progress)
    while True:
        try:
            block = next(blocks, None)
        except DataError as error:
            if error.code != "data.truncated":
                raise
            return
        if block is None:
            return
        *lines, carry = (carry + block).split(b"\n")
        for line in lines:
            number += 1
            yield number, line


_NUMBERED = ("book", "told", "watch", "judge", "silent")
_PLAIN = ("begin", "open", "text", "lost", "end")


def parse_line(path: Path, number: int, line: bytes) -> Line:
    """Return one line behind the header; DataError `data.bad_line` names file and line."""
    stamp, _, rest = line.partition(b" ")
    connection, _, rest = rest.partition(b" ")
    word, _, rest = rest.partition(b" ")
    what, instrument = word.decode("ascii", "replace"), b"-1"
    packed = what.endswith("64")
    what = what.removesuffix("64")
    if what in _NUMBERED:
        instrument, _, rest = rest.partition(b" ")
    try:
        if what not in _NUMBERED and what not in _PLAIN:
            raise ValueError
        content = base64.b64decode(rest, validate=True) if packed else rest
        return Line(number, int(stamp), int(connection), what, int(instrument), content)
    except (ValueError, binascii.Error):
        raise _bad(path, number, "`<local ns> <connection> <what> <content>`", line) from None


def _bad(path: Path, number: int, expected: str, was: bytes) -> DataError:
    shown = was[:80].decode("utf-8", "replace")
    return DataError(
        "data.bad_line",
        f"expected {expected} in {path} line {number}, was {shown}",
        "record it again, or cut the file off before this line",
        file=str(path),
        line=number,
    )
