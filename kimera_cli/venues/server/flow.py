"""A background market: a quoter with a ladder of orders and a taker, both seeded.

A fair price walks around the market's start price and is pulled back to it, so that it stays within
the price band for ever. The quoter keeps LEVELS post-only orders on each side of the fair price;
the taker trades small sizes, rather towards the fair price. Everything depends on the seed and on
the times of the calls alone.
"""

from __future__ import annotations

from random import Random

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Reject, Side

S = 1_000_000_000
LEVELS = 40
"""Orders per side that the quoter keeps."""
SPREAD = 0.0001
"""Mean distance of a quote from the fair price, as a fraction."""
STEP = 0.00005
"""Standard deviation of the fair price's step per act, as a fraction."""
PULL = 0.002
"""Fraction of its distance from the start price that the fair price loses per act."""
TAKES = 0.15
"""Fraction of acts that are trades."""
NOTIONAL = 5_000.0
"""Mean value of an order in units of a dollar-like quote; other quotes: at most 0.2 % of fair."""
MOST_LATE_NS = S
"""Acts that are later than this are not made up for (the clock was stepped)."""
KEPT = 50


class Flow:
    """The background of one market: `rate` acts per second."""

    def __init__(self, exchange: Exchange, market: Market, rate: float, seed: int) -> None:
        self.exchange = exchange
        self.market = market
        self.rate = rate
        self.random = Random(f"{seed}/{exchange.venue}/{market.symbol}")
        self.fair = float(market.last_px)
        self.mean_lots = max(market.min_lots * 2, self._lots_of(NOTIONAL))
        plenty = {
            market.base: amounts.text(self.mean_lots * 100_000 * market.lot_atoms),
            market.quote: amounts.text(market.cost(market.last_px, self.mean_lots * 100_000)),
        }
        self.quoter = exchange.open_account(f"quoter {market.symbol}", plenty)
        self.taker = exchange.open_account(f"taker {market.symbol}", plenty)
        self.quoter.kept = self.taker.kept = KEPT
        self._due_ns = exchange.clock.now_ns()
        for _ in range(LEVELS):
            self._quote("buy")
            self._quote("sell")

    def tick(self, now_ns: int) -> None:
        """Act as often as is due."""
        if self.rate <= 0 or self.market.status != "trading":
            self._due_ns = now_ns
            return
        self._due_ns = max(self._due_ns, now_ns - MOST_LATE_NS)
        while self._due_ns <= now_ns:
            self._due_ns += int(self.random.expovariate(self.rate) * S)
            self.act()

    def act(self) -> None:
        """Move the fair price, then quote, cancel or take once."""
        start = float(self.market.ticks(self.market.start_px))
        self.fair += self.random.gauss(0, STEP) * start - PULL * (self.fair - start)
        side: Side = self.random.choice(("buy", "sell"))
        if self.random.random() < TAKES:
            self._take()
            return
        mine = [o for o in self.quoter.open.values() if o.side == side]
        wrong = [o for o in mine if self._beyond_fair(o)]
        if wrong:
            self.exchange.cancel(self.quoter.id, wrong[0].id)
        elif len(mine) >= LEVELS:
            self.exchange.cancel(self.quoter.id, self.random.choice(mine).id)
        else:
            self._quote(side)

    def _beyond_fair(self, order: Order) -> bool:
        return order.px_ticks > self.fair if order.side == "buy" else order.px_ticks < self.fair

    def _quote(self, side: Side) -> None:
        away = 1 + int(self.random.expovariate(1 / max(1.0, self.fair * SPREAD)))
        px = round(self.fair) + (-away if side == "buy" else away)
        lots = max(self.market.min_lots, int(self.random.expovariate(1 / self.mean_lots)))
        self._place(self.quoter.id, side, lots, px)

    def _take(self) -> None:
        bid, ask = (self.exchange.desk(self.market.symbol).depth.best(s) for s in ("buy", "sell"))
        middle = (bid + ask) / 2 if bid is not None and ask is not None else self.fair
        lean = 0.75 if self.fair > middle else 0.25
        side: Side = "buy" if self.random.random() < lean else "sell"
        lots = max(self.market.min_lots, int(self.random.expovariate(2 / self.mean_lots)))
        self._place(self.taker.id, side, lots, None)

    def _place(self, account: int, side: Side, lots: int, px: int | None) -> None:
        market = self.market
        least = -(-market.min_cost // market.cost(px or market.last_px, 1)) + 1
        request = OrderRequest(
            market.symbol,
            side,
            "market" if px is None else "limit",
            market.qty(max(lots, least)),
            None if px is None else market.price(px),
            post_only=px is not None,
        )
        try:
            self.exchange.place(account, request)
        except Reject as reject:
            if reject.reason == "funds":  # a long run drifts: bring in more
                self._refill(account)

    def _refill(self, account: int) -> None:
        lots = self.mean_lots * 100_000
        market = self.market
        self.exchange.deposit(account, market.base, amounts.text(lots * market.lot_atoms))
        quote = market.cost(market.last_px, lots)
        self.exchange.deposit(account, market.quote, amounts.text(quote))

    def _lots_of(self, value: float) -> int:
        price = float(self.market.start_px)
        units = value if price >= 1 else price * 10
        return max(1, int(units / price / float(self.market.lot)))
