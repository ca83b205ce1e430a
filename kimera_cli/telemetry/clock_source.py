"""Which clock this host can be timed with: what the kernel says of its time-stamp counter.

The counter is trusted when the processor promises one rate in every power state (constant_tsc,
nonstop_tsc), has the ordered read (rdtscp), and Linux still lists `tsc` among its clock sources: it
takes the counter off that list when it finds cores that disagree or a rate that wanders. The
current source may be another (kvm-clock): then the system's own calls are slower, not wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = "sys/devices/system/clocksource/clocksource0"
PROMISES = ("constant_tsc", "nonstop_tsc", "rdtscp")


class ClockSource(NamedTuple):
    """What a host says about its clocks; `refusal` is empty when its counter may be read."""

    current: str
    available: tuple[str, ...]
    refusal: str

    @property
    def tsc(self) -> bool:
        """Whether the time-stamp counter may be read instead of the system's clock."""
        return not self.refusal


def examine(root: Path = Path("/"), *, has_counter: bool = True) -> ClockSource:
    """Read what the kernel under `root` says; `has_counter`: the kernels can read a counter."""
    current = _text(root / FOLDER / "current_clocksource")
    available = tuple(_text(root / FOLDER / "available_clocksource").split())
    flags = _flags(_text(root / "proc/cpuinfo"))
    return ClockSource(current, available, _refusal(available, flags, has_counter))


def _refusal(available: tuple[str, ...], flags: set[str], has_counter: bool) -> str:
    if not has_counter:
        return "no time-stamp counter that kernels can read (another processor, or not compiled)"
    if not flags:
        return "the system does not tell what its processor promises (no /proc/cpuinfo)"
    if missing := [name for name in PROMISES if name not in flags]:
        return f"expected the processor flags {', '.join(PROMISES)}, was without {missing[0]}"
    if "tsc" not in available:
        listed = ", ".join(available) or "none"
        return f"expected tsc among the kernel's clock sources, was {listed}"
    return ""


def _flags(cpuinfo: str) -> set[str]:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return set(value.split())
    return set()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
