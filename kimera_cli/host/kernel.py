"""The kernel itself: version, preemption, and the cores that its command line sets apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kimera_cli.host.cores import CPU, FEWEST_TO_ISOLATE, cores
from kimera_cli.host.item import BOOT, Item, Profile
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import cpu_list

LEAST = (5, 15)


def probe(tree: Tree, profile: Profile, outside: str) -> Iterator[Item]:
    """Tell version, preemption and isolated cores."""
    yield _version(tree)
    yield _preemption(tree)
    yield _isolation(tree, profile, outside)


def _version(tree: Tree) -> Item:
    release = tree.text("/proc/sys/kernel/osrelease")
    found = re.match(r"(\d+)\.(\d+)", release)
    old = found is not None and (int(found[1]), int(found[2])) < LEAST
    return Item(
        item="kernel",
        area="kernel",
        current=release or "unknown",
        advised="5.15 or later",
        status="manual" if old else "ok",
        settable="outside" if old else "no",
        reason="upgrade the distribution" if old else "",
        why="older kernels lack parts of what is probed here",
        effect="none by itself",
    )


def _preemption(tree: Tree) -> Item:
    version = tree.text("/proc/version")
    words = ("PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT_LAZY", "PREEMPT")
    kind = next((word for word in words if word in version), "voluntary or none")
    if tree.text("/sys/kernel/realtime") == "1":
        kind = "PREEMPT_RT"
    found = re.search(r"\bpreempt=(\w+)", tree.text("/proc/cmdline"))
    return Item(
        item="preemption",
        area="kernel",
        current=f"{kind}, preempt={found[1]}" if found else kind,
        why="decides how long kernel work may hold up a thread that has become ready",
        effect="the engine spins and is rarely woken: of little weight for it",
    )


def _isolation(tree: Tree, profile: Profile, outside: str) -> Item:
    found = cores(tree)
    ticking = tree.text(f"{CPU}/nohz_full").strip("()")
    full = ticking if ticking != "null" else ""
    isolated = cpu_list(found.isolated)
    item = Item(
        item="isolated cores",
        area="kernel",
        current=f"isolcpus {isolated or 'none'}, nohz_full {full or 'none'}",
        why="without it the scheduler puts other threads on the engine's core, and a timer ticks",
        effect="no foreign threads and no tick on these cores; they are lost for everything else",
        status="ok",
    )
    if profile != "hft" or (isolated and full):
        return item
    if len(found.physical) < FEWEST_TO_ISOLATE:
        reason = f"needs {FEWEST_TO_ISOLATE} cores, there are {len(found.physical)}"
        return replace(item, status="manual", settable="no", reason=reason)
    mine = cpu_list(found.engine)
    return replace(
        item,
        advised=f"isolcpus and nohz_full {mine}",
        status="manual",
        settable="outside" if outside.startswith("container") else BOOT,
        reason=outside if outside.startswith("container") else "on the kernel's command line",
        boot=f"isolcpus=managed_irq,domain,{mine} nohz_full={mine} rcu_nocbs={mine}",
    )
