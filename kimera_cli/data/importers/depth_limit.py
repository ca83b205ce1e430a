"""The depth that a channel keeps: levels that fall behind it must leave the book.

Kraken's book channel tells of N levels per side and does not say when one is pushed out: the
receiver must drop it, or its book (and each later checksum) goes wrong. The importer drops it
in the open, as a deletion event, so that every reader of the data set has the right book.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from kimera_cli.layouts import ASK, BID, NO_SIDE


class DepthLimit:
    """Prices of both sides of one book, best first, as sort keys (bids are negated)."""

    __slots__ = ("_keys", "depth")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._keys: tuple[list[int], list[int]] = ([], [])

    def clear(self, side: int) -> None:
        """Forget a side, or both with NO_SIDE."""
        for each in (BID, ASK) if side == NO_SIDE else (side,):
            self._keys[each].clear()

    def set(self, side: int, px_ticks: int, qty_lots: int) -> None:
        """Take one level; qty_lots 0 removes it."""
        keys, key = self._keys[side], -px_ticks if side == BID else px_ticks
        at = bisect_left(keys, key)
        there = at < len(keys) and keys[at] == key
        if qty_lots and not there:
            insort(keys, key)
        elif there and not qty_lots:
            del keys[at]

    def overflow(self) -> list[tuple[int, int]]:
        """Drop and return the (side, px_ticks) beyond the depth."""
        out = []
        for side, keys in enumerate(self._keys):
            for key in keys[self.depth :]:
                out.append((side, -key if side == BID else key))
            del keys[self.depth :]
        return out
