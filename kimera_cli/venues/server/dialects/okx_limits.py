"""OKX's rate limits: so many requests in two seconds, of each kind.

https://www.okx.com/docs-v5/en/#overview-rate-limits: public requests count by address, private ones
by account, those of single orders by account and instrument. REST and websocket share the count.
"""

from __future__ import annotations

from collections.abc import Hashable

from kimera_cli.venues.server.dialects.okx_text import Refusal
from kimera_cli.venues.server.limits import SlidingWindow

BUSY = Refusal(
    "50011",
    "Rate limit reached. Please refer to API documentation and throttle requests accordingly.",
)
TOO_MANY = 429
PERIOD_NS = 2_000_000_000
_PER_PERIOD = {
    "order": 60, "amend-order": 60, "cancel-order": 60,
    "trade/order": 60, "trade/orders-pending": 60, "trade/orders-history": 40,
    "trade/orders-history-archive": 20, "trade/fills": 60, "trade/fills-history": 10,
    "trade/cancel-all-after": 2, "account/balance": 10, "account/config": 5,
    "account/trade-fee": 5, "account/instruments": 20, "asset/currencies": 12,
    "public/time": 20, "public/instruments": 20, "system/status": 10, "market/ticker": 20,
    "market/tickers": 20, "market/books": 40, "market/books-full": 10, "market/candles": 40,
    "market/history-candles": 20, "market/trades": 100, "market/history-trades": 20,
}  # fmt: skip


class Limits:
    """Windows by who asks and for what; everything is allowed when they are switched off."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._windows: dict[tuple[Hashable, str], SlidingWindow] = {}

    def take(self, who: Hashable, what: str, now_ns: int) -> bool:
        """Count a request."""
        limit = _PER_PERIOD.get(what)
        if not self.enabled or limit is None:
            return True
        window = self._windows.get((who, what))
        if window is None:
            window = self._windows[who, what] = SlidingWindow(limit, PERIOD_NS)
        return window.take(now_ns)
