"""SIGKILL at every system call that apply and revert make: a second revert always comes home.

Each child is a fork that kills itself at its k-th call of those that change anything on the disk.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from metal import KERNEL, picture, put

from kimera_cli.host import persist
from kimera_cli.host.apply import apply
from kimera_cli.host.journal import Journal
from kimera_cli.host.probe import probe
from kimera_cli.host.revert import revert
from kimera_cli.host.tree import Tree

CALLS = ("open", "write", "fsync", "ftruncate", "fchmod")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill loses nothing that was written: waiting for the disk only takes time here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def clock() -> int:
    return 1


def run_apply(root: Path) -> None:
    tree = Tree(root, os.geteuid())
    with Journal.open(root / "var/lib/kimera/j", clock) as journal:
        list(apply(tree, "server", list(probe(tree, "server")), journal, keep=True))


def run_revert(root: Path) -> None:
    with Journal.open(root / "var/lib/kimera/j", clock) as journal:
        list(revert(Tree(root, os.geteuid()), journal, force=False))


def write_whole(tree: Tree, name: str, value: str) -> None:
    """A kernel takes a value whole or not at all; a file of the disk needs a rename for that."""
    path = tree.path(name)
    assert path.exists()
    part = path.with_name("part")
    part.write_text(f"{value}\n")
    part.rename(path)


def killed_at(k: int, work: Callable[[Path], None], root: Path, *, half: bool) -> bool:
    """Run in a fork that dies at its k-th call, before it or (`half`) in the midst of a write."""
    child = os.fork()
    if child == 0:
        left = [k]
        for name in CALLS:
            setattr(os, name, _deadly(getattr(os, name), left, half and name == "write"))
        Tree.write = _deadly(write_whole, left, False)  # type: ignore[method-assign]
        Path.replace = _deadly(Path.replace, left, False)  # type: ignore[method-assign]
        Path.unlink = _deadly(Path.unlink, left, False)  # type: ignore[method-assign]
        try:
            work(root)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _deadly(call: Any, left: list[int], half: bool) -> Any:
    def counted(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            if half and len(args) == 2:
                call(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)

    return counted


def small(root: Path) -> Path:
    """A host with few settings, so that every step can be tried."""
    few = ("swappiness", "transparent_hugepage/enabled", "current_clocksource", "rmem_max")
    kept = (*few, "available_clocksource", "boot_id", "self/limits")
    for name, text in KERNEL.items():
        if name.endswith(kept):
            put(root, name, text)
    (root / "etc/sysctl.d").mkdir(parents=True)
    (root / "etc/security/limits.d").mkdir(parents=True)
    return root


@pytest.mark.parametrize("half", [False, True], ids=["before the call", "half-way in a write"])
def test_apply_killed_anywhere_is_taken_back(tmp_path: Path, half: bool) -> None:
    k = 0
    while True:
        k += 1
        root = small(tmp_path / f"host{k}")
        before = picture(root)
        died = killed_at(k, run_apply, root, half=half)
        if not died:
            break
        run_revert(root)
        assert picture(root) == before, f"killed at call {k}"
        assert Journal.read(root / "var/lib/kimera/j").outstanding() == []
    assert k > 40, "every step was tried"
    run_revert(root)
    assert picture(root) == before


@pytest.mark.parametrize("half", [False, True], ids=["before the call", "half-way in a write"])
def test_revert_killed_anywhere_is_finished_by_the_next(tmp_path: Path, half: bool) -> None:
    k = 0
    while True:
        k += 1
        root = small(tmp_path / f"host{k}")
        before = picture(root)
        run_apply(root)
        if not killed_at(k, run_revert, root, half=half):
            break
        run_revert(root)
        assert picture(root) == before, f"killed at call {k}"
    assert k > 20


def test_no_half_written_settings_file_takes_its_name(tmp_path: Path) -> None:
    k = 0
    while True:
        k += 1
        root = small(tmp_path / f"host{k}")
        if not killed_at(k, run_apply, root, half=True):
            break
        for name in persist.FILES:
            text = persist.held(Tree(root), name)
            assert text is None or text.endswith("\n"), f"killed at call {k}"
