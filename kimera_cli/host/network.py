"""Network: cards and their queues, congestion control, buffer sizes of TCP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kimera_cli.host.item import Item, Profile, Write
from kimera_cli.host.sysctls import path_of
from kimera_cli.host.tree import Tree, last_part
from kimera_cli.host.writes import absent, to_write

BUFFER = 16 << 20
CONGESTION = "bbr"


def probe(tree: Tree, profile: Profile, outside: str) -> Iterator[Item]:
    """Tell cards and TCP."""
    for name in cards(tree):
        yield _queues(tree, profile, name)
        yield _link(tree, name)
    yield _congestion(tree, profile, outside)
    yield _buffer(tree, profile, outside, "receive", "tcp_rmem")
    yield _buffer(tree, profile, outside, "send", "tcp_wmem")


def cards(tree: Tree) -> list[str]:
    """Return the network interfaces that have a device behind them."""
    return [last_part(n) for n in tree.names("/sys/class/net/*") if tree.exists(f"{n}/device")]


def _queues(tree: Tree, profile: Profile, name: str) -> Item:
    folder = f"/sys/class/net/{name}/queues"
    receive, send = (len(tree.names(f"{folder}/{kind}-*")) for kind in ("rx", "tx"))
    few = profile == "hft" and receive < 2
    return Item(
        item=f"{name} queues",
        area="network",
        current=f"{receive} receive, {send} send",
        advised="at least 2 receive" if profile == "hft" else "",
        status="manual" if few else "ok",
        settable="outside" if few else "no",
        reason="if the card has more: ethtool -L" if few else "",
        command=f"ethtool -L {name} combined 2" if few else "",
        why="each queue has an interrupt of its own, and so a core of its own",
        effect="market data do not wait behind other traffic",
    )


def _link(tree: Tree, name: str) -> Item:
    folder = f"/sys/class/net/{name}"
    speed = tree.number(f"{folder}/speed") or -1
    driver = tree.target(f"{folder}/device/driver")
    node = tree.number(f"{folder}/device/numa_node")
    parts = [
        f"driver {driver}" if driver else "",
        f"{speed} Mb/s" if speed > 0 else "",
        f"node {node}" if node is not None and node >= 0 else "",
        tree.text(f"{folder}/operstate"),
    ]
    return Item(
        item=f"{name} link",
        area="network",
        current=", ".join(part for part in parts if part),
        why="driver and node decide which ways of bypass and which near cores there are",
        effect="run the engine on the card's node",
    )


def _congestion(tree: Tree, profile: Profile, outside: str) -> Item:
    path = path_of("net.ipv4.tcp_congestion_control")
    current = tree.text(path)
    offered = tree.text(path_of("net.ipv4.tcp_available_congestion_control")).split()
    item = Item(
        item="tcp congestion control",
        area="network",
        current=current,
        advised="" if profile == "laptop" else CONGESTION,
        why="cubic takes one lost packet for congestion and halves its window; bbr measures",
        effect="less stalling on long or lossy paths; nothing within one data centre",
        status="ok",
    )
    if not current:
        return absent(item, outside, "this kernel does not tell")
    if profile == "laptop":
        return item
    if CONGESTION not in offered:
        return replace(
            item,
            status="manual",
            settable="outside",
            reason=f"offered here: {', '.join(offered)}; load it first: modprobe tcp_{CONGESTION}",
            command=f"modprobe tcp_{CONGESTION}",
        )
    return to_write(tree, item, [Write(path, current, CONGESTION)])


def _buffer(tree: Tree, profile: Profile, outside: str, kind: str, key: str) -> Item:
    path = path_of(f"net.ipv4.{key}")
    current = " ".join(tree.text(path).split())
    numbers = [int(n) for n in current.split() if n.isdigit()]
    item = Item(
        item=f"tcp {kind} buffer",
        area="network",
        current=current,
        why="least, first and largest size of a connection's buffer, in bytes",
        effect="a burst is buffered instead of closing the window",
        status="ok",
    )
    if len(numbers) != 3:
        return absent(item, outside, "this kernel does not tell")
    if profile == "laptop":
        return item
    item = replace(item, advised=f"largest at least {BUFFER}")
    least, first, largest = numbers
    return to_write(tree, item, [Write(path, current, f"{least} {first} {max(largest, BUFFER)}")])
