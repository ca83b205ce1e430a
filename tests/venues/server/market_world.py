"""One market and three rich accounts, by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Event, Market, Order, OrderRequest
from kimera_cli.venues.server.rules import Rules

START_NS = 1_790_000_000_000_000_000
PAIR = "BTC/USDT"


def market(**fields: Any) -> Market:
    """Return BTC/USDT at 50,000 in cents and 0.00001 lots."""
    known = {
        "tick": Decimal("0.01"),
        "lot": Decimal("0.00001"),
        "start_px": Decimal(50000),
        "min_qty": Decimal("0.00001"),
        "min_notional": Decimal(5),
    }
    return Market(PAIR, **{**known, **fields})


class Hall:
    """An exchange with accounts a, b and c, whose events are kept."""

    def __init__(self, rules: Rules | None = None, **fields: Any) -> None:
        self.clock = Clock(start_ns=START_NS)
        self.exchange = Exchange("test", [market(**fields)], self.clock, 7, rules)
        wealth = {"BTC": "10", "USDT": "1000000"}
        self.a, self.b, self.c = (self.exchange.open_account(n, wealth).id for n in "abc")
        self.events: list[Event] = []
        self.exchange.subscribe(self.events.append)

    def buy(self, account: int, qty: str, price: str | None = None, **more: Any) -> Order:
        """Place a buy: limited by a price, else at market."""
        return self._place(account, "buy", qty, price, more)

    def sell(self, account: int, qty: str, price: str | None = None, **more: Any) -> Order:
        """Place a sell."""
        return self._place(account, "sell", qty, price, more)

    def _place(self, account: int, side: Any, qty: str, price: Any, more: dict[str, Any]) -> Order:
        kind: Any = "market" if price is None else "limit"
        request = OrderRequest(PAIR, side, kind, qty or None, price, **more)
        try:
            return self.exchange.place(account, request)
        finally:
            self.exchange.check_conservation()

    def free(self, account: int, asset: str) -> Decimal:
        """Return a free balance in units."""
        return Decimal(self.exchange.balances(account)[asset][0]) / 10**18

    def held(self, account: int, asset: str) -> Decimal:
        """Return a held balance in units."""
        return Decimal(self.exchange.balances(account)[asset][1]) / 10**18
