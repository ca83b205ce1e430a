"""`kimera ensemble table`: real processes, on a recording, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Kimera

AXES = ["--axes", "queue_imbalance:16"]


@pytest.fixture
def recording(shared_data: Path) -> Path:
    path = shared_data / "hftbacktest" / "spot_btcusdt_20240808.gz"
    if not path.is_file():
        pytest.skip("no recordings here (KIMERA_TEST_DATA)")
    return path


def test_fill_show_check(kimera: Kimera, recording: Path) -> None:
    done = kimera("ensemble", "table", "fill", recording, "--out", "a.table", *AXES)
    assert done.code == 0, done.err
    (table,) = done.records("decision_table")
    (use,) = done.records("table_use")
    assert [q["of"] for q in done.records("table_quality")] == ["table", "member"]
    assert (table["version"], table["cells"]) == (1, 16)
    assert use["lookups"] > 5_000

    shown = kimera("ensemble", "table", "show", "a.table", "--cells")
    assert shown.records("decision_table") == [table]
    assert len(shown.records("table_cell")) == table["filled"]

    checked = kimera("ensemble", "table", "check", "a.table", "binance/BTCUSDT/l2")
    assert checked.records("table_use") == [use]
    again = kimera("ensemble", "table", "fill", "binance/BTCUSDT/l2", "--out", "a.table", *AXES)
    assert again.records("decision_table")[0]["version"] == 2

    lax = kimera("ensemble", "table", "check", "a.table", "binance/BTCUSDT/l2", "--confidence", "0")
    assert lax.records("table_use")[0]["hit_rate"] > use["hit_rate"]


def test_what_is_refused_names_file_and_mend(kimera: Kimera, recording: Path) -> None:
    (kimera.folder / "bad.table").write_bytes(b"nothing")
    bad = kimera("ensemble", "table", "show", "bad.table")
    assert (bad.code, bad.err_json[0]["code"]) == (3, "data.table_format")
    kept = kimera("ensemble", "table", "fill", recording, "--out", "bad.table", *AXES)
    assert kept.code == 3
    assert "--version" in kept.err
    assert (kimera.folder / "bad.table").read_bytes() == b"nothing"
    axes = kimera("ensemble", "table", "fill", recording, "--out", "c.table", "--axes", "offi:4")
    assert (axes.code, axes.err_json[0]["code"]) == (2, "usage.axes")
    expires = kimera("ensemble", "table", "fill", recording, "-o", "c.table", "--expires", "soon")
    assert (expires.code, expires.err_json[0]["code"]) == (2, "usage.expires")
    assert not (kimera.folder / "c.table").exists()
