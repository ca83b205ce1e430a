"""Fetched history: the same dataset however it was paged, whole whatever happened in between."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kimera_cli.data import history as module
from kimera_cli.data import manifest
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.history import MOST_PARTS, History
from kimera_cli.data.importers.base import ImportOptions, Rows
from kimera_cli.data.ingest import import_file
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT, OHLCV, TRADE, VENUES, aligned_zeros
from kimera_cli.units import NS_PER_DAY, NS_PER_S

HOUR = 3600 * NS_PER_S
NEW_YEAR = 1_704_067_200 * NS_PER_S
"""2024-01-01."""
BTC = Instrument(
    venue="binance", symbol="BTCUSDT", kind="spot", tick=Decimal("0.01"), lot=Decimal("0.00001")
)


def bars(hours: list[int], shift: float = 0.0) -> Rows:
    """Return one bar for each hour since half a day before 2024."""
    rows = aligned_zeros(len(hours), OHLCV)
    rows["ts_ns"] = NEW_YEAR + (np.array(hours, np.int64) - 12) * HOUR
    for at, name in enumerate(("open", "high", "low", "close", "volume")):
        rows[name] = np.array(hours) * 1.1 + at + shift
    rows["quote_volume"], rows["trades"] = np.nan, -1
    return rows


def trades(numbers: list[int], every_ns: int = NS_PER_S) -> Rows:
    """Return the trades of those numbers; four of them share each time."""
    rows = aligned_zeros(len(numbers), EVENT)
    rows["ts_local_ns"] = NEW_YEAR + np.array(numbers, np.int64) // 4 * every_ns
    rows["ts_exch_ns"] = rows["ts_local_ns"]
    rows["seq"], rows["kind"] = numbers, TRADE
    rows["px_ticks"], rows["qty_lots"] = np.array(numbers) + 100, 1
    rows["venue"] = VENUES.index("binance")
    return rows


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.parquet")}


def opened(root: Path, family: str = "ohlcv-1h") -> History:
    return History(Catalog(root), BTC, family, "test")


@settings(max_examples=25, deadline=None)
@given(pages=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=8), min_size=1, max_size=8))
@example(pages=[[12], [13], [14], [12, 13]])  # nothing new, over two parts of three
def test_a_dataset_does_not_depend_on_how_it_was_paged(pages: list[list[int]]) -> None:
    """Any pages in any order, overlapping, across a year: as if all had come at once."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        paged, whole = opened(Path(one)), opened(Path(other))
        wanted = sorted({hour for page in pages for hour in page})
        seen: set[int] = set()
        for page in pages:
            fresh = paged.add(bars(sorted(set(page)), shift=0.0))
            assert len(fresh) == len(set(page) - seen)
            seen |= set(page)
        whole.add(bars(wanted))
        assert paged.rows(0, 1 << 62).tobytes() == whole.rows(0, 1 << 62).tobytes()
        paged.settle()
        whole.settle()
        assert files(Path(one)) == files(Path(other))
        assert paged.sources()[0].hash == whole.sources()[0].hash
        assert len(Catalog(Path(one)).open(paged.name).read()) == len(wanted)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), max_size=6), dropped=st.sets(st.integers(0, 6)))
def test_trades_are_one_source_per_stretch_without_a_hole(
    cuts: list[int], dropped: set[int]
) -> None:
    edges = [0, *sorted(set(cuts)), 60]
    kept = [list(range(a, b)) for a, b in pairwise(edges)]
    with TemporaryDirectory() as folder:
        history = opened(Path(folder), "trades")
        joins, stretches, last = False, 0, -1
        for at, page in enumerate(kept):
            if at in dropped:
                joins = False
                continue
            if not joins and page[0] // 4 != last:
                stretches += 1
            history.add(trades(page), joins=joins)
            joins, last = True, page[-1] // 4
        wanted = [n for at, page in enumerate(kept) if at not in dropped for n in page]
        assert history.rows(0, 1 << 62)["seq"].tolist() == wanted
        assert len(history.sources()) == stretches


def test_what_is_held_stays_when_the_venue_says_something_else_later(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.add(bars([1, 2]))
    fresh = history.add(bars([2, 3], shift=5.0))
    assert fresh["ts_ns"].tolist() == bars([3])["ts_ns"].tolist()
    assert history.rows(0, 1 << 62)["open"].tolist() == [
        *bars([1, 2])["open"],
        bars([3], 5.0)["open"][0],
    ]


def test_many_pages_do_not_become_many_files(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for hour in range(4 * MOST_PARTS):
        history.add(bars([2 * hour + 100]))
        assert len(files(tmp_path)) <= MOST_PARTS
    assert len(history.times(0, 1 << 62)) == 4 * MOST_PARTS
    history.settle()
    assert len(files(tmp_path)) == 1


def test_a_page_that_could_not_be_committed_is_as_if_it_had_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was merged with parts that are there."""
    history = opened(tmp_path)
    history.add(bars([1, 3]))
    before = history.rows(0, 1 << 62).tobytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.manifest, "store", refuse)
        with pytest.raises(OSError, match="No space"):
            history.add(bars([2]))
    again = opened(tmp_path)
    assert again.rows(0, 1 << 62).tobytes() == before
    Catalog(tmp_path).tidy()
    assert len(files(tmp_path)) == 1
    assert len(again.add(bars([2]))) == 1


def test_an_import_and_a_fetch_do_not_mix(tmp_path: Path) -> None:
    table = tmp_path / "binance-BTCUSDT-1h.csv"
    lines = ["time,open,high,low,close,volume"]
    lines += [f"2024-01-01T0{h}:00Z,1,2,1,2,3" for h in range(3)]
    table.write_text("\n".join(lines))
    catalog = Catalog(tmp_path / "data")
    import_file(table, catalog, ImportOptions(), NEW_YEAR + 9 * NS_PER_DAY)
    with pytest.raises(DataError) as caught:
        History(catalog, BTC, "ohlcv-1h", "test")
    assert caught.value.code == "data.mixed"
    assert "fetch remove" in caught.value.hint


def test_the_grid_of_trades_is_the_one_of_the_first_fetch(tmp_path: Path) -> None:
    opened(tmp_path, "trades").add(trades([1]))
    finer = Instrument(
        venue="binance", symbol="BTCUSDT", kind="spot", tick=Decimal("0.001"), lot=Decimal("1")
    )
    assert History(Catalog(tmp_path), finer, "trades", "test").instrument == BTC


def test_trades_of_two_days_are_two_parts_and_no_loop_takes_them(tmp_path: Path) -> None:
    history = opened(tmp_path, "trades")
    history.add(trades([0, 1, 2, 3, 4], every_ns=NS_PER_DAY))
    assert sorted(files(tmp_path)) == sorted(
        f"venue=binance/instrument=BTCUSDT/family=trades/{part.file}"
        for part in history.sources()[0].parts
    )
    assert [p.partition for p in history.sources()[0].parts] == ["2024-01-01", "2024-01-02"]
    with pytest.raises(DataError, match="l2 or l3"):
        Catalog(tmp_path).open(history.name).require_replayable()
    info = manifest.load(tmp_path / "venue=binance/instrument=BTCUSDT/family=trades")
    assert info is not None
    assert (info.rows, info.days) == (5, 2)
