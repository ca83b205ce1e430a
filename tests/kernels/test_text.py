"""Numbers, moments and digests as text, against Decimal, datetime and the standard library."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.encode import put_base64, put_base64_in_query, put_hex
from kimera_cli.kernels.stamps import put_rfc3339_ms, put_seconds_in_query
from kimera_cli.kernels.text import DIGITS, SLACK, copy_text, put_digits, put_number, put_steps

LARGEST = (1 << 63) - 1
MANY = settings(max_examples=200, deadline=None)
DIRTY = 0xEE


@kernel
def number(out, at, value):
    return put_number(out, at, value)


@kernel
def digits(out, at, value, n):
    return put_digits(out, at, value, n)


@kernel
def steps(out, at, count, multiple, decimals):
    return put_steps(out, at, count, multiple, decimals)


@kernel
def rfc3339(out, at, ts_ns):
    return put_rfc3339_ms(out, at, ts_ns)


@kernel
def query_time(out, at, ts_ns):
    return put_seconds_in_query(out, at, ts_ns)


@kernel
def as_hex(out, at, data, n):
    return put_hex(out, at, data, n)


@kernel
def as_base64(out, at, data, n):
    return put_base64(out, at, data, n)


@kernel
def as_query(out, at, data, n):
    return put_base64_in_query(out, at, data, n)


@kernel
def copied(out, at, source, begin, n):
    return copy_text(out, at, source, begin, n)


def written(put: Callable[..., int], *args: Any, size: int = 256) -> str:
    """What `put` writes at place 3; nothing before it may change."""
    out = np.full(size, DIRTY, np.uint8)
    end = int(put(out, 3, *args))
    assert (out[:3] == DIRTY).all()
    return out[3:end].tobytes().decode()


def plain(value: Decimal) -> str:
    """The exact decimal without exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@MANY
@given(st.integers(0, LARGEST))
@example(0)
@example(9)
@example(10)
@example(LARGEST)
def test_a_number_is_written_as_python_does(value: int) -> None:
    assert written(number, value) == str(value)


def test_every_power_of_ten_and_its_neighbours() -> None:
    for power in range(DIGITS):
        for value in (10**power - 1, 10**power, 10**power + 1):
            assert written(number, value) == str(value)


@MANY
@given(st.integers(0, LARGEST), st.integers(1, DIGITS))
def test_last_digits(value: int, n: int) -> None:
    assert written(digits, value, n) == f"{value % 10**n:0{n}d}"


STEPS = st.tuples(
    st.integers(1, 10**6) | st.sampled_from([1, 5, 25, 125]), st.integers(0, DIGITS - 1)
)


@MANY
@given(STEPS, st.data())
def test_steps_are_the_exact_decimal(step: tuple[int, int], data: st.DataObject) -> None:
    """Every count of ticks, at every tick, up to the largest that fits."""
    multiple, decimals = step
    count = data.draw(st.integers(0, LARGEST // multiple) | st.integers(0, 10**7))
    exact = Decimal(count) * Decimal(multiple).scaleb(-decimals)
    assert written(steps, count, multiple, decimals) == plain(exact)


@pytest.mark.parametrize(
    ("count", "multiple", "decimals", "expected"),
    [
        (5000012, 1, 2, "50000.12"),
        (5000010, 1, 2, "50000.1"),
        (5000000, 1, 2, "50000"),
        (1, 1, 8, "0.00000001"),
        (100, 1, 5, "0.001"),
        (3, 5, 1, "1.5"),
        (7, 25, 0, "175"),
        (2, 10, 0, "20"),
        (LARGEST, 1, 18, "9.223372036854775807"),
    ],
)
def test_prices_and_sizes(count: int, multiple: int, decimals: int, expected: str) -> None:
    assert written(steps, count, multiple, decimals) == expected


MOMENTS = st.integers(1, LARGEST)


@MANY
@given(MOMENTS)
@example(951_782_400 * 10**9)  # 2000-02-29, a leap year though a century
@example(4_107_542_400 * 10**9)  # 2100-03-01, not a leap year
@example(1_709_164_799_999_999_999)  # the last ns of 2024-02-28
def test_moments_as_datetime_writes_them(ts_ns: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ts_ns // 1000)
    text = moment.isoformat(timespec="milliseconds")
    assert written(rfc3339, ts_ns) == text.replace("+00:00", "Z")
    assert written(query_time, ts_ns) == urllib.parse.quote(text[:19])


def test_every_day_of_four_centuries() -> None:
    """The calendar repeats after 146,097 days; every 97th and those around its ends."""
    first = datetime(1970, 1, 1, tzinfo=UTC)
    for day in sorted({*range(0, 106_751, 97), 58, 59, 60, 789, 790, 11_015, 11_016, 11_017}):
        text = written(rfc3339, max(1, day * 86_400 * 10**9))
        assert text[:10] == (first + timedelta(days=day)).date().isoformat()


@MANY
@given(st.binary(min_size=1, max_size=64))
@example(bytes(range(64)))
@example(b"\xfb\xff\xbf\xff")
@example(bytes(range(0x80, 0x100, 2)))
def test_digests_as_the_standard_library_writes_them(data: bytes) -> None:
    raw, n = np.frombuffer(data, np.uint8).copy(), len(data)
    text = base64.b64encode(data).decode()
    if n % 4 == 0:
        assert written(as_hex, raw, n) == data.hex()
    assert written(as_base64, raw, n) == text
    assert written(as_query, raw, n, size=400) == urllib.parse.quote(text, safe="")


def test_every_pair_of_hex_digits() -> None:
    raw = np.arange(256, dtype=np.uint8)
    assert written(as_hex, raw, 256, size=600) == raw.tobytes().hex()


@MANY
@given(st.binary(max_size=150), st.integers(0, 20), st.integers(0, 40))
def test_copies(data: bytes, begin: int, gap: int) -> None:
    """From another array, and to any later place of the same."""
    source = np.concatenate([np.frombuffer(data, np.uint8), np.zeros(SLACK, np.uint8)])
    begin = min(begin, len(data))
    n = len(data) - begin
    out = np.full(512, DIRTY, np.uint8)
    assert copied(out, 3, source, begin, n) == 3 + n
    assert out[3 : 3 + n].tobytes() == data[begin:]
    at = 3 + n + gap
    assert copied(out, at, out, 3, n) == at + n
    assert out[at : at + n].tobytes() == data[begin:] == out[3 : 3 + n].tobytes()
