"""Tables for people, CSV for programs."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli import tables
from kimera_cli.records import (
    BookSnapshot,
    Dataset,
    Doctor,
    Fill,
    Metric,
    ProfileValue,
    Record,
    TradeRequest,
)


def fill(**changes: object) -> Fill:
    values: dict[str, object] = {
        "seq": 1,
        "ts_ns": 1_700_000_000_123_000_000,
        "ts_exch_ns": 0,
        "strategy": "s",
        "instrument": "binance/BTCUSDT",
        "order_id": 7,
        "side": "buy",
        "px": "100.5",
        "qty": "2",
        "left": "0",
        "maker": True,
        "fee": 0.01,
        "fee_currency": "USDT",
        "position": "2",
    }
    return Fill(**{**values, **changes})  # type: ignore[arg-type]


def test_numbers_are_right_aligned_and_empty_columns_left_out() -> None:
    text = tables.table(
        [
            ProfileValue(key="risk.x", value=1.25, origin=""),
            ProfileValue(key="b", value=-12_345.678, origin=""),
        ],
        100,
        colour=False,
    )
    assert text == (
        "key          value\n"  #
        "risk.x        1.25\n"
        "b       -12,345.68\n"
    )


def test_times_are_local_here_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert tables.local_time(1_700_000_000_123_000_000) == "2023-11-15 07:13:20.123 JST"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "1700000000123000000" in tables.csv_row(fill())


def test_a_narrow_terminal_gets_blocks() -> None:
    text = tables.table([fill(), fill(seq=2)], 60, colour=False)
    assert "instrument    binance/BTCUSDT\n" in text
    assert text.count("\n\n") == 1
    assert max(map(len, text.splitlines())) <= 60


def test_long_text_is_wrapped_in_its_own_column() -> None:
    record = Doctor(item="clock", status="warning", found="words " * 20, advice="")
    lines = tables.table([record], 60, colour=False).splitlines()
    assert len(lines) > 2
    assert all(line.startswith(" " * 16) for line in lines[2:])


def test_a_text_keeps_its_own_lines() -> None:
    """A request as it is sent."""
    request = "POST /order HTTP/1.1\r\nHost: example.org\r\n\r\nside=buy&quantity=0.01"
    record = TradeRequest("okx", "example.org", request, "id", "BTC-USDT")
    wide, narrow = (tables.table([record], width, colour=False) for width in (80, 40))
    for text in (wide, narrow):
        lines = [line.strip() for line in text.splitlines()]
        at = next(i for i, line in enumerate(lines) if "Host: example.org" in line)
        assert "POST /order HTTP/1.1" in lines[at - 1]
        assert (lines[at + 1], lines[at + 2]) == ("", "side=buy&quantity=0.01")
    other = tables.table([Doctor(item="a\nb", status="ok", found="", advice="")], 60, colour=False)
    assert other.splitlines()[1].split() == ["a", "b", "ok"], "nobody forges a row"
    assert "line" not in narrow, "a count from 1 that is 0 is none"


def test_the_levels_of_a_book_are_rows() -> None:
    book = BookSnapshot("okx", "BTC/USDT", 0, [["50", "0.125"], ["49.5", "1"]], [["51", "2"]])
    text = tables.table([book], 60, colour=False)
    first, second = (line.split() for line in text.splitlines()[1:])
    assert (first, second) == (["okx", "BTC/USDT", "50", "0.125", "51", "2"], ["49.5", "1"])


def test_types_get_a_table_each_in_order_of_appearance() -> None:
    records: list[Record] = [
        Metric(run="a", metric="m", value=1.0),
        Doctor(item="x", status="ok", found="y"),
        Metric(run="b", metric="m", value=2.0),
    ]
    first, second = tables.table(records, 80, colour=False).split("\n\n")
    assert "a " in first
    assert "b " in first
    assert second.startswith("item")


def test_colour_marks_statuses_without_moving_columns() -> None:
    records = [
        Doctor(item="a", status="ok", found="f"),
        Doctor(item="b", status="failed", found="g"),
    ]
    plain = tables.table(records, 80, colour=False)
    coloured = tables.table(records, 80, colour=True)
    assert "\x1b[32mok    \x1b[0m" in coloured
    assert "\x1b[31mfailed\x1b[0m" in coloured
    for code in ("\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_csv_keeps_every_field_and_nested_values_as_json() -> None:
    record = Dataset(
        dataset="d",
        venue="v",
        instrument="i",
        kind="spot",
        family="l2",
        rows=3,
        start_ns=1,
        end_ns=2,
        days=1,
        bytes=9,
        tick="0.1",
        lot="1",
        sources=["a,b", 'c"d'],
    )
    header, row = csv.reader(io.StringIO(tables.csv_header(record) + tables.csv_row(record)))
    values = dict(zip(header, row, strict=True))
    assert values["type"] == "dataset"
    assert values["sources"] == '["a,b","c\\"d"]'
    assert set(header) == {"type", *record.__struct_fields__}


@settings(max_examples=200, deadline=None)
@given(
    width=st.integers(40, 200),
    cells=st.lists(
        st.tuples(
            st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=90),
            st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=90),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_no_line_is_wider_than_asked(width: int, cells: list[tuple[str, str]]) -> None:
    records = [Doctor(item=a, status="ok", found=b) for a, b in cells]
    text = tables.table(records, width, colour=False)
    assert all(len(line) <= width for line in text.splitlines())
