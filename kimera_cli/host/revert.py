"""Bring back what was: the journalled values, last changed first.

A value is written back only while it still is what an apply made it. One that somebody else has
changed since is a conflict, and stays; one that already is what it was needs nothing; one of
before a restart of the kernel is gone. So a second revert after a kill does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kimera_cli.errors import DataError, KimeraError
from kimera_cli.host import persist
from kimera_cli.host.apply import boot_id
from kimera_cli.host.journal import DONE, FILE, REVERTED, Entry, Journal
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import settled
from kimera_cli.records import HostResult

_ALLOWED = ("/proc/sys/", "/proc/irq/", "/sys/")


@dataclass(frozen=True)
class Changed:
    """All that was done to one path and not taken back.

    `old` is where it began (for a value that somebody else set between two applies: that one),
    `made` everything that it was made since, `held` the last of these: as
    it was asked for, and as the kernel took it.
    """

    path: str
    item: str
    old: str | None
    made: tuple[str | None, ...]
    held: tuple[str | None, ...]
    boot: str
    entries: tuple[Entry, ...]

    @property
    def is_file(self) -> bool:
        """Whether it is a settings file of ours rather than a value of the kernel."""
        return self.entries[0].kind == FILE

    @property
    def new(self) -> str | None:
        """What it was made last, as it was asked for."""
        return self.held[0]


def changed(journal: Journal) -> list[Changed]:
    """Return the changes to take back, last first; DataError for a path that apply never writes."""
    found = {e.body["of"]: e.body["found"] for e in journal.entries if e.kind == DONE}
    groups: dict[str, list[Entry]] = {}
    for entry in journal.outstanding():
        _check(journal, entry)
        groups.setdefault(entry.body["path"], []).append(entry)
    return sorted(
        (_group(path, entries, found) for path, entries in groups.items()),
        key=lambda change: -change.entries[-1].n,
    )


def _group(path: str, entries: list[Entry], found: dict[int, str]) -> Changed:
    """Return what was done to one path since it last held a value that was not ours."""

    def made(entry: Entry) -> tuple[str | None, ...]:
        # What the kernel made of a value counts as ours too: it may round.
        return entry.body["new"], found.get(entry.n) or entry.body["new"]

    start = 0
    for k in range(1, len(entries)):
        if entries[k].body["old"] not in made(entries[k - 1]):
            start = k
    first, last = entries[start].body, entries[-1]
    ours = tuple(value for entry in entries[start:] for value in made(entry))
    boot = str(last.body.get("boot", ""))
    return Changed(path, str(first["item"]), first["old"], ours, made(last), boot, tuple(entries))


def _check(journal: Journal, entry: Entry) -> None:
    path = str(entry.body.get("path", ""))
    known = path in persist.FILES if entry.kind == FILE else path.startswith(_ALLOWED)
    if not known or ".." in path.split("/"):
        raise DataError(
            "data.host_journal",
            f"expected a path that apply writes in {journal.path}:{entry.n}, was '{path}'",
            "nothing was reverted: this journal is not one of kimera's",
            file=str(journal.path),
            line=entry.n,
        )


def revert(tree: Tree, journal: Journal, *, force: bool) -> Iterator[HostResult]:
    """Take back every change of the journal; yields what became of each."""
    boot = boot_id(tree)
    for change in changed(journal):
        result = _file(tree, change, force) if change.is_file else _value(tree, change, boot, force)
        if result.status in ("reverted", "already", "gone"):
            for entry in reversed(change.entries):
                journal.append(REVERTED, of=entry.n, status=result.status, found=result.found)
        yield result


def _value(tree: Tree, change: Changed, boot: str, force: bool) -> HostResult:
    path, old = change.path, str(change.old)
    if not tree.exists(path):
        return _result(change, "", "gone", "not there any more")
    found = settled(path, tree.text(path))
    if found == old:
        return _result(change, found, "already")
    if found not in change.made and not force:
        if change.boot != boot:
            reason = "set by the restart of the host since"
            return _result(change, found, "gone", reason)
        return _result(change, found, "conflict", "changed by somebody else since: --force writes")
    reason = ""
    try:
        tree.write(path, old)
    except OSError as error:
        reason = tree.refusal(error, path)
    found = settled(path, tree.text(path))
    if found == old:
        return _result(change, found, "reverted")
    return _result(change, found, "denied", reason or f"the kernel made it {found}")


def _file(tree: Tree, change: Changed, force: bool) -> HostResult:
    found = persist.held(tree, change.path)
    if found not in (change.old, *change.made) and not force:
        reason = "edited by somebody else since: --force takes it away"
        return _result(change, _shown(found), "conflict", reason)
    try:
        persist.tidy(tree, change.path)
        if found == change.old:
            return _result(change, _shown(found), "already")
        persist.put(tree, change.path, change.old)
    except OSError as error:
        return _result(change, _shown(found), "denied", tree.refusal(error, change.path))
    except KimeraError as error:
        return _result(change, _shown(found), "denied", error.message)
    return _result(change, _shown(change.old), "reverted")


def _shown(text: str | None) -> str:
    return "absent" if text is None else "present"


def _result(change: Changed, found: str, status: str, reason: str = "") -> HostResult:
    old = _shown(change.old) if change.is_file else str(change.old)
    new = _shown(change.new) if change.is_file else str(change.new)
    return HostResult(
        action="revert",
        item=change.item,
        path=change.path,
        old=old,
        new=new,
        found=found,
        status=status,  # type: ignore[arg-type]
        reason=reason,
    )
