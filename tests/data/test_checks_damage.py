"""Planted damage in real recordings: a line lost, two swapped, a digit flipped, a file cut.

Each is found, with exit code 3, file and line. What a feed cannot show is here too, so that
nobody has to guess (docs/reference/checks.md says why).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from kimera_cli.data import checks
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.records import Check

NOW_NS = 1_800_000_000_000_000_000
CRYPTOFEED = "l2_raw/cryptofeed"
SPOT = "hftbacktest/spot_btcusdt_20240808.gz"

Lines = list[str]


class Recording:
    """A copy of a real recording (its first lines) that can be damaged."""

    def __init__(self, source: Path, folder: Path, limit: int) -> None:
        with gzip.open(source, "rt") if source.suffix == ".gz" else source.open() as stream:
            self.lines: Lines = [line.rstrip("\n") for line in islice(stream, limit)]
        venue = source.name.partition(".ws.")[0]
        if venue != source.name:
            for beside in (
                *source.parent.glob(f"{venue}.0*"),
                *source.parent.glob(f"{venue}.http*"),
            ):
                (folder / beside.name).write_bytes(beside.read_bytes())
        self.path = folder / source.name.removesuffix(".gz")

    def find(self, pattern: str, nth: int = 0) -> int:
        """Return the index of the nth line (0 is the first) that holds the pattern."""
        return [i for i, line in enumerate(self.lines) if re.search(pattern, line)][nth]

    def save(self, lines: Lines) -> Path:
        self.path.write_text("\n".join(lines) + "\n")
        return self.path


@pytest.fixture
def recording(shared_data: Path, tmp_path: Path) -> Callable[..., Recording]:
    def make(name: str, limit: int = 4_000) -> Recording:
        return Recording(shared_data / name, tmp_path, limit)

    return make


@pytest.fixture
def failures(catalog: Catalog) -> Callable[[Path], dict[str, Check]]:
    def run(path: Path) -> dict[str, Check]:
        found = checks.run(str(path), catalog, ImportOptions(), now_ns=NOW_NS)
        return {record.check: record for record in found if not record.ok}

    return run


Make = Callable[..., Recording]
Fail = Callable[[Path], dict[str, Check]]


def without(lines: Lines, at: int) -> Lines:
    return [*lines[:at], *lines[at + 1 :]]


def swapped(lines: Lines, a: int, b: int) -> Lines:
    lines = list(lines)
    lines[a], lines[b] = lines[b], lines[a]
    return lines


def flipped(lines: Lines, at: int, pattern: str) -> Lines:
    """Change the last digit of the pattern's group in one line."""
    match = re.search(pattern, lines[at])
    assert match
    end = match.end(1) - 1
    digit = "1" if lines[at][end] != "1" else "2"
    return [*lines[:at], lines[at][:end] + digit + lines[at][end + 1 :], *lines[at + 1 :]]


def test_the_copies_are_clean(recording: Make, failures: Fail) -> None:
    for name in (SPOT, f"{CRYPTOFEED}/KRAKEN.ws.50.0.gz", f"{CRYPTOFEED}/BINANCE.ws.1.0"):
        copy = recording(name)
        assert failures(copy.save(copy.lines)) == {}


# --- Binance: numbered updates, numbered trades, bookTicker -------------------------------------


