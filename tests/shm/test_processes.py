"""Rings and blocks between real processes, flat out, and with one of them killed.

Each job runs in processes.py, which forks the sides and says what came; every message and every
record is checked word by word.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("processes.py")
MEMORY = Path("/dev/shm")
TIMEOUT_S = 3600
"""Only a guard against a hang; nothing is asserted about time."""

Job = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def job() -> Iterator[Job]:
    """Run a job in shared memory where there is any."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:

        def run(name: str, seed: int, total: int, place: str = folder) -> dict[str, Any]:
            done = subprocess.run(
                [sys.executable, PROGRAM, name, place, str(seed), str(total)],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert not done.stderr
            return dict(json.loads(done.stdout))

        yield run


@pytest.mark.parametrize("batch", [1, 64])
def test_millions_of_messages_arrive_whole_once_and_in_order(job: Job, batch: int) -> None:
    assert job("ring", batch, 2_000_000) == {"codes": [0, 0], "position": 2_000_000, "same": True}


def test_the_same_through_a_file_on_a_disk(job: Job, tmp_path: Path) -> None:
    said = job("ring", 64, 1_000_000, str(tmp_path))
    assert said == {"codes": [0, 0], "position": 1_000_000, "same": True}


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 64])
def test_a_hundred_million_messages(job: Job, batch: int, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.config.getoption("-m"):
        pytest.skip("minutes: python -m pytest tests/shm -m slow")
    total = 100_000_000
    assert job("ring", batch, total) == {"codes": [0, 0], "position": total, "same": True}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_sides_are_seen_and_go_on_without_loss_or_repeat(job: Job, seed: int) -> None:
    said = job("kill", seed, 3_000_000)
    # A side that was killed while it took its place had none yet.
    assert set(said["judged"]) <= {"dead -9", "absent -9"}
    assert len(said["judged"]) == 14
    assert "dead -9" in said["judged"]
    assert said["codes"] == [0, 0]
    assert said["position"] == said["end"] > 3_000_000
    assert said["same"]


def test_a_listener_gets_whole_records_in_order_and_counts_the_rest(job: Job) -> None:
    """The writer never waits, and is killed and started again half-way."""
    said = job("cast", 5, 600_000)
    assert said["codes"] == [-9, 0]
    assert said["torn"] == said["disorder"] == 0
    assert said["overruns"] >= 10
    assert said["got"] >= 1000
    assert said["got"] + said["lost"] == said["written"]


def test_a_state_is_never_read_torn(job: Job) -> None:
    """Not while it is written without a pause, and not after its writer was killed."""
    said = job("state", 0, 200_000)
    assert said["torn"] == said["older"] == 0
    assert said["versions"] >= 1000
    assert said["codes"] == [-9]
    assert said["after"] == "dead"
