"""One writer per run: an advisory lock on its folder, which the kernel releases in any case."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kimera_cli.errors import RunError
from kimera_cli.files import write_error


def take_lease(folder: Path) -> int:
    """Become the folder's only writer until the returned descriptor is closed or the process ends.

    RunError `run.busy` when another process writes this run.
    """
    try:
        lease = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise write_error(folder, error) from error
    if _lock(lease, fcntl.LOCK_EX):
        return lease
    os.close(lease)
    raise RunError(
        "run.busy",
        f"expected the run {folder} to have ended, was still being written",
        "wait until it has ended, or stop it with Ctrl-C",
    )


def is_written(folder: Path) -> bool:
    """Return whether a living process writes this run."""
    probe = os.open(folder, os.O_RDONLY)
    try:
        return not _lock(probe, fcntl.LOCK_SH)
    finally:
        os.close(probe)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
