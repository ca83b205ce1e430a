"""Tables of bars: what is certain is put right, what is bad stays, nothing is dropped."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from kimera_cli.data.importers import choose, detect
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.importers.ohlcv_time import numbers_to_ns
from kimera_cli.errors import DataError
from kimera_cli.layouts import OHLCV

HEADER = "timestamp,open,high,low,close,volume"
HOUR = 3_600


def batches(path: Path, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for batch in choose(path, None).read(path, ImportOptions(**options)):
        found.setdefault(f"{batch.instrument.name}/{batch.family}", []).append(batch)
    return found


def bars(path: Path, **options: Any) -> Any:
    (only,) = batches(path, **options).values()
    return np.concatenate([batch.events for batch in only])


def csv(
    folder: Path, *rows: str, header: str = HEADER, name: str = "Binance_BTCUSDT_1h.csv"
) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_the_dirty_table_is_kept_whole_and_in_order(shared_data: Path) -> None:
    path = shared_data / "ohlcv" / "Binance_BTCUSDT_1h.csv.gz"
    found = batches(path)
    assert list(found) == ["binance/BTCUSDT/ohlcv-1h"]
    rows = bars(path)
    with gzip.open(path, "rt") as stream:
        lines = stream.read().splitlines()
    assert len(rows) == len(lines) - 1 == 36_062
    assert sorted(rows["line"].tolist()) == list(range(2, 36_064))
    assert (np.diff(rows["ts_ns"]) >= 0).all()
    for row in rows[::997]:  # every row says what its line says
        cells = lines[row["line"] - 1].split(",")
        stamp = float(cells[0]) / (1000 if float(cells[0]) > 1e11 else 1)
        assert row["ts_ns"] == int(stamp) * 10**9
        assert [row[f] for f in ("open", "high", "low", "close", "volume", "quote_volume")] == [
            float(cell) for cell in cells[3:9]
        ]
        assert row["trades"] == (-1 if cells[9] == "NULL" else int(cells[9]))
    assert rows["open"][0] == 16_199.91  # bad, and kept for the check to find
    assert rows["ts_ns"][0] == int(datetime(2017, 8, 17, 4, tzinfo=UTC).timestamp()) * 10**9


def test_the_clean_and_the_dirty_table_agree_where_they_should(shared_data: Path) -> None:
    dirty = bars(shared_data / "ohlcv" / "Binance_BTCUSDT_1h.csv.gz")
    clean = bars(shared_data / "ohlcv" / "feather" / "BTC_USDT-1h.feather")
    closes = dict(zip(clean["ts_ns"].tolist(), clean["close"].tolist(), strict=True))
    both = [
        (row["close"], closes[int(row["ts_ns"])]) for row in dirty if int(row["ts_ns"]) in closes
    ]
    share = np.mean([a == b for a, b in both])
    assert round(float(share), 3) == 0.990


FEATHERS = {
    "BTC_USDT-1h.feather": ("other/BTCUSDT/ohlcv-1h", 73_265),
    "BTC_USDT_USDT-1h-funding_rate.feather": ("other/BTCUSDT_PERP/funding-8h", 7_323),
    "BTC_USDT_USDT-1h-futures.feather": ("other/BTCUSDT_PERP/ohlcv-1h", 58_623),
    "BTC_USDT_USDT-1h-mark.feather": ("other/BTCUSDT_PERP/mark-1h", 56_084),
    "XRP_USDT-1h.feather": ("other/XRPUSDT/ohlcv-1h", 70_339),
}


@pytest.mark.parametrize("name", FEATHERS)
def test_freqtrade_tables(shared_data: Path, name: str) -> None:
    dataset, rows = FEATHERS[name]
    path = shared_data / "ohlcv" / "feather" / name
    ((found, parts),) = batches(path).items()
    assert (found, sum(len(part.events) for part in parts)) == (dataset, rows)
    perpetual = parts[0].instrument.kind == "linear"
    assert perpetual == ("USDT_USDT" in name)
    table = feather.read_table(path)
    loaded = bars(path)
    times = table.column("date").cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
    assert (loaded["ts_ns"] == times).all()
    assert (loaded["close"] == table.column("close").to_numpy()).all()
    if perpetual and "futures" in name:
        assert list(batches(path, venue="binance")) == ["binanceusdm/BTCUSDT/ohlcv-1h"]


def test_the_same_bars_from_csv_parquet_and_feather(tmp_path: Path) -> None:
    times = [1_700_000_000 // HOUR * HOUR + i * HOUR for i in range(5)]
    prices = [100.5, 101.25, 99.75, 100.0, 102.5]
    columns = {
        "timestamp": times,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), prices),
    }
    pq.write_table(pa.table(columns), tmp_path / "BTC_USDT-1h.parquet")
    feather.write_feather(pa.table(columns), tmp_path / "BTC_USDT-1h.feather")
    rows = [f"{t}," + ",".join([str(p)] * 5) for t, p in zip(times, prices, strict=True)]
    csv(tmp_path, *rows, name="BTC_USDT-1h.csv")
    loaded = [bars(tmp_path / f"BTC_USDT-1h.{end}") for end in ("csv", "parquet", "feather")]
    for each in loaded:
        assert each["ts_ns"].tolist() == [t * 10**9 for t in times]
        assert each["close"].tolist() == prices
        assert np.isnan(each["quote_volume"]).all()
        assert (each["trades"] == -1).all()
    assert loaded[0]["line"].tolist() == [2, 3, 4, 5, 6]
    assert loaded[1]["line"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "text",
    [
        *("1502942400", "1502942400.0", "1502942400000", "1502942400000000", "1502942400000000000"),
        *("2017-08-17 04-AM", "2017-08-17 04:00:00", "2017-08-17T04:00:00Z"),
        *("2017-08-17 06:00:00+02:00", "17/08/2017 04:00", '"2017-08-17 04:00"'),
    ],
)
def test_times_in_all_spellings(tmp_path: Path, text: str) -> None:
    path = csv(tmp_path, f"{text},1,1,1,1,1", "2017-08-17 05:00:00,1,1,1,1,1")
    assert bars(path)["ts_ns"][0] == 1_502_942_400 * 10**9


def test_epoch_numbers_keep_their_fractions() -> None:
    values = np.array([1_502_942_400.5, 1_502_942_400_123.0, np.nan])
    assert numbers_to_ns(values).tolist() == [
        1_502_942_400_500_000_000,
        1_502_942_400_123_000_000,
        0,
    ]


def test_bad_numbers_stay_for_the_checks(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "1502942400,1,2,0.5,1.5,10",
        "1502946000,NaN,2,0,,x",
        "1502949600,-1,2,0.5,1.5,10",
    )
    rows = bars(path)
    assert len(rows) == 3
    assert np.isnan([rows["open"][1], rows["close"][1], rows["volume"][1]]).all()
    assert (rows["low"][1], rows["open"][2]) == (0, -1)


def test_a_title_line_above_the_header(tmp_path: Path) -> None:
    rows = ["1502942400,1,2,0.5,1.5,10", "1502946000,1,2,0.5,1.5,10"]
    path = csv(tmp_path, HEADER, *rows, header="https://www.CryptoDataDownload.com")
    assert bars(path)["line"].tolist() == [3, 4]


def test_kraken_history_has_no_header(tmp_path: Path, shared_data: Path) -> None:
    rows = ["1672531200,16535.97,16535.97,16522.66,16522.66,0.01429883,2"]
    rows += ["1672531260,16513.41,16513.41,16513.41,16513.41,0.00039585,1"]
    path = csv(tmp_path, *rows[1:], header=rows[0], name="XBTUSD_1.csv")
    loaded = bars(path)
    assert loaded["trades"].tolist() == [2, 1]
    assert loaded["line"].tolist() == [1, 2]
    real = shared_data / "venues" / "kraken_BTCUSDC_1m_20230301_20230321.csv.gz"
    ((name, parts),) = batches(real).items()
    assert (name, len(parts[0].events)) == ("kraken/BTCUSDC/ohlcv-1m", 56_717)


def test_a_symbol_column_parts_the_table(tmp_path: Path) -> None:
    rows = [
        f"{1502942400 + i * 60},{s},1,2,0.5,{1 + i}.5,10"
        for i in range(3)
        for s in ("BTC/USDT", "ETH/BTC")
    ]
    path = csv(tmp_path, *rows, header="unix,symbol,open,high,low,close,volume", name="all.csv")
    found = batches(path, venue="okx")
    assert list(found) == ["okx/BTCUSDT/ohlcv-1m", "okx/ETHBTC/ohlcv-1m"]
    assert found["okx/ETHBTC/ohlcv-1m"][0].instrument.quote == "BTC"
    assert found["okx/ETHBTC/ohlcv-1m"][0].instrument.tick == Decimal("0.1")
    assert found["okx/ETHBTC/ohlcv-1m"][0].events["close"].tolist() == [1.5, 2.5, 3.5]


@pytest.mark.parametrize(
    ("header", "row", "code"),
    [
        (HEADER, "1502942400,1,2,0.5,1.5", "data.columns"),
        (HEADER, "someday,1,2,0.5,1.5,10", "data.time"),
        ("timestamp,open,high,low,volume", "1502942400,1,2,0.5,10", "data.unknown_format"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, header: str, row: str, code: str) -> None:
    good = ",".join(["1502942400", *["1"] * header.count(",")])
    path = csv(tmp_path, good, row, header=header)
    with pytest.raises(DataError) as caught:
        bars(path)
    assert caught.value.code == code
    if code != "data.unknown_format":
        assert caught.value.details["line"] == 3


def test_named_but_wrong_columns_are_listed(tmp_path: Path) -> None:
    path = csv(tmp_path, "1,2", header="when,what")
    with pytest.raises(DataError) as caught:
        list(choose(path, "ohlcv").read(path, ImportOptions()))
    assert caught.value.code == "data.columns"
    assert "close" in caught.value.message
    assert "when, what" in caught.value.message


def test_names_that_tell_no_symbol(tmp_path: Path) -> None:
    rows = ["1502942400,1,2,0.5,1.5,10", "1502946000,1,2,0.5,1.5,10"]
    path = csv(tmp_path, *rows, name="prices.csv")
    with pytest.raises(DataError) as caught:
        bars(path)
    assert caught.value.code == "data.symbol"
    assert list(batches(path, symbol="BTC/USDT")) == ["other/BTCUSDT/ohlcv-1h"]
    with pytest.raises(DataError) as caught:
        bars(csv(tmp_path, rows[0]))
    assert caught.value.code == "data.interval"


@pytest.mark.parametrize("end", ["parquet", "feather"])
def test_a_cut_table_is_damaged(tmp_path: Path, end: str) -> None:
    table = pa.table({"timestamp": [1, 2], **{c: [1.0, 2.0] for c in HEADER.split(",")[1:]}})
    path = tmp_path / f"BTC_USDT-1h.{end}"
    (pq.write_table if end == "parquet" else feather.write_feather)(table, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DataError) as caught:
        bars(path)
    assert caught.value.code == "data.damaged"
    assert detect(path).name == "ohlcv"


def test_a_process_that_ends_behind_its_reading_ends_well(tmp_path: Path) -> None:
    """Arrow's threads at a Python file object abort one process in two of these."""
    names = ["time", "open", "high", "low", "close", "volume"]
    columns = {name: np.arange(1, 101, dtype=np.float64) for name in names}
    path = tmp_path / "BTC_USDT-1h.parquet"
    pq.write_table(pa.table(columns | {"time": np.arange(100) + 1_700_000_000_000}), path)
    read = (
        "import sys, pathlib, kimera_cli.data.importers.ohlcv_table as table; "
        "table._filled = lambda *_: None; "  # the end follows the reading at once
        "table.open_table(pathlib.Path(sys.argv[1]), b'PAR1', None)"
    )
    command = [sys.executable, "-c", read, str(path)]
    assert [subprocess.run(command, check=False).returncode for _ in range(10)] == [0] * 10


def test_an_empty_table(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        bars(csv(tmp_path))
    assert caught.value.code == "data.empty_file"
    assert OHLCV.itemsize == 72
