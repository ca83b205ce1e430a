"""Fixtures of the feeds room: its helper modules and documented frames."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> Path:
    """Documented frames by venue."""
    folder = shared_data / "golden" / "nautilus_adapters"
    if not folder.is_dir():
        pytest.skip(f"no documented frames in {folder}")
    return folder
