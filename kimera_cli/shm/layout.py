"""The header of a shared block: one page, the same for every kind.

Offsets are part of the file format: a change raises VERSION. Words that one process writes often
(heartbeats, indices) have lines of their own, indices 128 bytes apart, because processors fetch
lines in pairs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

import numpy as np

Kind = Literal["ring", "broadcast", "state", "counters", "table"]
KINDS: tuple[Kind, ...] = ("ring", "broadcast", "state", "counters", "table")
"""By code in the header. Append only."""

MAGIC = int.from_bytes(b"KIMERAB\n", "little")
VERSION = 1
HEADER_BYTES = 4096
LINE_BYTES = 64

SIDE = np.dtype(
    [
        ("pid", "i8"),
        ("start", "i8"),  # when that process started, in the system's own unit
        ("namespace", "i8"),  # of its process ids; 0: the system has none
        ("epoch", "i8"),  # how many processes have been this side
        ("state", "i8"),  # SIDE_*
        ("clock_offset_ns", "i8"),  # wall clock less monotonic clock when it attached
    ],
    align=True,
)
"""Who is one side of a block."""

SIDE_ABSENT = 0
SIDE_ATTACHED = 1
SIDE_CLOSED = 2

WRITER_AT = 128
WRITER_BEAT_AT = 192
READER_AT = 256
READER_BEAT_AT = 320
TAIL_AT = 384
CLAIM_AT = 392
"""Broadcast: on tail's line, because one process writes both and readers read both."""
HEAD_AT = 512

HEADER = np.dtype(
    {
        "names": [
            "magic",
            "version",
            "kind",
            "schema",
            "stride",
            "capacity",
            "file_bytes",
            "data_at",
            "record_bytes",
            "text_bytes",
            "created_ns",
            "boot",
            "writer",
            "writer_beat_ns",
            "reader",
            "reader_beat_ns",
            "tail",
            "claim",
            "head",
        ],
        "formats": [
            *["u8", "i8", "i8", "u8", "i8", "i8", "i8", "i8", "i8", "i8", "i8", ("u8", (2,))],
            *[SIDE, "i8", SIDE, "i8", "i8", "i8", "i8"],
        ],
        "offsets": [
            *range(0, 88, 8),
            88,
            *(WRITER_AT, WRITER_BEAT_AT, READER_AT, READER_BEAT_AT, TAIL_AT, CLAIM_AT, HEAD_AT),
        ],
        "itemsize": HEADER_BYTES,
    }
)
"""First page of every block. `text_bytes` of UTF-8 JSON follow it where the kind has any."""


def up_to(value: int, multiple: int) -> int:
    """Return the smallest multiple that is not below `value`."""
    return -(-value // multiple) * multiple


def schema_hash(kind: Kind, dtype: np.dtype[Any], text: bytes = b"") -> int:
    """Return 64 bits over everything that decides how a record is read: names, types, offsets."""
    told = json.dumps([VERSION, kind, _fields(dtype), dtype.itemsize], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(told.encode() + text).digest()[:8], "little")


def _fields(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_fields(base), list(shape)]
    if dtype.fields is None:
        return dtype.str
    return [[name, dtype.fields[name][1], _fields(dtype.fields[name][0])] for name in dtype.fields]
