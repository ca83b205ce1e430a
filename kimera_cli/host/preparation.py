"""Prepares this process for a run, says of each step whether it took, and undoes it at the end.

Nothing is claimed that was not read back: memory from /proc/self/smaps, cores from
/proc/thread-self/status, the policy from the scheduler. A step that the host denies is a record
with the reason and the mend, and the run goes on: it is slower or less even, not wrong.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from types import TracebackType

from kimera_cli.host import locking, pinning, smaps
from kimera_cli.host.collector import Collector
from kimera_cli.host.pinning import Pin, RealTime
from kimera_cli.host.pool import BLOCK, Pool
from kimera_cli.records import Preparation

MIB = 1 << 20
POOL_BYTES = 100 * MIB
SPARE = 64 * MIB
"""Memory that is left to the rest of the process when there is little."""

RAISE_LOCK = (
    "raise it: `ulimit -l unlimited` before the start, a memlock line in "
    "/etc/security/limits.d, LimitMEMLOCK= in a systemd unit, or the capability CAP_IPC_LOCK"
)
NOT_TOLD = "this system does not tell (no /proc/self/smaps): nothing is claimed"


@dataclass(frozen=True)
class Wanted:
    """What to prepare."""

    pool_bytes: int = POOL_BYTES
    lock: bool = True
    huge: bool = True
    pin: bool = True
    core: int | None = None
    """None: an isolated core if there is one, else the last that is allowed."""
    priority: int = 0
    """SCHED_FIFO priority, 1 to 99; 0: the ordinary scheduler."""
    freeze: bool = True


@dataclass
class Prepared:
    """A prepared process; `restore` puts it back."""

    pool: Pool
    records: list[Preparation] = field(default_factory=list)
    pin: Pin | None = None
    real_time: RealTime | None = None
    collector: Collector | None = None

    @property
    def warnings(self) -> list[str]:
        """One line for each step that was not taken as asked."""
        return [
            f"{r.item}: asked for {r.asked}, got {r.got}: {r.reason}"
            + (f" ({r.hint})" if r.hint else "")
            for r in self.records
            if r.status != "applied"
        ]

    def arrays(self) -> Preparation:
        """Say where the arrays lie that were carved since; for after the set-up."""
        pool, loose = self.pool, self.pool.used_unlocked
        return Preparation(
            item="arrays",
            status="partial" if loose else "applied",
            asked=f"{_mib(pool.used + pool.outside)} of arrays in locked memory",
            got=f"{_mib(pool.used - loose + pool.outside)} locked, {_mib(pool.outside)} outside",
            reason=f"{_mib(loose)} lie beyond the locked part or the pool" if loose else "",
            hint="a larger pool, or a higher limit of locked memory" if loose else "",
        )

    def restore(self) -> None:
        """Undo every step, last first; arrays that still lie in the pool keep its memory."""
        if self.collector is not None:
            self.collector.restore()
        if self.real_time is not None:
            self.real_time.restore()
        if self.pin is not None:
            self.pin.restore()
        self.collector = self.real_time = self.pin = None
        self.pool.close()

    def __enter__(self) -> Prepared:
        """Return itself: `with prepare(wanted) as prepared`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore in every case."""
        self.restore()


def prepare(wanted: Wanted | None = None) -> Prepared:
    """Take memory, lock it, pin this thread, still the collector; see `records` of the result."""
    wanted = wanted or Wanted()
    pool, records = _pool(wanted)
    done = Prepared(pool, records)
    try:
        if wanted.lock:
            records.append(_lock(pool))
        if wanted.pin or wanted.core is not None:
            records.append(_pin(done, wanted.core))
        if wanted.priority:
            records.append(_real_time(done, wanted.priority))
        if wanted.freeze:
            records.append(_freeze(done))
    except BaseException:
        done.restore()
        raise
    return done


def _pool(wanted: Wanted) -> tuple[Pool, list[Preparation]]:
    free = smaps.available()
    room = wanted.pool_bytes if free is None else max(BLOCK, free - SPARE)
    pool = Pool(min(wanted.pool_bytes, room), huge=wanted.huge)
    extent = pool.extent()
    got = extent.resident if extent else 0
    reason = "" if extent else NOT_TOLD
    if extent and got < wanted.pool_bytes:
        reason = f"the host has {_mib(free or 0)} free, of which {_mib(SPARE)} are left alone"
    records = [
        _record("memory", f"{_mib(wanted.pool_bytes)} present", got, wanted.pool_bytes, reason)
    ]
    if wanted.huge:
        records.append(_huge(pool, extent.huge if extent else 0))
    return pool, records


def _huge(pool: Pool, huge: int) -> Preparation:
    reason = "" if huge >= pool.size else pool.huge.reason or "the kernel found none in one piece"
    hint = (
        f"set {pool.size // BLOCK} pages aside: sysctl vm.nr_hugepages; or transparent ones: "
        "/sys/kernel/mm/transparent_hugepage/enabled = madvise"
    )
    asked = f"{_mib(pool.size)} on huge pages"
    return _record("huge_pages", asked, huge, pool.size, reason, hint, pool.huge.kind)


def _lock(pool: Pool) -> Preparation:
    """Lock all of the pool; where the limit forbids that, as much as it allows."""
    if pool.huge.kind == "explicit":
        return _never_swapped(pool)
    code = pool.lock(pool.size)
    reason = hint = ""
    if code:
        limit, held = locking.lock_limit(), smaps.process_locked() or 0
        reason = locking.why(code)
        if limit is not None and limit < pool.size + held:
            reason, hint = f"RLIMIT_MEMLOCK is {_mib(limit)}", RAISE_LOCK
            part = _rounded(max(0, limit - held))
            if part and (code := pool.lock(part)):
                reason = f"{reason}; {locking.why(code)}"
    extent = pool.extent()
    got = extent.locked if extent else 0
    asked = f"{_mib(pool.size)} locked"
    if extent is None:
        reason = NOT_TOLD
    elif got < pool.size and not reason:
        reason = "the kernel shows less locked than it granted"
    return _record("locked_memory", asked, got, pool.size, reason, hint)


def _rounded(size: int) -> int:
    """Return whole huge pages, or whole pages where it is less than one."""
    return size // BLOCK * BLOCK or size // mmap.PAGESIZE * mmap.PAGESIZE


def _never_swapped(pool: Pool) -> Preparation:
    """Explicit huge pages need no lock: Linux never swaps them, nor counts them as locked."""
    pool.locked_until = pool.size
    extent = pool.extent()
    asked = f"{_mib(pool.size)} locked"
    got = extent.huge if extent else 0
    return _record("locked_memory", asked, got, pool.size, NOT_TOLD, how="never swapped")


def _pin(done: Prepared, core: int | None) -> Preparation:
    asked = f"one core ({'the best' if core is None else core})"
    try:
        done.pin = pin = pinning.pin(core)
    except OSError as error:
        return _denied("pinned", asked, f"cores {_listed(pinning.allowed_cores())}", error)
    alone = len(pin.before) == 1
    isolated = pin.core in pinning.isolated_cores()
    return Preparation(
        item="pinned",
        status="applied",
        asked=asked,
        got=f"core {_listed(pinning.allowed_cores())}{', isolated' if isolated else ''}",
        reason="the only core allowed: everything else runs on it too" if alone else "",
    )


def _real_time(done: Prepared, priority: int) -> Preparation:
    asked = f"SCHED_FIFO, priority {priority}"
    try:
        done.real_time = pinning.real_time(priority)
    except OSError as error:
        return _denied("real_time", asked, "the ordinary scheduler", error)
    got = f"SCHED_FIFO, priority {done.real_time.priority}"
    return Preparation(item="real_time", status="applied", asked=asked, got=got)


def _freeze(done: Prepared) -> Preparation:
    done.collector = collector = Collector()
    collector.freeze()
    return Preparation(
        item="garbage_collector",
        status="applied" if collector.still else "denied",
        asked="frozen, collected between events only",
        got=f"{collector.frozen} objects frozen, automatic collection off"
        if collector.still
        else "automatic collection on",
        reason="" if collector.still else "another part of the process switched it on",
    )


def _record(
    item: str, asked: str, got: int, wanted: int, reason: str, hint: str = "", how: str = ""
) -> Preparation:
    whole = got >= wanted
    return Preparation(
        item=item,
        status="applied" if whole else "partial" if got > 0 else "denied",
        asked=asked,
        got=_mib(got) + (f", {how}" if how and got else ""),
        reason="" if whole else reason,
        hint="" if whole else hint,
    )


def _denied(item: str, asked: str, got: str, error: OSError) -> Preparation:
    reason = (error.strerror or str(error)).lower()
    hint = "CAP_SYS_NICE, or an rtprio line in /etc/security/limits.d"
    return Preparation(
        item=item,
        status="denied",
        asked=asked,
        got=got,
        reason=reason,
        hint=hint if item == "real_time" else "",
    )


def _listed(cores: frozenset[int]) -> str:
    return ",".join(map(str, sorted(cores))) or "unknown"


def _mib(size: int) -> str:
    return f"{size / MIB:.4g} MiB"
