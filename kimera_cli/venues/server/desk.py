"""One market inside an exchange: matching engine, visible book, resting orders, tape."""

from __future__ import annotations

from collections.abc import Iterator

from kimera_cli.layouts import ASK, BID
from kimera_cli.market.matching import PRICE_BAND, MatchingEngine
from kimera_cli.venues.server.accounts import Account
from kimera_cli.venues.server.candles import Candles
from kimera_cli.venues.server.depth import Depth
from kimera_cli.venues.server.model import (
    BUY,
    SELL,
    Market,
    Order,
    Reject,
    SelfTrade,
    Side,
    Ticker,
    Trade,
)
from kimera_cli.venues.server.prints import Prints


class Desk:
    """A market's state. Prices that the engine takes lie in a band around start_px."""

    def __init__(self, market: Market, seed: int, started_ns: int) -> None:
        self.market = market
        self.base_ticks = max(0, market.last_px - PRICE_BAND // 2)
        self.engine = MatchingEngine(self.base_ticks)
        self.depth = Depth()
        self.resting: dict[int, Order] = {}
        """Orders in the book by the engine's id."""
        self.trades = Prints(market)
        self.candles = Candles(market, seed, started_ns)
        self._last_lots = 0

    def record(self, trade: Trade) -> None:
        """Write a trade to the tape and the bars."""
        self.market.last_px = trade.px_ticks
        self._last_lots = trade.qty_lots
        self.trades.add(trade)
        self.candles.add(trade)

    def ticker(self, now_ns: int) -> Ticker:
        """Return the market's last 24 hours."""
        day = self.candles.day(now_ns)
        bid, ask = self._best(BUY), self._best(SELL)
        return Ticker(
            self.market, self.market.last_px, self._last_lots, day.open_px, day.high_px, day.low_px,
            day.lots, day.quote, day.trades, *bid, *ask, day.open_ns, now_ns,
        )  # fmt: skip

    def _best(self, side: Side) -> tuple[int, int]:
        return next(iter(self.depth.levels(side, 1)), (0, 0))

    @property
    def band(self) -> tuple[int, int]:
        """Lowest and highest price in ticks that the market takes."""
        return max(1, self.base_ticks), self.base_ticks + PRICE_BAND - 1

    def check_band(self, px_ticks: int) -> None:
        """Reject price_band when the market does not take the price."""
        low, high = self.band
        if not low <= px_ticks <= high:
            market = self.market
            raise Reject(
                "price_band",
                f"{market.px_text(px_ticks)} is not within {market.px_text(low)} and "
                f"{market.px_text(high)}",
            )

    def reachable(self, account: Account, side: Side, mode: SelfTrade) -> Iterator[tuple[int, int]]:
        """Yield (price, lots) that a taker of `side` may trade with, best first.

        Its own resting orders are left out where self-trade prevention takes them out, and end
        the walk where they end the newcomer.
        """
        other = other_side(side)
        levels = self.depth.levels(other)
        own = mode != "none" and any(
            o.market is self.market and o.side == other for o in account.open.values()
        )
        if not own:
            yield from levels
            return
        for px, _ in levels:
            lots = 0
            for resting in self.engine.queue(engine_side(other), px):
                if resting.account != account.id:
                    lots += resting.left_lots
                elif mode in ("cancel_newest", "cancel_both"):
                    yield px, lots
                    return
            yield px, lots

    def sweep(self, account: Account, side: Side, mode: SelfTrade, lots: int) -> tuple[int, int]:
        """Return (lots, cost in atoms) that a market order of `lots` would trade now."""
        done = cost = 0
        for px, there in self.reachable(account, side, mode):
            take = min(there, lots - done)
            done += take
            cost += self.market.cost(px, take)
            if done == lots:
                break
        return done, cost

    def affordable(self, account: Account, side: Side, mode: SelfTrade, budget: int) -> int:
        """Return the lots that a market order of `budget` atoms of quote would trade now."""
        done = 0
        for px, there in self.reachable(account, side, mode):
            take = min(there, budget // self.market.cost(px, 1))
            done += take
            budget -= self.market.cost(px, take)
            if take < there:
                break
        return done


def other_side(side: Side) -> Side:
    """Return the opposite side."""
    return SELL if side == BUY else BUY


def engine_side(side: Side) -> int:
    """Return the matching engine's number of a side."""
    return BID if side == BUY else ASK
