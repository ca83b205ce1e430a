"""Bring a host to its profile: journal first, then write, then read back, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kimera_cli.errors import KimeraError
from kimera_cli.host import persist
from kimera_cli.host.item import Item, Profile
from kimera_cli.host.journal import BEGIN, DONE, END, FILE, INTENT, Journal
from kimera_cli.host.plan import Step, steps
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import settled
from kimera_cli.records import HostResult

SETTINGS_FILE = "settings file"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id(tree: Tree) -> str:
    """Return the id of this start of the kernel."""
    return tree.text(_BOOT_ID)


def planned(tree: Tree, items: Sequence[Item]) -> Iterator[HostResult]:
    """Tell what `apply` would do, and what would stand in its way; nothing is written."""
    for step in steps(items):
        yield _result(step, step.write.old, "planned", tree.blocked(step.write.path))


def denied(tree: Tree, items: Sequence[Item]) -> Iterator[HostResult]:
    """Tell of each change why it cannot be made; nothing is written."""
    for step in steps(items):
        yield _result(step, step.write.old, "denied", tree.blocked(step.write.path))


def all_blocked(tree: Tree, items: Sequence[Item]) -> bool:
    """Whether there is something to write and nothing of it can be."""
    todo = steps(items)
    return bool(todo) and all(tree.blocked(step.write.path) for step in todo)


def refusal(tree: Tree, again: str) -> KimeraError:
    """Return the error of a host that takes no change from this process."""
    if tree.euid != 0:
        return KimeraError(
            "host.needs_root",
            "expected to run as root, was an ordinary user: nothing changed",
            f"sudo {again}",
        )
    return KimeraError(
        "host.read_only",
        "expected settings that can be written, was a read-only /proc and /sys: nothing changed",
        "this is a container or locked down: run it on the host, or name its mounted root: --root",
    )


def apply(
    tree: Tree, profile: Profile, items: Sequence[Item], journal: Journal, *, keep: bool
) -> Iterator[HostResult]:
    """Make all changes; `keep` also writes the settings files. Yields what became of each."""
    todo = steps(items)
    if not todo and not keep:
        return
    boot = boot_id(tree)
    journal.append(BEGIN, profile=profile, boot=boot, root=str(tree.root))
    for step in todo:
        yield _change(tree, journal, step, boot)
    if keep:
        yield from _persist(tree, profile, items, journal)
    journal.append(END)


def _change(tree: Tree, journal: Journal, step: Step, boot: str) -> HostResult:
    path, new = step.write.path, settled(step.write.path, step.write.new)
    if reason := tree.blocked(path):
        return _result(step, settled(path, tree.text(path)), "denied", reason)
    old = settled(path, tree.text(path))
    if old == new:
        return _result(step, old, "already")
    intent = journal.append(INTENT, item=step.item, path=path, old=old, new=new, boot=boot)
    reason = ""
    try:
        tree.write(path, step.write.new)
    except OSError as error:
        reason = tree.refusal(error, path)
    found = settled(path, tree.text(path))
    if found == new:
        result = _result(step, found, "applied")
    elif found == old:
        result = _result(step, found, "denied", reason or "the kernel kept the old value")
    else:
        result = _result(step, found, "partial", reason or f"the kernel made it {found}")
    journal.append(
        DONE, of=intent.n, status=result.status, found=result.found, reason=result.reason
    )
    return result


def _persist(
    tree: Tree, profile: Profile, items: Sequence[Item], journal: Journal
) -> Iterator[HostResult]:
    """Write the files with every value of /proc/sys that is applied now, from whichever apply."""
    values = {
        e.body["path"]: e.body["new"]
        for e in journal.outstanding()
        if e.kind == INTENT and e.body["path"].startswith("/proc/sys/")
    }
    for name, text in persist.wanted(profile, items, values).items():
        old = persist.held(tree, name)
        status, reason = "applied", ""
        if old == text:
            status = "already"
        elif reason := persist.refused(tree, name):
            status = "denied"
        else:
            entry = journal.append(FILE, item=SETTINGS_FILE, path=name, old=old, new=text)
            reason = _put(tree, name, text)
            status = "denied" if reason else "applied"
            journal.append(DONE, of=entry.n, status=status, found="", reason=reason)
        yield HostResult(
            action="apply",
            item=SETTINGS_FILE,
            path=name,
            old="absent" if old is None else "present",
            new="present",
            found="present" if persist.held(tree, name) is not None else "absent",
            status=status,  # type: ignore[arg-type]
            reason=reason,
        )


def _put(tree: Tree, name: str, text: str) -> str:
    try:
        persist.put(tree, name, text)
    except OSError as error:
        return tree.refusal(error, name)
    except KimeraError as error:
        return error.message
    return ""


def _result(step: Step, found: str, status: str, reason: str = "") -> HostResult:
    return HostResult(
        action="apply",
        item=step.item,
        path=step.write.path,
        old=step.write.old,
        new=step.write.new,
        found=found,
        status=status,  # type: ignore[arg-type]
        reason=reason,
    )
