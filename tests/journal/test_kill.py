"""A writer killed at any moment leaves a journal that opens, verifies and can be recovered."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kimera_cli.engine.run_audit import recover_run, verify_run
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.journal.export import merged_rows
from kimera_cli.journal.journal import Journal
from kimera_cli.journal.lease import is_written

CHILD = Path(__file__).with_name("writer_child.py")
BATCH = 37


def start(folder: Path, durability: str, mode: str) -> subprocess.Popen[str]:
    argv = [sys.executable, str(CHILD), str(folder), durability, mode]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


def kill_after(child: subprocess.Popen[str], batches: int, spins: int) -> int:
    """Let the child take some batches, go on for a bit, kill it; return the last seq it told."""
    told = 0
    for _ in range(batches):
        told = int(child.stdout.readline())
    for _ in range(spins):
        pass  # the child is somewhere inside its next batches now
    child.send_signal(signal.SIGKILL)
    told = max([told, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
    assert child.wait() == -signal.SIGKILL
    return told


def expected_rows(seq: int, rows_of) -> np.ndarray:
    batches = -(-seq // BATCH)
    parts = [rows_of(BATCH, seed=i, first_seq=1 + i * BATCH) for i in range(batches)]
    return np.concatenate(parts)[:seq]


@pytest.mark.parametrize("round_", range(5))
@pytest.mark.parametrize("durability", ["batch", "process", "disk"])
def test_killed_at_a_random_moment(tmp_path, durability, round_, rows_of):
    rng = np.random.default_rng([round_, len(durability)])
    child = start(tmp_path / "run", durability, "normal")
    told = kill_after(child, int(rng.integers(1, 60)), int(rng.integers(0, 60_000)))

    folder = RunFolder.open(tmp_path / "run")
    first = {c.check: c for c in verify_run(folder)}
    assert first["journal"].ok
    assert first["bulk"].ok
    assert "cut off" in first["journal"].detail

    after = recover_run(folder, now_ns=9, monotonic_ns=lambda: 0)
    assert all(check.ok for check in after)
    again = RunFolder.open(tmp_path / "run")
    assert again.status == "interrupted"
    events = again.events()
    audit = events[~np.isin(events["kind"], [9, 10])]
    wanted = expected_rows(int(max(audit["seq"][-1], told)), rows_of)
    wanted_audit = wanted[~np.isin(wanted["kind"], [9, 10])]
    assert audit.tobytes() == wanted_audit.tobytes()  # every row that the writer was told is there
    assert not list((tmp_path / "run").glob(".*"))


def test_killed_between_log_and_database(tmp_path, rows_of):
    child = start(tmp_path / "run", "process", "log_only")
    told = kill_after(child, 20, 0)
    folder = RunFolder.open(tmp_path / "run")
    journal, _ = list(verify_run(folder))
    assert (journal.ok, journal.entries) == (True, 0)  # the database had nothing yet
    assert "intents.log: kimera journal recover" in journal.detail
    Journal.resume(folder.path, monotonic_ns=lambda: 0).close()
    rows = np.concatenate(list(merged_rows(folder.path)))
    wanted = expected_rows(int(rows["seq"][-1]), rows_of)
    wanted = wanted[~np.isin(wanted["kind"], [9, 10])]
    assert rows.tobytes() == wanted.tobytes()
    assert rows["seq"][-1] >= told - 3  # the batch's last rows may be statistics


def test_a_run_that_goes_on_is_not_recovered(tmp_path):
    child = start(tmp_path / "run", "batch", "normal")
    try:
        child.stdout.readline()
        folder = RunFolder.open(tmp_path / "run")
        assert is_written(folder.path)
        journal, _ = list(verify_run(folder))
        assert journal.ok
        assert "goes on" in journal.detail
        with pytest.raises(Exception, match="still being written") as caught:
            recover_run(folder, now_ns=9, monotonic_ns=lambda: 0)
        assert caught.value.code == "run.busy"
    finally:
        child.kill()
        child.communicate()
    assert not is_written(folder.path)


def test_resume_goes_on_with_the_chain(tmp_path, rows_of):
    child = start(tmp_path / "run", "process", "normal")
    kill_after(child, 5, 0)
    folder = RunFolder.open(tmp_path / "run")
    journal = Journal.resume(folder.path, monotonic_ns=lambda: 0)
    before = journal.head
    journal.append(rows_of(10, first_seq=before.seq + 1000))
    end = journal.close()
    assert end.entries > before.entries
    assert all(check.ok for check in verify_run(folder))
