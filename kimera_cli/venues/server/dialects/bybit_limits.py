"""Bybit's rate limits: per account, path and second; per address 600 requests in five seconds.

https://bybit-exchange.github.io/docs/v5/rate-limit. Every answer to a signed request tells the
limit, what is left, and when it is whole again. An address that goes too far gets 403 for ten
minutes.
"""

from __future__ import annotations

from typing import NamedTuple

from kimera_cli.venues.server.dialect import Headers
from kimera_cli.venues.server.dialects.bybit_text import BybitError
from kimera_cli.venues.server.limits import Bans, SlidingWindow

NS = 1_000_000_000
BUSY = BybitError(10006, "Too many visits. Exceeded the API Rate Limit.")
PER_ADDRESS, ADDRESS_NS = 600, 5 * NS
BAN_NS = 600 * NS
DEFAULT = 50
PER_SECOND = {
    "order/create": 20, "order/amend": 10, "order/cancel": 20, "order/cancel-all": 20,
    "order/create-batch": 20, "order/amend-batch": 20, "order/cancel-batch": 20,
    "order/disconnected-cancel-all": 5, "account/fee-rate": 5, "asset/coin/query-info": 5,
    "user/query-api": 10,
}  # fmt: skip


class State(NamedTuple):
    """Where one limit is after a request."""

    passed: bool
    limit: int
    left: int
    reset_ms: int

    def headers(self) -> Headers:
        """Return the headers that tell it."""
        return (
            ("X-Bapi-Limit", str(self.limit)),
            ("X-Bapi-Limit-Status", str(self.left)),
            ("X-Bapi-Limit-Reset-Timestamp", str(self.reset_ms)),
        )


class Limits:
    """Windows by account and path, and by address."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._bans = Bans(BAN_NS, BAN_NS, 1)
        self._addresses: dict[str, SlidingWindow] = {}
        self._windows: dict[tuple[int, str], SlidingWindow] = {}

    def admit(self, peer: str, now_ns: int) -> bool:
        """Count a request of an address; False when it is banned."""
        if not self.enabled:
            return True
        if self._bans.until_ns(peer, now_ns):
            return False
        window = self._addresses.setdefault(peer, SlidingWindow(PER_ADDRESS, ADDRESS_NS))
        if window.take(now_ns):
            return True
        self._bans.violation(peer, now_ns)
        return False

    def take(self, account: int, path: str, now_ns: int, count: int = 1) -> State:
        """Count requests (of a batch: its orders) of an account for a path."""
        limit = PER_SECOND.get(path, DEFAULT)
        if not self.enabled:
            return State(True, limit, limit - 1, now_ns // 1_000_000)
        window = self._windows.setdefault((account, path), SlidingWindow(limit, NS))
        passed = all([window.take(now_ns) for _ in range(count)])
        reset = now_ns + window.resets_in_ns(now_ns)
        return State(passed, limit, limit - window.used(now_ns), reset // 1_000_000)
