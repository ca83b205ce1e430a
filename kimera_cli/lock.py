"""Named locks: two runs of one job never overlap.

A lock is an advisory `flock` on a file, which the kernel releases when its holder ends, however it
ends: there is no stale lock to clean up.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TextIO

from kimera_cli.errors import KimeraError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def hold(folder: Path, name: str) -> TextIO:
    """Take the lock `name` and return its open file: the lock lasts as long as the file is open.

    Raises UsageError `usage.lock_name`, or KimeraError `lock.held` when another process has it.
    """
    import fcntl

    if not _NAME.fullmatch(name):
        raise UsageError(
            "usage.lock_name",
            f"expected a lock name of letters, digits, dots, dashes and underscores, was '{name}'",
            "for example: --lock nightly-import",
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.lock"
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise KimeraError(
            "lock.held",
            f"expected the lock '{name}' to be free, was held by process {holder}",
            "wait until that process has ended, or use another --lock name",
            file=str(path),
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
