"""Bitstamp's order rows, against the file itself."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
from frames import only, save

from kimera_cli.data.importers import detect
from kimera_cli.errors import DataError
from kimera_cli.layouts import ADD, ASK, BID, DELETE, F_LAST, F_NO_EXCH_TIME, MODIFY

HEADER = "id,timestamp,exchange.timestamp,price,volume,action,direction"
GOOD = "65595247,1430438404518,1430438404000,236.47,200000000,created,bid"
MS = 10**6


def test_rows_become_events(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        HEADER,
        GOOD,
        "65595247,1430438404635,1430438404000,236.47,178855669,changed,bid",
        "65595187,1430438404637,1430438340000,236.5,0,deleted,ask",
    )
    assert detect(path).name == "bitstamp-l3"
    events = only(path)
    assert events["kind"].tolist() == [ADD, MODIFY, DELETE]
    assert events["side"].tolist() == [BID, BID, ASK]
    assert events["px_ticks"].tolist() == [23_647, 23_647, 23_650]
    assert events["qty_lots"].tolist() == [200_000_000, 178_855_669, 0]
    assert events["ref"].tolist() == [65595247, 65595247, 65595187]
    assert events["aux"].tolist() == [2, 3, 4]
    assert events["ts_local_ns"][1] == 1430438404635 * MS
    assert events["ts_exch_ns"].tolist() == [
        1430438404000 * MS,
        *events["ts_local_ns"][1:].tolist(),
    ]
    assert events["flags"].tolist() == [F_LAST, *[F_LAST | F_NO_EXCH_TIME] * 2]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("1,2,3,236.47,1,created", "data.bad_line"),
        ("1,2,3,236.47,1,vanished,bid", "data.bad_line"),
        ("1,2,3,nan,1,created,bid", "data.price"),
        ("1,2,3,0,1,created,bid", "data.price"),
        ("1,2,3,-236.47,1,created,bid", "data.price"),
        ("1,2,3,236.47,-1,created,bid", "data.quantity"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, code: str) -> None:
    with pytest.raises(DataError) as caught:
        only(save(tmp_path, HEADER, GOOD, row))
    assert (caught.value.code, caught.value.details["line"]) == (code, 3)


def test_a_price_off_the_grid_of_the_head(tmp_path: Path) -> None:
    path = save(tmp_path, HEADER, *[GOOD] * 10_000, GOOD.replace("236.47", "236.475"))
    with pytest.raises(DataError) as caught:
        only(path)
    assert (caught.value.code, caught.value.details["line"]) == ("data.step", 10_002)


def test_the_recording_is_kept_row_by_row(shared_data: Path) -> None:
    path = shared_data / "l3" / "bitstamp_2015-05-01_orders.csv.xz"
    events = only(path)
    counts = dict(zip(*np.unique(events["kind"], return_counts=True), strict=True))
    assert counts == {ADD: 24_894, MODIFY: 602, DELETE: 24_918}
    with lzma.open(path, "rt") as stream:
        table = [line.rstrip("\n").split(",") for line in stream][1:]
    assert [int(row[0]) for row in table] == events["ref"].tolist()
    assert [int(row[4]) for row in table] == events["qty_lots"].tolist()
    assert [f"{int(t) / 100:.2f}" for t in events["px_ticks"]] == [
        f"{float(row[3]):.2f}" for row in table
    ]
