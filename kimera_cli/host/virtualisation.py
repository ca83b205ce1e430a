"""Whether this is bare metal, a virtual machine or a container; the two are asked apart.

A container is told by its namespaces: the first PID and control group namespace of a kernel have
fixed inode numbers (include/linux/proc_ns.h). Marker files come second, because an image that
boots as a virtual machine keeps its /.dockerenv. A virtual machine is told by the hypervisor bit
of the processor and named by DMI, /sys/hypervisor or the device tree, as systemd-detect-virt does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kimera_cli.host.item import Item
from kimera_cli.host.tree import Tree

FIRST_NAMESPACES = {"pid": 0xEFFF_FFFC, "cgroup": 0xEFFF_FFFB}
_MARKERS = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_GROUPS = (
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("containerd", "containerd"),
    ("lxc", "lxc"),
    ("garden", "garden"),
)
_DMI = (
    ("Firecracker", "firecracker"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("Microsoft Corporation", "hyper-v"),
    ("VMware", "vmware"),
    ("VirtualBox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("QEMU", "qemu"),
    ("KVM", "kvm"),
    ("Xen", "xen"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
)
_DMI_FILES = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
_METAL = re.compile(r"\.metal\b")


class Surroundings(NamedTuple):
    """Names of the container and of the hypervisor around this process; empty for none."""

    container: str
    machine: str

    @property
    def outside(self) -> str:
        """Return why hardware settings are missing here; empty on bare metal."""
        if self.container:
            return f"container ({self.container}): set it on the host"
        if self.machine:
            return f"virtual machine ({self.machine}): the hypervisor decides"
        return ""


def surroundings(tree: Tree) -> Surroundings:
    """Return what is around this process."""
    return Surroundings(_container(tree), _machine(tree))


def _container(tree: Tree) -> str:
    first = _first_namespaces(tree)
    if first is True:
        return ""
    name = tree.text("/run/systemd/container")
    groups = tree.text("/proc/1/cgroup") + "\n" + tree.text("/proc/self/cgroup")
    name = name or next((kind for word, kind in _GROUPS if word in groups), "")
    name = name or next((kind for path, kind in _MARKERS.items() if tree.exists(path)), "")
    return name or ("other namespaces" if first is False else "")


def _first_namespaces(tree: Tree) -> bool | None:
    """Whether all namespaces that can be read are the kernel's first; None when none can."""
    known = []
    for kind, number in FIRST_NAMESPACES.items():
        if found := re.fullmatch(rf"{kind}:\[(\d+)\]", tree.target(f"/proc/self/ns/{kind}")):
            known.append(int(found[1]) == number)
    return all(known) if known else None


def _machine(tree: Tree) -> str:
    named = _named_machine(tree)
    bit = re.search(r"^flags\s*:.*\bhypervisor\b", tree.text("/proc/cpuinfo"), re.MULTILINE)
    if bit:
        return named or _guest_driver(tree)
    # Without the bit (other architectures, bare-metal instances) only what is no maker's name.
    return named if named in ("xen", "qemu", "kvm") and not tree.exists("/proc/cpuinfo") else ""


def _named_machine(tree: Tree) -> str:
    text = "\n".join(tree.text(f"/sys/class/dmi/id/{name}") for name in _DMI_FILES)
    if not _METAL.search(text):
        for word, name in _DMI:
            if word in text:
                return name
    if kind := tree.text("/sys/hypervisor/type"):
        return kind
    compatible = tree.text("/proc/device-tree/hypervisor/compatible")
    return "xen" if "xen" in compatible else "kvm" if "kvm" in compatible else ""


def _guest_driver(tree: Tree) -> str:
    offered = tree.text("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    for word, name in (("kvm-clock", "kvm"), ("hyperv", "hyper-v"), ("xen", "xen")):
        if word in offered:
            return name
    return "unnamed hypervisor"


def probe(tree: Tree) -> Iterator[Item]:
    """Tell container and virtual machine, and what the hypervisor took away."""
    found = surroundings(tree)
    yield Item(
        item="container",
        area="virtualisation",
        current=found.container or "none",
        why="most of /proc/sys and /sys belongs to the host and is read-only in a container",
        effect="what cannot be set here says so; run apply on the host",
    )
    yield Item(
        item="virtual machine",
        area="virtualisation",
        current=found.machine or "none (bare metal)",
        why="frequency, idle states and the real cores belong to the hypervisor",
        effect="its scheduler adds pauses that no setting of the guest takes away",
    )
    if found.machine and (stolen := _stolen(tree)) is not None:
        yield Item(
            item="stolen time",
            area="virtualisation",
            current=f"{stolen:.2%} of busy time since boot",
            advised="0%" if stolen else "",
            status="manual" if stolen > 0.001 else "ok",
            settable="outside",
            reason="other guests had the core" if stolen > 0.001 else "",
            why="while the hypervisor runs another guest, the engine stands still",
            effect="dedicated or pinned cores take these pauses away",
        )


def _stolen(tree: Tree) -> float | None:
    """Return stolen time as a share of the time that was not idle."""
    first = tree.text("/proc/stat").partition("\n")[0].split()
    if len(first) < 9 or first[0] != "cpu":
        return None
    user, nice, system, _idle, _wait, irq, soft, steal = (int(n) for n in first[1:9])
    busy = user + nice + system + irq + soft + steal
    return steal / busy if busy else 0.0
