"""What the kernel says of a stretch of this process's memory: the proof of what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SMAPS = Path("/proc/self/smaps")
STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")


class Extent(NamedTuple):
    """Facts of a stretch of memory in bytes, summed over the mappings that lie in it."""

    resident: int
    locked: int
    huge: int
    """On huge pages, transparent or explicit."""


def read_back(start: int, size: int, smaps: Path = SMAPS) -> Extent | None:
    """Return what the kernel holds of [start, start + size); None where it does not tell.

    Only mappings that lie wholly inside count, so that nothing of a neighbour is claimed.
    """
    try:
        text = smaps.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = [f for low, high, f in _mappings(text) if start <= low and high <= start + size]
    if not found:
        return None
    return Extent(
        sum(_resident(f) for f in found),
        sum(f.get("Locked", 0) for f in found),
        sum(_huge(f) for f in found),
    )


def process_locked(status: Path = STATUS) -> int | None:
    """Return the bytes that this process has locked (VmLck); None where it is not told."""
    return _field(status, "VmLck")


def available(meminfo: Path = MEMINFO, cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the bytes that can be used without swapping: the host's, and the control group's."""
    free = _field(meminfo, "MemAvailable")
    try:
        limit = (cgroup / "memory.max").read_text(encoding="utf-8").strip()
        used = int((cgroup / "memory.current").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return free
    if not limit.isdigit():
        return free
    left = max(0, int(limit) - used)
    return left if free is None else min(free, left)


def huge_page(meminfo: Path = MEMINFO) -> tuple[int, int]:
    """Return the size of an explicit huge page and how many are free; zeros when there are none."""
    size = _field(meminfo, "Hugepagesize") or 0
    return size, _count(meminfo, "HugePages_Free") if size else 0


def _resident(fields: dict[str, int]) -> int:
    return fields.get("Rss", 0) + fields.get("Private_Hugetlb", 0)


def _huge(fields: dict[str, int]) -> int:
    return fields.get("AnonHugePages", 0) + fields.get("Private_Hugetlb", 0)


def _mappings(text: str) -> list[tuple[int, int, dict[str, int]]]:
    """Return (start, end, fields in bytes) of every mapping."""
    found: list[tuple[int, int, dict[str, int]]] = []
    for line in text.splitlines():
        head, _, rest = line.partition(" ")
        low, dash, high = head.partition("-")
        if dash and not head.endswith(":"):
            found.append((int(low, 16), int(high, 16), {}))
        elif found and rest.endswith("kB"):
            found[-1][2][head.rstrip(":")] = int(rest.split()[0]) * 1024
    return found


def _field(path: Path, name: str) -> int | None:
    """Return a field that is told in kB, as bytes."""
    kilobytes = _count(path, name)
    return None if kilobytes < 0 else kilobytes * 1024


def _count(path: Path, name: str) -> int:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return -1
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    return -1
