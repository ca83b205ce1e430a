"""What the host says about its clock, its cores and locked memory; read only."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import NamedTuple

EARLIEST_NS = 1_735_689_600_000_000_000
"""2025-01-01: a clock that shows less was never set."""

_UNSYNCHRONISED = 0x40  # STA_UNSYNC of <sys/timex.h>
_TIMEX = "=i4xqqqqi"  # modes, offset, freq, maxerror, esterror, status: the head of struct timex


class Clock(NamedTuple):
    """State of the system clock; None or empty where the host does not tell."""

    synchronised: bool | None
    max_error_us: int
    source: str


def read() -> Clock:
    """Ask the kernel whether a time daemon disciplines the clock."""
    source = _text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    buffer = ctypes.create_string_buffer(512)
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return Clock(None, 0, source)
    if adjtimex(buffer) < 0:
        return Clock(None, 0, source)
    _, _, _, max_error_us, _, status = struct.unpack_from(_TIMEX, buffer)
    return Clock(not status & _UNSYNCHRONISED, max_error_us, source)


def usable_cores() -> float:
    """Return how many cores this process may use: affinity, then the control group's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    quota, _, period = _text("/sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, int(quota) / int(period))
    return cores


def locked_memory_limit() -> int | None:
    """Return the bytes that this process may lock in memory; None is no limit."""
    try:
        import resource
    except ImportError:
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
