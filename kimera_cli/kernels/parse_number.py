"""Numbers of a frame as exact integers: digits, decimals on a grid, ISO times.

Accepted is what JSON calls a number without sign and exponent: no leading zero, digits on both
sides of a point. Everything else, and what does not fit, is a negative reason (`parse_layout`),
never a guess. Each function returns (value or -reason, cursor); on failure the cursor is where the
text stopped being right.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import part
from kimera_cli.kernels.parse_bytes import (
    digits_ahead,
    digits_value,
    exact_steps,
    load8,
    load64,
    spelled,
)
from kimera_cli.kernels.parse_layout import DIGITS, GRID, MAX_DIGITS, NUMBER, TIME

POWERS = np.array([10**k for k in range(MAX_DIGITS + 1)], np.int64)

_ZERO, _NINE, _POINT, _DASH, _COLON, _T, _Z = 48, 57, 46, 45, 58, 84, 90
_DAY_NS = 86_400_000_000_000


@part
def unsigned_integer(frame, i):
    """Read digits at i, MAX_DIGITS at most."""
    word = load64(frame, i)
    k = digits_ahead(word)
    value = digits_value(word, k)
    digits = k
    i += k
    status = np.int64(0)
    if k == 0 or (k > 1 and (word & np.uint64(255)) == np.uint64(_ZERO)):
        status = np.int64(-NUMBER)
    while k == 8:
        word = load64(frame, i)
        k = digits_ahead(word)
        digits += k
        if digits > MAX_DIGITS:
            status = np.int64(-DIGITS)
            k = np.int64(0)
        else:
            value = value * POWERS[k] + digits_value(word, k)
        i += k
    return (value if status == 0 else status), i


@part
def decimal_steps(frame, i, steps):
    """Read a decimal at i as whole steps; `steps` has a row for each number of decimals."""
    word = load64(frame, i)
    k = digits_ahead(word)
    value = digits_value(word, k)
    digits = k
    i += k
    status = np.int64(0)
    if k == 0 or (k > 1 and (word & np.uint64(255)) == np.uint64(_ZERO)):
        status = np.int64(-NUMBER)
    while k == 8:
        word = load64(frame, i)
        k = digits_ahead(word)
        digits += k
        if digits > MAX_DIGITS:
            status = np.int64(-DIGITS)
            k = np.int64(0)
        else:
            value = value * POWERS[k] + digits_value(word, k)
        i += k
    decimals = np.int64(0)
    if status == 0 and load8(frame, i) == _POINT:
        i += 1
        word = load64(frame, i)
        k = digits_ahead(word)
        if k == 0:
            status = np.int64(-NUMBER)
        while k > 0:
            decimals += k
            if digits + decimals > MAX_DIGITS:
                status = np.int64(-DIGITS)
                decimals = np.int64(0)
                break
            value = value * POWERS[k] + digits_value(word, k)
            i += k
            if k < 8:
                break
            word = load64(frame, i)
            k = digits_ahead(word)
    if status == 0:
        step = steps[decimals]
        if value > step.largest:
            status = np.int64(-DIGITS)
        else:
            status = exact_steps(value, step.inverse, step.shift, step.most)
            if status < 0:
                status = np.int64(-GRID)
    return status, i


@part
def short_steps(frame, i, whole, length, steps):
    """Return the number in frame[i : i + length], known to be digits but for a point at `whole`
    (`length`: none), as steps; or -1: not sure, see `decimal_steps`.

    For up to eight digits on each side. Nothing here waits for another number to end, which makes
    a list of levels three times as fast as reading from left to right.
    """
    decimals = max(length - whole - 1, np.int64(0))
    if (whole < 1) | (whole > 8) | (decimals > 8) | (whole + 1 == length):
        return np.int64(-1)
    word = load64(frame, i)
    digits = whole + decimals
    if digits <= 8:
        keep = ~np.uint64(0) >> np.uint64(64 - 8 * whole)
        value = spelled((word & keep) | (load64(frame, i + 1) & ~keep), digits)
    else:
        value = spelled(word, whole) * POWERS[decimals]
        value += spelled(load64(frame, i + whole + 1), decimals)
    step = steps[decimals]
    found = exact_steps(value, step.inverse, step.shift, step.quick)
    leading = (word & np.uint64(255) == np.uint64(_ZERO)) & (whole > 1)
    return np.int64(-1) if leading else found


@part
def two_digits(frame, i):
    """Return the number that two digits at i spell, or -1."""
    tens = load8(frame, i) - _ZERO
    ones = load8(frame, i + 1) - _ZERO
    good = 0 <= tens <= 9 and 0 <= ones <= 9
    return tens * 10 + ones if good else np.int64(-1)


@part
def days_of(year, month, day):
    """Return days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, days_from_civil);
    -1 for a day that the month does not have.
    """
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = np.int64(31)
    if month == 2:
        longest = np.int64(29) if leap else np.int64(28)
    elif month == 4 or month == 6 or month == 9 or month == 11:
        longest = np.int64(30)
    if month < 1 or month > 12 or day < 1 or day > longest or year < 1970:
        return np.int64(-1)
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - era * 400
    shifted = month - 3 if month > 2 else month + 9
    of_year = (153 * shifted + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@part
def iso_time(frame, i):
    """Read `2026-04-07T14:30:00.123456Z` at i, zero to nine decimals, as ns since 1970, UTC."""
    status = np.int64(-TIME)
    century, rest = two_digits(frame, i), two_digits(frame, i + 2)
    month, day = two_digits(frame, i + 5), two_digits(frame, i + 8)
    hour, minute = two_digits(frame, i + 11), two_digits(frame, i + 14)
    second = two_digits(frame, i + 17)
    marks = (
        load8(frame, i + 4) == _DASH
        and load8(frame, i + 7) == _DASH
        and load8(frame, i + 10) == _T
        and load8(frame, i + 13) == _COLON
        and load8(frame, i + 16) == _COLON
    )
    fields = century >= 0 and rest >= 0 and month >= 0 and day >= 0
    clock = 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
    if marks and fields and clock:
        days = days_of(century * 100 + rest, month, day)
        if 0 <= days < 100_000:
            status = days * _DAY_NS + ((hour * 60 + minute) * 60 + second) * 1_000_000_000
            i += 19
            if load8(frame, i) == _POINT:
                i += 1
                digits, scale = np.int64(0), np.int64(1_000_000_000)
                while _ZERO <= load8(frame, i) <= _NINE and digits < 9:
                    scale //= 10
                    status += (load8(frame, i) - _ZERO) * scale
                    digits += 1
                    i += 1
                if digits == 0:
                    status = np.int64(-TIME)
            if status >= 0:
                if load8(frame, i) == _Z:
                    i += 1
                else:
                    status = np.int64(-TIME)
    return status, i
