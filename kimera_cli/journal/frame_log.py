"""A memory-mapped log of frames of any length: what is written survives the process at once.

The kernel owns the mapped pages, so they outlive a killed process; a power cut may lose them. A
frame is (crc32, length, tag, sequence number, payload); one that was torn by a kill fails its crc
and ends the log. Once the database behind has every frame, the log starts again at its beginning;
what is left of earlier rounds is told by sequence numbers that do not go on.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from kimera_cli.files import create_private, write_error

CAPACITY = 1 << 20
"""Bytes of a new log."""

_HEAD = struct.Struct("<IIIQ")
_AFTER_CRC = 4


class Frame(NamedTuple):
    """One frame as it was written."""

    seq: int
    payload: bytes


class FrameLog:
    """The writing side of one log; the tag tells one journal's frames from another's."""

    def __init__(self, path: Path, tag: int, *, capacity: int = CAPACITY) -> None:
        self.path = path
        self._tag = tag
        self._at = 0
        try:
            self._file = path.open("r+b") if _is_whole(path) else _allocate(path, capacity)
            self._map = mmap.mmap(self._file.fileno(), 0)
        except OSError as error:
            raise write_error(path, error) from error

    def fits(self, payload: bytes) -> bool:
        """Return whether there is room for another frame before the next `restart`."""
        return self._at + _HEAD.size + len(payload) <= len(self._map)

    def append(self, seq: int, payload: bytes) -> None:
        """Write a frame; when this returns, a killed process does not lose it."""
        body = _HEAD.pack(0, len(payload), self._tag, seq)[_AFTER_CRC:] + payload
        frame = zlib.crc32(body).to_bytes(_AFTER_CRC, "little") + body
        end = self._at + len(frame)
        self._map[self._at : end] = frame
        self._at = end

    def restart(self) -> None:
        """Begin again at the first byte: the database holds every frame written so far."""
        self._at = 0

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()
        self._file.close()


def frames(path: Path, tag: int, after: int) -> Iterator[Frame]:
    """Yield the frames that follow `after` without a hole; none when there is no log."""
    if not path.is_file():
        return
    expected = after + 1
    for frame in _all_frames(path.read_bytes(), tag):
        if frame.seq == expected:
            yield frame
            expected += 1
        elif frame.seq > expected:
            return


def _all_frames(raw: bytes, tag: int) -> Iterator[Frame]:
    at = 0
    while at + _HEAD.size <= len(raw):
        crc, length, found_tag, seq = _HEAD.unpack_from(raw, at)
        end = at + _HEAD.size + length
        whole = end <= len(raw) and zlib.crc32(raw[at + _AFTER_CRC : end]) == crc
        if not whole or found_tag != tag:
            return
        yield Frame(seq, raw[at + _HEAD.size : end])
        at = end


def _is_whole(path: Path) -> bool:
    """A kill while the file was made leaves a shorter one, which nothing was written to."""
    return path.is_file() and path.stat().st_size >= mmap.PAGESIZE


def _allocate(path: Path, capacity: int) -> IO[bytes]:
    file = create_private(path)
    # Written now, because a full disk would later be a SIGBUS in the middle of a store.
    file.write(bytes(capacity))
    file.flush()
    return file
