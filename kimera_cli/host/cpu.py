"""Processors: how many, siblings, nodes, frequency governor, idle states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kimera_cli.host.cores import CPU, Cores, cores
from kimera_cli.host.item import Item, Profile, Write
from kimera_cli.host.tree import Tree, last_part
from kimera_cli.host.values import cpu_list, cpus
from kimera_cli.host.writes import absent, to_write

DEEPEST_US = 10
"""Idle states that take longer to leave than this are closed for hft: the wire's own time."""


def probe(tree: Tree, profile: Profile, outside: str) -> Iterator[Item]:
    """Tell the processors and how they save power."""
    found = cores(tree)
    yield _count(found, profile)
    yield _smt(tree, profile, outside)
    yield _numa(tree)
    yield _governor(tree, profile, outside)
    yield _preference(tree, profile, outside)
    yield _idle_states(tree, profile, outside)


def _count(found: Cores, profile: Profile) -> Item:
    wanted = 4 if profile == "hft" else 2
    enough = len(found.physical) >= wanted
    return Item(
        item="cores",
        area="cpu",
        current=f"{len(found.physical)} cores, {len(found.online)} processors",
        advised=f"at least {wanted} cores",
        status="ok" if enough else "manual",
        settable="no" if enough else "outside",
        reason="" if enough else "a larger machine",
        why="feed, engine and orders each spin on a core; the rest of the system needs one too",
        effect="threads that wait for a core wait for milliseconds",
    )


def _smt(tree: Tree, profile: Profile, outside: str) -> Item:
    path = f"{CPU}/smt/control"
    control = tree.text(path)
    item = Item(
        item="smt",
        area="cpu",
        current=control,
        advised="off" if profile == "hft" and control in ("on", "off") else "",
        why="two threads of one core share its first caches and its ports",
        effect="steadier times on the engine's cores; half as many processors",
        status="ok",
    )
    if control in ("", "notsupported", "notimplemented"):
        known = "no siblings to part" if control else "this kernel does not tell"
        return absent(replace(item, current=control or "absent"), outside, known)
    if profile != "hft" or control != "on":
        return item
    return to_write(tree, item, [Write(path, control, "off")])


def _numa(tree: Tree) -> Item:
    nodes = cpus(tree.text("/sys/devices/system/node/online")) or {0}
    lists = {n: tree.text(f"/sys/devices/system/node/node{n}/cpulist") for n in sorted(nodes)}
    named = ", ".join(f"node {n}: {text or 'no processors'}" for n, text in lists.items())
    return Item(
        item="numa nodes",
        area="cpu",
        current=f"{len(nodes)} ({named})" if len(nodes) > 1 else "1",
        advised="engine and network card on one node" if len(nodes) > 1 else "",
        status="manual" if len(nodes) > 1 else "ok",
        settable="outside" if len(nodes) > 1 else "no",
        reason="numactl --cpunodebind=N --membind=N kimera run" if len(nodes) > 1 else "",
        command="numactl --cpunodebind=N --membind=N kimera run" if len(nodes) > 1 else "",
        why="memory of another node takes up to twice as long to reach",
        effect="books and rings stay in near memory",
    )


def _governor(tree: Tree, profile: Profile, outside: str) -> Item:
    paths = tree.names(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor")
    item = Item(
        item="frequency governor",
        area="cpu",
        current=_summary(tree, paths),
        why="a core that was slowed down while idle takes milliseconds to speed up again",
        effect="full speed at the first event after silence; more power and heat",
        status="ok",
    )
    if not paths:
        return absent(item, outside, "no frequency scaling here")
    if profile == "laptop":
        return item
    offered = tree.text(f"{CPU}/cpu0/cpufreq/scaling_available_governors").split()
    if "performance" not in offered:
        reason = f"the driver offers {', '.join(offered) or 'no choice'}"
        return replace(item, advised="performance", status="absent", reason=reason)
    item = replace(item, advised="performance")
    return to_write(tree, item, [Write(p, tree.text(p), "performance") for p in paths])


def _preference(tree: Tree, profile: Profile, outside: str) -> Item:
    paths = tree.names(f"{CPU}/cpu[0-9]*/cpufreq/energy_performance_preference")
    item = Item(
        item="energy preference",
        area="cpu",
        current=_summary(tree, paths),
        why="the processor's own hint how eagerly it speeds up",
        effect="as the governor's, where the hardware decides on frequency",
        status="ok",
    )
    if not paths:
        return absent(item, outside, "the hardware takes no hint")
    offered = tree.text(f"{CPU}/cpu0/cpufreq/energy_performance_available_preferences").split()
    if profile != "hft" or "performance" not in offered:
        return item
    item = replace(item, advised="performance")
    return to_write(tree, item, [Write(p, tree.text(p), "performance") for p in paths])


def _idle_states(tree: Tree, profile: Profile, outside: str) -> Item:
    states = tree.names(f"{CPU}/cpu[0-9]*/cpuidle/state[0-9]*/latency")
    deep, listed = [], {}
    for name in states:
        folder = name.removesuffix("/latency")
        latency = tree.number(name) or 0
        if tree.text(f"{folder}/disable") == "0":
            listed[last_part(folder)] = f"{tree.text(f'{folder}/name')} {latency} us"
            if latency > DEEPEST_US:
                deep.append(f"{folder}/disable")
    item = Item(
        item="idle states",
        area="cpu",
        current=", ".join(listed.values()) or ("all closed" if states else ""),
        why="a core must leave its idle state before it can take a frame",
        effect="wake-ups no longer wait for a deep state; idle cores draw more power",
        status="ok",
    )
    if not states:
        return absent(item, outside, "no idle states here (or they are off)")
    if profile != "hft":
        return item
    item = replace(item, advised=f"at most {DEEPEST_US} us to leave")
    return to_write(tree, item, [Write(path, "0", "1") for path in deep])


def _summary(tree: Tree, paths: list[str]) -> str:
    """Return one value, or each value with the processors that have it."""
    held: dict[str, set[int]] = {}
    for path in paths:
        number = int(path.removeprefix(f"{CPU}/cpu").partition("/")[0])
        held.setdefault(tree.text(path), set()).add(number)
    if len(held) < 2:
        return next(iter(held), "")
    return ", ".join(f"{value} on {cpu_list(numbers)}" for value, numbers in held.items())
