"""Numbers as a person reads them: fitting digits, units, signs, durations, UTC times.

A value and its standard error share their decimals, which the error decides: digits below the noise
are not shown. Minus is the typographic one.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from kimera_cli.risk.metrics import CURRENCY, Definition, Estimate
from kimera_cli.units import NS_PER_S

MINUS = "\u2212"
NONE = "\u2013"
"""Stands where a metric has no value."""
_WHOLE_FROM = 100_000.0
"""Amounts from here on are shown without cents."""
_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3_600.0, 86_400.0, 365 * 86_400.0


def estimate_text(found: Estimate, definition: Definition, currency: str) -> tuple[str, str, str]:
    """Return value, error (`± 1.2` or empty) and unit as texts; NONE for a missing value."""
    if found.value is None:
        return NONE, "", ""
    if definition.unit == "s":
        return duration(found.value), _error_of_duration(found.se), ""
    scale, unit = _unit(definition, found.value, currency)
    value, se = found.value * scale, None if found.se is None else found.se * scale
    decimals = decimals_for(value, se, money=definition.unit == CURRENCY)
    if definition.unit == "count":
        decimals = 0
    error = "" if se is None or se == 0.0 else f"± {se:,.{decimals}f}"
    return number(value, decimals), error, unit


def decimals_for(value: float, se: float | None, *, money: bool = False) -> int:
    """Return how many decimals to show: two digits of the error, else four digits of the value."""
    if se:
        wanted = 1 - math.floor(math.log10(se))
    elif value == 0.0:
        wanted = 2
    else:
        wanted = 3 - math.floor(math.log10(abs(value)))
    if money and abs(value) >= 1.0:
        wanted = 2 if abs(value) < _WHOLE_FROM else 0
    return max(0, min(wanted, 8 if money and se is None else 4))


def number(value: float, decimals: int) -> str:
    """Return a number with thousands separators and a true minus."""
    text = f"{abs(value):,.{decimals}f}"
    negative = value < 0 and any(c in "123456789" for c in text)
    return MINUS + text if negative else text


def signed(value: float, decimals: int) -> str:
    """Return a number that always shows its sign (zero has none)."""
    text = number(value, decimals)
    return text if text.startswith(MINUS) or value == 0.0 else f"+{text}"


def money(value: float) -> str:
    """Return an amount with a sign, without currency."""
    return signed(value, decimals_for(value, None, money=True))


def compact(value: float) -> str:
    """Return an amount in at most eight characters: 950.25, 12.3k, 174M."""
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scaled = value / (1e3 if suffix == "k" else limit)
            return number(scaled, max(0, 2 - math.floor(math.log10(abs(scaled))))) + suffix
    return number(value, 2 if abs(value) >= 1.0 else decimals_for(value, None))


def duration(seconds: float) -> str:
    """Return a span in the unit that fits: 350 ms, 12.5 s, 4 min 10 s, 3.2 h, 12.4 d, 2.1 y."""
    if seconds < 0.0:
        return MINUS + duration(-seconds)
    if seconds == 0.0:
        return "0 s"
    for limit, scale, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{_short(seconds * scale)} {unit}"
    if seconds < _MINUTE:
        return f"{_short(seconds)} s"
    if seconds < _HOUR:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    for limit, scale, unit in ((2 * _DAY, _HOUR, "h"), (2 * _YEAR, _DAY, "d")):
        if seconds < limit:
            return f"{_short(seconds / scale)} {unit}"
    return f"{_short(seconds / _YEAR)} y"


def count(value: int) -> str:
    """Return a whole number with thousands separators."""
    return f"{value:,}"


def plural(n: int, noun: str) -> str:
    """Return `1 fill`, `2 fills`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def moment(ts_ns: int, *, seconds: bool = True) -> str:
    """Return a time as `2024-08-08 12:00:05` (UTC)."""
    text = datetime.fromtimestamp(ts_ns // NS_PER_S, UTC)
    return f"{text:%Y-%m-%d %H:%M:%S}" if seconds else f"{text:%Y-%m-%d %H:%M}"


def _short(value: float) -> str:
    """Return three digits, without zeros at the end of decimals."""
    decimals = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _error_of_duration(se: float | None) -> str:
    return f"± {duration(se)}" if se else ""


def _unit(definition: Definition, value: float, currency: str) -> tuple[float, str]:
    """Return scale and name under which a unit is shown; small drawdowns become basis points."""
    if definition.unit == "fraction":
        small = definition.group == "Drawdown" and 0.0 < abs(value) < 1e-3
        return (1e4, "bps") if small else (1e2, "%")
    names = {CURRENCY: currency, "bps": "bps", "x own size": "× own size"}
    return 1.0, names.get(definition.unit, "")
