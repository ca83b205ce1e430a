"""A background market: a quoter with a ladder of orders and a taker, both seeded.

A fair price walks around the market's start price and is pulled back to it, so that it stays within
the price band for ever; how far in a second does not depend on the rate, from USUAL_RATE on. The
quoter keeps LEVELS post-only orders on each side of the fair price, most of them near it and some
far, and mends the thinner side first; the taker trades small sizes, rather towards the fair price.
Everything depends on the seed and on the times of the calls alone.
"""

from __future__ import annotations

from random import Random

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Reject, Side

S = 1_000_000_000
LEVELS = 40
"""Orders per side that the quoter keeps."""
SPREADS = (0.0001, 0.0001, 0.0004, 0.0016)
"""Mean distances of quotes from the fair price, as fractions; one is drawn for each quote. The far
ones stay when the price runs through the near ones."""
UNEVEN = 2
"""Orders that a side may have less than the other before it is mended first."""
USUAL_RATE = 20.0
STEP = 0.00003
"""Standard deviation of the fair price's step per act, as a fraction, up to USUAL_RATE."""
PULL = 0.0007
"""Fraction of its distance from the start price that the fair price loses per act, up to
USUAL_RATE."""
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
        self._slow = min(1.0, USUAL_RATE / rate) if rate > 0 else 1.0
        """How much less moves per act because there are more of them."""
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
        step = self.random.gauss(0, STEP) * start * self._slow**0.5
        self.fair += step - PULL * self._slow * (self.fair - start)
        if self.random.random() < TAKES:
            self._take()
            return
        sides: dict[Side, list[Order]] = {"buy": [], "sell": []}
        for order in self.quoter.open.values():
            sides[order.side].append(order)
        side = self._side_to_mend(len(sides["buy"]) - len(sides["sell"]))
        mine = sides[side]
        wrong = self._beyond_fair(side, mine)
        if wrong is not None:
            self.exchange.cancel(self.quoter.id, wrong.id)
        elif len(mine) >= LEVELS:
            self.exchange.cancel(self.quoter.id, self.random.choice(mine).id)
        else:
            self._quote(side)

    def _side_to_mend(self, more_buys: int) -> Side:
        """Return the side that lacks orders, else either."""
        drawn: Side = self.random.choice(("buy", "sell"))
        if abs(more_buys) <= UNEVEN:
            return drawn
        return "sell" if more_buys > 0 else "buy"

    def _beyond_fair(self, side: Side, orders: list[Order]) -> Order | None:
        """Return the oldest order on the wrong side of the fair price, None when there is none."""
        fair = self.fair
        for order in orders:
            if order.px_ticks > fair if side == "buy" else order.px_ticks < fair:
                return order
        return None

    def _quote(self, side: Side) -> None:
        mean = max(1.0, self.fair * self.random.choice(SPREADS))
        away = 1 + int(self.random.expovariate(1 / mean))
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
