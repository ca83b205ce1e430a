"""The capture format of cryptofeed: raw venue messages, one line each, as they came over the wire.

    <url> <-> <unix seconds>            a connection was opened
    <url> <- <unix seconds>: <message>  sent to the venue
    <url> -> <unix seconds>: <body>     answer to a REST request
    <unix seconds>: <message>           received on the websocket

One recording is several files: `VENUE.ws.N.0` (websocket), `VENUE.0` (REST: instruments) and
`VENUE.http.N.0` (REST: book snapshots), each possibly packed. Importers are given the websocket
file and look for the others beside it. HTX sends gzip frames; cryptofeed writes them as a Python
bytes literal.
"""

from __future__ import annotations

import ast
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from kimera_cli.data.importers.base import bad_line
from kimera_cli.data.streams import Progress, open_lines

FORMAT = "data.format"
"""Code of the error for a line that is not what it should be."""
PACKED = ("", ".gz", ".xz", ".zst")
_LINE = re.compile(rb"(?:(\S+) (<->|<-|->) )?(\d{1,12}(?:\.\d*)?)(?:: (.*))?", re.DOTALL)
_SETTINGS = b"configuration: "
"""Start of the line in `VENUE.0` that holds cryptofeed's own settings."""
_NAME = re.compile(r"(?P<venue>[A-Za-z0-9_.-]+?)\.(?:ws|http)\.\d+\.\d+(?:\.(?:gz|xz|zst))?")


class Message(NamedTuple):
    """One line of one file; `url` is empty for what came over the websocket."""

    path: Path
    line: int
    url: str
    sent: bool
    ts_ns: int
    body: bytes


def seconds_to_ns(text: str) -> int:
    """Return nanoseconds of decimal seconds, exactly (floats would lose the last digits)."""
    whole, _, fraction = text.partition(".")
    return int(whole) * 1_000_000_000 + int((fraction + "000000000")[:9])


def iso_to_ns(text: str) -> int:
    """Return nanoseconds of an ISO time in UTC such as `2021-04-17T16:43:30.244075Z`."""
    moment = datetime.fromisoformat(text)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


def read_capture(path: Path, progress: Progress | None = None) -> Iterator[Message]:
    """Yield the messages of one capture file in order, without connects and blank lines."""
    for number, raw in open_lines(path, progress):
        if not raw or raw.startswith(_SETTINGS):
            continue
        match = _LINE.fullmatch(raw)
        if match is None or (match[2] != b"<->" and match[4] is None):
            raise bad_line(path, number, "a line of a cryptofeed capture", raw, FORMAT)
        url, arrow, seconds, body = match.groups()
        if arrow == b"<->":
            continue
        text = _unpack(path, number, body)
        ts_ns = seconds_to_ns(seconds.decode())
        yield Message(path, number, (url or b"").decode(), arrow == b"<-", ts_ns, text)


def companions(path: Path, kind: str) -> list[Path]:
    """Return the REST files beside a capture: kind "meta" (`VENUE.0`), "http" (`VENUE.http.*`)."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return []
    venue = match["venue"]
    if kind == "meta":
        found = [path.with_name(f"{venue}.0{suffix}") for suffix in PACKED]
        return [candidate for candidate in found if candidate.is_file()][:1]
    return sorted(path.parent.glob(f"{venue}.http.*.0*"))


def _unpack(path: Path, number: int, body: bytes) -> bytes:
    """Return the JSON text of a message; decodes the bytes literal of a gzip frame."""
    if body[:2] not in (b"b'", b'b"'):
        return body
    try:
        frame = ast.literal_eval(body.decode("ascii"))
        return zlib.decompress(frame, wbits=31)
    except (SyntaxError, ValueError, zlib.error, MemoryError) as error:
        raise bad_line(path, number, f"a gzip frame ({error})", body, FORMAT) from None
