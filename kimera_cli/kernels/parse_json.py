"""What only some venues write: JSON numbers with exponents, numbers without meaning to us.

Java writes doubles below 0.001 and from ten million on with an exponent (1.7E-4, 4.0E7), so where a
venue's messages come from Java, an exponent is its ordinary text: it only says where the point is,
and the value is as exact as without. Each function returns (value or -reason, cursor), as in
`parse_number`.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.parse_bytes import exact_steps, load8, load64
from kimera_cli.kernels.parse_layout import DIGITS, GRID, MAX_DIGITS, NUMBER
from kimera_cli.kernels.parse_number import POWERS

_ZERO, _NINE, _POINT, _DASH, _PLUS = 48, 57, 46, 45, 43
_UPPER_E, _CASE = 69, 32
_EXPONENT_DIGITS = 2


@part
def digit(frame, i):
    """Tell whether a digit stands at i."""
    return _ZERO <= load8(frame, i) <= _NINE


@part
def exponent_mark(frame, i):
    """Tell whether E or e stands at i."""
    return (load8(frame, i) & ~_CASE) == _UPPER_E


@inner
def exponent_steps(frame, i, steps):
    """Read a decimal at i, perhaps with an exponent, as whole steps (as `decimal_steps`)."""
    value, digits, decimals = np.int64(0), np.int64(0), np.int64(0)
    start = i
    while digit(frame, i) and digits < MAX_DIGITS:
        value = value * 10 + load8(frame, i) - _ZERO
        digits += 1
        i += 1
    if digits == 0 or (digits > 1 and load8(frame, start) == _ZERO):
        return np.int64(-NUMBER), i
    if load8(frame, i) == _POINT:
        i += 1
        while digit(frame, i) and digits + decimals < MAX_DIGITS:
            value = value * 10 + load8(frame, i) - _ZERO
            decimals += 1
            i += 1
        if decimals == 0 and not digit(frame, i):
            return np.int64(-NUMBER), i
    if digit(frame, i):
        return np.int64(-DIGITS), i
    if exponent_mark(frame, i):
        negative = load8(frame, i + 1) == _DASH
        i += 2 if negative or load8(frame, i + 1) == _PLUS else 1
        exponent, length = np.int64(0), np.int64(0)
        while digit(frame, i) and length <= _EXPONENT_DIGITS:
            exponent = exponent * 10 + load8(frame, i) - _ZERO
            length += 1
            i += 1
        if length == 0:
            return np.int64(-NUMBER), i
        decimals += exponent if negative else -exponent
        if length > _EXPONENT_DIGITS or decimals > MAX_DIGITS or digits - decimals > MAX_DIGITS:
            return np.int64(-DIGITS), i
        if decimals < 0:
            value *= POWERS[-decimals]
            decimals = np.int64(0)
    step = steps[decimals]
    if value > step.largest:
        return np.int64(-DIGITS), i
    found = exact_steps(value, step.inverse, step.shift, step.most)
    return (found if found >= 0 else np.int64(-GRID)), i


@inner
def skip_number(frame, i):
    """Go past a JSON number of any length; return (0 or -NUMBER, cursor)."""
    if load8(frame, i) == _DASH:
        i += 1
    start = i
    while digit(frame, i):
        i += 1
    good = i > start and (i == start + 1 or load8(frame, start) != _ZERO)
    if good and load8(frame, i) == _POINT:
        i += 1
        start = i
        while digit(frame, i):
            i += 1
        good = i > start
    if good and exponent_mark(frame, i):
        i += 1
        if load8(frame, i) == _DASH or load8(frame, i) == _PLUS:
            i += 1
        start = i
        while digit(frame, i):
            i += 1
        good = i > start
    return (np.int64(0) if good else np.int64(-NUMBER)), i


@part
def same_bytes(frame, i, at, length):
    """Tell whether the `length` (16 to 32) bytes at i are those at `at`."""
    good = load64(frame, i) == load64(frame, at)
    good &= load64(frame, i + 8) == load64(frame, at + 8)
    good &= load64(frame, i + length - 8) == load64(frame, at + length - 8)
    if length > 24:
        good &= load64(frame, i + 16) == load64(frame, at + 16)
    return good
