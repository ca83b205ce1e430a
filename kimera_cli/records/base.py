"""What every record is, and the two that every stream may hold.

A record is a CLI line, an API body, a TUI row and an entry of the published JSON Schema. Adding an
optional field is allowed; anything else raises SCHEMA_VERSION. Times are int64 ns since the Unix
epoch, UTC (exact in Python, beyond 2^53 in JavaScript). A float that can be undefined is declared
`float | None`; NaN never leaves.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SCHEMA_VERSION = 1

JsonObject = dict[str, Any]


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag=_snake,
    forbid_unknown_fields=True,
):
    """Base of all records; `type` is the class name in snake case."""


class End(Record, frozen=True):
    """Last line of every stream: without it the producer died."""

    status: Literal["ok", "partial", "error", "interrupted"]
    rows: int
    code: int


class Error(Record, frozen=True):
    """What went wrong, with a stable dotted code and the mend."""

    code: str
    message: str
    hint: str = ""
    details: JsonObject = {}
