"""The audit journal, line by line and checked."""

from __future__ import annotations

from kimera_cli.records.base import JsonObject, Record


class JournalEntry(Record, frozen=True):
    """One entry of the audit stream."""

    seq: int
    ts_ns: int
    kind: str
    hash: str
    body: JsonObject
    text: str = ""


class JournalCheck(Record, frozen=True):
    """Result of verifying one part of a run: a hash chain, the trade hash, a file."""

    run: str
    entries: int
    ok: bool
    bad_seq: int | None = None
    detail: str = ""
    check: str = ""
    file: str = ""
    table: str = ""
    last_seq: int | None = None
    hash: str = ""
