"""From `--since` and `--until` to times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from kimera_cli.errors import UsageError
from kimera_cli.units import NS_PER_MS, NS_PER_S, parse_duration_ns


class Span(NamedTuple):
    """[start_ns, end_ns)."""

    start_ns: int
    end_ns: int


def span_of(since: str, until: str | None, now_ns: int) -> Span:
    """Return the time asked for; UsageError `usage.time` for times that cannot be.

    A time is `2024-01-31`, `2024-01-31T12:30Z` (UTC unless it says else), or how long ago: `7d`.
    """
    start = _time("--since", since, now_ns)
    end = now_ns if until is None else _time("--until", until, now_ns)
    if start >= end:
        shown = until or "now"
        raise _wrong(f"expected --since before --until, was {since} and {shown}")
    if start >= now_ns:
        raise _wrong(f"expected --since in the past, was {since}")
    return Span(start, min(end, now_ns))


def _time(option: str, text: str, now_ns: int) -> int:
    try:
        return max(0, now_ns - parse_duration_ns(text))
    except (ValueError, ArithmeticError):
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(f"expected a time for {option}, was '{text}'") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    whole = int(when.replace(microsecond=0).timestamp())
    return max(0, whole * NS_PER_S + when.microsecond // 1000 * NS_PER_MS)


def _wrong(message: str) -> UsageError:
    return UsageError("usage.time", message, "2024-01-31, 2024-01-31T12:30Z, or 7d for a week ago")
