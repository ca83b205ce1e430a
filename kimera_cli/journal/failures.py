"""Errors of files that hold a journal: no room, no right, no journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kimera_cli.errors import DataError, KimeraError, RunError


def write_failure(path: Path, error: sqlite3.Error | OSError) -> KimeraError:
    """Return `run.disk_full` when a write found no room, else `run.journal`."""
    code = getattr(error, "sqlite_errorname", "")
    if code in ("SQLITE_FULL", "SQLITE_IOERR_WRITE") or getattr(error, "errno", 0) in (27, 28, 122):
        return RunError(
            "run.disk_full",
            f"expected room for {path}, was none ({error})",
            "free space or give another folder with --out; the journal keeps what was committed",
            file=str(path),
        )
    return RunError(
        "run.journal",
        f"expected to write {path}, was refused ({error})",
        "check the folder's permissions and that no other program holds the file",
        file=str(path),
    )


def damaged_journal(path: Path, what: str) -> DataError:
    """Return the error of a journal that cannot be read as one."""
    return DataError(
        "data.journal",
        f"expected {path} as kimera wrote it, was damaged ({what})",
        f"kimera journal verify {path.parent} tells up to where it holds",
        file=str(path),
    )
