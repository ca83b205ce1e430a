"""Bybit's disconnect protection: no heartbeat for a while, and the account's orders are cancelled.

https://bybit-exchange.github.io/docs/v5/order/dcp: a private websocket that subscribed to `dcp`
must be heard (any message, such as a ping) within the window, or come back within it. At the venue
the account manager switches it on; here it is on for every account. Only the product SPOT matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_cli.venues.server.dialects.bybit_text import wrong
from kimera_cli.venues.server.exchange import Exchange

NS = 1_000_000_000
DEFAULT_S = 10
SHORTEST_S, LONGEST_S = 3, 300
PRODUCTS = ("OPTIONS", "DERIVATIVES", "SPOT")
TOPICS = ("dcp", "dcp.spot")


class Protection:
    """Windows by account, and when each protected account was last heard."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._windows: dict[int, int] = {}
        self._heard: dict[int, int] = {}

    def set(self, account: int, parameters: Mapping[str, Any]) -> None:
        """Set the window of an account, in seconds."""
        product, window = parameters.get("product", "OPTIONS"), parameters.get("timeWindow")
        if product not in PRODUCTS:
            raise wrong("product")
        if not isinstance(window, int) or not SHORTEST_S <= window <= LONGEST_S:
            raise wrong("timeWindow")
        if product == "SPOT":
            self._windows[account] = window

    def window_s(self, account: int) -> int:
        """Return the window of an account in seconds."""
        return self._windows.get(account, DEFAULT_S)

    def arm(self, account: int) -> None:
        """A websocket of the account subscribed to the topic: it is protected from now on."""
        self._heard[account] = self._exchange.clock.now_ns()

    def disarm(self, account: int) -> None:
        """The account gave the topic up."""
        self._heard.pop(account, None)

    def hear(self, account: int) -> None:
        """A protected websocket of the account was heard."""
        if account in self._heard:
            self._heard[account] = self._exchange.clock.now_ns()

    def tick(self, now_ns: int) -> None:
        """Cancel the orders of accounts that were not heard within their window."""
        for account, heard in list(self._heard.items()):
            if now_ns - heard > self.window_s(account) * NS:
                del self._heard[account]
                self._exchange.cancel_all(account, reason="dead_man")
