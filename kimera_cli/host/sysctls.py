"""Kernel settings that are one number or word in /proc/sys, with the advice of each profile.

`None` leaves a setting alone. `least` and `most` accept what is already beyond the advice. Values
follow the kernel's own documentation (Documentation/admin-guide/sysctl) and the latency profiles
of tuned (latency-performance, network-latency) where those have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from kimera_cli.host.item import NOW, Item, Profile, Write
from kimera_cli.host.tree import Tree
from kimera_cli.host.writes import to_write

MIB = 1 << 20


@dataclass(frozen=True)
class Sysctl:
    """One setting: `key` is its name for sysctl(8), `rule` how a value is held to the advice."""

    item: str
    area: str
    key: str
    why: str
    effect: str
    laptop: int | None = None
    server: int | None = None
    hft: int | None = None
    rule: Literal["equal", "least", "most"] = "equal"
    unless: str = ""
    """A setting that replaces this one while it is not 0 (`vm.dirty_bytes`)."""

    @property
    def path(self) -> str:
        """Name of the file."""
        return path_of(self.key)

    def advice(self, profile: Profile) -> int | None:
        """Return the profile's value."""
        return {"laptop": self.laptop, "server": self.server, "hft": self.hft}[profile]

    def meets(self, current: int, advice: int) -> bool:
        """Whether a value is as advised."""
        if self.rule == "least":
            return current >= advice
        return current <= advice if self.rule == "most" else current == advice


def path_of(key: str) -> str:
    """Return the file of a sysctl key."""
    return f"/proc/sys/{key.replace('.', '/')}"


def key_of(path: str) -> str:
    """Return the sysctl key of a file below /proc/sys."""
    return path.removeprefix("/proc/sys/").replace("/", ".")


SYSCTLS = (
    Sysctl(
        item="swappiness",
        area="memory",
        key="vm.swappiness",
        laptop=10,
        server=10,
        hft=1,
        rule="most",
        why="the kernel may swap out idle pages of the engine to grow its file cache",
        effect="fewer page faults from disk after a quiet spell; none where there is no swap",
    ),
    Sysctl(
        item="dirty ratio",
        area="memory",
        key="vm.dirty_ratio",
        server=10,
        hft=10,
        rule="most",
        unless="vm.dirty_bytes",
        why="above this share of memory a writer (the journal) must wait for the disk itself",
        effect="shorter write stalls, at the price of earlier write-back",
    ),
    Sysctl(
        item="dirty background ratio",
        area="memory",
        key="vm.dirty_background_ratio",
        server=3,
        hft=3,
        rule="most",
        unless="vm.dirty_background_bytes",
        why="write-back starts at this share of memory",
        effect="small, frequent write-back instead of bursts that fill the disk's queue",
    ),
    Sysctl(
        item="proactive compaction",
        area="memory",
        key="vm.compaction_proactiveness",
        hft=0,
        why="background compaction moves pages of running processes around",
        effect="fewer pauses of some microseconds; huge pages are harder to get later",
    ),
    Sysctl(
        item="huge pages",
        area="memory",
        key="vm.nr_hugepages",
        hft=64,
        rule="least",
        why="reserved 2 MiB pages for the engine's rings and pools (128 MiB)",
        effect="fewer TLB misses; the memory is gone for everything else",
    ),
    Sysctl(
        item="statistics interval",
        area="kernel",
        key="vm.stat_interval",
        hft=10,
        rule="least",
        why="each core folds its memory counters once per this many seconds",
        effect="fewer interruptions of the engine's core",
    ),
    Sysctl(
        item="watchdog interrupts",
        area="kernel",
        key="kernel.nmi_watchdog",
        hft=0,
        why="the hard lockup detector interrupts each core and holds a performance counter",
        effect="one interruption less; a hung core is no longer reported",
    ),
    Sysctl(
        item="timer migration",
        area="kernel",
        key="kernel.timer_migration",
        hft=0,
        why="timers of idle cores move to busy ones, which the engine's core is",
        effect="fewer foreign timers on the engine's core",
    ),
    Sysctl(
        item="automatic numa balancing",
        area="kernel",
        key="kernel.numa_balancing",
        server=0,
        hft=0,
        why="the kernel unmaps pages to see which node touches them",
        effect="no page faults from sampling; memory stays where it was touched first",
    ),
    Sysctl(
        item="busy polling of sockets",
        area="network",
        key="net.core.busy_read",
        hft=50,
        rule="least",
        why="a blocking read polls the card's queue for so many microseconds before it sleeps",
        effect="no interrupt and no wake-up for a frame that comes soon; a core stays busy",
    ),
    Sysctl(
        item="busy polling of poll",
        area="network",
        key="net.core.busy_poll",
        hft=50,
        rule="least",
        why="the same for poll and select, which an event loop waits in",
        effect="as above; it needs a driver with NAPI busy polling",
    ),
    Sysctl(
        item="largest receive buffer",
        area="network",
        key="net.core.rmem_max",
        server=16 * MIB,
        hft=16 * MIB,
        rule="least",
        why="a burst of depth frames must fit while the engine is busy",
        effect="no drop or shrunken window in a burst",
    ),
    Sysctl(
        item="largest send buffer",
        area="network",
        key="net.core.wmem_max",
        server=16 * MIB,
        hft=16 * MIB,
        rule="least",
        why="an upper bound for what a socket may ask for",
        effect="none for orders, which are small; room for exports",
    ),
    Sysctl(
        item="receive backlog",
        area="network",
        key="net.core.netdev_max_backlog",
        server=10_000,
        hft=10_000,
        rule="least",
        why="frames wait here per core between the card and the protocol",
        effect="no drop when many streams burst at once",
    ),
    Sysctl(
        item="slow start after idle",
        area="network",
        key="net.ipv4.tcp_slow_start_after_idle",
        laptop=0,
        server=0,
        hft=0,
        why="after a quiet spell TCP forgets the window that it had",
        effect="the first burst after silence leaves in one round trip",
    ),
)


def probe(tree: Tree, profile: Profile, outside: str) -> Iterator[Item]:
    """Hold every setting of the table to the profile; `outside` names a container or guest."""
    for spec in SYSCTLS:
        yield _item(spec, tree, profile, outside)


def _item(spec: Sysctl, tree: Tree, profile: Profile, outside: str) -> Item:
    found = tree.number(spec.path)
    advice = spec.advice(profile)
    item = Item(
        item=spec.item,
        area=spec.area,
        current="absent" if found is None else str(found),
        why=spec.why,
        effect=spec.effect,
        settable=NOW,
    )
    if found is None:
        reason = outside or "this kernel does not have it"
        return replace(
            item, status="absent", settable="outside" if outside else "no", reason=reason
        )
    if advice is None:
        return replace(item, status="ok")
    said = {"least": f"at least {advice}", "most": f"at most {advice}"}
    item = replace(item, advised=said.get(spec.rule, str(advice)))
    if spec.unless and (other := tree.number(path_of(spec.unless))):
        reason = f"{spec.unless} = {other} is in force instead"
        return replace(item, status="info", settable="no", reason=reason)
    if spec.meets(found, advice):
        return replace(item, status="ok")
    return to_write(tree, item, [Write(spec.path, str(found), str(advice))])
