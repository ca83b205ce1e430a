"""One mapped file: made whole or not at all, and refused when it is not what it should be.

A block is filled under a temporary name and linked to its own, so nobody maps half of a header; its
space is allocated at once, because a page that a full disk cannot give would kill whoever touches
it. An unclean file of an earlier start of the system is refused: which of its pages reached the
disk is unknown. The mapping lives as long as an array of it does.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from kimera_cli.errors import DataError, RunError
from kimera_cli.shm.layout import (
    HEADER,
    HEADER_BYTES,
    KINDS,
    LINE_BYTES,
    MAGIC,
    SIDE_ATTACHED,
    VERSION,
    Kind,
    schema_hash,
    up_to,
)
from kimera_cli.shm.process import boot


class Clocks(Protocol):
    """Two clocks in ns, as `Context` has them."""

    @property
    def now_ns(self) -> Any:
        """Wall clock, a callable."""

    @property
    def monotonic_ns(self) -> Any:
        """Clock that is the same for all processes and never steps, a callable."""


class Shape(NamedTuple):
    """What a block must be: its kind, the record it holds and how many of them."""

    kind: Kind
    dtype: np.dtype[Any]
    stride: int
    capacity: int
    text: bytes = b""

    @property
    def schema(self) -> int:
        """Hash over all that decides how a record is read."""
        return schema_hash(self.kind, self.dtype, self.text)

    @property
    def data_at(self) -> int:
        """Where the first record lies."""
        return HEADER_BYTES + up_to(len(self.text), LINE_BYTES)

    @property
    def file_bytes(self) -> int:
        """Size of the whole file."""
        return up_to(self.data_at + self.stride * self.capacity, HEADER_BYTES)


class Segment:
    """A mapped block. `header` is a live view of its first page, `address` where it is mapped."""

    def __init__(self, path: Path, descriptor: int, writable: bool) -> None:
        self.path = path
        self.inode = os.fstat(descriptor).st_ino
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        mapped = mmap.mmap(descriptor, 0, mmap.MAP_SHARED, protection)
        self.bytes = np.frombuffer(mapped, np.uint8)
        self.header: Any = self.bytes[:HEADER_BYTES].view(HEADER)[0]

    @property
    def address(self) -> int:
        """Address of the first byte in this process."""
        return int(self.bytes.ctypes.data)

    @property
    def text(self) -> bytes:
        """The JSON that follows the header."""
        return self.bytes[HEADER_BYTES : HEADER_BYTES + int(self.header["text_bytes"])].tobytes()

    def replaced(self) -> bool:
        """Return whether the file at this path is another one by now."""
        try:
            return self.path.stat().st_ino != self.inode
        except OSError:
            return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from attaching meanwhile."""
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def open_segment(path: Path, shape: Shape | Kind, *, writable: bool) -> Segment:
    """Map an existing block of this shape (of any record when only a kind is given).

    DataError `data.block_*` names the file, what is wrong with it and the mend.
    """
    with _descriptor(path, writable) as descriptor:
        _check_owner(path, descriptor)
        _check_size(path, os.fstat(descriptor).st_size, HEADER_BYTES)
        segment = Segment(path, descriptor, writable)
    _check_header(segment, shape)
    return segment


