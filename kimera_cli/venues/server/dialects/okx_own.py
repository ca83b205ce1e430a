"""OKX's private channels of one connection: orders and account.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-order-channel: an order is told at each
of its changes, with the fill that made it; the account after each request that moved it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kimera_cli.venues.server.dialects import okx_shapes as shapes
from kimera_cli.venues.server.dialects.okx_text import name_of
from kimera_cli.venues.server.frames import Frame, json_frame
from kimera_cli.venues.server.model import (
    BalanceChanged,
    BookChanged,
    Event,
    Fill,
    Order,
    OrderChanged,
)

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.okx import Dialect

Argument = dict[str, Any]
CHANNELS = ("orders", "account")


class OwnFeed:
    """What a connection that has logged in as `account` hears of it."""

    def __init__(self, dialect: Dialect, say: Callable[[Frame], None]) -> None:
        self.account: int | None = None
        self._balances = dialect.balances
        self._say = say
        self._orders: list[Argument] = []
        self._asked: Argument | None = None
        self._moved = False

    def turn(self, channel: str, argument: Argument, begin: bool) -> None:
        """Begin or end a channel; the account is told at once."""
        if channel == "orders":
            self._orders = [each for each in self._orders if each != argument]
            if begin:
                self._orders.append(argument)
            return
        self._asked = argument if begin else None
        self._tell_account()

    def push(self, event: Event) -> None:
        """Send what an event says of the account."""
        if self.account is None:
            return
        if isinstance(event, OrderChanged):
            if self._orders and event.order.account == self.account:
                amend = "0" if event.what == "amended" else ""
                self._tell_order(event.order, event.fill, amend)
        elif isinstance(event, BalanceChanged):
            if event.account == self.account:
                self._moved = self._asked is not None
        elif isinstance(event, BookChanged):
            self.tick()

    def tick(self) -> None:
        """Send balances that moved."""
        if self._moved:
            self._tell_account()

    def _tell_account(self) -> None:
        self._moved = False
        if self._asked is not None and self.account is not None:
            data = [self._balances.account(self.account)]
            self._say(json_frame({"arg": self._asked, "data": data}))

    def _tell_order(self, order: Order, fill: Fill | None, amend: str) -> None:
        name = name_of(order.market)
        for argument in self._orders:
            if argument.get("instType") in ("SPOT", "ANY") and argument.get("instId", name) == name:
                data = [shapes.pushed_order(order, fill, amend)]
                self._say(json_frame({"arg": argument, "data": data}))
