"""The whole host, area by area."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.host import (
    bypass,
    clock,
    cpu,
    interrupts,
    kernel,
    memory,
    network,
    sysctls,
    virtualisation,
)
from kimera_cli.host.item import Item, Profile
from kimera_cli.host.tree import Tree
from kimera_cli.names import did_you_mean
from kimera_cli.records import HostItem

PROFILES: dict[str, Profile] = {"laptop": "laptop", "server": "server", "hft": "hft"}

_AREAS: tuple[Callable[[Tree, Profile, str], Iterator[Item]], ...] = (
    cpu.probe,
    interrupts.probe,
    memory.probe,
    sysctls.probe,
    network.probe,
    clock.probe,
    kernel.probe,
)


def profile_named(name: str | None, tree: Tree) -> Profile:
    """Return a profile by name; without one `laptop` where there is a battery, else `server`.

    UsageError `usage.host_profile` names the nearest one.
    """
    if name is None:
        batteries = tree.names("/sys/class/power_supply/BAT*")
        return "laptop" if batteries else "server"
    if name not in PROFILES:
        raise UsageError(
            "usage.host_profile",
            f"expected a host profile ({', '.join(PROFILES)}), was '{name}'",
            did_you_mean(name, PROFILES),
        )
    return PROFILES[name]


def probe(tree: Tree, profile: Profile) -> Iterator[Item]:
    """Tell every item of a host; KimeraError `host.not_linux` where there is no /proc."""
    if not tree.exists("/proc/sys"):
        raise KimeraError(
            "host.not_linux",
            f"expected a Linux host with {tree.path('/proc/sys')}, was none",
            "tuning reads /proc and /sys: run it on Linux, or name a mounted host with --root",
        )
    outside = virtualisation.surroundings(tree).outside
    items = [*virtualisation.probe(tree)]
    for area in _AREAS:
        items += area(tree, profile, outside)
    items += bypass.probe(tree)
    order = list(dict.fromkeys(item.area for item in items))
    yield from sorted(items, key=lambda item: order.index(item.area))


def record(item: Item, profile: Profile) -> HostItem:
    """Return the public line of an item."""
    return HostItem(
        item=item.item,
        area=item.area,
        current=item.current,
        advised=item.advised,
        status=item.status,
        why=item.why,
        effect=item.effect,
        settable=item.settable,
        reason=item.reason,
        profile=profile,
        paths=[w.path for w in item.writes],
    )
