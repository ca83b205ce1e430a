"""The runtime folder: where the blocks of one profile are, for their owner only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from kimera_cli.errors import RunError, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SHARED_MEMORY = Path("/dev/shm")


def runtime_folder(env: Mapping[str, str], profile: str) -> Path:
    """Return the folder of a profile's blocks, made if needed, mode 0700.

    KIMERA_RUNTIME, else kimera/ in XDG_RUNTIME_DIR, else kimera-UID/ in /dev/shm or TMPDIR.
    RunError `run.runtime_folder` when it belongs to somebody else or others may look into it.
    """
    if not NAME.fullmatch(profile):
        raise UsageError(
            "usage.profile_name",
            f"expected a profile's name (letters, digits, dots, dashes), was '{profile}'",
        )
    folder = _base(env) / profile
    for each in (folder.parent, folder):
        _make_private(each)
    return folder


def _base(env: Mapping[str, str]) -> Path:
    if named := env.get("KIMERA_RUNTIME"):
        return Path(named)
    if session := env.get("XDG_RUNTIME_DIR"):
        return Path(session) / "kimera"
    owner = f"kimera-{os.getuid()}"
    if SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK):
        return SHARED_MEMORY / owner
    return Path(env.get("TMPDIR") or "/tmp") / owner


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise RunError(
            "run.runtime_folder",
            f"expected to make the runtime folder {folder}, was {error.strerror or error}",
            "set KIMERA_RUNTIME to a folder that you may write",
            file=str(folder),
        ) from error
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not mode & 0o077:
        return
    raise RunError(
        "run.runtime_folder",
        f"expected the runtime folder {folder} to be a folder of yours with mode 0700, "
        f"was {stat.filemode(found.st_mode)} of user {found.st_uid}",
        f"chmod 700 {folder}, or set KIMERA_RUNTIME to another folder",
        file=str(folder),
    )
