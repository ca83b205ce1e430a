"""Interrupts: which cores serve the devices' interrupts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kimera_cli.host.cores import Cores, cores
from kimera_cli.host.item import Item, Profile, Write
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import cpu_list, cpus, mask, masked
from kimera_cli.host.writes import absent, to_write

DEFAULT = "/proc/irq/default_smp_affinity"


def probe(tree: Tree, profile: Profile, outside: str) -> Iterator[Item]:
    """Tell whose cores the interrupts of devices go to, and whether a daemon moves them."""
    found = cores(tree)
    yield _affinity(tree, profile, outside, found)
    yield _default(tree, profile, outside, found)
    yield _balancer(tree, profile)


def _affinity(tree: Tree, profile: Profile, outside: str, found: Cores) -> Item:
    lists = {name: cpus(tree.text(name)) for name in device_interrupts(tree)}
    reaching = {name: held for name, held in lists.items() if held & found.engine}
    item = Item(
        item="interrupt affinity",
        area="interrupts",
        current=f"{len(reaching)} of {len(lists)} may go to {cpu_list(found.engine) or 'none'}",
        why="an interrupt on the engine's core stops it for some microseconds",
        effect="devices are served by the housekeeping cores",
        status="ok",
    )
    if not lists:
        return absent(replace(item, current=""), outside, "no interrupts with an affinity")
    if profile != "hft" or not found.engine:
        return item
    keep = cpu_list(found.housekeeping)
    writes = [Write(name, cpu_list(held), keep) for name, held in reaching.items()]
    return to_write(tree, replace(item, advised=f"all on {keep}"), writes)


def device_interrupts(tree: Tree) -> list[str]:
    """Return the affinity files of those interrupts that a device uses: they have its folder."""
    used = []
    for name in tree.names("/proc/irq/[0-9]*/smp_affinity_list"):
        folder = tree.path(name).parent
        if any(entry.is_dir() for entry in folder.iterdir()):
            used.append(name)
    return used


def _default(tree: Tree, profile: Profile, outside: str, found: Cores) -> Item:
    held = masked(tree.text(DEFAULT))
    item = Item(
        item="affinity of new interrupts",
        area="interrupts",
        current=cpu_list(held),
        why="a device that comes later starts with this",
        effect="a replugged card does not land on the engine's core",
        status="ok",
    )
    if not held:
        return absent(item, outside, "this kernel does not have it")
    if profile != "hft" or not found.engine:
        return item
    item = replace(item, advised=cpu_list(found.housekeeping))
    return to_write(tree, item, [Write(DEFAULT, mask(held), mask(found.housekeeping))])


def _balancer(tree: Tree, profile: Profile) -> Item:
    running = "irqbalance" in processes(tree)
    against = running and profile == "hft"
    return Item(
        item="irqbalance",
        area="interrupts",
        current="running" if running else "not running",
        advised="stopped" if profile == "hft" else "",
        status="manual" if against else "ok",
        settable="outside" if against else "no",
        reason="it would move the interrupts back" if against else "",
        command="systemctl disable --now irqbalance" if against else "",
        why="it spreads interrupts over all cores every few seconds",
        effect="interrupts stay where they were put",
    )


def processes(tree: Tree) -> frozenset[str]:
    """Return the names of the running programs."""
    return frozenset(tree.text(name) for name in tree.names("/proc/[0-9]*/comm"))
