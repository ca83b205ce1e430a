"""What an account holds, asked by REST and told as events: after a reconnect, and as an audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.orders.outcome import (
    Balance,
    BalanceUpdate,
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
    VenueFill,
    VenueOrder,
)

SEEN = 20_000
"""Fills that are remembered as told."""


@dataclass(frozen=True)
class Interest:
    """What the receiver knows already, and what it is told."""

    on_event: Callable[[PrivateEvent], None]
    since_ns: Callable[[], int]
    """From when on fills may be missing: the last known one's time, or the start."""
    open_orders: Callable[[], Iterable[VenueOrder]]
    """Orders that the receiver takes for open."""
    symbols: Sequence[str] = ()
    """Markets that count; none: all of the account."""


@dataclass
class CatchUp:
    """Asks for what the stream may not have told."""

    client: VenueClient
    interest: Interest
    _seen: dict[tuple[str, str], None] = field(default_factory=dict)

    def tell(self, event: PrivateEvent) -> None:
        """Hand an event on, and remember fills as told."""
        if isinstance(event, FillUpdate):
            self._seen[_key(event.fill)] = None
            while len(self._seen) > SEEN:
                del self._seen[next(iter(self._seen))]
        self.interest.on_event(event)

    async def everything(self) -> list[VenueFill]:
        """Ask for fills, orders and balances, tell them, and return fills that were news."""
        queries, interest = self.client.queries, self.interest
        known = [o for o in interest.open_orders() if o.venue_order_id]
        orders, fills, balances = await queries.snapshot(interest.since_ns(), interest.symbols)
        orders += await self._gone(known, {order.venue_order_id for order in orders})
        news = self._tell_fills(fills)
        for order in orders:
            self.tell(OrderUpdate(order=order))
        for balance in balances:
            self.tell(self._balance(balance))
        return news

    async def fills(self) -> list[VenueFill]:
        """Ask for fills, tell them, and return those that were news."""
        interest = self.interest
        return self._tell_fills(
            await self.client.queries.fills(interest.since_ns(), interest.symbols)
        )

    async def _gone(self, known: list[VenueOrder], listed: set[str]) -> list[VenueOrder]:
        """Return what became of orders that are not open any more."""
        found = []
        for order in known:
            if order.venue_order_id not in listed:
                now = await self.client.entry.order(order.venue_order_id, order.symbol)
                found += [now] if now is not None else []
        return found

    def _tell_fills(self, fills: list[VenueFill]) -> list[VenueFill]:
        news = [fill for fill in fills if _key(fill) not in self._seen]
        for fill in fills:
            self.tell(FillUpdate(fill=fill))
        return news

    def _balance(self, balance: Balance) -> BalanceUpdate:
        client = self.client
        return BalanceUpdate(
            venue=client.venue,
            account=client.account,
            balance=balance,
            ts_ns=client.session.clock.now_ns(),
        )


def _key(fill: VenueFill) -> tuple[str, str]:
    return fill.symbol, fill.trade_id
