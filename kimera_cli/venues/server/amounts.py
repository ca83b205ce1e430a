"""Amounts of money as integers: atoms of 10^-18, exact for every product of a tick and a lot.

An amount is a number of atoms of one asset. Integers of Python have no upper limit, so sums and
products are exact and conservation can be checked with ==. Text and Decimal appear at the border.
"""

from __future__ import annotations

from decimal import Decimal

SCALE_DIGITS = 18
ONE = 10**SCALE_DIGITS
"""Atoms in one unit of an asset."""
_POWERS: list[int] = [10**digits for digits in range(SCALE_DIGITS + 1)]


def atoms(value: Decimal | str | int) -> int:
    """Return the atoms of a decimal amount; ValueError when it is finer than an atom."""
    scaled = Decimal(value) * ONE
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"expected at most {SCALE_DIGITS} decimals, was {value}")
    return whole


def decimal_of(amount: int) -> Decimal:
    """Return an amount as a Decimal, without trailing zeros."""
    return Decimal(text(amount))


def text(amount: int) -> str:
    """Return an amount in plain decimal notation without trailing zeros (`0.5`, `120`)."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), ONE)
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:018d}".rstrip("0")


def fixed(amount: int, digits: int) -> str:
    """Return an amount with exactly `digits` decimals, the rest cut off (`0.50000000`)."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount) // _POWERS[SCALE_DIGITS - digits], _POWERS[digits])
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"


def truncated(amount: int, digits: int = 8) -> int:
    """Return an amount cut off (towards zero) to `digits` decimals, as venues book fees."""
    step: int = _POWERS[SCALE_DIGITS - digits]
    return amount // step * step if amount >= 0 else -(-amount // step * step)


def digits_of(step: Decimal) -> int:
    """Return how many decimals a step has (0.010: 2, 10: 0)."""
    return max(0, -int(step.normalize().as_tuple().exponent))
