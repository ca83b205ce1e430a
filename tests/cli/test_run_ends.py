"""Every way in which a run's process can end, in real processes: what is left is whole."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Kimera, Program

BUSY = ("run", "--for", "30d", "--strategy", "grid", "--set", "grid.half_spread_ticks=2")
"""Far more than a test waits for."""
WAIT_S = 120


def the_run(kimera: Kimera) -> Path:
    (folder,) = (kimera.folder / "runs").iterdir()
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    stated: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return stated


def checked(program: Program, folder: Path) -> None:
    """Check that journal, files and report of an interrupted run are whole."""
    verified = program("journal", "verify", folder)
    assert verified.code == 0, verified.err
    assert all(record["ok"] for record in verified.records("journal_check"))
    assert program("report", "show", folder).code == 0
    assert not list(folder.glob(".*"))


def lines_of(process: subprocess.Popen[bytes], n: int) -> list[bytes]:
    """Read n lines: the run is in its loop then."""
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(n)]


def rest_of(process: subprocess.Popen[bytes]) -> tuple[list[bytes], str]:
    """Read both streams to their ends (communicate would lose what readline has buffered)."""
    assert process.stdout is not None
    assert process.stderr is not None
    rest = process.stdout.readlines()
    err = process.stderr.read().decode()
    process.wait(timeout=WAIT_S)
    return rest, err


@pytest.mark.parametrize(("number", "after"), [("SIGINT", 5_000), ("SIGTERM", 1)])
def test_ctrl_c_leaves_a_valid_partial_run(
    kimera: Kimera, program: Program, number: str, after: int
) -> None:
    process = kimera.start(*BUSY)
    head = lines_of(process, after)
    process.send_signal(signal.Signals[number])
    rest, err = rest_of(process)
    assert process.returncode == 130, err
    records = [json.loads(line) for line in [*head, *rest]]
    summary, end = records[-2:]
    assert end == {"type": "end", "status": "interrupted", "rows": len(records) - 1, "code": 130}
    assert (summary["type"], summary["status"]) == ("run_summary", "interrupted")
    assert sum(r["type"] == "fill" for r in records) == summary["fills"]
    folder = the_run(kimera)
    assert manifest(folder)["status"] == "interrupted"
    assert (folder / "report.html").is_file()
    checked(program, folder)


def test_ctrl_c_and_a_reader_who_leaves(kimera: Kimera, program: Program) -> None:
    """Ctrl-C at a pipeline: all of its programs get the signal, and the reader is gone first."""
    process = kimera.start(*BUSY)
    lines_of(process, 1)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=WAIT_S)
    assert process.returncode in (130, 141)
    folder = the_run(kimera)
    assert manifest(folder)["status"] == "interrupted"
    checked(program, folder)


def test_ctrl_c_before_the_run_leaves_nothing(kimera: Kimera) -> None:
    process = kimera.start(*BUSY, "--replay", "/dev/stdin", stdin=subprocess.PIPE)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    assert process.returncode in (130, -signal.SIGINT)  # the latter before Python itself is up
    assert not (kimera.folder / "runs").exists()


def test_a_reader_who_leaves(kimera: Kimera, program: Program) -> None:
    process = kimera.start(*BUSY)
    lines_of(process, 1)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=WAIT_S)
    assert process.returncode == 141
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    folder = the_run(kimera)
    assert manifest(folder)["status"] == "interrupted"
    checked(program, folder)


@pytest.mark.parametrize(("durability", "after"), [("batch", 3_000), ("process", 800)])
def test_sigkill_leaves_a_journal_that_opens_and_verifies(
    kimera: Kimera, program: Program, durability: str, after: int
) -> None:
    process = kimera.start(*BUSY, "--set", f"run.durability={durability}")
    lines_of(process, after)
    process.kill()
    process.communicate(timeout=WAIT_S)
    folder = the_run(kimera)
    assert manifest(folder)["status"] == "running"
    verified = program("journal", "verify", folder)
    assert verified.code == 0, verified.err
    (chain,) = [r for r in verified.records("journal_check") if r["check"] == "journal"]
    assert chain["ok"]
    assert "was cut off" in chain["detail"]
    shown = program("report", "show", folder, "--format", "table")
    assert shown.code == 0
    assert "has not ended, or was killed" in shown.out
    assert program("journal", "recover", folder).code == 0
    assert manifest(folder)["status"] == "interrupted"
    checked(program, folder)


@pytest.mark.parametrize("kilobytes", [1, 64])
def test_a_full_disk(kimera: Kimera, program: Program, kilobytes: int) -> None:
    """No file may grow beyond a limit, as on a full disk: an error, and no half-written file."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    process = kimera.start(*BUSY, preexec_fn=limit)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1, err
    error = json.loads(err.splitlines()[-1])
    assert error["code"] == "run.disk_full", error
    assert "Traceback" not in err.decode()
    folders = list((kimera.folder / "runs").iterdir())
    for folder in folders:
        assert not list(folder.glob("*.parquet"))
        assert not list(folder.glob(".*"))
        verified = program("journal", "verify", folder)
        assert verified.code == 0, verified.err
    assert bool(folders) == (kilobytes > 1), "a run that never began leaves no folder"


def test_two_processes_agree_and_do_not_meet(kimera: Kimera) -> None:
    short = ("run", "--for", "5s", "--strategy", "grid")
    started = [kimera.start(*short) for _ in range(2)]
    summaries = []
    for process in started:
        out, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, err
        summaries.append(json.loads(out.splitlines()[-2]))
    assert summaries[0]["trade_hash"] == summaries[1]["trade_hash"]
    assert len(list((kimera.folder / "runs").iterdir())) == 2
