"""JSON numbers with exponents as exact steps, and numbers gone past, against Python's own."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.feeds.connection import LARGEST_STEPS, step_rows
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.parse_bytes import PAD
from kimera_cli.kernels.parse_json import exponent_steps, same_bytes, skip_number
from kimera_cli.kernels.parse_layout import DIGITS, GRID, NUMBER, STEP


@kernel
def _steps(frame, rows):
    return exponent_steps(frame, 0, rows)


@kernel
def _skip(frame):
    return skip_number(frame, 0)


@kernel
def _same(frame, i, at, length):
    return same_bytes(frame, i, at, length)


def frame_of(text: str) -> np.ndarray:
    raw = text.encode()
    frame = np.zeros(len(raw) + PAD, np.uint8)
    frame[: len(raw)] = np.frombuffer(raw, np.uint8)
    return frame


def steps(text: str, step: str) -> int:
    """The kernel's steps of all of the text, or -reason."""
    value, end = _steps(frame_of(text), np.array(step_rows(Decimal(step)), STEP).view(np.recarray))
    assert value < 0 or end == len(text)
    return int(value)


steps("1", "1"), _skip(frame_of("1")), _same(frame_of("1"), 0, 0, 20)  # compiled before any example


@pytest.mark.parametrize(
    ("text", "step", "expected"),
    [
        ("9.121E-7", "1E-10", 9121),
        ("4.0E7", "0.01", 4_000_000_000),
        ("3.358149508E7", "0.01", 3_358_149_508),
        ("1.7E-4", "0.00001", 17),
        ("1e2", "1", 100),
        ("1E+2", "0.5", 200),
        ("0.0", "0.1", 0),
        ("0.0E5", "0.1", 0),
        ("12.50", "0.25", 50),
        ("1.0E-10", "1E-10", 1),
        ("999999999999999999", "1", 999_999_999_999_999_999),
        ("1.5E-7", "1E-7", -GRID),
        ("0.3", "0.25", -GRID),
        ("1E-19", "1E-18", -DIGITS),
        ("1E18", "1", -DIGITS),
        ("1E100", "1", -DIGITS),
        ("1234567890123456789", "1", -DIGITS),
        ("01.5", "0.5", -NUMBER),
        ("-1", "1", -NUMBER),
        (".5", "0.5", -NUMBER),
        ("5.", "0.5", -NUMBER),
        ("5.E1", "0.5", -NUMBER),
        ("5E", "1", -NUMBER),
        ("5E-", "1", -NUMBER),
        ("E5", "1", -NUMBER),
        ("", "1", -NUMBER),
    ],
)
def test_known_answers(text: str, step: str, expected: int) -> None:
    assert steps(text, step) == expected


_STEPS = st.sampled_from(["1", "0.1", "0.5", "0.25", "0.00000001", "1E-10", "5E-7", "100"])


@given(st.floats(1e-12, 1e14), _STEPS)
def test_what_java_writes_is_exact_or_refused(value: float, step: str) -> None:
    """Python's repr has the digits of Java's, in its own choice of form; both forms are tried."""
    for text in (repr(value), f"{value:.16E}", format(Decimal(repr(value)), "f")):
        found = steps(text, step)
        exact = Fraction(Decimal(text)) / Fraction(Decimal(step))
        if found >= 0:
            assert found == exact
        elif found == -GRID:
            assert exact.denominator > 1 or exact > LARGEST_STEPS
        else:
            assert found == -DIGITS


@given(st.integers(0, 10**15), st.integers(-9, 9), _STEPS)
def test_whole_multiples_in_any_form_are_read(count: int, exponent: int, step: str) -> None:
    value = count * Decimal(step)
    text = f"{value.scaleb(-exponent):f}E{exponent}"
    digits = len(text.partition("E")[0].replace(".", ""))
    found = steps(text, step)
    assert found == count or (found == -DIGITS and digits + abs(exponent) > 9)


@given(st.text("0123456789.eE+-", max_size=12))
def test_a_number_is_gone_past_as_json_has_it(text: str) -> None:
    value, end = _skip(frame_of(text))
    good = value >= 0 and end == len(text)
    assert good == is_number(text)


def is_number(text: str) -> bool:
    try:
        return isinstance(json.loads(text), int | float)
    except json.JSONDecodeError:
        return False


def test_numbers_of_any_length_are_gone_past() -> None:
    for text in ("9" * 300, "-0." + "1" * 300, "1.05E22", "-2679.9", "0"):
        assert _skip(frame_of(text + ",")) == (0, len(text))


@given(st.binary(min_size=20, max_size=30), st.integers(0, 60), st.integers(1, 255))
def test_equal_bytes_are_told_by_every_byte(text: bytes, at: int, change: int) -> None:
    length = len(text)
    frame = np.zeros(2 * length + PAD, np.uint8)
    frame[:length] = frame[length : 2 * length] = np.frombuffer(text, np.uint8)
    assert _same(frame, length, 0, length)
    frame[length + at % length] ^= change
    assert not _same(frame, length, 0, length)
