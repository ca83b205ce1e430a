"""A moment as venues write it, from ns since the Unix epoch, UTC.

Same contract as text.py: write at a place, return the place after, with room for 8 bytes more.
The calendar is that of "chrono-compatible low-level date algorithms" (H. Hinnant),
`civil_from_days`: years begin in March, so that the leap day ends them.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.text import eight_digits, put_word

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
DAY_S = 86_400
DASH, COLON, LETTER_T, LETTER_Z, DOT = 45, 58, 84, 90, 46
QUOTED_COLON = np.uint64(int.from_bytes(b"%3A", "little"))


@inner
def _date_digits(day):
    """Return year, month and day as one number, 20231114, for a day counted from 1970-01-01."""
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day_of_month = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year += era * 400 + (1 if month <= 2 else 0)
    return (year * 100 + month) * 100 + day_of_month


@inner
def _time_digits(second):
    """Return hour, minute and second of a day as one number, 22132000, with two zeros behind."""
    return ((second // 3600 * 100 + second // 60 % 60) * 100 + second % 60) * 100


@inner
def _put_date(out, at, day):
    word = eight_digits(np.uint64(_date_digits(day)))
    put_word(out, at, word)
    out[at + 4] = DASH
    put_word(out, at + 5, word >> np.uint64(32))
    out[at + 7] = DASH
    put_word(out, at + 8, word >> np.uint64(48))
    return at + 10


@inner
def put_rfc3339_ms(out, at, ts_ns):
    """Write `2023-11-14T22:13:20.123Z`, 24 bytes; what is below a millisecond is cut off."""
    seconds = ts_ns // NS_PER_S
    day = seconds // DAY_S
    at = _put_date(out, at, day)
    word = eight_digits(np.uint64(_time_digits(seconds - day * DAY_S)))
    out[at] = LETTER_T
    put_word(out, at + 1, word)
    out[at + 3] = COLON
    put_word(out, at + 4, word >> np.uint64(16))
    out[at + 6] = COLON
    put_word(out, at + 7, word >> np.uint64(32))
    out[at + 9] = DOT
    rest = ts_ns // NS_PER_MS - seconds * 1000
    put_word(out, at + 10, eight_digits(np.uint64(rest * 100_000)))
    out[at + 13] = LETTER_Z
    return at + 14


@inner
def put_seconds_in_query(out, at, ts_ns):
    """Write `2023-11-14T22%3A13%3A20`, 23 bytes: UTC without zone, colons percent-encoded."""
    seconds = ts_ns // NS_PER_S
    day = seconds // DAY_S
    at = _put_date(out, at, day)
    word = eight_digits(np.uint64(_time_digits(seconds - day * DAY_S)))
    out[at] = LETTER_T
    put_word(out, at + 1, word)
    put_word(out, at + 3, QUOTED_COLON)
    put_word(out, at + 6, word >> np.uint64(16))
    put_word(out, at + 8, QUOTED_COLON)
    put_word(out, at + 11, word >> np.uint64(32))
    return at + 13
