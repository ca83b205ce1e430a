"""Bytes and lines of recordings, unpacked on the way.

`.gz`, `.xz` and `.zst` are told by their first bytes, not by their names. Reading is streaming:
memory does not grow with the file. A file that ends too early or is damaged gives a DataError that
names the file and the line reached; what came before it has already been handed out.
"""

from __future__ import annotations

import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

from kimera_cli.errors import DataError

Progress = Callable[[int], None]
"""Told how many bytes of the file (as stored) were read since the last call."""

CHUNK = 1 << 16
HEAD = 1 << 16
"""How many unpacked bytes an importer may look at to recognise its format."""

_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\x00"
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Unpacker(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes) -> bytes: ...


def open_lines(path: Path, progress: Progress | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield (1-based line number, line without its end) of a text file, unpacked.

    DataError: `data.missing_file`, `data.empty_file`, `data.unreadable`, and `data.truncated` or
    `data.damaged` with the line that was being read.
    """
    number, carry = 0, b""
    blocks = open_blocks(path, progress)
    while True:
        try:
            block = next(blocks, None)
        except DataError as error:
            raise _at_line(error, path, number + 1) from None
        if block is None:
            break
        *lines, carry = (carry + block).split(b"\n")
        for line in lines:
            number += 1
            yield number, line.removesuffix(b"\r")
    if carry:
        yield number + 1, carry


def open_blocks(path: Path, progress: Progress | None = None) -> Iterator[bytes]:
    """Yield the unpacked content of a file in non-empty blocks; errors as in `open_lines`."""
    blocks = _stored(path, progress)
    first = next(blocks, b"")
    if not first:
        raise DataError("data.empty_file", f"expected data in {path}, was an empty file")
    unpacker = _unpacker(first)
    if unpacker is None:
        yield first
        yield from blocks
    else:
        yield from _unpacked(path, _chain(first, blocks), unpacker)


def read_head(path: Path, size: int = HEAD) -> bytes:
    """Return the first `size` unpacked bytes; fewer when the file is shorter or ends too early."""
    head = bytearray()
    try:
        for block in open_blocks(path):
            head += block
            if len(head) >= size:
                break
    except DataError as error:
        if error.code not in ("data.truncated", "data.damaged") or not head:
            raise
    return bytes(head[:size])


def sha256(paths: Sequence[Path]) -> str:
    """Return the hex digest of a file's stored bytes; of several: of their digests in order."""
    digests = []
    for path in paths:
        digest = hashlib.sha256()
        for block in _stored(path, None):
            digest.update(block)
        digests.append(digest.hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _stored(path: Path, progress: Progress | None) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while block := stream.read(CHUNK):
                if progress:
                    progress(len(block))
                yield block
    except FileNotFoundError:
        raise DataError("data.missing_file", f"expected a file at {path}, was nothing") from None
    except OSError as error:
        raise DataError(
            "data.unreadable", f"expected a readable file at {path}, was: {error.strerror}"
        ) from None


def _unpacker(first: bytes) -> Callable[[], _Unpacker] | None:
    if first.startswith(_GZIP):
        return lambda: cast(_Unpacker, zlib.decompressobj(wbits=31))
    if first.startswith(_XZ):
        return lambda: cast(_Unpacker, lzma.LZMADecompressor(lzma.FORMAT_XZ))
    if first.startswith(_ZSTD):
        import zstandard

        return lambda: cast(_Unpacker, zstandard.ZstdDecompressor().decompressobj())
    return None


def _unpacked(
    path: Path, blocks: Iterable[bytes], make: Callable[[], _Unpacker]
) -> Iterator[bytes]:
    """Unpack members that follow one another (gzip, xz and zstd files may hold several)."""
    member, inside = make(), False
    for stored in blocks:
        block = stored
        while block:
            if not inside:
                block = block.lstrip(b"\x00")  # padding after a member is allowed
                if not block:
                    break
            text = _decompress(path, member, block)
            block, inside = (member.unused_data, False) if member.eof else (b"", True)
            if member.eof:
                member = make()
            if text:
                yield text
    if inside:
        raise DataError(
            "data.truncated",
            f"expected a complete archive in {path}, was cut off",
            "copy or record the file again",
            file=str(path),
        )


def _decompress(path: Path, member: _Unpacker, block: bytes) -> bytes:
    try:
        return member.decompress(block)
    except Exception as error:  # zlib.error, LZMAError, ZstdError: no common base
        raise DataError(
            "data.damaged",
            f"expected an intact archive in {path}, was damaged: {error}",
            "copy or record the file again",
            file=str(path),
        ) from None


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _at_line(error: DataError, path: Path, line: int) -> DataError:
    if error.code not in ("data.truncated", "data.damaged"):
        return error
    message = f"{error.message} (line {line})"
    return DataError(error.code, message, error.hint, file=str(path), line=line)
