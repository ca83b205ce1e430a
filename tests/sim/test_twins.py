"""One result however it is computed: compiled, called as Python, or without any compilation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rig import MS, Plan
from twin import compiled, decide, records_hash


@pytest.fixture(scope="module")
def expected() -> str:
    """The compiled strategy in the compiled loop."""
    return records_hash(Plan(compiled=compiled, interval_ns=MS))


def test_the_same_run_again_is_the_same(expected: str) -> None:
    assert records_hash(Plan(compiled=compiled, interval_ns=MS)) == expected
    assert records_hash(Plan(compiled=compiled, interval_ns=MS), "log") != expected


def test_a_python_strategy_gives_the_records_of_its_compiled_twin(expected: str) -> None:
    assert records_hash(Plan(decide, interval_ns=MS)) == expected


def test_without_compilation_the_records_are_the_same(expected: str) -> None:
    """The whole loop as plain Python, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("twin.py"))],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == expected, done.stderr[-2_000:]
