"""An exact book of price levels for checks: no window, no limits, plain Python integers.

It is deliberately not the book of the hot path (kernels/book.py): a check that shares the code it
checks proves less.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from kimera_cli.layouts import ASK, BID, NO_SIDE


class LevelBook:
    """Both sides by price; prices are kept sorted as keys, best first (bids are negated)."""

    __slots__ = ("_keys", "_qty")

    def __init__(self) -> None:
        self._keys: tuple[list[int], list[int]] = ([], [])
        self._qty: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def clear(self, side: int) -> None:
        """Forget a side, or both with NO_SIDE."""
        for each in (BID, ASK) if side == NO_SIDE else (side,):
            self._keys[each].clear()
            self._qty[each].clear()

    def set(self, side: int, px_ticks: int, qty_lots: int) -> None:
        """Put one level; qty_lots 0 removes it (also one that is not there)."""
        key = -px_ticks if side == BID else px_ticks
        keys, qty = self._keys[side], self._qty[side]
        if qty_lots:
            if key not in qty:
                insort(keys, key)
            qty[key] = qty_lots
        elif qty.pop(key, 0):
            del keys[bisect_left(keys, key)]

    def qty(self, side: int, px_ticks: int) -> int:
        """Return the size at a price, 0 where there is none."""
        return self._qty[side].get(-px_ticks if side == BID else px_ticks, 0)

    def top(self, side: int, count: int) -> list[tuple[int, int]]:
        """Return up to `count` best levels as (px_ticks, qty_lots), best first."""
        qty, sign = self._qty[side], -1 if side == BID else 1
        return [(sign * key, qty[key]) for key in self._keys[side][:count]]

    def best(self, side: int) -> tuple[int, int] | None:
        """Return the best level, None on an empty side."""
        levels = self.top(side, 1)
        return levels[0] if levels else None

    def crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask."""
        bids, asks = self._keys
        return bool(bids and asks) and -bids[0] >= asks[0]
