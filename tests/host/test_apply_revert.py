"""There and back: applied values are read back, reverted ones are those of before."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from metal import picture, put

from kimera_cli.host import persist
from kimera_cli.host.apply import apply, planned
from kimera_cli.host.journal import Journal
from kimera_cli.host.plan import steps
from kimera_cli.host.probe import probe
from kimera_cli.host.revert import changed, revert
from kimera_cli.host.tree import Tree
from kimera_cli.host.verify import read_back
from kimera_cli.records import HostResult

SWAPPINESS = "/proc/sys/vm/swappiness"


@dataclass
class Tuned:
    """A host with its journal, and the two ways."""

    tree: Tree
    path: Path
    ticks: Callable[[], int]

    def apply(self, profile: Any = "hft", keep: bool = False) -> list[HostResult]:
        with Journal.open(self.path, self.ticks) as journal:
            items = list(probe(self.tree, profile))
            return list(apply(self.tree, profile, items, journal, keep=keep))

    def revert(self, force: bool = False) -> list[HostResult]:
        with Journal.open(self.path, self.ticks) as journal:
            return list(revert(self.tree, journal, force=force))

    def verify(self) -> dict[str, str]:
        found = read_back(self.tree, changed(Journal.read(self.path)))
        return {result.path: result.status for result in found}


@pytest.fixture
def tuned(tree: Tree, ticks: Callable[[], int]) -> Tuned:
    return Tuned(tree, tree.path("/var/lib/kimera/tune-host.jsonl"), ticks)


def by_path(results: list[HostResult]) -> dict[str, HostResult]:
    return {result.path: result for result in results}


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("profile", ["laptop", "server", "hft"])
def test_there_and_back(tuned: Tuned, host: Path, profile: str, keep: bool) -> None:
    before = picture(host)
    todo = {s.write.path: s.write.new for s in steps(probe(tuned.tree, profile))}  # type: ignore[arg-type]
    done = tuned.apply(profile, keep)
    assert {r.status for r in done} == {"applied"}
    after = picture(host)
    assert todo.items() <= after.items()
    assert set(after) - set(before) == (set(persist.FILES) if keep else set())
    assert set(tuned.verify().values()) == {"held"}
    back = tuned.revert()
    assert {r.status for r in back} == {"reverted"}
    assert [r.path for r in back] == [r.path for r in reversed(done)], "last changed, first back"
    assert picture(host) == before
    assert tuned.revert() == []
    assert tuned.verify() == {}


def test_applying_again_changes_nothing(tuned: Tuned, host: Path) -> None:
    tuned.apply()
    after = picture(host)
    assert tuned.apply() == []
    assert picture(host) == after


def test_from_profile_to_profile_and_back_to_the_start(tuned: Tuned, host: Path) -> None:
    before = picture(host)
    tuned.apply("laptop")
    tuned.apply("server", keep=True)
    tuned.apply("hft", keep=True)
    assert (host / SWAPPINESS[1:]).read_text() == "1\n"
    tuned.revert()
    assert picture(host) == before


def test_nothing_is_written_before_the_journal_holds_it(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each write of a value, its line is in the file and was flushed."""
    real_write, real_sync = Tree.write, os.fsync
    synced: list[bytes] = []

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        synced.append(tuned.path.read_bytes())

    def write(self: Tree, name: str, value: str) -> None:
        last = Journal.read(tuned.path).entries[-1]
        assert (last.kind, last.body["path"], last.body["new"]) == ("intent", name, value)
        assert last.body["old"] != value
        assert synced[-1] == tuned.path.read_bytes()
        real_write(self, name, value)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Tree, "write", write)
    assert len(tuned.apply()) > 30


