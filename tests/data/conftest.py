"""Fixtures of the data room: its helper modules, a catalog, and real recordings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kimera_cli.data.catalog import Catalog

sys.path.insert(0, str(Path(__file__).parent))  # for `frames`: tests are no package


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog."""
    return Catalog(tmp_path / "home" / "data")
