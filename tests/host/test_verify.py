"""The switch between old and new values touches what was applied, and nothing else."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from metal import picture, put

from kimera_cli.errors import KimeraError
from kimera_cli.host.apply import apply
from kimera_cli.host.journal import Journal
from kimera_cli.host.probe import probe
from kimera_cli.host.revert import Changed, changed
from kimera_cli.host.tree import Tree
from kimera_cli.host.verify import Switch

Ticks = Callable[[], int]
ALONE = {"/sys/devices/system/cpu/smt/control", "/proc/sys/vm/nr_hugepages"}


@pytest.fixture
def changes(tree: Tree, ticks: Ticks) -> list[Changed]:
    path = tree.path("/var/lib/kimera/tune-host.jsonl")
    with Journal.open(path, ticks) as journal:
        list(apply(tree, "hft", list(probe(tree, "hft")), journal, keep=True))
        return changed(journal)


def still(seconds: float) -> None:
    assert seconds > 0


def test_old_values_and_new_ones_in_turn(host: Path, tree: Tree, changes: list[Changed]) -> None:
    new = picture(host)
    switch = Switch(tree, changes, still)
    switch.check()
    switch(False)
    old = picture(host)
    moved = {name for name in new if old[name] != new[name]}
    assert moved == {c.path for c in changes if not c.is_file} - ALONE
    assert all(old[c.path] == c.old for c in switch.switched)
    assert set(switch.left) == {"smt", "huge pages"}
    switch(True)
    assert picture(host) == new


def test_old_values_come_back_last_first(
    tree: Tree, changes: list[Changed], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(Tree, "write", lambda self, name, value: written.append(name))
    switch = Switch(tree, changes, still)
    switch(True)
    switch(False)
    half = len(written) // 2
    assert written[:half] == written[half:][::-1]


def test_what_somebody_else_changed_is_not_switched(
    host: Path, tree: Tree, changes: list[Changed]
) -> None:
    put(host, "/proc/sys/vm/swappiness", "33")
    switch = Switch(tree, changes, still)
    switch(False)
    switch(True)
    assert (host / "proc/sys/vm/swappiness").read_text() == "33\n"
    assert "swappiness" in switch.left


def test_a_refused_switch_names_the_file(
    tree: Tree, changes: list[Changed], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Tree, name: str, value: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    switch = Switch(tree, changes, still)
    monkeypatch.setattr(Tree, "write", write)
    with pytest.raises(KimeraError) as caught:
        switch(False)
    assert caught.value.code == "host.switch"
    assert str(caught.value.details["file"]).startswith("/")


def test_nothing_to_switch_is_told(tree: Tree) -> None:
    with pytest.raises(KimeraError) as caught:
        Switch(tree, [], still).check()
    assert caught.value.code == "host.nothing_applied"
