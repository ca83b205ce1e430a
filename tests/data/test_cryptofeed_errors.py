"""What captures may not hold: unknown messages, values off the grid; and the importers' choices."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from captures import HOSTS, read, record

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.errors import DataError


@pytest.mark.parametrize(
    ("venue", "message"),
    [
        ("KRAKEN", [1, {"b": [["1.0"]]}, "book-10", "A/B"]),
        ("KRAKEN", {"event": "surprise"}),
        ("OKX", {"arg": {"channel": "books", "instId": "A-B"}, "data": [{}]}),
        ("OKX", {"event": "error", "msg": "no such channel", "code": "1"}),
        ("COINBASE", {"type": "surprise", "product_id": "A-B"}),
        ("COINBASE", {"type": "l2update", "product_id": "A-B", "changes": [["up", "1", "1"]]}),
        ("BYBIT", {"hello": 1}),
        ("BYBIT", {"topic": "surprise.BTCUSDT", "data": []}),
        ("HUOBI", {"ch": "market.ab.surprise", "tick": {}}),
        ("BINANCE", {"stream": "a@surprise", "data": {"e": "surprise", "s": "A"}}),
        ("BITSTAMP", {"event": "data", "channel": "surprise_abeur", "data": {}}),
        ("BITFINEX", [7, [1, 2, 3], 1]),
        ("BITFINEX", {"event": "error", "msg": "symbol: invalid"}),
        *[(venue, '{"cut": [1, 2') for venue in HOSTS if venue != "HUOBI"],
        *[(venue, "[]") for venue in HOSTS],
        *[(venue, "3") for venue in HOSTS],
    ],
)
def test_what_is_no_message_of_the_venue_is_an_error_with_its_line(
    tmp_path: Path, venue: str, message: Any
) -> None:
    path = record(tmp_path, venue, message)
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.code == "data.format"
    assert caught.value.details == {"file": str(path), "line": 2}


@pytest.mark.parametrize("what", ["price", "size"])
def test_values_off_the_listed_grid_are_errors(tmp_path: Path, what: str) -> None:
    item = {
        "id": "A-B",
        "base_currency": "A",
        "quote_currency": "B",
        "quote_increment": "0.01",
        "base_increment": "0.1",
    }
    rest = {"COINBASE.0": [f"https://api.pro.coinbase.com/products -> 1.0: {json.dumps([item])}"]}
    level = ["2.505", "1"] if what == "price" else ["2.50", "0.15"]
    snapshot = {"type": "snapshot", "product_id": "A-B", "asks": [level], "bids": []}
    path = record(tmp_path, "COINBASE", snapshot, rest=rest)
    with pytest.raises(DataError, match=f"{what} as a multiple") as caught:
        read(path)
    assert caught.value.code == "data.step"
    assert caught.value.details["line"] == 2


def test_overrides_and_the_grid_of_the_catalog_win(tmp_path: Path) -> None:
    snapshot = {"type": "snapshot", "product_id": "A-B", "asks": [["2.5", "1"]], "bids": []}
    path = record(tmp_path, "COINBASE", snapshot)
    ((instrument, events),) = read(path, tick=Decimal("0.01")).values()
    assert (instrument.tick, events["px_ticks"][1]) == (Decimal("0.01"), 250)


def test_batches_stay_small_and_files_of_other_venues_are_refused(tmp_path: Path) -> None:
    levels = [[str(px), "1"] for px in range(1, 70_001)]
    snapshot = {"type": "snapshot", "product_id": "A-B", "asks": levels, "bids": []}
    path = record(tmp_path, "COINBASE", snapshot)
    sizes = [len(batch.events) for batch in choose(path, None).read(path, ImportOptions())]
    assert sizes == [65_536, 70_001 - 65_536]
    assert [choose(record(tmp_path, venue), None).name for venue in HOSTS] == [
        f"cryptofeed-{venue.lower()}" for venue in HOSTS
    ]


@pytest.mark.parametrize("described", [True, False])
def test_what_comes_before_a_broken_line_is_handed_out(tmp_path: Path, described: bool) -> None:
    item = {"id": "A-B", "base_currency": "A", "quote_currency": "B"}
    item |= {"quote_increment": "0.1", "base_increment": "1"}
    rest = {"COINBASE.0": [f"https://api.pro.coinbase.com/products -> 1.0: {json.dumps([item])}"]}
    snapshot = {"type": "snapshot", "product_id": "A-B", "asks": [["2.5", "1"]], "bids": []}
    path = record(tmp_path, "COINBASE", snapshot, "{", rest=rest if described else {})
    batches = choose(path, None).read(path, ImportOptions())
    assert next(batches).events["px_ticks"].tolist() == [0, 25]
    with pytest.raises(DataError, match="line 3"):
        next(batches)
