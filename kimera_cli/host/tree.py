"""The host as files: every read and every write of this room goes through one root folder.

The root is `/` for this machine. Another folder is another host's tree: one that is mounted into a
container, or one that a test made. What the kernel tells by system call and not by file is asked
for `/` only (`live`).
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")
NEEDS_ROOT = "needs root"
_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted, also not for root: a container or a locked-down kernel",
    errno.EROFS: "read-only file system: set it on the host outside of this container",
    errno.EINVAL: "the kernel does not take this value",
    errno.EIO: "the kernel manages this one itself",
    errno.EBUSY: "in use",
    errno.ENOENT: "not there",
    errno.ENODEV: "the device does not offer it",
    errno.ENOTSUP: "the device does not offer it",
}


@dataclass(frozen=True)
class Tree:
    """A host below `root`; names are absolute as that host sees them (`/proc/sys/vm/swappiness`).

    `euid` is the effective user id of this process: what root could do and it cannot is told apart
    from what nobody can.
    """

    root: Path = Path("/")
    euid: int = 0

    @property
    def live(self) -> bool:
        """Whether this is the machine that the process runs on."""
        return self.root == Path("/")

    def path(self, name: str) -> Path:
        """Return where a name of that host lies for this process."""
        return self.root / name.lstrip("/")

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return self.path(name).exists()

    def text(self, name: str) -> str:
        """Return a file's text without the space around it; empty when absent or unreadable."""
        try:
            return self.path(name).read_bytes().decode("utf-8", "replace").strip("\0 \t\n")
        except OSError:
            return ""

    def number(self, name: str) -> int | None:
        """Return a file's whole number; None when it holds none."""
        text = self.text(name)
        return int(text) if text.removeprefix("-").isdigit() else None

    def names(self, pattern: str) -> list[str]:
        """Return the names that match a glob pattern, numbers in counting order."""
        found = (f"/{p.relative_to(self.root)}" for p in self.root.glob(pattern.lstrip("/")))
        return sorted(found, key=_natural)

    def target(self, name: str) -> str:
        """Return the last part of a symbolic link's target (a driver's name); empty for none."""
        try:
            return self.path(name).readlink().name
        except OSError:
            return ""

    def writable(self, name: str) -> bool:
        """Whether the permissions and the mount let this process write; the kernel may refuse."""
        return os.access(self.path(name), os.W_OK)

    def write(self, name: str, value: str) -> None:
        """Write a value into a file that exists; it is never created. Raises OSError."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)

    def refusal(self, error: OSError, name: str) -> str:
        """Return why a write of this file failed, for a person."""
        if error.errno in (errno.EACCES, errno.EPERM):
            if self.euid != 0:
                return NEEDS_ROOT
            if name.startswith("/proc/irq/"):
                return _REASONS[errno.EIO]
        return _REASONS.get(error.errno or 0, error.strerror or str(error))

    def blocked(self, name: str) -> str:
        """Return why a write of this file would fail, as far as one sees before; empty for none."""
        if not self.exists(name):
            return "not there"
        if self.writable(name):
            return ""
        return _REASONS[errno.EROFS] if self.euid == 0 else NEEDS_ROOT


def last_part(name: str) -> str:
    """Return the part of a name after its last slash."""
    return name.rpartition("/")[2]


def _natural(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in _DIGITS.split(name)]
