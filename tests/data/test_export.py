"""Exports say what the dataset holds: exact decimals, names, and whole files."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from frames import NOW, T0, diff, save, snapshot, ticker, trade
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data import export
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file
from kimera_cli.data.source import EventSource
from kimera_cli.errors import DataError
from kimera_cli.records import Bar, Event
from kimera_cli.units import from_steps


@pytest.fixture
def source(tmp_path: Path, catalog: Catalog) -> EventSource:
    path = save(
        tmp_path,
        snapshot(T0, 5, [("100.10", "2.5")], [("100.35", "0.000001")]),
        diff(T0 + 1, 6, 7, [("100.10", "0")]),
        ticker(T0 + 2, 8, ("99.99", "1"), ("100.35", "1")),
        trade(T0 + 3, 9, "100.35", "0.000001"),
    )
    import_file(path, catalog, ImportOptions(), NOW)
    return catalog.open("binance/BTCUSDT/l2")


def test_records_have_decimals_and_names(source: EventSource) -> None:
    records = list(export.records(source))
    assert all(isinstance(each, Event) for each in records)
    assert [(r.kind, r.side, r.px, r.qty, r.flags, r.line) for r in records] == [  # type: ignore[union-attr]
        ("clear", "", "0.00", "0.000000", "snapshot|no_exch_time", 1),
        ("depth", "bid", "100.10", "2.500000", "snapshot|no_exch_time", 1),
        ("depth", "ask", "100.35", "0.000001", "last|snapshot|no_exch_time", 1),
        ("depth", "bid", "100.10", "0.000000", "last", 2),
        ("quote", "bid", "99.99", "1.000000", "no_exch_time", 3),
        ("quote", "ask", "100.35", "1.000000", "last|no_exch_time", 3),
        ("trade", "bid", "100.35", "0.000001", "last", 4),
    ]


def test_all_formats_hold_the_same(tmp_path: Path, source: EventSource) -> None:
    written = {to: export.write_file(source, to, tmp_path / f"x.{to}") for to in export.FORMATS}
    lines = (tmp_path / "x.jsonl").read_bytes().splitlines()
    records = [msgspec.json.decode(line, type=Event) for line in lines]
    assert records == list(export.records(source))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    table = pq.read_table(tmp_path / "x.parquet").to_pylist()
    for record, row, typed in zip(records, rows, table, strict=True):
        for name in ("kind", "side", "flags"):
            assert getattr(record, name) == row[name] == typed[name]
        for name in ("px", "qty"):
            assert Decimal(getattr(record, name)) == Decimal(row[name]) == typed[name]
        for name in ("ts_exch_ns", "ts_local_ns", "seq", "ref", "line"):
            assert getattr(record, name) == int(row[name]) == typed[name]
    assert {each.rows for each in written.values()} == {7}
    assert sorted(path.name for path in tmp_path.glob("x*")) == ["x.csv", "x.jsonl", "x.parquet"]


@given(
    st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=50),
    st.sampled_from(["0.00000001", "0.01", "0.25", "0.5", "1", "5", "1E+1"]),
)
def test_decimals_are_exact(steps: list[int], text: str) -> None:
    step = Decimal(text)
    exact = export._decimals(np.array(steps, np.int64), step).to_pylist()
    assert exact == [from_steps(n, step) for n in steps]


def test_names_cover_the_layout() -> None:
    from kimera_cli import layouts

    for code, name in enumerate(export.KINDS):
        assert not name or getattr(layouts, name.upper()) == code
    flags = {k: v for k, v in vars(layouts).items() if k.startswith("F_")}
    assert {f"F_{name.upper()}": 1 << bit for bit, name in enumerate(export.FLAGS)} == flags


def test_bars_without_a_number_are_null(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "kraken_BTCUSD_1h.csv"
    rows = ["1502942400,1,2,0.5,1.5,10", "1502946000,NaN,2,0.5,1.5,10"]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    import_file(path, catalog, ImportOptions(), NOW)
    first, second = export.records(catalog.open("kraken/BTCUSD/ohlcv-1h"))
    assert isinstance(first, Bar)
    assert isinstance(second, Bar)
    assert (first.open, first.trades, first.quote_volume) == (1.0, None, None)
    assert (second.open, second.line) == (None, 3)


def test_a_file_that_cannot_be_written(tmp_path: Path, source: EventSource) -> None:
    target = tmp_path / "missing" / "x.csv"
    with pytest.raises(DataError) as caught:
        export.write_file(source, "csv", target)
    assert caught.value.code == "data.write"
    assert not target.exists()
