"""What the figures were measured on: a number without its machine says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """One host with the versions that decide its figures."""

    cpu: str
    cores: int
    kernel: str
    python: str
    numpy: str
    numba: str
    virtual: bool | None

    def __str__(self) -> str:
        """One line, stable between runs on the same host."""
        kind = {True: ", virtual", False: ", bare metal", None: ""}[self.virtual]
        return (
            f"{self.cpu}, {self.cores} cores{kind}, {self.kernel}, "
            f"python {self.python}, numpy {self.numpy}, numba {self.numba}"
        )


def fingerprint(cpuinfo: Path = CPUINFO) -> Machine:
    """Describe this host; `virtual` is None where the system does not tell."""
    text = cpuinfo.read_text(errors="replace") if cpuinfo.is_file() else ""
    return Machine(
        cpu=_field(text, "model name") or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        numpy=package("numpy"),
        numba=package("numba"),
        virtual=("hypervisor" in _field(text, "flags").split()) if _field(text, "flags") else None,
    )


def package(name: str) -> str:
    """Return the installed version of a package, `absent` without it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load() -> float | None:
    """Return the load average of the last minute; None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def commit(source: Path) -> str:
    """Return the commit that `source` is checked out at, `+` when edited; else kimera's version."""
    head = _git(source, "rev-parse", "--short=12", "HEAD")
    if not head:
        return f"kimera {package('kimera')}"
    return head + ("+" if _git(source, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *args: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *args], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _field(cpuinfo: str, name: str) -> str:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
