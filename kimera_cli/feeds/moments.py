"""Times as venues write them, exactly: RFC 3339 text in UTC to nanoseconds.

The reference of the kernel's `iso_time`: `datetime` keeps microseconds, so the fraction is read
apart from it.
"""

from __future__ import annotations

import re
from datetime import datetime

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_LAST = 1 << 63
"""Times are int64."""


def iso_ns(text: str) -> int:
    """Return ns since 1970, UTC, of `2026-04-07T14:30:00.123456789Z` (zero to nine decimals).

    ValueError for any other text, and for a moment before 1970 or after 2262.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a time such as 2026-04-07T14:30:00.123456Z, was {text!r}")
    whole, fraction = match.groups()
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    ts_ns = seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    if not 0 <= ts_ns < _LAST:
        raise ValueError(f"expected a time from 1970 to 2262, was {text!r}")
    return ts_ns
