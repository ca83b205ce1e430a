"""The reader of a connection: many instruments, room, what is left over, and its declarations."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from agreement import NOW, Pair
from seeds import CASES

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.feeds.binance import BINANCE
from kimera_cli.feeds.dialect import Message
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.feeds.template import TemplateError, compile_messages
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.parse_layout import MAX_OPS, MAX_SYMBOLS

DEPTH, TRADE, _, QUOTE = CASES["binance"].frames


def instrument(symbol: str) -> Instrument:
    return Instrument(
        venue="binance", symbol=symbol, kind="spot", tick=Decimal("0.01"), lot=Decimal("0.00001")
    )


def told_of(symbol: str) -> bytes:
    return TRADE.replace(b"BTCUSDT", symbol.encode()).replace(b"btcusdt", symbol.lower().encode())


def test_every_instrument_of_a_full_connection_is_found() -> None:
    names = [
        f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[k % 26] * (k % 28 + 1)}{k}" for k in range(MAX_SYMBOLS)
    ]
    reader = FrameReader(BINANCE, [instrument(name) for name in names])
    for index, name in enumerate(names):
        assert reader.take(told_of(name), NOW) == 1
        assert reader.events[0]["instrument"] == index
    for other in ("A", "AA0", "B", names[5] + "X", names[5][:-1]):
        with pytest.raises(VenueError, match="symbol"):
            reader.take(told_of(other), NOW)
    assert reader.counts["slow.symbol"] == 5


@pytest.mark.parametrize("symbols", [[], ["X"] * 2, ["X" * 33], [f"X{k}" for k in range(65)]])
def test_what_one_connection_does_not_take(symbols: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        FrameReader(BINANCE, [instrument(symbol) for symbol in symbols])
    assert error.value.code == "usage.feed"


def test_a_frame_too_large_goes_the_slow_way() -> None:
    pair = Pair(BINANCE, CASES["binance"].instruments, frame_bytes=len(DEPTH) - 1)
    assert pair.fast(DEPTH) is None
    assert len(pair.both(DEPTH)) == 3
    assert pair.reader.counts["slow.oversize"] == 2


@pytest.mark.parametrize("room", [1, 2])
def test_more_events_than_there_is_room_for(room: int) -> None:
    pair = Pair(BINANCE, CASES["binance"].instruments, events=room)
    assert pair.fast(DEPTH) is None
    assert pair.reader.counts["slow.full"] == 1
    assert len(pair.reader.events) == 3, "the slow parser makes room"
    assert pair.fast(DEPTH) is not None, "from then on for both"


def test_any_buffer_is_read() -> None:
    reader = FrameReader(BINANCE, CASES["binance"].instruments)
    for payload in (DEPTH, memoryview(DEPTH), memoryview(bytearray(DEPTH))):
        assert reader.take(payload, NOW) == 3


def test_an_empty_frame() -> None:
    reader = FrameReader(BINANCE, CASES["binance"].instruments)
    with pytest.raises(VenueError, match="truncated"):
        reader.take(b"", NOW)


def test_remains_of_longer_frames_do_not_count() -> None:
    reader = FrameReader(BINANCE, CASES["binance"].instruments)
    for end in range(len(DEPTH)):
        assert reader.take(DEPTH, NOW) == 3
        with pytest.raises(VenueError):
            reader.take(DEPTH[:end], NOW)


def test_events_are_written_whole() -> None:
    reader = FrameReader(BINANCE, CASES["binance"].instruments)
    clean = [reader.events[: reader.take(each, NOW)].copy() for each in (DEPTH, QUOTE)]
    reader.events.view(np.uint8)[:] = 0xFF
    for frame, events in zip((DEPTH, QUOTE), clean, strict=True):
        n = reader.take(frame, NOW)
        assert reader.events[:n].tobytes() == events.tobytes()


# --- declarations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (('{"a":<ms>}', '{"a":<us>}'), "one meaning"),
        (('{"a":<nonsense>}',), "known placeholder"),
        (('{"a":<bids:odd>}',), "levels as one of"),
        (("[<px>}<next>",), "<each> before"),
        (('{"s":"<symbol><px>"}',), "one byte behind a name"),
        (('{"a":<px><trade>}', '{"a":<px><trade>}'), "each template once"),
        (('{"a":<side:a much too long word|b><trade>}',), "at most 8 bytes"),
        (tuple(f'{{"{k}":<px><trade>}}' for k in range(MAX_OPS)), "at most 512 ops"),
    ],
)
def test_a_declaration_that_cannot_be_read(texts: tuple[str, ...], expected: str) -> None:
    with pytest.raises(TemplateError, match=expected):
        compile_messages([Message("trade", text) for text in texts])


@pytest.mark.parametrize("venue", sorted(CASES))
def test_every_declaration_fits(venue: str) -> None:
    assert len(compile_messages(CASES[venue].dialect.messages)) <= MAX_OPS
