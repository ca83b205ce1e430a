"""The grid of an instrument: found from the digits a venue writes, and decimals put on it.

A venue writes prices and quantities with as many decimals as its grid has (often with zeros
behind). The finest decimal seen in the head of a file, zeros stripped, is a grid that holds every
value seen and, for venues whose steps are powers of ten, the venue's own. A later value off the
grid is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from kimera_cli.layouts import F64, I64

LARGEST_STEPS = 1 << 47
"""Largest price or quantity in steps: below it float64 division finds the exact integer."""

_SLACK = 2.0**-50


def decimals(text: str) -> int:
    """Return how many decimals a number needs: `61837.6300` needs 2, `1E-7` needs 7, `120` none."""
    if "e" in text or "E" in text:
        exponent = Decimal(text).normalize().as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0
    _, _, fraction = text.partition(".")
    return len(fraction.rstrip("0"))


def finest_step(texts: Iterable[str]) -> Decimal:
    """Return the power of ten (at most 1) on which all numbers lie."""
    return Decimal(1).scaleb(-max(map(decimals, texts), default=0))


def to_grid(values: F64, step: Decimal) -> tuple[I64, int]:
    """Return whole steps, shape of `values`, and the first index that is off the grid (-1: none).

    `values` are float64 parsed from decimal text. NaN, infinity and values of LARGEST_STEPS or more
    are off the grid; so is any decimal of up to 15 digits that is no multiple of `step`.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        quotient = values / float(step)
        nearest = np.rint(quotient)
        good = np.abs(quotient - nearest) <= np.abs(nearest) * _SLACK
        good &= np.abs(nearest) < LARGEST_STEPS
    bad = -1 if good.all() else int(np.argmin(good))
    if bad >= 0:
        nearest = np.where(good, nearest, 0.0)
    return nearest.astype(np.int64), bad
