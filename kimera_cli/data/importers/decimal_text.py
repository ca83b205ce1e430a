"""Decimal text of a venue into whole steps (ticks, lots), without floats and without Decimal's
cost.
"""

from __future__ import annotations

from decimal import Decimal

_POWERS = [10**n for n in range(64)]
LIMIT = 1 << 62
"""Steps beyond this do not fit the int64 of an event with room to add."""


class OffGridError(ValueError):
    """The value is no whole number of steps."""


class Scale:
    """Converts decimal text into steps of `step`.

    With `nearest` a value between two steps goes to the nearer one, and what is above zero
    stays above zero; without it such a value is an OffGridError.
    """

    __slots__ = ("_decimals", "_nearest", "_unit", "step")

    def __init__(self, step: Decimal, *, nearest: bool = False) -> None:
        exponent = int(step.normalize().as_tuple().exponent)
        self.step = step
        self._decimals = max(0, -exponent)
        self._unit = int(step.scaleb(self._decimals))
        self._nearest = nearest

    def steps(self, text: str) -> int:
        """Return the number of steps; ValueError when the text is no number, OffGridError off
        the grid."""
        if "e" in text or "E" in text:
            text = format(Decimal(text), "f")
        whole, _, fraction = text.partition(".")
        above = int(whole + fraction)
        extra = len(fraction) - self._decimals
        below = self._unit
        if extra <= 0:
            above *= _POWERS[-extra]
        else:
            below *= _POWERS[extra]
        steps, rest = divmod(above, below)
        if rest:
            steps = self._between(text, steps, 2 * rest >= below)
        if not -LIMIT < steps < LIMIT:
            raise OffGridError(text)
        return steps

    def _between(self, text: str, steps: int, up: bool) -> int:
        if not self._nearest:
            raise OffGridError(text)
        return max(1, steps + up) if steps >= 0 else steps + up
