"""`kimera run --table`: a strategy served by a decision table, on a real recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Kimera

EAGER = [
    "--set",
    "cost_multiple=0",
    "--set",
    "cool_down_s=0",
    "--set",
    "risk.max_orders_per_s=1000",
]


@pytest.fixture
def recording(kimera: Kimera, shared_data: Path) -> Path:
    path = shared_data / "hftbacktest" / "usdm_btcusdt_20240808.gz"
    if not path.is_file():
        pytest.skip("no recordings here (KIMERA_TEST_DATA)")
    return path


def test_a_run_with_a_table_trades_says_how_it_was_served_and_repeats(kimera, recording):
    filled = kimera(
        "ensemble", "table", "fill", recording, "--out", "t.table", "--axes", "queue_imbalance:32"
    )
    assert filled.code == 0, filled.err
    (table,) = filled.records("decision_table")
    arguments = ["--replay", recording, "--strategy", "table_taker", *EAGER]
    done = kimera("run", *arguments, "--table", "t.table", "--out", "one")
    assert done.code == 0, done.err
    (used,) = done.records("table_use")
    assert used["hit_rate"] > 0.8
    assert used["agreement"] >= 0.99
    assert used["statuses"]["not_yet"] > 0
    fills = done.records("fill")
    assert len(fills) > 50
    assert min(fill["ts_ns"] for fill in fills) > table["end_ns"]
    again = kimera("run", "--from", "one", "--out", "two")
    assert again.code == 0, again.err
    hashes = [r.records("run_summary")[0]["trade_hash"] for r in (done, again)]
    assert hashes[0] == hashes[1]

    old = kimera(
        "ensemble", "table", "fill", recording, "--out", "o.table", "--axes",
        "queue_imbalance:32", "--expires", "30s",
    )  # fmt: skip
    assert old.code == 0, old.err
    (stale,) = old.records("decision_table")
    late = kimera("run", *arguments, "--table", "o.table", "--out", "three")
    position, grown = 0.0, 0
    for fill in late.records("fill"):
        if fill["ts_ns"] > stale["expires_ns"] + 10_000_000:  # what was on its way has arrived
            grown += abs(float(fill["position"])) > abs(position)
        position = float(fill["position"])
    assert (grown, position) == (0, 0.0)


def test_without_a_table_nothing_is_risked_and_that_is_said(kimera):
    done = kimera("run", "--for", "5s", "--strategy", "table_taker")
    assert done.code == 0
    assert done.records("run_summary")[0]["orders"] == 0
    assert "takes no new risk" in done.err


def test_a_table_of_another_instrument_is_refused(kimera, recording):
    kimera("ensemble", "table", "fill", recording, "-o", "t.table", "--axes", "queue_imbalance:8")
    done = kimera("run", "--for", "5s", "--strategy", "table_taker", "--table", "t.table")
    assert done.code == 2
    assert "expected a table of synthetic/" in done.err
