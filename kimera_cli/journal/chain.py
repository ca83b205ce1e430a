"""The hash chain: what an entry is, byte for byte. Specification: docs/reference/journal.md.

The body of an entry is the RECORD row itself, 160 bytes little endian, so that the bytes that the
loop wrote are the bytes that are hashed; they are decoded only when a person looks.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import R_MARKOUT, R_SAMPLE, RECORD

SCHEMA_VERSION = 1
STORED = RECORD.newbyteorder("<")
"""RECORD as stored: little endian on every machine."""
BODY_BYTES = STORED.itemsize
BULK_KINDS = (R_SAMPLE, R_MARKOUT)
"""Kinds that go to the second database: statistics, not orders or money."""

_HASHED = np.dtype([("seq", "<i8"), ("ts_ns", "<i8"), ("kind", "<i8"), ("body", STORED)])


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """First row of a journal file; the chain starts from its hash."""

    schema_version: int
    run: str
    profile_hash: str
    chain: str
    durability: str
    created_ns: int
    layout: str


class Head(NamedTuple):
    """Where a chain stands: how many entries, the last one's seq and hash."""

    entries: int
    seq: int
    hash: bytes


class Entry(NamedTuple):
    """One stored entry."""

    seq: int
    ts_ns: int
    kind: int
    body: bytes
    prev_hash: bytes
    hash: bytes


def layout_text() -> str:
    """Return the fields of the body as `name:type,...`; the header keeps it for later readers."""
    return ",".join(f"{name}:{STORED[name].str}" for name in STORED.names or ())


def canonical_hash(value: Any) -> str:
    """Return the sha256 hex of a value's JSON with sorted keys and no spaces."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def genesis(header: Header) -> bytes:
    """Return the hash that the first entry follows: sha256 of the header's canonical JSON."""
    return bytes.fromhex(canonical_hash(header))


def pack(rows: Rows) -> list[bytes]:
    """Return the body of each row."""
    raw = rows.astype(STORED, copy=False).tobytes()
    return [raw[at : at + BODY_BYTES] for at in range(0, len(raw), BODY_BYTES)]


def unpack(bodies: list[bytes]) -> Rows:
    """Return bodies as RECORD rows; each must be BODY_BYTES long."""
    return np.frombuffer(b"".join(bodies), STORED).astype(RECORD, copy=False)


def link(rows: Rows, previous: bytes) -> list[bytes]:
    """Return the hash of each row in a chain that goes on from `previous`.

    hash = sha256(previous || seq || ts_ns || kind || body), integers as 8 bytes little endian.
    """
    block = np.empty(len(rows), _HASHED)
    for name in ("seq", "ts_ns", "kind"):
        block[name] = rows[name]
    block["body"] = rows
    raw, step, sha256 = block.tobytes(), _HASHED.itemsize, hashlib.sha256
    hashes = []
    for at in range(0, len(raw), step):
        previous = sha256(previous + raw[at : at + step]).digest()
        hashes.append(previous)
    return hashes


def is_bulk(rows: Rows) -> NDArray[np.bool_]:
    """Return a mask of the rows that belong to the bulk chain, shape (n,)."""
    return np.isin(rows["kind"], BULK_KINDS)