@pytest.mark.parametrize(
    ("number", "euid", "said"),
    [
        (errno.EACCES, 1000, "needs root"),
        (errno.EPERM, 0, "not permitted, also not for root"),
        (errno.EROFS, 0, "read-only file system"),
        (errno.EINVAL, 0, "the kernel does not take this value"),
    ],
)
def test_a_refused_write_is_denied_with_its_reason(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch, number: int, euid: int, said: str
) -> None:
    real = Tree.write

    def write(self: Tree, name: str, value: str) -> None:
        if name == SWAPPINESS:
            raise OSError(number, os.strerror(number))
        real(self, name, value)

    monkeypatch.setattr(Tree, "write", write)
    tuned.tree = Tree(tuned.tree.root, euid)
    result = by_path(tuned.apply())[SWAPPINESS]
    assert result.status == "denied"
    assert result.found == "60"
    assert result.reason.startswith(said)
    monkeypatch.undo()
    assert SWAPPINESS not in by_path(tuned.revert())


def test_an_interrupt_that_the_kernel_keeps_is_told(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Tree, name: str, value: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Tree, "write", write)
    tuned.tree = Tree(tuned.tree.root, 0)
    result = by_path(tuned.apply())["/proc/irq/120/smp_affinity_list"]
    assert result.reason == "the kernel manages this one itself"


