"""Fixtures of a host made of files (`metal`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `metal`: tests are no package

from metal import build

from kimera_cli.host.tree import Tree


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Root folder of a bare-metal host."""
    return build(tmp_path / "host")


@pytest.fixture
def tree(host: Path) -> Tree:
    """The same, as the code reads it."""
    return Tree(host, os.geteuid())


@pytest.fixture
def ticks() -> Callable[[], int]:
    """A clock that counts."""
    state = {"now": 1_700_000_000_000_000_000}

    def now() -> int:
        state["now"] += 1
        return state["now"]

    return now
