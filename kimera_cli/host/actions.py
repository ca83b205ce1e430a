"""What the commands apply, revert and verify do, from their options to their records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kimera_cli.errors import KimeraError
from kimera_cli.host import apply as applying
from kimera_cli.host import revert as reverting
from kimera_cli.host.journal import Journal
from kimera_cli.host.probe import probe, profile_named
from kimera_cli.host.tree import NEEDS_ROOT, Tree
from kimera_cli.host.verify import Switch, read_back
from kimera_cli.records import HostResult, Record

if TYPE_CHECKING:
    from kimera_cli.progress import Progress

Now = Callable[[], int]
Note = Callable[[str], None]


class Notes(Protocol):
    """Where notes and progress go."""

    def note(self, text: str) -> None:
        """Say something useful that no script needs."""

    def progress(self, label: str, total: int | None = None, unit: str = "") -> Progress:
        """Return a progress bar."""


@dataclass(frozen=True)
class Apply:
    """Options of apply."""

    tree: Tree
    journal: Path
    profile: str | None
    persist: bool
    dry_run: bool


@dataclass(frozen=True)
class Revert:
    """Options of revert."""

    tree: Tree
    journal: Path
    force: bool


@dataclass(frozen=True)
class Verify:
    """Options of verify."""

    tree: Tree
    journal: Path
    jitter: bool
    control: bool
    rounds: int
    seconds: float


def apply(request: Apply, now_ns: Now, note: Note) -> Iterator[HostResult]:
    """Bring the host to a profile; without the rights, tell each change and raise."""
    tree = request.tree
    profile = profile_named(request.profile, tree)
    items = list(probe(tree, profile))
    if request.profile is None:
        note(f"profile {profile}: name another if this host is for something else")
    if request.dry_run:
        yield from applying.planned(tree, items)
        return
    if applying.all_blocked(tree, items):
        yield from applying.denied(tree, items)
        again = f"kimera tune-host apply {profile}{' --persist' if request.persist else ''}"
        raise applying.refusal(tree, again)
    with Journal.open(request.journal, now_ns) as journal:
        yield from applying.apply(tree, profile, items, journal, keep=request.persist)


def revert(request: Revert, now_ns: Now, note: Note) -> Iterator[HostResult]:
    """Take back what the journal holds."""
    if not Journal.read(request.journal).outstanding():
        note(f"nothing to take back: {request.journal} holds no change that is in force")
        return
    tree = request.tree
    with Journal.open(request.journal, now_ns) as journal:
        if not journal.complete:
            note("the last apply was stopped half-way: taking back what it had done")
        denied = 0
        for result in reverting.revert(tree, journal, force=request.force):
            denied += result.status == "denied" and result.reason == NEEDS_ROOT
            yield result
        if denied:
            raise applying.refusal(tree, "kimera tune-host revert")


def verify(request: Verify, now_ns: Now, notes: Notes) -> Iterator[Record]:
    """Read back what is in force; then compare delays under the old and the new values."""
    tree, path = request.tree, request.journal
    changes = reverting.changed(Journal.read(path))
    yield from read_back(tree, changes)
    if request.control:
        yield from _compare(request, lambda new: time.sleep(0.0), notes, "control: nothing changed")
        return
    if not request.jitter:
        if not changes:
            notes.note(f"nothing is applied: {path} holds no change that is in force")
        return
    switch = Switch(tree, changes, time.sleep)
    switch.check()
    with Journal.open(path, now_ns):
        if switch.left:
            notes.note(f"not switched in the comparison: {', '.join(dict.fromkeys(switch.left))}")
        count = len(switch.switched)
        yield from _compare(request, switch, notes, f"{count} values, old against new")


def _compare(
    request: Verify, switch: Callable[[bool], None], notes: Notes, compared: str
) -> Iterator[Record]:
    if not request.tree.live and not request.control:
        raise KimeraError(
            "host.not_live",
            f"expected this machine, was the tree {request.tree.root}: its delays cannot be felt",
            "verify on that host, or read back only: --no-jitter",
        )
    from kimera_cli.host.comparison import judge, visit
    from kimera_cli.host.jitter import Laps, Wakeups, steady

    notes.note("preparing the measures (the first time compiles for some seconds)")
    measures = (Wakeups(request.seconds), Laps(request.seconds))
    bar = notes.progress("measuring", 2 * request.rounds, "visits")
    with bar or nullcontext(), steady():
        samples = visit(measures, switch, request.rounds, bar.advance)
    for measure in measures:
        yield judge(measure, samples[measure.name], compared)
