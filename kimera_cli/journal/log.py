"""A memory-mapped append log: what is written survives the process at once.

The file holds fixed slots of 176 bytes (crc32, chain tag, ordinal, body). The kernel owns the
mapped pages, so they outlive the process; a power cut may lose them. A slot torn by a kill fails
its crc and is ignored. The database follows behind; once it holds every slot, the log starts
again from its first one.
"""

from __future__ import annotations

import mmap
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from kimera_cli.files import create_private, write_error
from kimera_cli.journal.chain import STORED, Head
from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import RECORD

CAPACITY = 16_384
"""Slots of a new log: 2.75 MiB."""

SLOT = np.dtype([("crc", "<u4"), ("tag", "<u4"), ("ordinal", "<i8"), ("body", STORED)])
_CHECKED = SLOT.itemsize - 4


class AppendLog:
    """The slots of one file; the tag (from the genesis hash) tells one run's from another's."""

    def __init__(self, path: Path, genesis: bytes, *, capacity: int = CAPACITY) -> None:
        self.path = path
        self._tag = tag_of(genesis)
        self._at = 0
        try:
            self._file = path.open("r+b") if path.exists() else _allocate(path, capacity)
            self._map = mmap.mmap(self._file.fileno(), 0)
        except OSError as error:
            raise write_error(path, error) from error
        self._slots = np.frombuffer(self._map, SLOT, count=len(self._map) // SLOT.itemsize)

    @property
    def free(self) -> int:
        """Slots left before the database must catch up."""
        return len(self._slots) - self._at

    def append(self, rows: Rows, first_ordinal: int) -> None:
        """Write rows into the next slots; `first_ordinal` is the first one's chain position."""
        block = np.empty(len(rows), SLOT)
        block["tag"] = self._tag
        block["ordinal"] = np.arange(first_ordinal, first_ordinal + len(rows))
        block["body"] = rows
        block["crc"] = _checksums(block)
        self._slots[self._at : self._at + len(rows)] = block
        self._at += len(rows)

    def restart(self) -> None:
        """Begin again at the first slot: the database holds every row written so far."""
        self._at = 0

    def close(self) -> None:
        """Unmap the file."""
        del self._slots
        self._map.close()
        self._file.close()


def waiting(path: Path, head: Head, genesis: bytes) -> Rows:
    """Return the rows of a log that a database with this head has not got, in order, shape (n,).

    Slots of another chain, torn slots and slots behind the head are skipped; the result ends at the
    first hole.
    """
    if not path.is_file():
        return np.empty(0, RECORD)
    raw = path.read_bytes()
    slots = np.frombuffer(raw, SLOT, count=len(raw) // SLOT.itemsize)
    slots = slots[(slots["tag"] == tag_of(genesis)) & (slots["ordinal"] > head.entries)]
    slots = slots[slots["crc"] == _checksums(slots)]
    slots = slots[np.argsort(slots["ordinal"], kind="stable")]
    follows = slots["ordinal"] == head.entries + 1 + np.arange(len(slots))
    whole = len(slots) if follows.all() else int(np.argmin(follows))
    rows: Rows = slots["body"][:whole].astype(RECORD)
    return rows


def tag_of(genesis: bytes) -> int:
    """Return the tag of a chain's slots."""
    return int.from_bytes(genesis[:4], "little")


def _checksums(slots: NDArray[np.void]) -> NDArray[np.uint32]:
    raw, step = slots.tobytes(), SLOT.itemsize
    sums = [zlib.crc32(raw[at + 4 : at + 4 + _CHECKED]) for at in range(0, len(raw), step)]
    return np.array(sums, np.uint32)


def _allocate(path: Path, capacity: int) -> IO[bytes]:
    file = create_private(path)
    # Written now, because a full disk would later be a SIGBUS in the middle of a store.
    file.write(bytes(capacity * SLOT.itemsize))
    file.flush()
    return file
