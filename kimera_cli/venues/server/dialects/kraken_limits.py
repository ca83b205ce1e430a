"""Kraken's counters: one of requests per key, one of trading per account and pair.

https://docs.kraken.com/exchange/guides/rest/rate-limits and .../general/rate-limits, tier Pro. A
counter falls all the time and each request adds to it. Orders do not count as requests; they have
the counter of their pair, where a cancel costs the more the younger its order is. Cancels are
always carried out.
"""

from __future__ import annotations

from collections.abc import Hashable

from kimera_cli.venues.server.dialects.kraken_text import NS
from kimera_cli.venues.server.limits import Decaying
from kimera_cli.venues.server.model import Order

MOST_REQUESTS, REQUESTS_DECAY = 20.0, 1.0
MOST_TRADING, TRADING_DECAY = 180.0, 3.75
HISTORY = 2.0
"""Cost of a request for history; 1 for others."""
_CANCEL = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))
_AMEND = ((5, 3.0), (10, 2.0), (15, 1.0))
"""Age of the order in seconds, and what the request costs below it."""


class Limits:
    """All counters of the venue; everything is allowed when they are switched off."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._requests: dict[Hashable, Decaying] = {}
        self._trading: dict[Hashable, Decaying] = {}

    def request(self, who: Hashable, cost: float, now_ns: int) -> bool:
        """Count a request of a key, or of a peer that has none."""
        return not self.enabled or self._of_requests(who).take(now_ns, cost)

    def order(self, account: int, symbol: str, now_ns: int, cost: float = 1.0) -> bool:
        """Count a new order."""
        return not self.enabled or self._of_trading((account, symbol)).take(now_ns, cost)

    def amend(self, order: Order, now_ns: int) -> bool:
        """Count an amend."""
        return self.order(
            order.account, order.market.symbol, now_ns, 1.0 + _by_age(order, now_ns, _AMEND)
        )

    def cancel(self, order: Order, now_ns: int) -> None:
        """Count a cancel, which is never refused."""
        if self.enabled:
            cost = _by_age(order, now_ns, _CANCEL)
            self._of_trading((order.account, order.market.symbol)).add(now_ns, cost)

    def _of_requests(self, who: Hashable) -> Decaying:
        return self._requests.setdefault(who, Decaying(MOST_REQUESTS, REQUESTS_DECAY))

    def _of_trading(self, who: Hashable) -> Decaying:
        return self._trading.setdefault(who, Decaying(MOST_TRADING, TRADING_DECAY))


def _by_age(order: Order, now_ns: int, table: tuple[tuple[int, float], ...]) -> float:
    age_s = (now_ns - order.created_ns) / NS
    return next((cost for below, cost in table if age_s < below), 0.0)
