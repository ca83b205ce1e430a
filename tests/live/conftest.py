"""The served venue that the runs of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from live_server import Served


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two venues with a lively background."""
    folder = tmp_path_factory.mktemp("served") / "server"
    server = Served(folder, "--venues", "binance,kraken", "--rate", "100", "--seed", "3")
    yield server
    server.stop()
