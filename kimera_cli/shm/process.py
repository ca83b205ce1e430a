"""Which process is on the other side, and whether it lives.

A process is its id and its start time, because ids are used again. A killed process that its parent
has not reaped (a zombie) is dead. Ids of another namespace (a container) mean nothing here: then
the heartbeat alone decides.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from kimera_cli.shm.layout import SIDE_ABSENT, SIDE_CLOSED

PROC = Path("/proc/self")

STALE_NS = 2_000_000_000
"""A heartbeat older than this is stale: what the block shows is not to be taken for now."""

PeerState = Literal["absent", "live", "stalled", "dead", "closed"]
"""absent: nobody yet. stalled: the process is there, its heartbeat is not. dead: the process ended
without closing. closed: it ended and said so."""


class Peer(NamedTuple):
    """One side of a block as another process sees it."""

    state: PeerState
    pid: int
    epoch: int
    age_ns: int
    """Since its last heartbeat."""

    def __str__(self) -> str:
        if self.state == "absent":
            return "nobody yet"
        if self.state in ("dead", "stalled"):
            return f"process {self.pid}, {self.state}, last heard of {self.age_ns / 1e9:.1f} s ago"
        return f"process {self.pid}, {self.state}"


def started(pid: int) -> int | None:
    """Return when a living process started, in the system's own unit; None when it is dead."""
    return _started_proc(pid) if PROC.is_dir() else _started_psutil(pid)


def _started_psutil(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time() * 1000)
    except psutil.Error:
        return None


def _started_proc(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X", b"x") else int(fields[19])


def namespace() -> int:
    """Return a number for the namespace of process ids; 0 where the system has none."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def boot() -> tuple[int, int]:
    """Return two words that change with each start of the system; zeros where it does not tell."""
    try:
        number = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).int
    except (OSError, ValueError):
        return 0, 0
    return number >> 64, number & (2**64 - 1)


def enter(side: np.void, state: int, offset_ns: int) -> None:
    """Write this process into one side of a header; half of it is nobody."""
    side["state"] = SIDE_ABSENT
    side["pid"] = os.getpid()
    side["start"] = started(os.getpid()) or 0
    side["namespace"] = namespace()
    side["epoch"] += 1
    side["clock_offset_ns"] = offset_ns
    side["state"] = state


def peer_of(side: np.void, beat_ns: int, now_ns: int, stale_ns: int = STALE_NS) -> Peer:
    """Judge one side of a header at monotonic time `now_ns`."""
    age = now_ns - beat_ns
    return Peer(_judge(side, age, stale_ns), int(side["pid"]), int(side["epoch"]), age)


def _judge(side: np.void, age_ns: int, stale_ns: int) -> PeerState:
    if side["state"] == SIDE_ABSENT:
        return "absent"
    if side["state"] == SIDE_CLOSED:
        return "closed"
    fresh: PeerState = "live" if age_ns <= stale_ns else "stalled"
    if side["namespace"] != namespace():
        return fresh
    return fresh if started(int(side["pid"])) == side["start"] else "dead"
