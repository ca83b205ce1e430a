"""What the host is told to be, on bare metal, in a guest and in a container."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from metal import link, put

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.host import bypass, clock
from kimera_cli.host.item import Item, Profile
from kimera_cli.host.probe import PROFILES, probe, profile_named
from kimera_cli.host.tree import Tree
from kimera_cli.host_facts import Clock

PROMISED = (
    "cores",
    "smt",
    "numa nodes",
    "frequency governor",
    "idle states",
    "clock source",
    "interrupt affinity",
    "eth0 queues",
    "busy polling of sockets",
    "busy polling of poll",
    "tcp congestion control",
    "largest receive buffer",
    "largest send buffer",
    "tcp receive buffer",
    "tcp send buffer",
    "swappiness",
    "dirty ratio",
    "transparent huge pages",
    "huge pages",
    "memory lock limit",
    "open file limit",
    "isolated cores",
    "kernel",
    "container",
    "virtual machine",
    "openonload",
    "af_xdp",
    "io_uring",
    "time synchronisation",
)


def items(tree: Tree, profile: Profile = "hft") -> dict[str, Item]:
    return {item.item: item for item in probe(tree, profile)}


@pytest.mark.parametrize("profile", PROFILES.values())
def test_every_promised_item_has_a_value_a_reason_and_an_effect(
    tree: Tree, profile: Profile
) -> None:
    found = items(tree, profile)
    assert set(PROMISED) <= set(found)
    for item in found.values():
        assert item.current, item.item
        assert item.why, item.item
        assert item.effect, item.item
        assert item.status != "change" or item.advised, item.item
        assert item.status not in ("manual", "absent") or item.reason, item.item


def test_no_effect_promises_a_number() -> None:
    """What a setting brings is measured on the host itself, by verify."""
    from kimera_cli.host.sysctls import SYSCTLS

    assert not [s.item for s in SYSCTLS if "%" in s.effect or "faster" in s.effect]


def test_hft_on_bare_metal(tree: Tree) -> None:
    found = items(tree)
    assert found["cores"].current == "8 cores, 16 processors"
    assert found["numa nodes"].current == "2 (node 0: 0-3,8-11, node 1: 4-7,12-15)"
    assert found["frequency governor"].current == "powersave"
    assert len(found["frequency governor"].writes) == 16
    assert found["idle states"].current == "POLL 0 us, C1 2 us, C1E 10 us, C6 133 us"
    assert {w.path.split("/")[-2] for w in found["idle states"].writes} == {"state3"}
    assert found["smt"].advised == "off"
    assert found["clock source"].writes[0].new == "tsc"
    assert found["tcp congestion control"].writes[0].new == "bbr"
    assert found["tcp receive buffer"].writes[0].new == "4096 131072 16777216"
    assert found["transparent huge pages"].current == "always"
    assert found["irqbalance"].status == "manual"
    assert found["time synchronisation"].current == "chrony"
    assert found["eth0 link"].current == "driver ice, 25000 Mb/s, node 1, up"
    assert "zero copy may work on eth0" in found["af_xdp"].current


def test_the_engine_gets_all_but_the_first_core_of_each_four(tree: Tree) -> None:
    found = items(tree)
    mine = "2-7,10-15"
    assert found["isolated cores"].boot == (
        f"isolcpus=managed_irq,domain,{mine} nohz_full={mine} rcu_nocbs={mine}"
    )
    assert found["interrupt affinity"].current == f"2 of 3 may go to {mine}"
    assert {w.path: w.new for w in found["interrupt affinity"].writes} == {
        "/proc/irq/120/smp_affinity_list": "0-1,8-9",
        "/proc/irq/121/smp_affinity_list": "0-1,8-9",
    }, "not 7, which no device uses, nor 9, which is there already"
    assert found["affinity of new interrupts"].writes[0].new == "303"


def test_isolated_cores_are_the_engines(host: Path, tree: Tree) -> None:
    put(host, "/sys/devices/system/cpu/isolated", "6-7,14-15")
    put(host, "/sys/devices/system/cpu/nohz_full", "6-7,14-15")
    found = items(tree)
    assert found["isolated cores"].status == "ok"
    assert found["interrupt affinity"].writes[0].new == "0-5,8-13"


def test_few_cores_are_not_isolated(host: Path, tree: Tree) -> None:
    put(host, "/sys/devices/system/cpu/online", "0-1")
    found = items(tree)
    assert found["isolated cores"].boot == ""
    assert found["isolated cores"].reason == "needs 4 cores, there are 2"
    assert found["interrupt affinity"].writes[0].new == "0"


def test_a_laptop_keeps_its_battery(tree: Tree) -> None:
    for name in ("frequency governor", "idle states", "smt", "energy preference", "huge pages"):
        assert items(tree, "laptop")[name].status == "ok", name
    assert items(tree, "laptop")["swappiness"].writes[0].new == "10"


def test_what_is_already_beyond_the_advice_stays(host: Path, tree: Tree) -> None:
    put(host, "/proc/sys/net/core/rmem_max", "67108864")
    put(host, "/proc/sys/vm/swappiness", "0")
    put(host, "/proc/sys/net/ipv4/tcp_rmem", "4096 131072 33554432")
    found = items(tree)
    for name in ("largest receive buffer", "swappiness", "tcp receive buffer"):
        assert found[name].status == "ok", name


def test_a_limit_in_bytes_rules_out_the_ratio(host: Path, tree: Tree) -> None:
    put(host, "/proc/sys/vm/dirty_bytes", "268435456")
    item = items(tree)["dirty ratio"]
    assert not item.writes
    assert item.reason == "vm.dirty_bytes = 268435456 is in force instead"


def test_what_the_kernel_does_not_offer_is_not_asked_for(host: Path, tree: Tree) -> None:
    put(host, "/proc/sys/net/ipv4/tcp_available_congestion_control", "reno cubic")
    source = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    put(host, source, "hpet acpi_pm")
    for cpu in range(16):
        put(host, f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_available_governors", "x")
    found = items(tree)
    assert not found["tcp congestion control"].writes
    assert "modprobe tcp_bbr" in found["tcp congestion control"].reason
    assert not found["clock source"].writes
    assert found["clock source"].reason == "the kernel trusts only hpet, acpi_pm here"
    assert not found["frequency governor"].writes


def test_what_is_missing_in_a_guest_names_the_hypervisor(host: Path, tree: Tree) -> None:
    import shutil

    put(host, "/proc/cpuinfo", "flags\t: fpu hypervisor\n")
    put(host, "/sys/class/dmi/id/sys_vendor", "QEMU")
    for cpu in range(16):
        shutil.rmtree(host / f"sys/devices/system/cpu/cpu{cpu}/cpufreq")
        shutil.rmtree(host / f"sys/devices/system/cpu/cpu{cpu}/cpuidle")
    found = items(tree)
    for name in ("frequency governor", "energy preference", "idle states"):
        assert found[name].status == "absent", name
        assert found[name].settable == "outside", name
        assert found[name].reason == "virtual machine (qemu): the hypervisor decides", name


def test_what_is_missing_in_a_container_names_the_host(host: Path, tree: Tree) -> None:
    link(host, "/proc/self/ns/pid", "pid:[4026532999]")
    put(host, "/.dockerenv", "")
    (host / "proc/sys/net/core/busy_poll").unlink()
    found = items(tree)
    assert found["busy polling of poll"].reason == "container (docker): set it on the host"
    assert found["isolated cores"].settable == "outside"


def test_limits_are_raised_and_never_lowered(tree: Tree) -> None:
    found = items(tree)
    files, memory = found["open file limit"].limit, found["memory lock limit"].limit
    assert files is not None
    assert memory is not None
    assert (files.new, files.hard) == ("65536", False), "the hard limit is higher already"
    assert (memory.new, memory.hard) == ("unlimited", True)


def test_a_host_without_proc_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KimeraError) as caught:
        list(probe(Tree(tmp_path, 0), "hft"))
    assert caught.value.code == "host.not_linux"


def test_profiles_by_name_and_by_battery(host: Path, tree: Tree) -> None:
    assert profile_named("hft", tree) == "hft"
    assert profile_named(None, tree) == "server"
    put(host, "/sys/class/power_supply/BAT0/capacity", "81")
    assert profile_named(None, tree) == "laptop"
    with pytest.raises(UsageError) as caught:
        profile_named("sever", tree)
    assert caught.value.hint == "did you mean 'server'?"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (errno.EFAULT, "available"),
        (errno.ENOSYS, "not in this kernel"),
        (errno.EPERM, "refused (a container's seccomp filter)"),
    ],
)
def test_io_uring_is_asked_for_by_a_call(answer: int, said: str) -> None:
    *_, item = bypass.probe(Tree(), lambda: answer)
    if item.current.startswith("switched off"):
        pytest.skip("kernel.io_uring_disabled is set on this machine")
    assert item.current == said


def test_onload_by_its_module_and_its_library(host: Path, tree: Tree) -> None:
    def said() -> str:
        return next(bypass.probe(tree)).current

    assert said() == "not installed"
    link(host, "/sys/class/net/eth0/device/driver", "../../sfc")
    assert said() == "not installed, its card is there"
    put(host, "/usr/lib64/libonload.so", "")
    assert said() == "installed, module not loaded"
    put(host, "/sys/module/onload/version", "9.0.1")
    assert said() == "loaded 9.0.1"


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        (Clock(True, 250, "tsc"), "ok", "error below 250 us"),
        (Clock(False, 16_000_000, "tsc"), "manual", "not synchronised"),
        (Clock(True, 900_000, "tsc"), "manual", "error below 900000 us"),
    ],
)
def test_time_is_judged_by_the_kernels_own_state(state: Clock, status: str, said: str) -> None:
    *_, item = clock.probe(Tree(), "server", "", lambda: state)
    assert item.status == status
    assert said in item.current