def create_segment(path: Path, shape: Shape, clocks: Clocks, *, replace: bool = False) -> Segment:
    """Make a block, or open what another process made first; with `replace`, always anew."""
    if not replace and path.exists():
        return open_segment(path, shape, writable=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _write(temporary, shape, clocks)
        if replace:
            temporary.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
    except OSError as error:
        raise RunError(
            "run.shared_memory",
            f"expected room for {shape.file_bytes} bytes at {path}, "
            f"was {(error.strerror or str(error)).lower()}",
            "free space there, set KIMERA_RUNTIME to another folder, or ask for a smaller block",
            file=str(path),
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return open_segment(path, shape, writable=True)


def _write(path: Path, shape: Shape, clocks: Clocks) -> None:
    header = np.zeros(1, HEADER)
    for name, value in {
        "magic": MAGIC,
        "version": VERSION,
        "kind": KINDS.index(shape.kind),
        "schema": shape.schema,
        "stride": shape.stride,
        "capacity": shape.capacity,
        "file_bytes": shape.file_bytes,
        "data_at": shape.data_at,
        "record_bytes": shape.dtype.itemsize,
        "text_bytes": len(shape.text),
        "created_ns": clocks.now_ns(),
        "boot": boot(),
    }.items():
        header[name] = value
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, shape.file_bytes)
        else:
            os.ftruncate(descriptor, shape.file_bytes)
        os.pwrite(descriptor, header.tobytes() + shape.text, 0)
    finally:
        os.close(descriptor)


@contextmanager
def _descriptor(path: Path, writable: bool) -> Iterator[int]:
    try:
        descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise _bad(path, "missing", "a shared block", "no file", "start what writes it") from error
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise _bad(path, "owner", "a shared block of yours", said, _DELETE) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check_owner(path: Path, descriptor: int) -> None:
    found = os.fstat(descriptor)
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        was = f"{stat.filemode(found.st_mode)} of user {found.st_uid}"
        raise _bad(path, "owner", "a file of yours with mode 0600", was, f"chmod 600 {path}")


def _check_size(path: Path, size: int, at_least: int) -> None:
    if size < at_least:
        raise _bad(path, "size", f"at least {at_least} bytes", f"{size}", _DELETE)


def _check_header(segment: Segment, shape: Shape | Kind) -> None:
    head, path = segment.header, segment.path
    _same(path, "magic", "kimera's shared blocks", MAGIC, int(head["magic"]))
    _same(path, "version", "layout version", VERSION, int(head["version"]))
    kind = shape if isinstance(shape, str) else shape.kind
    found = int(head["kind"])
    _same(path, "kind", "a block of kind", kind, KINDS[found] if 0 <= found < len(KINDS) else found)
    _same(path, "size", "file size", int(head["file_bytes"]), len(segment.bytes))
    if isinstance(shape, Shape):
        _same(path, "schema", "schema hash", f"{shape.schema:016x}", f"{int(head['schema']):016x}")
        for name in ("record_bytes", "stride", "capacity", "data_at", "text_bytes", "file_bytes"):
            wanted = len(shape.text) if name == "text_bytes" else _wanted(shape, name)
            _same(path, "size", name, wanted, int(head[name]))
    else:
        _check_geometry(segment)
    _check_boot(segment)


def _wanted(shape: Shape, name: str) -> int:
    return shape.dtype.itemsize if name == "record_bytes" else int(getattr(shape, name))


def _check_geometry(segment: Segment) -> None:
    """A block opened by what its header says must at least not point outside of its file."""
    head = segment.header
    numbers = [int(head[name]) for name in ("text_bytes", "data_at", "stride", "capacity")]
    text, data_at, stride, capacity = numbers
    inside = HEADER_BYTES + text <= data_at and data_at + stride * capacity <= len(segment.bytes)
    if min(numbers) < 0 or not inside:
        was = f"{capacity} records of {stride} bytes at {data_at}"
        raise _bad(segment.path, "size", "a block that lies inside its file", was, _DELETE)


def _check_boot(segment: Segment) -> None:
    head = segment.header
    attached = SIDE_ATTACHED in (int(head["writer"]["state"]), int(head["reader"]["state"]))
    if attached and tuple(int(word) for word in head["boot"]) != boot():
        was = "one that was in use when the system stopped: pages of it may be missing"
        raise _bad(segment.path, "boot", "a block of this start of the system", was, _DELETE)


_DELETE = "delete it when nothing uses it; it is made anew at the next start"


def _same(path: Path, what: str, name: str, expected: Any, was: Any) -> None:
    if was != expected:
        raise _bad(path, what, f"{name} {expected}", str(was), _DELETE)


def _bad(path: Path, what: str, expected: str, was: str, hint: str) -> DataError:
    return DataError(
        f"data.block_{what}", f"expected {expected} at {path}, was {was}", hint, file=str(path)
    )
