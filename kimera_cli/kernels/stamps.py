"""A moment as venues write it, from ns since the Unix epoch, UTC.

Same contract as text.py: write at a place, return the place after. The calendar is that of
"chrono-compatible low-level date algorithms" (H. Hinnant), `civil_from_days`: years begin in March,
so that the leap day ends them.
"""

from __future__ import annotations

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.text import put_digits

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
DAY_S = 86_400
DASH, COLON, LETTER_T, LETTER_Z, DOT, PERCENT = 45, 58, 84, 90, 46, 37


@inner
def put_date(out, at, day):
    """Write `2023-11-14` for a day counted from 1970-01-01 (day at least 0)."""
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day_of_month = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year += era * 400
    if month <= 2:
        year += 1
    at = put_digits(out, at, year, 4)
    out[at] = DASH
    at = put_digits(out, at + 1, month, 2)
    out[at] = DASH
    return put_digits(out, at + 1, day_of_month, 2)


@inner
def put_rfc3339_ms(out, at, ts_ns):
    """Write `2023-11-14T22:13:20.123Z`, 24 bytes; what is below a millisecond is cut off."""
    seconds = ts_ns // NS_PER_S
    day = seconds // DAY_S
    of_day = seconds - day * DAY_S
    at = put_date(out, at, day)
    out[at] = LETTER_T
    at = put_digits(out, at + 1, of_day // 3600, 2)
    out[at] = COLON
    at = put_digits(out, at + 1, of_day // 60 % 60, 2)
    out[at] = COLON
    at = put_digits(out, at + 1, of_day % 60, 2)
    out[at] = DOT
    at = put_digits(out, at + 1, ts_ns // NS_PER_MS - seconds * 1000, 3)
    out[at] = LETTER_Z
    return at + 1


@inner
def put_seconds_in_query(out, at, ts_ns):
    """Write `2023-11-14T22%3A13%3A20`, 23 bytes: UTC without zone, colons percent-encoded."""
    seconds = ts_ns // NS_PER_S
    day = seconds // DAY_S
    of_day = seconds - day * DAY_S
    at = put_date(out, at, day)
    out[at] = LETTER_T
    at = put_digits(out, at + 1, of_day // 3600, 2)
    at = _put_quoted_colon(out, at)
    at = put_digits(out, at, of_day // 60 % 60, 2)
    at = _put_quoted_colon(out, at)
    return put_digits(out, at, of_day % 60, 2)


@inner
def _put_quoted_colon(out, at):
    out[at] = PERCENT
    out[at + 1] = 51
    out[at + 2] = 65
    return at + 3
