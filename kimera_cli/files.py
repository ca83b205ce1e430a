"""Small writes that are whole or absent, and the errors of a folder that cannot take them.

A file under its final name is complete: it is written under a temporary name in the same folder,
flushed to the disk and renamed. A full disk or a kill leaves temporary names only, and the next
write takes them up. Writers of the same file in several processes never wait for each other.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from kimera_cli.errors import RunError

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class FileInfo(NamedTuple):
    """A finished file as the manifest of a run states it."""

    rows: int
    bytes: int
    sha256: str


def write_error(path: Path, error: OSError) -> RunError:
    """Return the error of a failed write: `run.disk_full` for want of space, else `run.folder`."""
    if error.errno in _FULL:
        return RunError(
            "run.disk_full",
            f"expected room for {path}, was {os.strerror(error.errno or 0).lower()}",
            "free space or give another folder with --out; the journal keeps what was committed",
            file=str(path),
        )
    return RunError(
        "run.folder",
        f"expected to write {path}, was {error.strerror or error}",
        "give a folder that you may write with --out",
        file=str(path),
    )


def write_atomic(path: Path, data: bytes) -> None:
    """Write a small file (mode 0600) whole or not at all."""
    with replacing(path) as file:
        file.write(data)


def temporary_name(path: Path) -> Path:
    """Return the hidden name under which `path` is written."""
    return path.with_name(f".{path.name}.part")


def create_private(path: Path) -> IO[bytes]:
    """Open a new or emptied file that only its owner may read."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600), "w+b")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write into; it takes its name only when the block ends without an error.

    Of several that write the same file at once the last one's stays, whole.
    """
    try:
        temporary, file = _temporary(path)
        with file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise write_error(path, error) from error


def _temporary(path: Path) -> tuple[Path, IO[bytes]]:
    """Open the hidden name of `path`, or one of its own while somebody else writes there."""
    name = temporary_name(path)
    file = os.fdopen(os.open(name, os.O_CREAT | os.O_RDWR, 0o600), "w+b")
    if _is_ours(name, file):
        file.truncate()
        return name, file
    file.close()
    from tempfile import mkstemp

    descriptor, own = mkstemp(".part", f".{path.name}.", path.parent)
    return Path(own), os.fdopen(descriptor, "w+b")


def _is_ours(name: Path, file: IO[bytes]) -> bool:
    """Take the lock that lasts as long as the file is open, and allows to empty and rename it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What another writer has renamed or removed meanwhile is not the file of this name.
        return os.path.samestat(os.fstat(file.fileno()), name.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
