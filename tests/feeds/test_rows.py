"""Rows that are read many at a time (Coinbase): no answer may differ from that of the ops alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.feeds.coinbase import COINBASE
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.parse import read_frame
from kimera_cli.kernels.parse_layout import OP_LITERAL, OP_ROWS
from kimera_cli.layouts import ASK, BID

BTC = Instrument(
    venue="coinbase",
    symbol="BTC-USD",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00000001"),
    base="BTC",
    quote="USD",
)
NOW = 1_800_000_000_000_000_000
HEAD = (
    '{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:00.5Z","sequence_num":7,'
    '"events":[{"type":"update","product_id":"BTC-USD","updates":['
)
TIMES = ("2026-04-07T14:30:00.123456Z", "2026-04-07T14:30:00Z", "2026-04-07T14:29:59.999999999Z")


def row(side: str, px: str, qty: str, time: str = TIMES[0]) -> str:
    return f'{{"side":"{side}","event_time":"{time}","price_level":"{px}","new_quantity":"{qty}"}}'


def frame_of(rows: list[str]) -> bytes:
    return (HEAD + ",".join(rows) + "]}]}").encode()


FRAME = frame_of(
    [
        *(row("bid", f"{61_800 - k}.5", f"0.{k}1") for k in range(4)),
        *(row("offer", f"{61_801 + k}", "0") for k in range(4)),
        row("bid", "61790.01", "12.00000001"),
    ]
)


class Twice:
    """The reader as it is, and one that knows no rows."""

    def __init__(self) -> None:
        self.readers = [FrameReader(COINBASE, [BTC], 1 << 14, 64) for _ in range(2)]
        ops: Any = self.readers[1].feed["ops"][0]["code"]
        assert (ops == OP_ROWS).sum() == 1
        ops[ops == OP_ROWS] = OP_LITERAL

    def answers(self, frame: bytes) -> Iterator[tuple[Any, ...]]:
        for reader in self.readers:
            reader.frame[: len(frame)] = np.frombuffer(frame, np.uint8)
            feed = reader.feed.view(np.recarray)[0]
            out = reader.events.view(np.recarray)
            n = int(read_frame(feed, reader.frame, len(frame), NOW, out))
            events = reader.events[: max(0, n)].tobytes()
            yield n, events, int(feed.stop), int(feed.op), feed.counts.tolist()

    def check(self, frame: bytes) -> int:
        rows, ops = self.answers(frame)
        assert rows == ops
        return int(rows[0])


@pytest.fixture(scope="module")
def twice() -> Twice:
    return Twice()


def test_rows_become_levels_of_their_side(twice: Twice) -> None:
    assert twice.check(FRAME) == 9
    events = twice.readers[0].events[:9]
    assert events["side"].tolist() == [BID] * 4 + [ASK] * 4 + [BID]
    assert events["px_ticks"][[0, 4, 8]].tolist() == [6_180_050, 6_180_100, 6_179_001]
    assert events["qty_lots"][[1, 4, 8]].tolist() == [11_000_000, 0, 1_200_000_001]
    assert len(set(events["ts_exch_ns"].tolist())) == 1


def test_cut_anywhere(twice: Twice) -> None:
    for end in range(len(FRAME)):
        assert twice.check(FRAME[:end]) < 0


@pytest.mark.parametrize("byte", [0, 34, 44, 46, 48, 57, 93, 98, 111, 125, 255])
def test_any_byte_another(twice: Twice, byte: int) -> None:
    for at in range(len(HEAD), len(FRAME)):
        twice.check(FRAME[:at] + bytes([byte]) + FRAME[at + 1 :])


def test_any_byte_missing_or_twice(twice: Twice) -> None:
    for at in range(len(HEAD), len(FRAME)):
        twice.check(FRAME[:at] + FRAME[at + 1 :])
        twice.check(FRAME[:at] + FRAME[at : at + 1] + FRAME[at:])


def test_a_frame_is_not_compared_with_the_one_before_it(twice: Twice) -> None:
    """What lies behind a shorter frame is the rest of the one before."""
    assert twice.check(FRAME) == 9
    assert twice.check(frame_of([row("bid", "1.5", "2"), row("bid", "1.4", "2")])) == 2
    assert twice.check(FRAME[: FRAME.index(b'{"side":"offer"') - 1]) < 0


def test_more_rows_than_there_is_room_for(twice: Twice) -> None:
    rows = [row("bid", f"{k}.5", "1") for k in range(1, 70)]
    assert twice.check(frame_of(rows)) < 0
    assert twice.check(frame_of(rows[:64])) == 64


NUMBERS = st.one_of(
    st.decimals(0, 10**7, places=2).map(lambda d: f"{d:f}"),
    st.sampled_from(["0", "00.5", "1.", ".5", "1e3", "-1", "1.123456789", "9" * 19, "1.2.3", ""]),
)
ROWS = st.lists(
    st.builds(
        row,
        st.sampled_from(["bid", "offer", "bid", "offer", "ask"]),
        NUMBERS,
        NUMBERS,
        st.sampled_from([*TIMES, TIMES[0], TIMES[0], "yesterday"]),
    ),
    max_size=8,
)


@given(ROWS)
def test_any_rows(rows: list[str]) -> None:
    shared.check(frame_of(rows))


shared = Twice()
