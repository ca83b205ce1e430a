"""Values in venues' answers: exact decimals and times, whatever JSON type carries them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_MS, _S = 1_000_000, 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableError(ValueError):
    """An answer that is not what the venue documents."""


def dec(value: Any) -> Decimal:
    """Return a number, exactly as it was written; UnreadableError when it is none."""
    try:
        found = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise UnreadableError(f"expected a number, was {value!r:.40}") from None
    if isinstance(value, bool) or not found.is_finite():
        raise UnreadableError(f"expected a number, was {value!r:.40}")
    return found


def dec_or_none(value: Any) -> Decimal | None:
    """Return a number; None where the venue writes nothing."""
    return None if value in (None, "") else dec(value)


def above_zero(value: Any) -> Decimal | None:
    """Return a number; None where the venue writes nothing or zero."""
    return dec_or_none(value) or None


def ms_ns(value: Any) -> int:
    """Return ns of a time in ms (number or text); 0 where there is none."""
    return int(dec(value) * _MS) if value not in (None, "") else 0


def s_ns(value: Any) -> int:
    """Return ns of a time in s with decimals; 0 where there is none."""
    return int(dec(value) * _S) if value not in (None, "") else 0


def iso_ns(value: Any) -> int:
    """Return ns of an RFC 3339 time with any number of decimals; 0 where there is none."""
    if not value:
        return 0
    text = str(value).replace(" ", "T").removesuffix("Z")
    if text[-6:-5] in "+-" and text[-3:-2] == ":":
        text = text[:-6]  # venues write UTC, with whatever name
    whole, _, decimals = text.partition(".")
    try:
        at = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        rest = int(decimals[:9].ljust(9, "0")) if decimals else 0
    except ValueError:
        raise UnreadableError(f"expected a time, was {value!r:.40}") from None
    seconds = (at - _EPOCH).days * 86_400 + (at - _EPOCH).seconds
    return seconds * _S + rest


def text(value: Any) -> str:
    """Return an id or name as text; empty where there is none."""
    return "" if value is None else str(value)


def plain(value: Decimal) -> str:
    """Return a number as venues take it: no exponent, no zeros at the end."""
    found = format(value, "f")
    return found.rstrip("0").rstrip(".") if "." in found else found


def step_of(digits: Any) -> Decimal:
    """Return the step of a number of decimals: 2 is 0.01."""
    return Decimal(1).scaleb(-int(digits))
