"""The plan is exact: as records, and as a script that does the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from metal import picture, put

from kimera_cli.host.plan import changes, script, steps
from kimera_cli.host.probe import probe
from kimera_cli.host.tree import Tree


def sh(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-s", *arguments], input=text, capture_output=True, text=True, check=False
    )


def test_every_change_has_its_command_or_its_reason(tree: Tree) -> None:
    found = list(changes(tree, list(probe(tree, "hft"))))
    assert {c.how for c in found} == {"write", "file", "boot", "hand"}
    for change in found:
        assert change.command or change.reason, change.item
        assert change.how != "write" or change.old != change.new, change.item


def test_siblings_are_parted_last(tree: Tree) -> None:
    assert [s.item for s in steps(probe(tree, "hft"))].index("smt") == len(
        steps(probe(tree, "hft"))
    ) - 1


def test_the_script_makes_the_changes_and_takes_them_back(host: Path, tree: Tree) -> None:
    before = picture(host)
    items = list(probe(tree, "hft"))
    text = script(tree, "hft", items)
    done = sh(text)
    assert done.returncode == 0, done.stderr
    after = picture(host)
    expected = {s.write.path: s.write.new for s in steps(items)}
    assert {name: after[name] for name in after if after[name] != before[name]} == expected
    assert not steps(probe(tree, "hft")), "nothing is left to plan"
    assert sh(text, "old").returncode == 0
    assert picture(host) == before


def test_the_script_goes_on_where_a_file_is_missing_and_says_so(host: Path, tree: Tree) -> None:
    text = script(tree, "hft", list(probe(tree, "hft")))
    (host / "proc/sys/vm/swappiness").unlink()
    done = sh(text)
    assert done.returncode == 1
    assert "absent: swappiness" in done.stderr
    assert not (host / "proc/sys/vm/swappiness").exists(), "it makes nothing"
    assert (host / "proc/sys/vm/stat_interval").read_text().strip() == "10"


def test_the_script_refuses_another_word(tree: Tree) -> None:
    assert sh(script(tree, "hft", []), "undo").returncode == 2
    assert sh(script(tree, "hft", [])).returncode == 0


def test_a_strange_root_is_quoted(tmp_path: Path) -> None:
    root = tmp_path / "it's a $(touch gone) host"
    put(root, "/proc/sys/vm/swappiness", "60")
    tree = Tree(root, 0)
    done = sh(script(tree, "hft", list(probe(tree, "hft"))))
    assert done.returncode == 0, done.stderr
    assert (root / "proc/sys/vm/swappiness").read_text() == "1\n"


@pytest.mark.parametrize("profile", ["laptop", "server", "hft"])
def test_a_plan_that_was_followed_leaves_nothing_to_do(tree: Tree, profile: str) -> None:
    for step in steps(probe(tree, profile)):  # type: ignore[arg-type]
        tree.write(step.write.path, step.write.new)
    assert not steps(probe(tree, profile))  # type: ignore[arg-type]
