"""The capture format, decimal text into steps, depth limits: what the importers stand on."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data.importers.cryptofeed import (
    companions,
    iso_to_ns,
    read_capture,
    seconds_to_ns,
)
from kimera_cli.data.importers.decimal_text import OffGridError, Scale
from kimera_cli.data.importers.depth_limit import DepthLimit
from kimera_cli.errors import DataError
from kimera_cli.layouts import ASK, BID, NO_SIDE

steps = st.sampled_from(["0.01", "0.5", "0.05", "1", "10", "0.025", "0.00000001", "2.5"])
decimal_places = st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=9)


def capture(tmp_path: Path, text: str | bytes, name: str = "KRAKEN.ws.1.0") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_each_kind_of_line(tmp_path: Path) -> None:
    path = capture(
        tmp_path,
        "wss://ws.kraken.com <-> 1618678132.3\n"
        'wss://ws.kraken.com <- 1618678132.8253062: {"event":"subscribe"}\n'
        'configuration: {"trades":[]}\n'
        '1618678132.9: {"event":"heartbeat"}\n'
        "https://api/x -> 1618678133: {}\n"
        "\n",
    )
    messages = list(read_capture(path))
    assert [(m.line, m.sent, m.url, m.ts_ns) for m in messages] == [
        (2, True, "wss://ws.kraken.com", 1618678132_825306200),
        (4, False, "", 1618678132_900000000),
        (5, False, "https://api/x", 1618678133_000000000),
    ]


@pytest.mark.parametrize("line", ["garbage", "16186781", "1618678132.9 {}", "\x00\x01", "12: "])
def test_any_other_line_names_itself(tmp_path: Path, line: str) -> None:
    path = capture(tmp_path, f"wss://ws.kraken.com <-> 1618678132.3\n{line}\n")
    if line == "12: ":  # an empty message is a message; the venue's reader refuses it
        assert [m.body for m in read_capture(path)] == [b""]
        return
    with pytest.raises(DataError, match="line 2") as caught:
        list(read_capture(path))
    assert caught.value.code == "data.format"
    assert caught.value.details == {"file": str(path), "line": 2}


def test_gzip_frames_are_unpacked_and_damaged_ones_named(tmp_path: Path) -> None:
    frame = gzip.compress(b'{"ping":1}')
    good = f"1.0: {frame!r}\n"
    assert [m.body for m in read_capture(capture(tmp_path, good))] == [b'{"ping":1}']
    for bad in (f"1.0: {frame[:-3]!r}\n", f"1.0: {frame!r}"[:-9], "1.0: b'plain'\n"):
        with pytest.raises(DataError, match="gzip frame") as caught:
            list(read_capture(capture(tmp_path, good + bad)))
        assert caught.value.details["line"] == 2


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_seconds_are_exact_to_the_nanosecond(ns: int) -> None:
    assert seconds_to_ns(f"{ns // 10**9}.{ns % 10**9:09d}") == ns


def test_seconds_and_iso_times_known_answers() -> None:
    assert seconds_to_ns("1633998512.0633569") == 1633998512_063356900
    assert seconds_to_ns("12") == 12_000_000_000
    assert iso_to_ns("2021-04-17T16:43:30.244075Z") == 1618677810_244075000
    assert iso_to_ns("2021-04-17T16:43:30Z") == 1618677810_000000000


def test_companions_are_found_packed_or_not(tmp_path: Path) -> None:
    path = tmp_path / "BINANCE.ws.1.0"
    for name in (
        "BINANCE.0.gz",
        "BINANCE.http.0.0.gz",
        "BINANCE.http.1.0",
        "OKX.0",
        "BINANCE.ws.2.0",
    ):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in companions(path, "meta")] == ["BINANCE.0.gz"]
    assert [p.name for p in companions(path, "http")] == ["BINANCE.http.0.0.gz", "BINANCE.http.1.0"]
    assert companions(tmp_path / "renamed.txt", "meta") == []


@given(decimal_places, steps)
def test_steps_equal_those_of_decimal(value: Decimal, step: str) -> None:
    expected, rest = divmod(value, Decimal(step))
    scale, nearest = Scale(Decimal(step)), Scale(Decimal(step), nearest=True)
    text = format(value, "f")
    if rest:
        with pytest.raises(OffGridError):
            scale.steps(text)
        up = int(expected) + (2 * rest >= Decimal(step))
        assert nearest.steps(text) == max(1, up)
    else:
        assert scale.steps(text) == nearest.steps(text) == int(expected)


def test_steps_of_other_spellings() -> None:
    assert Scale(Decimal("1E-8")).steps("2e-8") == 2
    assert Scale(Decimal("1E+1")).steps("30.00") == 3
    assert Scale(Decimal("0.01")).steps("-0.05") == -5
    for text in ("", "abc", "nan", "1.2.3"):
        with pytest.raises(ValueError, match=r".*"):
            Scale(Decimal("0.01")).steps(text)
    with pytest.raises(OffGridError):
        Scale(Decimal("0.01")).steps("1" * 30)


@given(
    st.lists(st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 30), st.integers(0, 3))),
    st.integers(1, 5),
)
def test_depth_limit_keeps_the_best_levels(changes: list[tuple[int, int, int]], depth: int) -> None:
    limit = DepthLimit(depth)
    books: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for side, px, qty in changes:
        limit.set(side, px, qty)
        books[side][px] = qty
        if not qty:
            del books[side][px]
        for gone_side, gone in limit.overflow():
            best = sorted(books[gone_side], reverse=gone_side == BID)
            assert gone in best[depth:]
            del books[gone_side][gone]
        assert max(len(book) for book in books) <= depth
    limit.clear(NO_SIDE)
    assert limit.overflow() == []
