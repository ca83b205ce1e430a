"""Bars: every planted fault is found, in its line; the dirty table tells what the importer
mended.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kimera_cli.data import checks
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.records import Check

HOUR = 3600
START = 1_600_000_000 // HOUR * HOUR
NOW_NS = 1_800_000_000_000_000_000
HEADER = "unix,open,high,low,close,volume"

Rows = list[list[float]]


def bars(count: int = 10) -> Rows:
    return [[START + n * HOUR, 10.0, 12.0, 9.0, 11.0, 5.0] for n in range(count)]


def check(folder: Path, catalog: Catalog, rows: Rows) -> dict[str, Check]:
    path = folder / "BTCUSDT_1h.csv"
    lines = [HEADER, *(",".join(f"{value:.10g}" for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    found = checks.run(str(path), catalog, ImportOptions(), now_ns=NOW_NS)
    return {record.check: record for record in found}


def changed(row: int, column: int, value: float) -> Callable[[Rows], Rows]:
    def fault(rows: Rows) -> Rows:
        rows[row][column] = value
        return rows

    return fault


def test_a_clean_table_passes(tmp_path: Path, catalog: Catalog) -> None:
    found = check(tmp_path, catalog, bars())
    assert [record.check for record in found.values() if not record.ok] == []
    assert found["missing_bars"].total == found["missing_bars"].passed == 10
    assert (found["row_order"].detail, found["time_units"].detail) == ("oldest first", "seconds")
    assert check(tmp_path, catalog, bars()[::-1])["row_order"].detail == "newest first"


@pytest.mark.parametrize(
    ("fault", "name", "line"),
    [
        (changed(4, 2, 10.5), "ohlc", 6),  # high below close
        (changed(4, 3, 10.5), "ohlc", 6),  # low above open
        (changed(4, 5, -1), "volume", 6),
        (lambda rows: rows[:4] + rows[5:], "missing_bars", 6),
        (lambda rows: rows[:5] + rows[4:], "bar_duplicates", 7),
        (lambda rows: [*rows[:4], rows[5], rows[4], *rows[6:]], "row_order", 6),
        (lambda rows: [*rows, [2_000_000_000 // HOUR * HOUR, *rows[0][1:]]], "future", 12),
        (changed(0, 0, START * 1000.0), "time_units", 2),
    ],
)
def test_each_fault_is_found_in_its_line(
    tmp_path: Path, catalog: Catalog, fault: Callable[[Rows], Rows], name: str, line: int
) -> None:
    found = check(tmp_path, catalog, fault(bars()))
    assert not found[name].ok
    assert found[name].line == line
    assert found[name].file.endswith("BTCUSDT_1h.csv")
    others = {record.check for record in found.values() if not record.ok} - {name}
    assert others <= ({"missing_bars"} if name == "future" else set())


def test_prices_that_cannot_be(tmp_path: Path, catalog: Catalog) -> None:
    zero = check(tmp_path, catalog, changed(4, 3, 0.0)(bars()))
    assert (zero["prices"].ok, zero["prices"].line, zero["ohlc"].ok) == (False, 6, True)
    rows = bars()
    rows[4] = [rows[4][0], 40.0, 41.0, 9.0, 11.0, 5.0]
    jump = check(tmp_path, catalog, rows)["jumps"]
    assert (jump.passed, jump.total, jump.line) == (9, 10, 6)


def test_gaps_and_missing_bars_are_both_counted(tmp_path: Path, catalog: Catalog) -> None:
    rows = bars(20)
    found = check(tmp_path, catalog, [*rows[:3], *rows[5:10], *rows[16:]])["missing_bars"]
    assert (found.passed, found.total, found.value, found.unit) == (12, 20, 2.0, "gaps")
    assert (found.ok, found.line) == (False, 5)


@pytest.mark.parametrize(
    ("name", "rows", "missing", "gaps"),
    [
        ("BTC_USDT-1h.feather", 73_265, 122, 27),
        ("LINK_USDT-1h.feather", 64_197, 60, 20),
        ("XRP_USDT-1h.feather", 70_339, 88, 25),
        ("BTC_USDT_USDT-1h-futures.feather", 58_623, 0, 0),
        ("BTC_USDT_USDT-1h-mark.feather", 56_084, 0, 0),
        ("BTC_USDT_USDT-1h-funding_rate.feather", 7_323, 0, 0),
    ],
)
def test_real_series(
    shared_data: Path, catalog: Catalog, name: str, rows: int, missing: int, gaps: int
) -> None:
    path = shared_data / "ohlcv" / "feather" / name
    found = {c.check: c for c in checks.run(str(path), catalog, ImportOptions(), now_ns=NOW_NS)}
    assert (found["readable"].passed, found["missing_bars"].passed) == (rows, rows)
    assert (found["missing_bars"].total - rows, found["missing_bars"].value) == (missing, gaps)
    failed = [record.check for record in found.values() if not record.ok]
    assert failed == (["missing_bars"] if gaps else [])
    assert ("ohlc" in found) == ("funding" not in name)


def test_the_dirty_table(shared_data: Path, catalog: Catalog) -> None:
    path = shared_data / "ohlcv" / "Binance_BTCUSDT_1h.csv.gz"
    found = {c.check: c for c in checks.run(str(path), catalog, ImportOptions(), now_ns=NOW_NS)}
    failed = {c.check: (c.total - c.passed, c.line) for c in found.values() if not c.ok}
    assert failed["jumps"] == (1, 36_063)  # 2017-08-17 04:00 opens at 16199.91
    assert failed["time_units"] == (7_478, 2)
    assert failed["bar_duplicates"][0] == 2_649
    assert failed["missing_bars"] == (16, 35_183)
    assert set(failed) == {"jumps", "time_units", "bar_duplicates", "missing_bars"}
    assert found["row_order"].detail == "newest first"
