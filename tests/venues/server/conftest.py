"""served_venues.py is a module beside these tests; the clock of a served world stands in tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served_venues import Scenario, serve_for


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., Any]:
    """serve(scenario, "binance", ...): run `await scenario(world)` against a fresh server."""

    def run(scenario: Scenario, *venues: str, **setup: Any) -> Any:
        return serve_for(scenario, tmp_path, venues, **setup)

    return run
