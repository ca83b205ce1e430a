"""Checks of installation and host: what is fine, what is risky, what stops kimera, and the mend.

Each check returns one record. Nothing is changed on the host; where a check writes, it writes a
file of its own and takes it away again.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kimera_cli import host_facts
from kimera_cli.errors import KimeraError
from kimera_cli.records import Doctor

if TYPE_CHECKING:
    from kimera_cli.context import Context

Status = Literal["ok", "warning", "failed"]

GIB = 1 << 30
LEAST_DISK = GIB // 4
GOOD_DISK = 5 * GIB
PLUGS = ("kimera.strategies", "kimera.importers")
LEAST_LOCKED = 64 << 20
"""Rings and state blocks of one engine that should never be paged out."""


def examine(world: Context) -> Iterator[Doctor]:
    """Run every check, cheap ones first."""
    for check in CHECKS:
        yield check(world)


def check_python(world: Context) -> Doctor:
    """The interpreter is one that kimera is tested on."""
    found = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.version_info < (3, 11):  # noqa: UP036 - pip can be told to ignore it
        return _item("python", "failed", found, "install Python 3.11 or later and run make setup")
    return _item("python", "ok", found)


def check_packages(world: Context) -> Doctor:
    """Everything that kimera needs is installed in a version that it accepts."""
    wrong = [problem for problem in map(_requirement_problem, _requirements()) if problem]
    if wrong:
        advice = "reinstall: pip install -c constraints.txt -e ."
        return _item("packages", "failed", "; ".join(wrong), advice)
    return _item("packages", "ok", f"{len(_requirements())} required packages, all installed")


def check_installation(world: Context) -> Doctor:
    """No second kimera_cli folder hides this one, and every command has its module."""
    import kimera_cli
    from kimera_cli.registry import COMMANDS, installed

    own = Path(kimera_cli.__file__).resolve().parent
    places = (Path(entry) / "kimera_cli" for entry in sys.path if entry)
    shadows = [str(p) for p in places if p.is_dir() and p.resolve() != own]
    if shadows:
        return _item(
            "installation",
            "failed",
            f"{own}, and also {', '.join(shadows)}",
            f"remove the leftover folder: rm -r {shadows[0]}",
        )
    if missing := sorted(set(COMMANDS) - set(installed())):
        advice = "reinstall: pip install -e ."
        return _item("installation", "failed", f"no module for {', '.join(missing)}", advice)
    return _item("installation", "ok", f"{own}, {len(COMMANDS)} commands")


def check_plugs(world: Context) -> Doctor:
    """Strategies and importers that other packages bring can be loaded."""
    broken, names = [], []
    for group in PLUGS:
        for entry in metadata.entry_points(group=group):
            names.append(entry.name)
            try:
                entry.load()
            except Exception as error:  # a plug is foreign code: it may fail in any way
                broken.append(f"{entry.name} ({entry.value}): {type(error).__name__}: {error}")
    if broken:
        return _item(
            "plugs", "failed", "; ".join(broken), "upgrade or uninstall the package that brings it"
        )
    return _item("plugs", "ok", ", ".join(names) if names else "none installed")


def check_profile(world: Context) -> Doctor:
    """The settings in force can be read and fit together."""
    try:
        resolved = world.load_profile()
    except KimeraError as error:
        return _item("profile", "failed", error.message, error.hint)
    places = {re.sub(r":\d+$", "", place) for place in resolved.origins.values()}
    return _item("profile", "ok", f"{resolved.name}, values from {', '.join(sorted(places))}")


def check_data_folder(world: Context) -> Doctor:
    """Recordings can be written, and there is room for them."""
    parent = _existing(world.home)
    if problem := _not_writable(parent):
        advice = "set KIMERA_HOME to a folder of yours, or mend its permissions"
        return _item("data folder", "failed", f"{world.home}: {problem}", advice)
    free = shutil.disk_usage(parent).free
    found = f"{world.home}, {free / GIB:.1f} GiB free"
    if free < GOOD_DISK:
        status: Status = "failed" if free < LEAST_DISK else "warning"
        return _item("data folder", status, found, "free some space, or move KIMERA_HOME")
    return _item("data folder", "ok", found)


def check_numba_cache(world: Context) -> Doctor:
    """Compiled kernels are kept between runs, and are there already."""
    from kimera_cli.kernels._jit import CACHE_ROOT

    folder = CACHE_ROOT
    if problem := _not_writable(_existing(folder)):
        advice = "set KIMERA_CACHE to a folder of yours: without it every start compiles again"
        return _item("numba cache", "failed", f"{folder}: {problem}", advice)
    kept = len(list(folder.rglob("*.nbc"))) if folder.is_dir() else 0
    if not kept:
        advice = "the first run compiles for half a minute or so; later ones start at once"
        return _item("numba cache", "warning", f"{folder}, cold", advice)
    return _item("numba cache", "ok", f"{folder}, {kept} compiled kernels")


def check_clock(world: Context) -> Doctor:
    """The clock is disciplined: latencies and signatures depend on it."""
    if world.now_ns() < host_facts.EARLIEST_NS:
        return _item(
            "clock", "failed", "a time before 2025", "set the clock: chronyd or timedatectl"
        )
    state = host_facts.read()
    source = f", source {state.source}" if state.source else ""
    if state.synchronised is None:
        return _item(
            "clock", "warning", f"state unknown{source}", "run a time daemon such as chrony"
        )
    if not state.synchronised:
        advice = "run a time daemon such as chrony: systemctl enable --now chronyd"
        return _item("clock", "warning", f"not synchronised{source}", advice)
    return _item("clock", "ok", f"synchronised, error below {state.max_error_us:,} us{source}")


def check_cores(world: Context) -> Doctor:
    """There is a core for the loop and one for everything else."""
    cores = host_facts.usable_cores()
    if cores < 2:
        advice = "give it two: the loop and the journal share one core"
        return _item("cores", "warning", f"{cores:g} usable", advice)
    return _item("cores", "ok", f"{cores:g} usable")


def check_locked_memory(world: Context) -> Doctor:
    """The process may keep its buffers in memory."""
    limit = host_facts.locked_memory_limit()
    if limit is None:
        return _item("memory lock limit", "ok", "unlimited")
    found = f"{limit / (1 << 20):.1f} MiB"
    if limit < LEAST_LOCKED:
        advice = (
            "ulimit -l unlimited, or in /etc/security/limits.d/kimera.conf: * - memlock unlimited"
        )
        return _item("memory lock limit", "warning", found, advice)
    return _item("memory lock limit", "ok", found)


CHECKS: tuple[Callable[[Context], Doctor], ...] = (
    check_python,
    check_packages,
    check_installation,
    check_plugs,
    check_profile,
    check_data_folder,
    check_numba_cache,
    check_clock,
    check_cores,
    check_locked_memory,
)


def _item(item: str, status: Status, found: str, advice: str = "") -> Doctor:
    return Doctor(item=item, status=status, found=found, advice=advice)


def _requirements() -> list[str]:
    try:
        lines = metadata.requires("kimera") or []
    except metadata.PackageNotFoundError:
        return ["kimera"]
    return [line for line in lines if "extra ==" not in line]


def _requirement_problem(requirement: str) -> str:
    """Return what is wrong with one installed requirement, or nothing."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    if name is None:
        return f"{requirement} cannot be read"
    try:
        version = metadata.version(name.group())
    except metadata.PackageNotFoundError:
        return f"{name.group()} is not installed"
    for comparison, bound in re.findall(r"(>=|<)\s*([0-9.]+)", requirement):
        if (_numbers(version) < _numbers(bound)) == (comparison == ">="):
            return f"{name.group()} is {version}, expected {comparison}{bound}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    parts = [int(n) for n in re.match(r"[0-9.]*", version)[0].split(".") if n]  # type: ignore[index]
    return tuple(parts + [0] * (4 - len(parts)))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _not_writable(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"cannot write to {folder}: {error.strerror}"
