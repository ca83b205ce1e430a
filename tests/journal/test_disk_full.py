"""A disk that fills up: a clear error, nothing that looks complete, a journal that verifies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kimera_cli.engine.run_audit import recover_run, verify_run
from kimera_cli.engine.runfolder import RunFolder

CHILD = Path(__file__).with_name("writer_child.py")


def fill(folder: Path, durability: str, mode: str) -> tuple[int, list[str]]:
    argv = [sys.executable, str(CHILD), str(folder), durability, mode]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.split("\n")[:-1]


def check(folder: Path, lines: list[str], durability: str) -> RunFolder:
    assert lines[-1].startswith("run.disk_full: expected room for")
    told = [int(line) for line in lines[1:-1]]
    assert told
    run = RunFolder.open(folder)
    assert not list(folder.glob("*.parquet"))
    assert not (folder / "summary.json").exists()
    journal, bulk = list(verify_run(run))
    assert journal.ok, journal.detail
    assert bulk.ok, bulk.detail
    if "more in intents.log" in journal.detail:
        assert durability == "process"
        folder = shutil.copytree(folder, folder.parents[1] / "copy")  # to where there is room
        journal, *_ = recover_run(RunFolder.open(folder), now_ns=9, monotonic_ns=lambda: 0)
    assert journal.last_seq >= told[-1] - 6  # the last rows of the batch may be statistics
    return run


@pytest.mark.parametrize("durability", ["batch", "disk", "process"])
def test_a_file_size_limit(tmp_path, durability):
    code, lines = fill(tmp_path / "limited" / "run", durability, str(3_500_000))
    assert code == 7
    assert check(tmp_path / "limited" / "run", lines, durability).status == "failed"


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root to mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("durability", ["batch", "disk", "process"])
def test_a_small_disk(small_disk, durability):
    code, lines = fill(small_disk / "run", durability, "normal")
    assert code == 7
    run = check(small_disk / "run", lines, durability)
    assert run.status in ("failed", "running")  # its manifest may not have found room either


def test_a_disk_without_room_for_the_start(small_disk):
    (small_disk / "ballast").write_bytes(bytes(6 * 1024 * 1024 - 8192))
    code, lines = fill(small_disk / "run", "batch", "normal")
    assert code == 7
    assert lines[-1].startswith("run.disk_full")


def test_a_folder_that_may_not_be_written(tmp_path):
    proc = Path("/proc/self/kimera-run")
    if not proc.parent.is_dir():
        pytest.skip("needs /proc, which refuses new folders to everybody")
    code, lines = fill(proc, "batch", "normal")
    assert code == 7
    assert lines == [f"run.folder: {lines[-1].split(': ', 1)[1]}"]
    assert str(proc) in lines[-1]
