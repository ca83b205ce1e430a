"""What the kernel says of a stretch of this process's memory: the proof of what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SMAPS = Path("/proc/self/smaps")
STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


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


def available(
    meminfo: Path = MEMINFO, groups: Path = GROUPS, own_group: Path = OWN_GROUP
) -> int | None:
    """Return the bytes that can be used without swapping; None where the system does not tell.

    The least of what the host has and of what every control group (v2) above this process leaves.
    """
    left = [_field(meminfo, "MemAvailable"), *(_left(f) for f in _groups(groups, own_group))]
    return min((size for size in left if size is not None), default=None)


def _groups(groups: Path, own_group: Path) -> list[Path]:
    """Return the folder of this process's control group and those above it."""
    try:
        lines = own_group.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    own = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    folder = groups / own
    return [folder, *(p for p in folder.parents if p.is_relative_to(groups))]


def _left(group: Path) -> int | None:
    """Return what a control group's limit leaves; None where it has none."""
    try:
        limit = (group / "memory.max").read_text(encoding="utf-8").strip()
        used = int((group / "memory.current").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return max(0, int(limit) - used) if limit.isdigit() else None


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
