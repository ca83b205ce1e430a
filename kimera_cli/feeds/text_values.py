"""Values that venues write as text, read exactly by the slow parsers: times and whole numbers.

`iso_ns` is the reference of the kernel's `iso_time`: `datetime` keeps microseconds, so the fraction
is read apart from it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec

from kimera_cli.errors import VenueError
from kimera_cli.units import NS_PER_MS

MOST = (1 << 63) - 1
Id = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
"""A number that a venue gives to a message or a trade."""
Ms = Annotated[int, msgspec.Meta(ge=0, le=MOST // NS_PER_MS)]
"""Milliseconds since 1970, UTC, that fit int64 as nanoseconds."""

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_WHOLE = re.compile(r"\d{1,19}", re.ASCII)


def iso_ns(text: str, field: str) -> int:
    """Return ns since 1970, UTC, of `2026-04-07T14:30:00.123456789Z` (zero to nine decimals).

    VenueError `venue.frame` for any other text, and for a moment before 1970 or after 2262.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise _bad(field, "a time such as 2026-04-07T14:30:00.123456Z", text)
    whole, fraction = match.groups()
    try:
        seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    except ValueError as error:
        raise _bad(field, f"a time that exists ({error})", text) from None
    ts_ns = seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    if not 0 <= ts_ns <= MOST:
        raise _bad(field, "a time from 1970 to 2262", text)
    return ts_ns


def whole_number(text: str, field: str, most: int = MOST) -> int:
    """Return the number that `text` spells with digits only; VenueError `venue.frame` else."""
    if _WHOLE.fullmatch(text) is None or int(text) > most:
        raise _bad(field, f"a whole number of at most {most}", text)
    return int(text)


def ms_text_ns(text: str, field: str) -> int:
    """Return ns of milliseconds that are written as text."""
    return whole_number(text, field, MOST // NS_PER_MS) * NS_PER_MS


def ms_ns(value: int, field: str) -> int:
    """Return ns of milliseconds; VenueError `venue.frame` when they are no time of int64 ns."""
    if not 0 <= value <= MOST // NS_PER_MS:
        raise _bad(field, "milliseconds from 1970 to 2262", str(value))
    return value * NS_PER_MS


def _bad(field: str, expected: str, was: str) -> VenueError:
    return VenueError("venue.frame", f"expected {expected} in {field}, was {was[:60]!r}")