def test_a_value_that_the_kernel_rounds_is_partial_and_goes_back(
    tuned: Tuned, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with huge pages when memory is too scattered for all of them."""
    before = picture(host)
    real = Tree.write

    def write(self: Tree, name: str, value: str) -> None:
        real(self, name, "37" if name.endswith("nr_hugepages") and value == "64" else value)

    monkeypatch.setattr(Tree, "write", write)
    result = by_path(tuned.apply())["/proc/sys/vm/nr_hugepages"]
    assert (result.status, result.found) == ("partial", "37")
    assert tuned.verify()["/proc/sys/vm/nr_hugepages"] == "held"
    assert {r.status for r in tuned.revert()} == {"reverted"}
    assert picture(host) == before


def test_what_vanished_since_the_probe_is_denied_and_never_made(tuned: Tuned, host: Path) -> None:
    items = list(probe(tuned.tree, "hft"))
    (host / SWAPPINESS[1:]).unlink()
    with Journal.open(tuned.path, tuned.ticks) as journal:
        done = by_path(list(apply(tuned.tree, "hft", items, journal, keep=False)))
    assert (done[SWAPPINESS].status, done[SWAPPINESS].reason) == ("denied", "not there")
    assert not (host / SWAPPINESS[1:]).exists()


def test_what_is_as_it_should_be_by_now_is_not_written(tuned: Tuned, host: Path) -> None:
    """Somebody set it between the probe and the apply: it is not ours, and revert leaves it."""
    items = list(probe(tuned.tree, "hft"))
    put(host, SWAPPINESS, "1")
    with Journal.open(tuned.path, tuned.ticks) as journal:
        done = by_path(list(apply(tuned.tree, "hft", items, journal, keep=False)))
    assert done[SWAPPINESS].status == "already"
    assert SWAPPINESS not in by_path(tuned.revert())


def test_a_value_that_somebody_set_between_two_applies_is_where_it_goes_back_to(
    tuned: Tuned, host: Path
) -> None:
    tuned.apply("laptop")
    put(host, SWAPPINESS, "33")
    tuned.apply("hft")
    back = by_path(tuned.revert())[SWAPPINESS]
    assert (back.status, back.old, back.found) == ("reverted", "33", "33")
    assert tuned.revert() == []


def test_a_killed_switch_of_verify_is_no_conflict(tuned: Tuned, host: Path) -> None:
    """It leaves old values, new values, or some of each."""
    before = picture(host)
    tuned.apply("laptop")
    tuned.apply("hft")
    put(host, SWAPPINESS, "60")
    put(host, "/proc/sys/net/ipv4/tcp_slow_start_after_idle", "1")
    assert {r.status for r in tuned.revert()} == {"reverted", "already"}
    assert picture(host) == before


def test_somebody_elses_value_is_a_conflict_and_stays(tuned: Tuned, host: Path) -> None:
    before = picture(host)
    tuned.apply()
    put(host, SWAPPINESS, "33")
    assert tuned.verify()[SWAPPINESS] == "changed"
    back = by_path(tuned.revert())
    assert (back[SWAPPINESS].status, back[SWAPPINESS].found) == ("conflict", "33")
    assert picture(host) == {**before, SWAPPINESS: "33"}
    assert [r.status for r in tuned.revert()] == ["conflict"], "it is still there to be decided"
    assert [r.status for r in tuned.revert(force=True)] == ["reverted"]
    assert picture(host) == before


def test_a_conflict_over_two_applies_goes_back_to_the_first_value(tuned: Tuned, host: Path) -> None:
    tuned.apply("laptop")
    tuned.apply("hft")
    put(host, SWAPPINESS, "60")
    assert by_path(tuned.revert())[SWAPPINESS].status == "already"
    tuned.apply("laptop")
    tuned.apply("hft")
    put(host, SWAPPINESS, "33")
    tuned.revert(force=True)
    assert (host / SWAPPINESS[1:]).read_text() == "60\n"


def test_a_restart_of_the_host_is_no_conflict(tuned: Tuned, host: Path) -> None:
    tuned.apply(keep=True)
    put(host, "/proc/sys/kernel/random/boot_id", "another")
    put(host, SWAPPINESS, "20")
    back = by_path(tuned.revert())
    assert (back[SWAPPINESS].status, back[SWAPPINESS].found) == ("gone", "20")
    assert back[persist.SYSCTL].status == "reverted"
    assert tuned.revert() == []


def test_a_device_that_left_is_gone(tuned: Tuned, host: Path) -> None:
    tuned.apply()
    (host / "proc/irq/120/smp_affinity_list").unlink()
    back = by_path(tuned.revert())
    assert back["/proc/irq/120/smp_affinity_list"].status == "gone"


def test_settings_files_say_what_they_are_and_hold_what_was_applied(
    tuned: Tuned, host: Path
) -> None:
    tuned.apply("hft")
    tuned.apply("hft", keep=True)
    text = (host / persist.SYSCTL[1:]).read_text()
    assert text.startswith("# Written by kimera tune-host apply --persist.")
    assert "vm.swappiness = 1\n" in text
    assert "net.ipv4.tcp_rmem = 4096 131072 16777216\n" in text
    assert "/sys/" not in text
    limits = (host / persist.LIMITS[1:]).read_text()
    assert "root  hard  memlock  unlimited\n" in limits
    assert "hard  nofile" not in limits, "it is higher already"
    assert (host / persist.SYSCTL[1:]).stat().st_mode & 0o777 == 0o644
    assert tuned.apply("hft", keep=True)[-1].status == "already"


def test_somebody_elses_file_is_left_alone(tuned: Tuned, host: Path) -> None:
    put(host, persist.SYSCTL, "vm.swappiness = 5")
    result = by_path(tuned.apply(keep=True))[persist.SYSCTL]
    assert (result.status, result.reason) == ("denied", "somebody else's file of that name")
    tuned.revert()
    assert (host / persist.SYSCTL[1:]).read_text() == "vm.swappiness = 5\n"


def test_an_edited_settings_file_is_a_conflict(tuned: Tuned, host: Path) -> None:
    tuned.apply(keep=True)
    path = host / persist.SYSCTL[1:]
    path.write_text(path.read_text() + "vm.swappiness = 7\n")
    assert tuned.verify()[persist.SYSCTL] == "changed"
    assert by_path(tuned.revert())[persist.SYSCTL].status == "conflict"
    assert path.exists()
    tuned.revert(force=True)
    assert not path.exists()


def test_no_folder_for_settings_is_told(tuned: Tuned, host: Path) -> None:
    (host / "etc/sysctl.d").rmdir()
    result = by_path(tuned.apply(keep=True))[persist.SYSCTL]
    assert (result.status, result.reason) == ("denied", "/etc/sysctl.d: not there")


def test_a_dry_run_writes_nothing(tuned: Tuned, host: Path) -> None:
    before = picture(host)
    done = list(planned(tuned.tree, list(probe(tuned.tree, "hft"))))
    assert {r.status for r in done} == {"planned"}
    assert picture(host) == before
    assert not tuned.path.exists()
