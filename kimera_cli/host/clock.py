"""Clocks: where the time comes from, and whether a daemon keeps it right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kimera_cli.host.interrupts import processes
from kimera_cli.host.item import Item, Profile, Write
from kimera_cli.host.tree import Tree
from kimera_cli.host.writes import absent, to_write
from kimera_cli.host_facts import Clock
from kimera_cli.host_facts import read as read_clock

SOURCE = "/sys/devices/system/clocksource/clocksource0"
_DAEMONS = {
    "chronyd": "chrony",
    "ntpd": "ntpd",
    "systemd-timesyn": "systemd-timesyncd",  # the kernel keeps 15 characters of a name
    "ptp4l": "ptp4l",
    "phc2sys": "phc2sys",
    "openntpd": "openntpd",
}
GOOD_US = 1_000
"""Venues refuse requests whose time is off by seconds; latency figures need better than 1 ms."""


def probe(
    tree: Tree, profile: Profile, outside: str, ask: Callable[[], Clock] = read_clock
) -> Iterator[Item]:
    """Tell clock source and time synchronisation."""
    yield _source(tree, outside)
    yield _hardware(tree)
    yield _synchronised(tree, profile, ask)


def _source(tree: Tree, outside: str) -> Item:
    path = f"{SOURCE}/current_clocksource"
    offered = tree.text(f"{SOURCE}/available_clocksource").split()
    item = Item(
        item="clock source",
        area="clock",
        current=tree.text(path),
        advised="tsc",
        why="the processor's counter is read in 20 ns without a system call; hpet takes 1 us",
        effect="a time stamp per event costs next to nothing",
    )
    if not item.current:
        return absent(item, outside, "the host does not tell")
    if item.current != "tsc" and "tsc" not in offered:
        reason = outside or f"the kernel trusts only {', '.join(offered)} here"
        return replace(
            item, status="manual", settable="outside" if outside else "no", reason=reason
        )
    return to_write(tree, item, [Write(path, item.current, "tsc")])


def _hardware(tree: Tree) -> Item:
    clocks = [tree.text(name) for name in tree.names("/sys/class/ptp/ptp*/clock_name")]
    return Item(
        item="hardware clocks (ptp)",
        area="clock",
        current=", ".join(clocks) or "none",
        why="a card's or hypervisor's clock gives time better than the network does",
        effect="chrony can follow it: refclock PHC /dev/ptp0",
    )


def _synchronised(tree: Tree, profile: Profile, ask: Callable[[], Clock]) -> Item:
    running = sorted({_DAEMONS[name] for name in processes(tree) if name in _DAEMONS})
    state = ask() if tree.live else Clock(None, 0, "")
    told = {True: f"error below {state.max_error_us} us", False: "not synchronised", None: ""}
    current = ", ".join([*running, told[state.synchronised]]).strip(", ")
    fine = state.synchronised is not False and (bool(running) or bool(state.synchronised))
    if profile != "laptop" and state.max_error_us > GOOD_US * 100:
        fine = False
    return Item(
        item="time synchronisation",
        area="clock",
        current=current or "no time daemon seen",
        advised="a time daemon, error below 1 ms",
        status="ok" if fine else "manual",
        settable="no" if fine else "outside",
        reason="" if fine else "install and start chrony (or the host's own clock service)",
        command="" if fine else "systemctl enable --now chrony",
        why="requests carry a time stamp that the venue checks; feed latency is a difference",
        effect="no refused requests; latencies that mean something",
    )
