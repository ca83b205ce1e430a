"""Holds a thread to one core, and asks for a real-time place if that is wanted; both read back.

Affinity belongs to a thread, and a thread that is started by a pinned one is pinned to the same
core. A helper thread (a journal's writer) is therefore started inside `elsewhere()`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ISOLATED = Path("/sys/devices/system/cpu/isolated")
THREAD = Path("/proc/thread-self/status")


@dataclass(frozen=True)
class Pin:
    """A thread on one core; `before` are the cores it had."""

    core: int
    before: frozenset[int]
    thread: int

    @property
    def others(self) -> frozenset[int]:
        """The cores that are left for everything else; all of them when there is only one."""
        return (self.before - {self.core}) or self.before

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Move this thread away while it starts others, which stay there."""
        os.sched_setaffinity(0, self.others)
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self.core})

    def restore(self) -> None:
        """Give the thread its cores back."""
        os.sched_setaffinity(self.thread, self.before)


def parse_cores(text: str) -> frozenset[int]:
    """Return the cores of a kernel list such as `0-3,8`."""
    found: set[int] = set()
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        if low.strip().isdigit():
            found |= set(range(int(low), int(high or low) + 1))
    return frozenset(found)


def choose_core(allowed: frozenset[int], isolated: frozenset[int]) -> int:
    """Return the core to use: an isolated one, else the last (the first serves interrupts)."""
    return max(allowed & isolated) if allowed & isolated else max(allowed)


def allowed_cores(thread: Path = THREAD) -> frozenset[int]:
    """Return the cores that the kernel says this thread may run on; empty where it does not."""
    try:
        text = thread.read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return parse_cores(value)
    return frozenset()


def isolated_cores(path: Path = ISOLATED) -> frozenset[int]:
    """Return the cores that the scheduler leaves alone (isolcpus)."""
    try:
        return parse_cores(path.read_text(encoding="utf-8"))
    except OSError:
        return frozenset()


def pin(core: int | None = None) -> Pin:
    """Hold this thread to `core`, or to the best one; OSError with the reason when refused."""
    if not hasattr(os, "sched_setaffinity"):
        raise OSError(f"{os.name} does not pin threads")
    before = frozenset(os.sched_getaffinity(0))
    chosen = choose_core(before, isolated_cores()) if core is None else core
    if chosen not in before:
        raise OSError(f"expected one of the cores {sorted(before)}, was {chosen}")
    os.sched_setaffinity(0, {chosen})
    if allowed_cores() != {chosen}:
        os.sched_setaffinity(0, before)
        raise OSError(f"expected core {chosen} when read back, was {sorted(allowed_cores())}")
    return Pin(chosen, before, threading.get_native_id())


@dataclass(frozen=True)
class RealTime:
    """A thread under SCHED_FIFO, with the policy and priority it had."""

    thread: int
    priority: int
    policy_before: int
    priority_before: int

    def restore(self) -> None:
        """Give the thread its old place back."""
        os.sched_setscheduler(self.thread, self.policy_before, os.sched_param(self.priority_before))


def real_time(priority: int) -> RealTime:
    """Put this thread under SCHED_FIFO (its children stay outside); OSError when refused."""
    if not hasattr(os, "sched_setscheduler"):
        raise OSError(f"{os.name} has no SCHED_FIFO")
    before = (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    if os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK != os.SCHED_FIFO:
        raise OSError("expected SCHED_FIFO when read back, was another policy")
    return RealTime(threading.get_native_id(), os.sched_getparam(0).sched_priority, *before)
