"""The visible book of a market: quantity per price on both sides, sorted.

It repeats what the matching engine holds, in a form that answers "the best n levels" without a
call per level; the exchange compares the two in check_conservation.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from kimera_cli.venues.server.model import BUY, Side

Levels = list[tuple[int, int]]
"""(price in ticks, lots), best first."""


class Depth:
    """Levels of one market. Prices in ticks, sizes in lots."""

    def __init__(self) -> None:
        self._lots: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}
        self._prices: dict[Side, list[int]] = {"buy": [], "sell": []}  # ascending

    def add(self, side: Side, px_ticks: int, lots: int) -> int:
        """Add lots (negative: take away) at a price; return what is there now."""
        at = self._lots[side]
        before = at.get(px_ticks, 0)
        now = before + lots
        if now < 0:
            raise ValueError(f"expected at least {-lots} lots at {px_ticks}, was {before}")
        if now:
            at[px_ticks] = now
            if not before:
                insort(self._prices[side], px_ticks)
        elif before:
            del at[px_ticks]
            prices = self._prices[side]
            del prices[bisect_left(prices, px_ticks)]
        return now

    def lots(self, side: Side, px_ticks: int) -> int:
        """Return the lots at a price."""
        return self._lots[side].get(px_ticks, 0)

    def best(self, side: Side) -> int | None:
        """Return the best price of a side, None when it is empty."""
        prices = self._prices[side]
        if not prices:
            return None
        return prices[-1] if side == BUY else prices[0]

    def levels(self, side: Side, n: int | None = None) -> Levels:
        """Return the best n levels (None: all), best first."""
        prices, at = self._prices[side], self._lots[side]
        worst = None if n is None else -n - 1
        best = slice(None, worst, -1) if side == BUY else slice(n)
        return [(px, at[px]) for px in prices[best]]

    def within(self, side: Side, px_ticks: int, n: int) -> bool:
        """Return True when a price is among the best n of its side, or would be if it was there."""
        prices = self._prices[side]
        if side == BUY:
            return len(prices) - bisect_left(prices, px_ticks + 1) < n
        return bisect_left(prices, px_ticks) < n

    def __len__(self) -> int:
        return len(self._prices["buy"]) + len(self._prices["sell"])
