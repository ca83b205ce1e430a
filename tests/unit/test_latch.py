"""The kill latch stops every process, says why, and fails on the safe side."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kimera_cli.errors import RiskError
from kimera_cli.risk.latch import FILE, Killed, Latch


@pytest.fixture
def latch(tmp_path):
    return Latch(tmp_path / "home" / FILE)


def test_kill_and_arm(latch):
    assert not latch.is_killed()
    latch.refuse()
    latch.kill("drawdown", 5, "run r1")
    assert latch.is_killed()
    assert latch.read() == Killed(reason="drawdown", ts_ns=5, by="run r1")
    assert latch.arm("looked at it", 9, "kimera trade arm").reason == "drawdown"
    assert not latch.is_killed()
    assert latch.arm("again", 10, "me") is None


def test_a_refusal_says_who_and_why_and_the_mend(latch):
    latch.kill("drawdown", 5, "run r1")
    with pytest.raises(RiskError) as caught:
        latch.refuse()
    assert caught.value.code == "risk.kill_switch"
    assert "run r1: drawdown" in caught.value.message
    assert "kimera trade arm" in caught.value.hint
    assert caught.value.details["killed_ns"] == 5


def test_the_first_reason_stays(latch):
    latch.kill("first", 1, "a")
    assert latch.kill("second", 2, "b").reason == "first"
    assert latch.read().reason == "first"


def test_every_kill_and_arm_is_kept(latch):
    latch.kill("one", 1, "a")
    latch.kill("not again", 2, "a")
    latch.arm("fine", 3, "b")
    latch.kill("two", 4, "c")
    lines = [json.loads(line) for line in latch.history.read_text().splitlines()]
    assert [(e["event"], e["reason"], e["ts_ns"]) for e in lines] == [
        ("kill", "one", 1), ("arm", "fine", 3), ("kill", "two", 4),
    ]  # fmt: skip
    assert latch.history.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"reason": 3}'])
def test_a_file_that_says_nothing_still_stops(latch, content):
    latch.path.parent.mkdir()
    latch.path.write_bytes(content)
    assert latch.is_killed()
    assert latch.read().by == "unknown"
    with pytest.raises(RiskError):
        latch.refuse()
    assert latch.arm("by hand", 1, "me") is not None
    assert not latch.is_killed()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_looked_into_counts_as_killed(latch):
    latch.path.parent.mkdir(mode=0o000)
    try:
        assert latch.is_killed()
        assert latch.read() is not None
    finally:
        latch.path.parent.chmod(0o700)


def test_a_file_in_place_of_the_folder_counts_as_killed(latch):
    latch.path.parent.write_text("")
    assert latch.is_killed()
    assert latch.read() is not None


def test_other_processes_see_it_at_once(latch):
    """A process that looks in a loop stops as soon as another one has killed."""
    code = (
        "import sys; from pathlib import Path; from kimera_cli.risk.latch import Latch\n"
        "latch = Latch(Path(sys.argv[1])); print(latch.is_killed(), flush=True)\n"
        "while not latch.is_killed(): pass\n"
        "print(latch.read().reason, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(latch.path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "False\n"
        latch.kill("now", 1, "test")
        assert other.stdout.readline() == "now\n"
        assert other.wait() == 0
