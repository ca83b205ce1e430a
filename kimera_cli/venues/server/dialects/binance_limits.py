"""Binance's rate limits: weight per address and minute, orders per account, 429 and then 418.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server.dialect import Headers
from kimera_cli.venues.server.dialects.binance_errors import BinanceError
from kimera_cli.venues.server.dialects.binance_info import (
    ORDERS_10S,
    ORDERS_DAY,
    RATE_LIMITS,
    WEIGHT_LIMIT,
)
from kimera_cli.venues.server.limits import Bans, FixedWindow

S = 1_000_000_000
MINUTE = 60 * S
DAY = 86_400 * S
FIRST_BAN_NS = 120 * S
LONGEST_BAN_NS = 3 * DAY
PATIENCE = 10
"""Requests beyond the limit that are answered with 429 before the ban."""


class Limits:
    """What one Binance counts. Refusals are BinanceError with the venue's status and headers."""

    def __init__(self) -> None:
        self._weight: dict[str, FixedWindow] = {}
        self._orders: dict[int, tuple[FixedWindow, FixedWindow]] = {}
        self._bans = Bans(FIRST_BAN_NS, LONGEST_BAN_NS, PATIENCE)

    def charge(self, peer: str, weight: int, now_ns: int) -> Headers:
        """Count a request's weight; return the headers that tell how much is used."""
        until = self._bans.until_ns(peer, now_ns)
        if until:
            raise _banned(until, now_ns)
        window = self._weight.setdefault(peer, FixedWindow(WEIGHT_LIMIT, MINUTE))
        if not window.take(now_ns, weight):
            until = self._bans.violation(peer, now_ns)
            raise _banned(until, now_ns) if until else _too_many(window.resets_in_ns(now_ns))
        used = str(window.used(now_ns))
        return (("x-mbx-used-weight", used), ("x-mbx-used-weight-1m", used))

    def order(self, account: int, now_ns: int) -> Headers:
        """Count a new order; return the headers that tell how many there were."""
        windows = self._orders.setdefault(
            account, (FixedWindow(ORDERS_10S, 10 * S), FixedWindow(ORDERS_DAY, DAY))
        )
        for window, name in zip(windows, ("10 SECOND", "1 DAY"), strict=True):
            if not window.take(now_ns):
                raise BinanceError(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per {name}.",
                    429,
                    (("retry-after", _seconds(window.resets_in_ns(now_ns))),),
                )
        ten, day = (str(window.used(now_ns)) for window in windows)
        return (("x-mbx-order-count-10s", ten), ("x-mbx-order-count-1d", day))

    def told(self, peer: str, account: int | None, now_ns: int) -> list[dict[str, Any]]:
        """Return what the websocket API tells beside each result (`rateLimits`)."""
        window = self._weight.get(peer)
        counts = [window.used(now_ns) if window else 0]
        if account is not None and account in self._orders:
            counts += [orders.used(now_ns) for orders in self._orders[account]]
        return [{**RATE_LIMITS[at], "count": count} for at, count in enumerate(counts)]


def _too_many(wait_ns: int) -> BinanceError:
    return BinanceError(
        -1003,
        f"Too many requests; current limit of IP is {WEIGHT_LIMIT} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        429,
        (("retry-after", _seconds(wait_ns)),),
    )


def _banned(until_ns: int, now_ns: int) -> BinanceError:
    return BinanceError(
        -1003,
        f"Way too much request weight used; IP banned until {until_ns // 1_000_000}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        418,
        (("retry-after", _seconds(until_ns - now_ns)),),
    )


def _seconds(ns: int) -> str:
    return str(-(-ns // S))
