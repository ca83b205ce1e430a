"""The real recordings: the counts that were verified when they were collected (INDEX.md),
exactly.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_cli.data import checks
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file
from kimera_cli.records import Check

NOW_NS = 1_800_000_000_000_000_000

CLEAN = {
    "hftbacktest/spot_btcusdt_20240808.gz": {"bbo": 2_894, "sequence": 3_450, "trade_ids": 9_756},
    "hftbacktest/usdm_btcusdt_20240808.gz": {"bbo": 5_703, "sequence": 6_550, "trade_ids": 21_312},
    "hftbacktest/cm_btcusd_perp_20240808.gz": {"bbo": 6_556, "sequence": 26_846},
    "l2_raw/cryptofeed/KRAKEN.ws.50.0.gz": {"checksum": 4_269, "crossed": 4_279},
    "l2_raw/cryptofeed/OKX.ws.1.0.gz": {"checksum": 290, "trade_ids": 71},
    "l2_raw/cryptofeed/COINBASE.ws.28.0.gz": {"trade_ids": 97, "crossed": 9_729},
    "l2_raw/cryptofeed/BYBIT.ws.25.0.gz": {"order": 3_252},
    "l2_raw/cryptofeed/HUOBI.ws.44.0.gz": {"trade_ids": 63, "crossed": 292},
    "l2_raw/cryptofeed/BINANCE.ws.1.0": {"bbo": 51, "sequence": 172},
    "l2_raw/cryptofeed/BITSTAMP.ws.1.0.gz": {"order": 727},
    "l2_raw/cryptofeed/BITFINEX.ws.11.0.gz": {"sequence": 1_593},
    "lobster/AMZN_2012-06-21_34200000_57600000_message_1.csv.gz": {
        "executions_at_best": 8_974,
        "size_deltas": 27_513,
    },
    "lobster/AAPL_2012-06-21_first998_message_10.csv": {"best_level": 998},
}


def run(target: str, catalog: Catalog) -> dict[str, Check]:
    found = checks.run(target, catalog, ImportOptions(), now_ns=NOW_NS)
    return {record.check: record for record in found}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_recording_reproduces_its_verified_counts(
    shared_data: Path, catalog: Catalog, name: str
) -> None:
    found = run(str(shared_data / name), catalog)
    assert [record for record in found.values() if not record.ok] == []
    counts = {check: (found[check].passed, found[check].total) for check in CLEAN[name]}
    assert counts == {check: (count, count) for check, count in CLEAN[name].items()}


def test_a_recording_whose_clock_is_behind_passes_and_says_by_how_much(
    shared_data: Path, catalog: Catalog
) -> None:
    found = run(str(shared_data / "hftbacktest/usdm_btcusdt_20240808.gz"), catalog)
    p0, p50 = found["latency_p0"], found["latency_p50"]
    assert (p0.ok, p0.unit) == (True, "ns")
    assert p0.value is not None
    assert p50.value is not None
    assert -1.30e9 < p0.value <= p50.value < -1.15e9


def test_bitstamp_orders(shared_data: Path, catalog: Catalog) -> None:
    """24,894 created, 602 changed (21 do not lower the volume), 24,918 deleted."""
    found = run(str(shared_data / "l3/bitstamp_2015-05-01_orders.csv.xz"), catalog)
    assert (found["readable"].passed, found["orders_unique"].passed) == (50_414, 24_894)
    growth = found["order_growth"]
    assert (growth.total - growth.passed, growth.ok) == (21, True)
    known = found["orders_known"]
    assert (known.total - known.passed, known.line) == (27, 1_805)
    assert [record.check for record in found.values() if not record.ok] == ["orders_known"]


@pytest.mark.parametrize(
    ("name", "dataset", "check", "count"),
    [
        ("l2_raw/cryptofeed/KRAKEN.ws.50.0.gz", "kraken/SCEUR/l2", "checksum", 818),
        ("l2_raw/cryptofeed/OKX.ws.1.0.gz", "okx/UNI-USD-SWAP/l2", "checksum", 93),
        ("l2_raw/cryptofeed/BINANCE.ws.1.0", "binance/NKNUSDT/l2", "bbo", 42),
        ("lobster/AAPL_2012-06-21_first998_message_10.csv", "nasdaq/AAPL/l3", "best_level", 998),
    ],
)
def test_the_stored_dataset_passes_the_same_checks(
    shared_data: Path, catalog: Catalog, name: str, dataset: str, check: str, count: int
) -> None:
    import_file(shared_data / name, catalog, ImportOptions(), NOW_NS)
    found = run(dataset, catalog)
    assert [record for record in found.values() if not record.ok] == []
    assert (found[check].passed, found[check].total) == (count, count)
    assert {record.dataset for record in found.values()} == {dataset}
