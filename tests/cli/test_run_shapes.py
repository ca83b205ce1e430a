"""The shapes of a run: one result, and every process of a split run may end in any way."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Kimera, Program

SHORT = ("run", "--for", "20s", "--strategy", "grid", "--format", "jsonl")
BUSY = ("run", "--shape", "split", "--for", "30d", "--strategy", "grid", "--format", "jsonl")
WAIT_S = 120


def started(kimera: Kimera, *more: str) -> tuple[Any, dict[str, psutil.Process]]:
    """Start a split run, wait until it trades, and return it with its children by name."""
    process = kimera.start(*BUSY, *more, env={"KIMERA_RUNTIME": str(kimera.folder / "rings")})
    assert process.stdout is not None
    for _ in range(500):
        assert process.stdout.readline()
    children = {}
    for child in psutil.Process(process.pid).children():
        line = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        if b"spawn_main" in line:
            children[child.create_time()] = child
    feed, orders = (children[at] for at in sorted(children))
    return process, {"feed": feed, "order": orders}


def ended(process: Any) -> tuple[int, str]:
    """Read what is left of both streams; return exit code and stderr."""
    process.stdout.read()
    err = process.stderr.read().decode()
    return process.wait(timeout=WAIT_S), err


def gone(children: dict[str, psutil.Process]) -> bool:
    """Wait for the children to be gone."""
    _, alive = psutil.wait_procs(list(children.values()), timeout=WAIT_S)
    return not alive


def the_run(kimera: Kimera) -> Path:
    (folder,) = (kimera.folder / "runs").iterdir()
    return folder


@pytest.fixture(scope="module")
def hashes() -> dict[str, str]:
    """Trade hashes by what was run, compared across tests of this module."""
    return {}


@pytest.mark.parametrize("durability", ["batch", "process", "disk"])
@pytest.mark.parametrize("shape", ["threads", "single", "split"])
def test_one_result_in_every_shape(
    program: Program, hashes: dict[str, str], tmp_path: Path, shape: str, durability: str
) -> None:
    env = {"KIMERA_RUNTIME": str(tmp_path / "rings")}
    said = program(*SHORT, "--shape", shape, "--set", f"run.durability={durability}", env=env)
    assert said.code == 0, said.err
    folder = Path(said.summary["folder"])
    assert hashes.setdefault("grid", said.summary["trade_hash"]) == said.summary["trade_hash"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["shape"]["name"] == shape
    prepared = {step["item"] for step in manifest["shape"]["preparation"]}
    assert bool(prepared) == (shape != "threads")
    assert program("journal", "verify", folder).code == 0
    assert not any((tmp_path / "rings").rglob("*.ring"))


def test_a_run_is_repeated_in_another_shape(program: Program, tmp_path: Path) -> None:
    folder = program(*SHORT).summary["folder"]
    env = {"KIMERA_RUNTIME": str(tmp_path / "rings")}
    again = program("run", "--from", folder, "--shape", "split", "--format", "jsonl", env=env)
    assert again.code == 0, again.err  # run.not_repeated would be 1


def test_damage_that_the_feed_process_finds_is_told_as_ever(
    program: Program, tmp_path: Path
) -> None:
    folder = program(*SHORT, "--seed", 3).summary["folder"]
    assert folder
    bad = tmp_path / "cut.gz"
    bad.write_bytes(b"\x1f\x8b\x08\x00")
    told = [
        program("run", "--replay", bad, "--shape", shape, "--format", "jsonl").error["code"]
        for shape in ("threads", "split")
    ]
    assert told[0] == told[1]


CONFLATE = ("--set", "run.backpressure=conflate")


@pytest.fixture
def spot_recording(shared_data: Path) -> Path:
    path = shared_data / "hftbacktest" / "spot_btcusdt_20240808.gz"
    if not path.exists():
        pytest.skip(f"no recording {path.name}: set KIMERA_TEST_DATA")
    return path


def test_a_paced_feed_that_does_not_wait(
    program: Program, spot_recording: Path, tmp_path: Path
) -> None:
    """Every event is either passed on, merged with a later one of its level, or was delayed."""
    env = {"KIMERA_RUNTIME": str(tmp_path / "rings")}
    args = ("run", "--replay", spot_recording, "--shape", "split", "--speed", "500x", *CONFLATE)
    said = program(*args, "--format", "jsonl", env=env)
    assert said.code == 0, said.err
    (told,) = said.summary["feed"].values()
    assert told["taken"] >= told["passed"] + told["merged"] > 0
    assert said.summary["events"] >= told["passed"]
    assert said.summary["market_seconds"] > 300
    again = program("run", "--from", said.summary["folder"], "--format", "jsonl", env=env)
    assert again.error["code"] == "usage.from"


@pytest.mark.parametrize(
    "more", [("--shape", "threads", "--speed", "9x"), ("--shape", "split"), ("--speed", "9x")]
)
def test_only_a_paced_feed_of_its_own_process_conflates(
    program: Program, more: tuple[str, ...]
) -> None:
    said = program(*SHORT, *CONFLATE, *more)
    assert (said.code, said.error["code"]) == (2, "profile.backpressure")


@pytest.mark.parametrize("who", ["feed", "order"])
def test_a_killed_process_ends_the_run_and_keeps_the_journal(
    kimera: Kimera, program: Program, who: str
) -> None:
    process, children = started(kimera)
    children[who].kill()
    code, err = ended(process)
    error = json.loads(err.splitlines()[-1])
    assert (code, error["code"]) == (1, "run.child_ended")
    assert who in error["message"]
    assert gone(children)
    folder = the_run(kimera)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "failed"
    assert program("journal", "verify", folder).code == 0


def test_nobody_is_left_when_the_engine_is_killed(kimera: Kimera, program: Program) -> None:
    process, children = started(kimera)
    process.kill()
    process.wait(timeout=WAIT_S)
    assert gone(children)
    verified = program("journal", "verify", the_run(kimera))
    assert verified.code == 0, verified.err
    assert not any((kimera.folder / "rings").rglob("*.ring"))


def test_ctrl_c_reaches_the_engine_only(kimera: Kimera, program: Program) -> None:
    process, children = started(kimera)
    for one in (process.pid, *(child.pid for child in children.values())):
        os.kill(one, signal.SIGINT)
    code, err = ended(process)
    assert code == 130, err
    assert gone(children)
    folder = the_run(kimera)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "interrupted"
    assert program("journal", "verify", folder).code == 0


def test_processes_work_on_different_cores(kimera: Kimera) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    process, children = started(kimera, "--speed", "realtime")
    deadline = time.monotonic() + WAIT_S
    engine = psutil.Process(process.pid).cpu_affinity()
    while len(engine) != 1 and time.monotonic() < deadline:
        engine = psutil.Process(process.pid).cpu_affinity()
    assert len(engine) == 1
    for child in children.values():
        assert len(child.cpu_affinity()) == 1
        assert child.cpu_affinity() != engine
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
