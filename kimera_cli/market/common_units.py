"""Common integer units of several venues: prices and sizes that can be compared without rounding.

Each venue counts in its own ticks and lots. The greatest common divisor of all of them is a unit of
which every venue's step is a whole multiple, so that sums and comparisons are of integers. What a
price is worth after a fee, `px * (1e6 + fee_ppm)`, stays a whole number below 2^62 while prices are
below 2^40 units (kernels/consolidate.py MOST).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from typing import NamedTuple


class CommonUnits(NamedTuple):
    """The units, and each venue's step in them."""

    px_unit: Decimal
    qty_unit: Decimal
    px_steps: tuple[int, ...]
    qty_steps: tuple[int, ...]


def common_units(steps: Sequence[tuple[Decimal, Decimal]]) -> CommonUnits:
    """Return the units of venues with these (price step, size step); all are above zero."""
    ticks, lots = [tick for tick, _ in steps], [lot for _, lot in steps]
    px_unit, qty_unit = common_unit(ticks), common_unit(lots)
    return CommonUnits(
        px_unit,
        qty_unit,
        tuple(int(tick / px_unit) for tick in ticks),
        tuple(int(lot / qty_unit) for lot in lots),
    )


def common_unit(steps: Iterable[Decimal]) -> Decimal:
    """Return the greatest decimal of which all steps are whole multiples."""
    return reduce(_gcd, steps)


def _gcd(a: Decimal, b: Decimal) -> Decimal:
    while b:
        a, b = b, a % b
    return a.normalize()
