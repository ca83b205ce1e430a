"""The states of recordings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `leaning`: tests are no package

from leaning import T0

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import open_replay
from kimera_cli.data.source import EventSource
from kimera_cli.ensemble.states import States, states_of

RECORDINGS = ("spot_btcusdt", "usdm_btcusdt", "cm_btcusd_perp")


@pytest.fixture(scope="session")
def recorded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, EventSource]:
    """The Binance recordings that are here, imported once."""
    paths = [shared_data / "hftbacktest" / f"{name}_20240808.gz" for name in RECORDINGS]
    if not all(path.is_file() for path in paths):
        pytest.skip("no recordings here (KIMERA_TEST_DATA)")
    catalog = Catalog(tmp_path_factory.mktemp("data"))
    now_ns = T0 + 10**18
    found = open_replay([str(path) for path in paths], catalog, ImportOptions(), now_ns)
    return {source.dataset: source for source in found}


@pytest.fixture(scope="session")
def recorded_states(recorded: dict[str, EventSource]) -> dict[str, States]:
    return {name: states_of(source) for name, source in recorded.items()}
