"""Numbers of frames against Decimal and against the plain form of each primitive."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.feeds.connection import LARGEST_STEPS, step_rows
from kimera_cli.kernels import parse_bytes
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.parse_bytes import PAD
from kimera_cli.kernels.parse_layout import DIGITS, GRID, MAX_DIGITS, NUMBER, STEP, TIME
from kimera_cli.kernels.parse_number import (
    decimal_steps,
    iso_time,
    short_steps,
    unsigned_integer,
)

many = settings(deadline=None, max_examples=300)
"""The first example compiles."""
U64 = st.integers(0, (1 << 64) - 1)
STEPS = [Decimal(t) for t in ("1", "0.1", "0.01", "0.00000001", "0.5", "0.25", "5", "25", "0.0025")]


@kernel
def read_decimal(frame, i, steps):  # type: ignore[no-untyped-def]
    return decimal_steps(frame, i, steps)


@kernel
def read_short(frame, i, whole, length, steps):  # type: ignore[no-untyped-def]
    return short_steps(frame, i, whole, length, steps)


@kernel
def read_integer(frame, i):  # type: ignore[no-untyped-def]
    return unsigned_integer(frame, i)


@kernel
def read_iso(frame, i):  # type: ignore[no-untyped-def]
    return iso_time(frame, i)


def frame_of(text: bytes) -> np.ndarray:
    """A buffer with the text, a zero, and remains of an earlier frame that must not count."""
    frame = np.frombuffer(text + b"\0" + b"7" * PAD, np.uint8)
    return frame.copy()


def rows_of(step: Decimal) -> np.ndarray:
    return np.array(step_rows(step), STEP).view(np.recarray)


def expected(text: str, step: Decimal) -> int:
    """Steps or the negative reason, by Decimal."""
    digits = len(text.replace(".", ""))
    if digits > MAX_DIGITS:
        return -DIGITS
    steps, rest = divmod(Decimal(text), step)
    return int(steps) if not rest and steps <= LARGEST_STEPS else -GRID


decimals = st.builds(
    lambda whole, fraction: f"{whole}.{fraction}" if fraction else str(whole),
    st.integers(0, 10**13),
    st.text("0123456789", max_size=9),
)


@many
@given(decimals, st.sampled_from(STEPS))
def test_a_decimal_is_steps_exactly_or_off_the_grid(text: str, step: Decimal) -> None:
    found, end = read_decimal(frame_of(text.encode()), 0, rows_of(step))
    wanted = expected(text, step)
    if found == -DIGITS:  # above / below in lowest terms may overflow 64 bits first
        digits = int(text.replace(".", ""))
        scale = Decimal(10) ** (len(text.partition(".")[2]))
        assert wanted == -DIGITS or digits * (scale / step) > 1 << 62
    else:
        assert found == wanted
        assert end == len(text)


@many
@given(st.integers(0, 10**9), st.sampled_from(STEPS), st.integers(0, 4))
def test_every_multiple_comes_back(steps: int, step: Decimal, zeros: int) -> None:
    text = format(steps * step, "f")
    text += ("" if "." in text else ".") + "0" * zeros if zeros else ""
    found, end = read_decimal(frame_of(text.encode()), 0, rows_of(step))
    assert (found, end) == (steps, len(text))


@many
@given(decimals, st.sampled_from(STEPS))
def test_the_short_way_agrees_or_is_not_sure(text: str, step: Decimal) -> None:
    whole = text.find(".") if "." in text else len(text)
    frame = frame_of(text.encode())
    short = read_short(frame, 0, whole, len(text), rows_of(step))
    if short >= 0:
        assert short == read_decimal(frame, 0, rows_of(step))[0]


@pytest.mark.parametrize("text", ["61837.63", "0.014", "3.78826000", "0", "61837.63000000", "7"])
def test_the_short_way_is_taken(text: str) -> None:
    whole = text.find(".") if "." in text else len(text)
    step = Decimal("0.00000001") if len(text) > 8 else Decimal("0.001")
    found = read_short(frame_of(text.encode()), 0, whole, len(text), rows_of(step))
    assert found == Decimal(text) / step


@pytest.mark.parametrize(
    ("text", "reason", "stop"),
    [
        (b"", NUMBER, 0),
        (b"-1", NUMBER, 0),
        (b"+1", NUMBER, 0),
        (b".5", NUMBER, 0),
        (b"5.", NUMBER, 2),
        (b"05", NUMBER, 2),
        (b"00", NUMBER, 2),
        (b"00.5", NUMBER, 2),
        (b"NaN", NUMBER, 0),
        (b"1234567890123456789", DIGITS, 16),
        (b"12345678901234567890123456789012345", DIGITS, 16),
        (b"1.123456789012345678", DIGITS, 18),
        (b"0.0000001", GRID, 9),
    ],
)
def test_what_is_no_number_says_why_and_where(text: bytes, reason: int, stop: int) -> None:
    assert read_decimal(frame_of(text), 0, rows_of(Decimal("0.01"))) == (-reason, stop)


@many
@given(st.integers(0, 10**18 - 1))
def test_an_integer(value: int) -> None:
    text = str(value).encode()
    assert read_integer(frame_of(text), 0) == (value, len(text))


@pytest.mark.parametrize(
    ("text", "reason"), [(b"", NUMBER), (b"01", NUMBER), (b"1" * 19, DIGITS), (b"9" * 64, DIGITS)]
)
def test_no_integer(text: bytes, reason: int) -> None:
    assert read_integer(frame_of(text), 0)[0] == -reason


@many
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2242, 12, 31)),
    st.integers(0, 9),
    st.integers(0, 10**9 - 1),
)
def test_an_iso_time(moment: datetime, digits: int, ns: int) -> None:
    second = moment.replace(microsecond=0, tzinfo=UTC)
    fraction = f"{ns:09d}"[:digits]
    text = second.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if digits else "") + "Z"
    wanted = int(second.timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)
    assert read_iso(frame_of(text.encode()), 0) == (wanted, len(text))


@pytest.mark.parametrize(
    "text",
    [
        b"2026-02-29T00:00:00Z",
        b"2026-13-01T00:00:00Z",
        b"2026-00-01T00:00:00Z",
        b"2026-04-31T00:00:00Z",
        b"2026-04-07T24:00:00Z",
        b"2026-04-07T00:60:00Z",
        b"2026-04-07T00:00:60Z",
        b"2026-04-07T00:00:00.Z",
        b"2026-04-07T00:00:00.1234567890Z",
        b"2026-04-07T00:00:00",
        b"2026-04-07 00:00:00Z",
        b"1969-12-31T23:59:59Z",
        b"2026-04-07T00:00",
        b"",
    ],
)
def test_no_time(text: bytes) -> None:
    assert read_iso(frame_of(text), 0)[0] == -TIME


# --- the primitives, compiled against plain ----------------------------------------------------


def compiled(name: str):  # type: ignore[no-untyped-def]
    function = getattr(parse_bytes, name)
    return {
        1: kernel(lambda a: function(a)),
        2: kernel(lambda a, b: function(a, b)),
        3: kernel(lambda a, b, c: function(a, b, c)),
        4: kernel(lambda a, b, c, d: function(a, b, c, d)),
    }


BY_NAME = {
    name: compiled(name)
    for name in (
        *("load8", "load64", "digits_ahead", "digits_value", "spelled", "digit_mask"),
        *("point_mask", "lowest_bit", "next_bits", "find_byte", "first_bytes", "mixed"),
        *("exact_steps", "same_wide"),
    )
}


def both(name: str, *arguments: object) -> int:
    """The compiled answer, after a check that the plain one is the same."""
    fast = int(BY_NAME[name][len(arguments)](*arguments))
    assert fast == int(getattr(parse_bytes, name)(*arguments)), (name, arguments)
    return fast


@many
@given(st.binary(min_size=8, max_size=8) | st.text("0123456789.", min_size=8, max_size=8))
def test_words_of_a_frame(text: bytes | str) -> None:
    raw = text.encode() if isinstance(text, str) else text
    frame = frame_of(raw)
    word = np.uint64(both("load64", frame, 0))
    assert both("load8", frame, 3) == raw[3]
    ahead = both("digits_ahead", word)
    assert raw[:ahead].isdigit() or ahead == 0
    if ahead:
        assert both("spelled", word, ahead) == int(raw[:ahead])
    assert both("digits_value", word, ahead) == int(raw[:ahead] or b"0")
    assert both("find_byte", word, 46) == (raw.find(b".") if b"." in raw else 8)
    for k in range(-1, 10):
        both("first_bytes", word, k)


@many
@given(st.binary(min_size=64, max_size=64) | st.text("0123456789.,", min_size=64, max_size=64))
def test_masks_of_a_frame(text: bytes | str) -> None:
    raw = text.encode() if isinstance(text, str) else text
    digits, points = both("digit_mask", frame_of(raw), 0), both("point_mask", frame_of(raw), 0)
    assert digits == sum(1 << k for k, byte in enumerate(raw) if 48 <= byte <= 57)
    assert points == sum(1 << k for k, byte in enumerate(raw) if byte == 46)
    assert both("lowest_bit", np.uint64(points)) == (raw.find(b".") if b"." in raw else 64)
    both("next_bits", np.uint64(points))


@many
@given(st.binary(min_size=128, max_size=128), st.integers(0, 64), st.integers(0, 127))
def test_wide_comparison(raw: bytes, at: int, changed: int) -> None:
    frame = frame_of(raw[:64] + raw[:64])
    assert both("same_wide", frame, 0, 64)
    assert both("same_wide", frame, at, at)
    frame[changed] ^= 1
    assert not both("same_wide", frame, 0, 64)


@many
@given(U64, U64, U64, U64)
def test_hashes_of_names(a: int, b: int, c: int, d: int) -> None:
    assert 0 <= both("mixed", *(np.uint64(x) for x in (a, b, c, d))) < 256


@many
@given(st.integers(0, (1 << 62) - 1), st.integers(1, 10**12), st.booleans())
def test_exact_division(number: int, divisor: int, whole: bool) -> None:
    value = number // divisor * divisor if whole else number
    shift = (divisor & -divisor).bit_length() - 1
    inverse = np.uint64(pow(divisor >> shift, -1, 1 << 64))
    most = np.uint64(((1 << 64) - 1) // divisor)
    found = both("exact_steps", value, inverse, shift, most)
    assert found == (value // divisor if value % divisor == 0 else -1)
