"""Units and exact conversions at the edge between decimals and integers.

Hot paths count: prices in ticks, sizes in lots, time in nanoseconds since the Unix epoch, UTC.
Decimals appear where a venue or a person writes them; floats only in analytics.
"""

from __future__ import annotations

from decimal import Decimal

from kimera_cli.errors import DataError, UsageError

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_S
BPS = 10_000.0

_DURATIONS = {
    "ns": 1,
    "us": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": NS_PER_DAY,
}


def to_steps(value: str | Decimal, step: Decimal, what: str = "price") -> int:
    """Return how many steps (ticks, lots) `value` is; DataError `data.step` if not whole."""
    steps, rest = divmod(Decimal(value), step)
    if rest:
        raise DataError(
            "data.step",
            f"expected {what} as a multiple of {step}, was {value}",
            "give the instrument's real step with --tick or --lot",
        )
    return int(steps)


def from_steps(steps: int, step: Decimal) -> Decimal:
    """Return the exact decimal of `steps` ticks or lots."""
    return steps * step


def parse_duration_ns(text: str) -> int:
    """Return nanoseconds of `90s`, `250ms`, `1.5h`, `2d`; ValueError says what is accepted."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    try:
        found = int(Decimal(number) * _DURATIONS[unit])
    except (KeyError, ArithmeticError, ValueError):
        found = -1
    if found < 0:
        raise ValueError(f"expected a duration such as 250ms, 90s, 15m, 1.5h or 2d, was {text!r}")
    return found


def duration_ns(name: str, text: str) -> int:
    """Return the nanoseconds of a typed option; UsageError `usage.duration` names it."""
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise UsageError("usage.duration", f"{name}: {error}", f"{name} 90s") from None
