"""Midnight in New York, without a time zone database."""

from __future__ import annotations

from datetime import date, timedelta

from kimera_cli.errors import UsageError
from kimera_cli.units import NS_PER_DAY, NS_PER_S

_HOUR_NS = 3_600 * NS_PER_S
_SUNDAY = 6


def midnight_ns(day: str) -> int:
    """Return the ns since the Unix epoch at 00:00 New York time of YYYY-MM-DD, from 2007 on.

    Energy Policy Act of 2005, section 110: daylight time from the second Sunday of March to the
    first Sunday of November, 2 a.m.; at midnight of those days the old offset still holds.
    """
    try:
        when = date.fromisoformat(day)
    except ValueError:
        raise UsageError("usage.date", f"expected a date as YYYY-MM-DD, was '{day}'") from None
    if when.year < 2007:
        raise UsageError("usage.date", f"expected a date from 2007 on, was {day}")
    summer = _sunday(when.year, 3, 2) < when <= _sunday(when.year, 11, 1)
    offset = 4 if summer else 5
    return (when - date(1970, 1, 1)).days * NS_PER_DAY + offset * _HOUR_NS


def _sunday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(_SUNDAY - first.weekday()) % 7 + 7 * (number - 1))
