"""Copies of the checkout in which mistakes are made, so that the working tree is never touched.

What takes long to import and is not ours is imported once; each run of tests is a fork of that
process, in a session of its own, which is killed with all that it started. Bytecode comes with the
copy and is known by the source's time and length: a file with a mistake is given another time, and
no bytecode is written.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
MAPPED = ("bench", "commands", "profiles")
"""Folders that are packages of kimera_cli when installed."""
HEAVY = ("numba", "hypothesis", "aiohttp", "msgspec", "picows", "pyarrow", "cryptography.x509")
LIMIT_S = 240.0
_HOUR_NS = 3_600_000_000_000
PASSED, FAILED = 0, 1
"""Exit codes of pytest; all others say that it could not even try."""


class Verdict(NamedTuple):
    """What a run of tests came to."""

    code: int
    """Of pytest; -1: it did not end."""
    seconds: float
    output: str

    @property
    def noticed_by(self) -> str:
        """The first test that failed."""
        found = [line for line in self.output.splitlines() if line.startswith("FAILED ")]
        return found[0].removeprefix("FAILED ").partition(" - ")[0] if found else ""


def new_copy(folder: Path) -> Path:
    """Copy what tests need; return the folder."""
    for name in ("kimera_cli", "tests", *MAPPED):
        ignored = shutil.ignore_patterns(".hypothesis", *MAPPED)
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in MAPPED:
        (folder / "kimera_cli" / name).symlink_to(folder / name, target_is_directory=True)
    for name in ("pyproject.toml", "schemas", "completions", "docs"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def prepare(folder: Path) -> None:
    """Make this process one that tests the copy in `folder`, and import what is not ours."""
    os.environ["PYTHONPATH"] = str(folder)  # for what tests start
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ.setdefault("KIMERA_TEST_DATA", str(ROOT.parent / "shared" / "data"))
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    for name in HEAVY:
        with suppress(ImportError):
            importlib.import_module(name)
    assert not any(name.startswith("kimera_cli") for name in sys.modules)


def run(folder: Path, tests: Sequence[str]) -> Verdict:
    """Run tests of the copy in a fork."""
    report = folder / "report.txt"
    begun = time.monotonic()
    pid = os.fork()
    if not pid:
        _in_child(folder, report, tests)
    code = _wait(pid)
    return Verdict(code, time.monotonic() - begun, report.read_text(errors="replace"))


def _in_child(folder: Path, report: Path, tests: Sequence[str]) -> None:
    """Run pytest and end the process."""
    code = 3
    try:
        os.setsid()
        os.chdir(folder)
        out = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        args = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly"]
        code = pytest.main([*args, f"--rootdir={folder}", *tests])
        sys.stdout.flush()
    finally:
        os._exit(code)


def _wait(pid: int) -> int:
    """Return the exit code of a fork, -1 when it had to be ended; nothing of it is left."""
    end = time.monotonic() + LIMIT_S
    code = -1
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code == -1:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return code


def arguments(folder: Path, tests: str) -> list[str]:
    """Return the arguments of pytest that `tests` of a mutant stand for."""
    return [
        str(folder / "tests" / word) if word.partition("::")[0].endswith(".py") else word
        for word in shlex.split(tests)
    ]


def attempt(folder: Path, mutant: Mutant) -> Verdict:
    """Make one mistake in the copy, run the tests that must notice, and take it back."""
    path = folder / mutant.file
    right, made_ns = path.read_bytes(), path.stat().st_mtime_ns
    path.write_text(mutant.applied(folder), encoding="utf-8")
    os.utime(path, ns=(made_ns, made_ns + _HOUR_NS))
    try:
        return run(folder, arguments(folder, mutant.tests))
    finally:
        path.write_bytes(right)
        os.utime(path, ns=(made_ns, made_ns))
