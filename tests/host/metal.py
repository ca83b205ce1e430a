"""A host made of files: bare metal with siblings, two nodes, governors, idle states, interrupts."""

from __future__ import annotations

from pathlib import Path

from kimera_cli.host.values import settled

CPUS = 16
CORES = 8
KERNEL = {
    "/proc/sys/vm/swappiness": "60",
    "/proc/sys/vm/dirty_ratio": "20",
    "/proc/sys/vm/dirty_background_ratio": "10",
    "/proc/sys/vm/dirty_bytes": "0",
    "/proc/sys/vm/dirty_background_bytes": "0",
    "/proc/sys/vm/compaction_proactiveness": "20",
    "/proc/sys/vm/nr_hugepages": "0",
    "/proc/sys/vm/stat_interval": "1",
    "/proc/sys/kernel/nmi_watchdog": "1",
    "/proc/sys/kernel/timer_migration": "1",
    "/proc/sys/kernel/numa_balancing": "1",
    "/proc/sys/kernel/osrelease": "6.1.0-18-amd64",
    "/proc/sys/kernel/random/boot_id": "11111111-2222-3333-4444-555555555555",
    "/proc/sys/kernel/io_uring_disabled": "0",
    "/proc/sys/net/core/busy_read": "0",
    "/proc/sys/net/core/busy_poll": "0",
    "/proc/sys/net/core/rmem_max": "212992",
    "/proc/sys/net/core/wmem_max": "212992",
    "/proc/sys/net/core/netdev_max_backlog": "1000",
    "/proc/sys/net/ipv4/tcp_slow_start_after_idle": "1",
    "/proc/sys/net/ipv4/tcp_congestion_control": "cubic",
    "/proc/sys/net/ipv4/tcp_available_congestion_control": "reno cubic bbr",
    "/proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t6291456",
    "/proc/sys/net/ipv4/tcp_wmem": "4096\t16384\t4194304",
    "/proc/version": "Linux version 6.1.0-18-amd64 (gcc 12) #1 SMP PREEMPT_DYNAMIC Debian",
    "/proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/nvme0n1p2 ro quiet",
    "/proc/stat": "cpu  1000 0 500 9000 10 0 5 0 0 0",
    "/proc/swaps": "Filename Type Size Used Priority\n/dev/nvme0n1p3 partition 8388604 0 -2",
    "/proc/net/protocols": "protocol size sockets\nXDP 1088 0\nTCP 2304 12",
    "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n",
    "/proc/1/cgroup": "0::/init.scope",
    "/proc/1/comm": "systemd",
    "/proc/812/comm": "irqbalance",
    "/proc/900/comm": "chronyd",
    "/proc/self/cgroup": "0::/user.slice",
    "/proc/self/limits": (
        "Limit                     Soft Limit           Hard Limit           Units\n"
        "Max open files            1024                 524288               files\n"
        "Max locked memory         8388608              8388608              bytes\n"
    ),
    "/proc/irq/default_smp_affinity": "ffff",
    "/sys/devices/system/node/online": "0-1",
    "/sys/devices/system/node/node0/cpulist": "0-3,8-11",
    "/sys/devices/system/node/node1/cpulist": "4-7,12-15",
    "/sys/devices/system/cpu/online": "0-15",
    "/sys/devices/system/cpu/isolated": "",
    "/sys/devices/system/cpu/nohz_full": "(null)",
    "/sys/devices/system/cpu/smt/control": "on",
    "/sys/devices/system/cpu/smt/active": "1",
    "/sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
    "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag": "1",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm",
    "/sys/class/ptp/ptp0/clock_name": "ice-ptp",
    "/sys/class/dmi/id/sys_vendor": "Dell Inc.",
    "/sys/class/dmi/id/product_name": "PowerEdge R650",
    "/sys/class/net/lo/operstate": "unknown",
    "/sys/class/net/eth0/operstate": "up",
    "/sys/class/net/eth0/speed": "25000",
    "/sys/class/net/eth0/device/numa_node": "1",
}
IDLE = (("POLL", 0), ("C1", 2), ("C1E", 10), ("C6", 133))
FIRST = {"pid": 4026531836, "cgroup": 4026531835}


def put(root: Path, name: str, text: str) -> None:
    """Write one file of the host."""
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def link(root: Path, name: str, target: str) -> None:
    """Make or replace one symbolic link of the host."""
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def build(root: Path) -> Path:
    """Make the whole host."""
    for name, text in KERNEL.items():
        put(root, name, text)
    for cpu in range(CPUS):
        folder = f"/sys/devices/system/cpu/cpu{cpu}"
        put(root, f"{folder}/topology/core_cpus_list", f"{cpu % CORES},{cpu % CORES + CORES}")
        put(root, f"{folder}/cpufreq/scaling_governor", "powersave")
        put(root, f"{folder}/cpufreq/scaling_available_governors", "performance powersave")
        put(root, f"{folder}/cpufreq/energy_performance_preference", "balance_performance")
        put(
            root,
            f"{folder}/cpufreq/energy_performance_available_preferences",
            "default performance balance_performance power",
        )
        for k, (state, latency) in enumerate(IDLE):
            put(root, f"{folder}/cpuidle/state{k}/name", state)
            put(root, f"{folder}/cpuidle/state{k}/latency", str(latency))
            put(root, f"{folder}/cpuidle/state{k}/disable", "0")
    for irq, user in ((9, "acpi"), (120, "eth0-rx-0"), (121, "eth0-rx-1"), (7, "")):
        put(root, f"/proc/irq/{irq}/smp_affinity_list", "0-15" if irq != 9 else "0")
        if user:
            (root / f"proc/irq/{irq}/{user}").mkdir()
    for k in range(4):
        (root / f"sys/class/net/eth0/queues/rx-{k}").mkdir(parents=True)
        (root / f"sys/class/net/eth0/queues/tx-{k}").mkdir(parents=True)
    link(root, "/sys/class/net/eth0/device/driver", "../../../bus/pci/drivers/ice")
    for kind, number in FIRST.items():
        link(root, f"/proc/self/ns/{kind}", f"{kind}:[{number}]")
    (root / "etc/sysctl.d").mkdir(parents=True)
    (root / "etc/security/limits.d").mkdir(parents=True)
    return root


def picture(root: Path) -> dict[str, str]:
    """Return every file of the host with its settled text, except kimera's own journal."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = f"/{path.relative_to(root)}"
        if path.is_file() and not path.is_symlink() and not name.startswith("/var/lib/kimera"):
            found[name] = settled(name, path.read_text(encoding="utf-8"))
    return found
