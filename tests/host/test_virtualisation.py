"""Bare metal, virtual machine, container, and the traps between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from metal import link, put

from kimera_cli.host.tree import Tree
from kimera_cli.host.virtualisation import probe, surroundings

HYPERVISOR = "processor\t: 0\nflags\t\t: fpu tsc hypervisor\n"


def test_bare_metal(tree: Tree) -> None:
    found = surroundings(tree)
    assert found == ("", "")
    assert found.outside == ""
    assert [i.current for i in probe(tree)] == ["none", "none (bare metal)"]


def in_container(root: Path) -> None:
    link(root, "/proc/self/ns/pid", "pid:[4026532999]")
    link(root, "/proc/self/ns/cgroup", "cgroup:[4026533001]")


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("/proc/1/cgroup", "0::/system.slice/docker-4f2.scope", "docker"),
        ("/proc/self/cgroup", "12:cpu:/kubepods/burstable/pod1/abc", "kubernetes"),
        ("/proc/1/cgroup", "0::/machine.slice/libpod-77.scope", "podman"),
        ("/proc/1/cgroup", "0::/lxc.payload.web", "lxc"),
        ("/run/systemd/container", "systemd-nspawn", "systemd-nspawn"),
        ("/.dockerenv", "", "docker"),
        ("/run/.containerenv", "engine", "podman"),
        ("/etc/unrelated", "", "other namespaces"),
    ],
)
def test_containers(host: Path, tree: Tree, file: str, text: str, name: str) -> None:
    in_container(host)
    put(host, file, text)
    found = surroundings(tree)
    assert found.container == name
    assert found.outside == f"container ({name}): set it on the host"


def test_an_image_that_boots_as_a_machine_is_no_container(host: Path, tree: Tree) -> None:
    """Its /.dockerenv is a leftover: it has the kernel's first namespaces."""
    put(host, "/.dockerenv", "")
    put(host, "/proc/cpuinfo", HYPERVISOR)
    put(host, "/sys/class/dmi/id/sys_vendor", "Firecracker")
    assert surroundings(tree) == ("", "firecracker")


def test_a_container_that_shares_the_hosts_processes_is_one(host: Path, tree: Tree) -> None:
    """docker run --pid=host: the PID namespace is the first, the control group's is not."""
    link(host, "/proc/self/ns/cgroup", "cgroup:[4026533001]")
    put(host, "/.dockerenv", "")
    assert surroundings(tree).container == "docker"


def test_markers_speak_where_namespaces_cannot_be_read(host: Path, tree: Tree) -> None:
    for kind in ("pid", "cgroup"):
        (host / f"proc/self/ns/{kind}").unlink()
    assert surroundings(tree).container == ""
    put(host, "/run/.containerenv", "")
    assert surroundings(tree).container == "podman"


@pytest.mark.parametrize(
    ("vendor", "product", "name"),
    [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"),
        ("Amazon EC2", "c7i.large", "amazon"),
        ("Google", "Google Compute Engine", "google"),
        ("Microsoft Corporation", "Virtual Machine", "hyper-v"),
        ("VMware, Inc.", "VMware Virtual Platform", "vmware"),
        ("innotek GmbH", "VirtualBox", "virtualbox"),
        ("Xen", "HVM domU", "xen"),
    ],
)
def test_machines_by_their_maker(
    host: Path, tree: Tree, vendor: str, product: str, name: str
) -> None:
    put(host, "/proc/cpuinfo", HYPERVISOR)
    put(host, "/sys/class/dmi/id/sys_vendor", vendor)
    put(host, "/sys/class/dmi/id/product_name", product)
    assert surroundings(tree).machine == name
    assert surroundings(tree).outside.startswith(f"virtual machine ({name})")


def test_a_metal_instance_of_a_cloud_is_bare_metal(host: Path, tree: Tree) -> None:
    put(host, "/sys/class/dmi/id/sys_vendor", "Amazon EC2")
    put(host, "/sys/class/dmi/id/product_name", "c7i.metal-24xl")
    assert surroundings(tree).machine == ""


@pytest.mark.parametrize(
    ("clocks", "name"),
    [("tsc kvm-clock", "kvm"), ("hyperv_clocksource_tsc_page", "hyper-v"), ("tsc", "unnamed")],
)
def test_a_machine_without_a_maker_is_named_by_its_clock(
    host: Path, tree: Tree, clocks: str, name: str
) -> None:
    put(host, "/proc/cpuinfo", HYPERVISOR)
    put(host, "/sys/devices/system/clocksource/clocksource0/available_clocksource", clocks)
    assert surroundings(tree).machine.startswith(name)


def test_a_container_in_a_machine_is_both(host: Path, tree: Tree) -> None:
    in_container(host)
    put(host, "/.dockerenv", "")
    put(host, "/proc/cpuinfo", HYPERVISOR)
    put(host, "/sys/class/dmi/id/sys_vendor", "QEMU")
    assert surroundings(tree) == ("docker", "qemu")
    assert "container" in surroundings(tree).outside


def test_stolen_time_is_a_share_of_busy_time(host: Path, tree: Tree) -> None:
    put(host, "/proc/cpuinfo", HYPERVISOR)
    put(host, "/proc/stat", "cpu  600 0 300 99999 10 0 0 100 0 0")
    (item,) = [i for i in probe(tree) if i.item == "stolen time"]
    assert item.current.startswith("10.00%")
    assert item.status == "manual"
