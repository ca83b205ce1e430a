"""One owner per account at a venue: the process that may send its orders and write its journal.

The lock is an advisory `flock`, which the kernel releases when its holder ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from kimera_cli.errors import RunError
from kimera_cli.files import write_error

LOCK = "owner.lock"


class Owner:
    """The lock while it is held."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Become the owner; RunError `run.account_busy` names the process that is."""
        path = folder / LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise write_error(path, error) from error
        if not _lock(descriptor, fcntl.LOCK_EX):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise RunError(
                "run.account_busy",
                f"expected the account of {folder} to be free, was held by process {holder}",
                "stop that process with Ctrl-C, or trade through it",
                file=str(path),
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let the account go."""
        os.close(self._descriptor)


def is_owned(folder: Path) -> bool:
    """Return whether a living process owns the account."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
