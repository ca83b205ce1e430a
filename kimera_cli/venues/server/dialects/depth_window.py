"""A venue's book of N levels as its websocket tells it: what comes into view, and what leaves.

Venues that stream a limited depth show the best N levels of each side. A new level inside pushes
the last one out of view; one that goes pulls the next into view. The ladder holds all levels of a
market and is told each change once, whatever the number of depths and subscribers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.model import BUY, SELL, Side

Change = tuple[Side, int, int]
"""Side, price in ticks, size in lots; 0: the level is gone."""

_SIDES: tuple[Side, Side] = (BUY, SELL)


class Delta(NamedTuple):
    """What one market event changed within a depth; best first, size 0 for what is gone.

    `out`: levels that are still in the book but out of view, pushed out by better ones.
    """

    bids: Levels
    asks: Levels
    out: frozenset[tuple[Side, int]]

    def of(self, side: Side) -> Levels:
        """Return the changed levels of a side."""
        return self.bids if side == BUY else self.asks

    def without_pushed_out(self) -> Delta:
        """Return the delta of a venue that leaves it to the receiver to drop what is out."""
        return Delta(
            [level for level in self.bids if (BUY, level[0]) not in self.out],
            [level for level in self.asks if (SELL, level[0]) not in self.out],
            frozenset(),
        )

    def __bool__(self) -> bool:
        return bool(self.bids or self.asks)


class Ladder:
    """All price levels of one side; ranks are 0 for the best price."""

    def __init__(self, side: Side, levels: Iterable[tuple[int, int]] = ()) -> None:
        self.side = side
        self._sign = -1 if side == BUY else 1
        self._lots = dict(levels)
        self._keys = sorted(self._sign * px for px in self._lots)

    def __len__(self) -> int:
        return len(self._keys)

    def lots(self, px_ticks: int) -> int:
        """Return the size at a price, 0 where there is none."""
        return self._lots.get(px_ticks, 0)

    def price(self, rank: int) -> int:
        """Return the price of a rank."""
        return self._sign * self._keys[rank]

    def best(self, depth: int) -> Levels:
        """Return the best levels, best first."""
        lots = self._lots
        return [(px, lots[px]) for px in (self._sign * key for key in self._keys[:depth])]

    def change(self, px_ticks: int, qty_lots: int) -> tuple[int, int]:
        """Set a level; return its rank and by how many the number of levels grew (-1, 0 or 1)."""
        key = self._sign * px_ticks
        rank = bisect_left(self._keys, key)
        known = px_ticks in self._lots
        if not qty_lots:
            if known:
                del self._lots[px_ticks], self._keys[rank]
            return rank, -int(known)
        self._lots[px_ticks] = qty_lots
        if not known:
            insort(self._keys, key)
        return rank, int(not known)

    def sort(self, prices: Iterable[int]) -> list[int]:
        """Return prices, best first."""
        return sorted(prices, reverse=self.side == BUY)


class DepthWindow:
    """The book of one market, seen through one or more depths."""

    def __init__(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        self.sides = {BUY: Ladder(BUY, bids), SELL: Ladder(SELL, asks)}

    def best(self, depth: int) -> tuple[Levels, Levels]:
        """Return bids and asks in view."""
        return self.sides[BUY].best(depth), self.sides[SELL].best(depth)

    def apply(self, changes: Iterable[Change], depths: Sequence[int]) -> list[Delta]:
        """Take the changes of one event; return what each depth sees of them."""
        seen: list[dict[tuple[Side, int], int]] = [{} for _ in depths]
        gone: list[set[tuple[Side, int]]] = [set() for _ in depths]
        for side, px, qty in changes:
            ladder = self.sides[side]
            rank, grew = ladder.change(px, qty)
            for depth, view, out in zip(depths, seen, gone, strict=True):
                _look(ladder, depth, (px, qty, rank, grew), view, out)
        return [self._delta(view, out) for view, out in zip(seen, gone, strict=True)]

    def _delta(self, view: dict[tuple[Side, int], int], out: set[tuple[Side, int]]) -> Delta:
        sides = []
        for side in _SIDES:
            prices = self.sides[side].sort(px for each, px in view if each == side)
            sides.append([(px, view[side, px]) for px in prices])
        return Delta(sides[0], sides[1], frozenset(out))


def _look(
    ladder: Ladder,
    depth: int,
    change: tuple[int, int, int, int],
    view: dict[tuple[Side, int], int],
    out: set[tuple[Side, int]],
) -> None:
    """Note what one change did to the best `depth` levels of a side."""
    px, qty, rank, grew = change
    if rank >= depth or (not qty and not grew):
        return
    side = ladder.side
    view[side, px] = qty
    out.discard((side, px))
    if grew > 0 and len(ladder) > depth:
        pushed = ladder.price(depth)
        view[side, pushed] = 0
        out.add((side, pushed))
    elif grew < 0 and len(ladder) >= depth:
        pulled = ladder.price(depth - 1)
        view[side, pulled] = ladder.lots(pulled)
        out.discard((side, pulled))
