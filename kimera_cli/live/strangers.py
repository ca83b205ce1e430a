"""Orders and fills of somebody else that come while a run trades at the same account.

The run leaves them alone and does not count them, so its positions and PnL are not the account's
any more: each such order is told of once. What a push tells may be an order of the run itself whose
answer, with the venue's id, is still under way; so what was heard is looked at again later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.orders.account_orders import AccountOrders, VenueName
from kimera_cli.venues.orders.outcome import FillUpdate, OrderUpdate, PrivateEvent, VenueOrder

ANSWERED_NS = 5_000_000_000
"""By then the answer to an order of the run has come, or the order is in doubt."""
AGAIN_NS = 10_000_000_000
"""Least time between two notices: somebody else's program sends many orders."""
NAMED = 5
"""Orders that a notice names; the others it counts."""


@dataclass
class Strangers:
    """One account's; `since_ns` is when the run began there, by the venue's clock.

    What is known of foreign orders when this is made, is not told of.
    """

    venue: str
    orders: AccountOrders
    since_ns: int
    report: Callable[[KimeraError], None]
    monotonic_ns: Callable[[], int]
    _told: set[VenueName] = field(default_factory=set)
    _heard_ns: dict[VenueName, int] = field(default_factory=dict)
    """Orders not told of yet, by when they were first heard of."""
    _next_ns: int = 0

    def __post_init__(self) -> None:
        self._told.update(self.orders.foreign)

    def hear(self, event: PrivateEvent) -> None:
        """Take an event of the private stream, once the orders have taken it."""
        if isinstance(event, OrderUpdate):
            name = (event.order.symbol, event.order.venue_order_id)
            strange = name in self.orders.foreign and not event.order.is_terminal
        elif isinstance(event, FillUpdate) and event.fill.ts_ns >= self.since_ns:
            name = (event.fill.symbol, event.fill.venue_order_id)
            strange = name in self.orders.unclaimed
        else:
            return
        if strange and name not in self._told:
            self._heard_ns.setdefault(name, self.monotonic_ns())

    def look(self) -> None:
        """Tell of the orders that are still nobody's of ours."""
        now = self.monotonic_ns()
        if not self._heard_ns or now < self._next_ns:
            return
        ripe = [name for name, at in self._heard_ns.items() if now - at >= ANSWERED_NS]
        for name in ripe:
            del self._heard_ns[name]
        strange = [name for name in ripe if self._is_strange(name)]
        if strange:
            self._told.update(strange)
            self._next_ns = now + AGAIN_NS
            self.report(self._notice(strange))

    def _is_strange(self, name: VenueName) -> bool:
        fills = self.orders.unclaimed.get(name, [])
        return name in self.orders.foreign or any(
            self.orders.key_of(fill.client_id) is None for fill in fills
        )

    def _notice(self, names: list[VenueName]) -> VenueError:
        told = ", ".join(self._text(name) for name in names[:NAMED])
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return VenueError(
            "venue.not_ours",
            f"expected orders of the run alone at {self.venue}, was somebody else's, too: "
            f"{told}{more}",
            "they are left alone and not counted: kimera trade open, kimera trade reconcile",
            venue=self.venue,
        )

    def _text(self, name: VenueName) -> str:
        symbol, number = name
        order = self.orders.foreign.get(name)
        return f"{symbol} {number}" + ("" if order is None else _wanted(order))


def _wanted(order: VenueOrder) -> str:
    if order.side is None or order.quantity is None:
        return ""
    price = "" if order.price is None else f" at {plain(order.price)}"
    return f" ({order.side} {plain(order.quantity)}{price})"