def test_binance_lost_update(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    at = copy.find('"e":"depthUpdate"', 100)
    found = failures(copy.save(without(copy.lines, at)))
    following = copy.find('"e":"depthUpdate"', 101)
    assert found["sequence"].line == following  # one line up, counted from 1
    assert found["sequence"].total - found["sequence"].passed == 1
    assert Path(found["sequence"].file) == copy.path


def test_binance_lost_trade(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    at = copy.find('"e":"trade"', 20)
    found = failures(copy.save(without(copy.lines, at)))
    assert list(found) == ["trade_ids"]
    assert found["trade_ids"].line == copy.find('"e":"trade"', 21)


def test_binance_swapped_updates(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    a, b = (copy.find('"e":"depthUpdate"', n) for n in (100, 101))
    found = failures(copy.save(swapped(copy.lines, a, b)))
    assert {"sequence", "order", "time_local"} <= set(found)
    assert (found["sequence"].line, found["order"].line) == (a + 1, b + 1)


def test_binance_repeated_update(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    at = copy.find('"e":"depthUpdate"', 100)
    found = failures(copy.save([*copy.lines[: at + 1], *copy.lines[at:]]))
    assert list(found) == ["duplicates"]
    assert found["duplicates"].line == at + 2


def test_binance_flipped_digit_of_a_best_size(recording: Make, failures: Fail) -> None:
    """A bookTicker and the update that it describes: the size in one of them is changed."""
    copy = recording(SPOT)
    for nth in range(100, 140):
        at = copy.find('"e":"depthUpdate"', nth)
        update = json.loads(copy.lines[at].partition(" ")[2])["data"]
        ticker = [
            json.loads(line.partition(" ")[2])["data"]
            for line in copy.lines[:at]
            if "bookTicker" in line
        ][-1]
        if update["U"] <= ticker["u"] <= update["u"] and [ticker["b"], ticker["B"]] in update["b"]:
            break
    size = rf'\["{re.escape(ticker["b"])}","([\d.]*[1-9])0*"\]'
    found = failures(copy.save(flipped(copy.lines, at, size)))
    assert found["bbo"].line == at + 1
    assert "bookTicker" in found["bbo"].detail
    number = copy.find(rf'"u":{ticker["u"]},')
    best = failures(copy.save(flipped(copy.lines, number, r'"B":"([\d.]*[1-9])0*"')))
    assert best["bbo"].line == at + 1


def test_binance_flipped_digit_of_a_number(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    at = copy.find('"e":"depthUpdate"', 100)
    found = failures(copy.save(flipped(copy.lines, at, r'"U":(\d+)')))
    assert found["sequence"].line == at + 1


def test_binance_lost_ticker_cannot_be_seen(recording: Make, failures: Fail) -> None:
    """bookTicker ids have holes by nature: not every update changes the best prices."""
    copy = recording(SPOT)
    assert failures(copy.save(without(copy.lines, copy.find("bookTicker", 500)))) == {}


def test_cryptofeed_binance_lost_update(recording: Make, failures: Fail) -> None:
    copy = recording(f"{CRYPTOFEED}/BINANCE.ws.1.0")
    at = copy.find('"e":"depthUpdate".*NKNUSDT', 50)
    found = failures(copy.save(without(copy.lines, at)))
    assert found["sequence"].line == copy.find('"e":"depthUpdate".*NKNUSDT', 51)
    assert found["sequence"].detail.startswith("binance/NKNUSDT/l2: ")


# --- Kraken and OKX: checksums -------------------------------------------------------------------


def kraken_change(copy: Recording) -> int:
    """Return a line that changed the ten best levels: its checksum is new."""
    last: dict[str, str] = {}
    for index, line in enumerate(copy.lines[500:], 500):
        match = re.search(
            r'\[\["([\d.]+)","[\d.]*[1-9][\d.]*",.*"c":"(\d+)"},.*"([A-Z/]+)"\]$', line
        )
        if match:
            if last.get(match[3], match[2]) != match[2]:
                return index
            last[match[3]] = match[2]
    raise AssertionError("no such line")


@pytest.mark.parametrize(
    "digits", [r'\[\["([\d.]*\d)0*"', r'\[\["[\d.]+","([\d.]*[1-9])0*"', r'"c":"(\d+)"']
)
def test_kraken_flipped_digit(recording: Make, failures: Fail, digits: str) -> None:
    copy = recording(f"{CRYPTOFEED}/KRAKEN.ws.50.0.gz")
    at = kraken_change(copy)
    found = failures(copy.save(flipped(copy.lines, at, digits)))
    assert set(found) & {"checksum", "readable"}  # a price off the tick cannot even be read
    first = found.get("readable") or found["checksum"]
    assert (first.line, Path(first.file)) == (at + 1, copy.path)


def test_kraken_lost_line(recording: Make, failures: Fail) -> None:
    copy = recording(f"{CRYPTOFEED}/KRAKEN.ws.50.0.gz")
    at = kraken_change(copy)
    pair = copy.lines[at].rpartition(",")[2]
    later = next(i for i in range(at + 1, len(copy.lines)) if copy.lines[i].endswith(pair))
    found = failures(copy.save(without(copy.lines, at)))
    assert found["checksum"].line == later  # the next message of the pair, one line up


def test_swapped_lines_go_back_in_time_in_every_feed(recording: Make, failures: Fail) -> None:
    for name in ("KRAKEN.ws.50.0.gz", "COINBASE.ws.28.0.gz", "BYBIT.ws.25.0.gz"):
        copy = recording(f"{CRYPTOFEED}/{name}")
        first = copy.lines[1_000]
        symbol = re.search(r'"product_id":"[^"]+"|orderBook[^"]+|"[A-Z]+/[A-Z]+"\]$', first)
        assert symbol
        other = copy.find(re.escape(symbol[0]), 50)
        a, b = sorted((1_000, other))
        found = failures(copy.save(swapped(copy.lines, a, b)))
        assert found["time_local"].line is not None
        assert a + 1 < found["time_local"].line <= b + 2


def test_okx_flipped_lost_and_swapped(recording: Make, failures: Fail) -> None:
    copy = recording(f"{CRYPTOFEED}/OKX.ws.1.0.gz")
    update = copy.find('"books","instId":"BTC-USDT"},"action":"update"', 20)
    flip = failures(copy.save(flipped(copy.lines, update, r'"checksum":(-?\d+)')))
    assert flip["checksum"].line == update + 1
    lost = failures(copy.save(without(copy.lines, update)))
    assert lost["checksum"].line == copy.find('"books","instId":"BTC-USDT"},"action":"update"', 21)
    trade = copy.find('"tradeId".*BTC-USDT|BTC-USDT.*"tradeId"', 20)
    assert "trade_ids" in failures(copy.save(without(copy.lines, trade)))


# --- feeds without checksums ---------------------------------------------------------------------


def test_bitfinex_sees_any_lost_line(recording: Make, failures: Fail) -> None:
    copy = recording(f"{CRYPTOFEED}/BITFINEX.ws.11.0.gz")
    for pattern in (r'"hb",\d+\]$', r": \[\d+,\[[\d.e-]+,\d+,-?[\d.]+\],\d+\]$"):
        at = copy.find(pattern, 20)
        found = failures(copy.save(without(copy.lines, at)))
        assert found["sequence"].line is not None
        assert found["sequence"].line >= at + 1


def test_coinbase_and_huobi_lost_trades(recording: Make, failures: Fail) -> None:
    copy = recording(f"{CRYPTOFEED}/COINBASE.ws.28.0.gz", 10_000)
    at = copy.find('"type":"match".*"SKL-USD"', 10)
    found = failures(copy.save(without(copy.lines, at)))
    assert found["trade_ids"].line == copy.find('"type":"match".*"SKL-USD"', 11)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("COINBASE.ws.28.0.gz", '"type":"l2update"'),
        ("BYBIT.ws.25.0.gz", '"type":"delta"'),
        ("BITSTAMP.ws.1.0.gz", '"channel":"diff_order_book'),
        ("HUOBI.ws.44.0.gz", r": b'\\x1f"),
    ],
)
def test_unnumbered_updates_can_be_lost_unseen(
    recording: Make, failures: Fail, name: str, pattern: str
) -> None:
    """These feeds say nothing by which a lost book update could be known: only its effects
    could."""
    copy = recording(f"{CRYPTOFEED}/{name}")
    at = copy.find(pattern, 200)
    assert set(failures(copy.save(without(copy.lines, at)))) <= {"crossed", "trade_ids"}


# --- cut and garbled files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [SPOT, f"{CRYPTOFEED}/KRAKEN.ws.50.0.gz", f"{CRYPTOFEED}/HUOBI.ws.44.0.gz"]
)
def test_a_line_that_is_cut_or_garbage(recording: Make, failures: Fail, name: str) -> None:
    copy = recording(name, 100)
    copy.path.write_text("\n".join(copy.lines[:60]) + "\n" + copy.lines[60][:-5])
    found = failures(copy.path)
    assert found["readable"].line == 61
    assert (found["readable"].passed > 0) == (name != SPOT)  # raw Binance hands out whole batches
    garbage = [*copy.lines[:60], "\x00garbage\x7f", *copy.lines[60:]]
    assert failures(copy.save(garbage))["readable"].line == 61


def test_a_cut_archive(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    packed = gzip.compress("\n".join(copy.lines).encode())
    copy.path.write_bytes(packed[: len(packed) // 2])
    found = failures(copy.path)["readable"]
    assert found.detail.endswith("[data.truncated]")
    assert found.line is not None
    assert 1_000 < found.line < 3_000


def test_a_file_cut_between_two_lines_cannot_be_seen(recording: Make, failures: Fail) -> None:
    copy = recording(SPOT)
    assert failures(copy.save(copy.lines[:2_000])) == {}


# --- through the program -------------------------------------------------------------------------


def test_the_program_exits_3_and_names_file_and_line(
    recording: Make, kimera: Callable[..., object]
) -> None:
    copy = recording(f"{CRYPTOFEED}/KRAKEN.ws.50.0.gz")
    at = kraken_change(copy)
    damaged = copy.save(flipped(copy.lines, at, r'"c":"(\d+)"'))
    result = kimera("fetch", "check", damaged, "--format", "jsonl")
    assert result.code == 3
    record = next(r for r in result.records("check") if not r["ok"])
    assert (record["check"], record["file"], record["line"]) == ("checksum", str(damaged), at + 1)
    assert f"{damaged} line {at + 1}" in result.err
    assert result.end["status"] == "error"


def test_the_program_exits_0_on_a_clean_recording(
    recording: Make, kimera: Callable[..., object]
) -> None:
    copy = recording(f"{CRYPTOFEED}/KRAKEN.ws.50.0.gz")
    result = kimera("fetch", "check", copy.save(copy.lines), "--format", "jsonl")
    assert (result.code, result.err) == (0, "")
    assert all(record["ok"] for record in result.records("check"))
