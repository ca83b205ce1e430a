"""All orders of one account as they are known: entries in, changes out. No clock, no I/O.

It finds the order that an entry is about (by client id, or by the venue's id once that is known),
holds back fills whose order is not known yet (they may come before the acknowledgement), counts
each fill once, and keeps what is not ours apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from kimera_cli.venues.orders.client_id import IntentKey, read_client_id
from kimera_cli.venues.orders.entry import (
    Adopted,
    Answered,
    Baseline,
    ChangeAnswered,
    ChangeAsked,
    Entry,
    Planned,
    ProvedAbsent,
    Released,
    Withheld,
)
from kimera_cli.venues.orders.fills import Added, FillLedger
from kimera_cli.venues.orders.machine import OrderState, StateEntry, advance, begin
from kimera_cli.venues.orders.outcome import (
    FillUpdate,
    Intent,
    OrderUpdate,
    TimeInForce,
    VenueFill,
    VenueOrder,
)

VenueName = tuple[str, str]
"""(symbol, venue order id): venues count their ids per symbol."""


class OrderChange(NamedTuple):
    """One order before and after an entry."""

    before: OrderState | None
    after: OrderState
    entry: Entry
    """What did it: the entry that came, or one that had been held back for this order."""

    @property
    def fill(self) -> VenueFill | None:
        """The fill that did it."""
        return self.entry.fill if isinstance(self.entry, FillUpdate) else None


class AccountOrders:
    """The orders, fills and foreign orders of one account at one venue.

    `session` is that of the account's journal: orders with an id of another session are foreign,
    for another journal answers for them. Own orders up to the number `settled_to` that are not in
    `states` are settled: only their fills are here.
    """

    def __init__(self, session: int, settled_to: int = 0) -> None:
        self.session, self.settled_to = session, settled_to
        self.states: dict[str, OrderState] = {}
        self.fills = FillLedger()
        self.foreign: dict[VenueName, VenueOrder] = {}
        """The latest telling of each order that is not ours."""
        self.unclaimed: dict[VenueName, list[VenueFill]] = {}
        """Fills of orders that are not (yet) known to be ours; they are in `fills` already."""
        self.baseline: Baseline | None = None
        self._by_venue: dict[VenueName, str] = {}
        self._unsettled: dict[str, None] = {}
        """Orders that something may still happen to: few, however many there ever were."""

    def apply(self, entry: Entry) -> list[OrderChange]:
        """Take an entry; return the orders that it changed (none when it said nothing new)."""
        match entry:
            case Planned(intent=intent):
                return self._begin(intent, entry)
            case Adopted():
                return self._adopt(entry)
            case Baseline():
                self.baseline = entry
                return []
            case OrderUpdate(order=order):
                return self._order_told(order, entry)
            case FillUpdate(fill=fill):
                return self._fill_told(fill, entry)
            case ChangeAsked() | ChangeAnswered():
                return self._advance(self._changed_id(entry), entry)
            case Released() | Withheld() | Answered() | ProvedAbsent():
                return self._advance(entry.client_id, entry)

    def find(self, symbol: str, venue_order_id: str) -> OrderState | None:
        """Return our order of a venue's id, if it is known."""
        client_id = self._by_venue.get((symbol, venue_order_id))
        return None if client_id is None else self.states[client_id]

    def unsettled(self) -> Iterator[OrderState]:
        """Yield the orders that are not over or owe fills; entries may come while it is walked."""
        return (self.states[client_id] for client_id in list(self._unsettled))

    def live(self) -> Iterator[OrderState]:
        """Yield the orders that are or may be at the venue."""
        return (state for state in self.unsettled() if state.is_live)

    def in_doubt(self) -> Iterator[OrderState]:
        """Yield the orders that the venue must be asked for."""
        return (state for state in self.unsettled() if state.must_ask)

    def is_ours(self, order: VenueOrder) -> bool:
        """Return whether an order carries an id that this account's journal gave."""
        key = self.key_of(order.client_id)
        return order.client_id in self.states or key is not None

    def is_settled(self, client_id: str) -> bool:
        """Return whether an id is that of an own order that is over and not kept."""
        key = self.key_of(client_id)
        return key is not None and key.number <= self.settled_to and client_id not in self.states

    def key_of(self, client_id: str) -> IntentKey | None:
        """Return what an id of this journal says; None for a foreign one."""
        key = read_client_id(client_id)
        return key if key is not None and key.session == self.session else None

    def forget_settled(self, to: int) -> None:
        """Keep of settled orders up to a number only their fills, as a start does.

        The states are in the order of their numbers, but for adopted ones, so the walk is short.
        """
        for client_id, state in list(self._oldest(to)):
            if state.is_settled:
                del self.states[client_id]
                self._by_venue.pop((state.intent.symbol, state.venue_order_id), None)
        self.settled_to = max(self.settled_to, to)

    def _oldest(self, to: int) -> Iterator[tuple[str, OrderState]]:
        return takewhile(lambda item: item[1].intent.number <= to, self.states.items())

    def foreign_fills(self) -> Iterable[VenueFill]:
        """Return the fills that no order of ours explains."""
        return [fill for fills in self.unclaimed.values() for fill in fills]

    def _begin(self, intent: Intent, entry: Entry) -> list[OrderChange]:
        if intent.client_id in self.states:
            return []
        state = begin(intent)
        self._keep(state)
        return [OrderChange(None, state, entry)]

    def _adopt(self, entry: Adopted) -> list[OrderChange]:
        order = entry.order
        key = self.key_of(order.client_id)
        if order.client_id in self.states or key is None:
            return self._order_told(order, OrderUpdate(order=order))
        self._begin(intent_of(order, key.number, entry.account), entry)
        self.foreign.pop((order.symbol, order.venue_order_id), None)
        changes = self._advance(order.client_id, OrderUpdate(order=order))
        return [OrderChange(None, changes[0].after, entry), *changes[1:]]

    def _order_told(self, order: VenueOrder, entry: OrderUpdate) -> list[OrderChange]:
        name = (order.symbol, order.venue_order_id)
        client_id = self._by_venue.get(name) or order.client_id
        if client_id in self.states:
            return self._advance(client_id, entry)
        if order.is_terminal and self.is_settled(order.client_id):
            return []
        known = self.foreign.get(name)
        if known is None or not (known.is_terminal and not order.is_terminal):
            self.foreign[name] = order
        return []

    def _fill_told(self, fill: VenueFill, entry: FillUpdate) -> list[OrderChange]:
        if self.fills.add(fill) is not Added.NEW:
            return []
        name = (fill.symbol, fill.venue_order_id)
        client_id = self._by_venue.get(name) or fill.client_id
        state = self.states.get(client_id)
        if state is None or state.venue_order_id not in ("", fill.venue_order_id):
            self.unclaimed.setdefault(name, []).append(fill)
        return self._advance(client_id, entry)

    def _changed_id(self, entry: ChangeAsked | ChangeAnswered) -> str:
        intent = entry.intent
        name = (intent.symbol, intent.venue_order_id)
        return intent.client_id or self._by_venue.get(name, "")

    def _advance(self, client_id: str, entry: StateEntry) -> list[OrderChange]:
        before = self.states.get(client_id)
        if before is None:
            return []
        after = advance(before, entry)
        if after == before:
            return []
        self._keep(after)
        return [OrderChange(before, after, entry), *self._claim(after)]

    def _keep(self, state: OrderState) -> None:
        self.states[state.client_id] = state
        if state.is_settled:
            self._unsettled.pop(state.client_id, None)
        else:
            self._unsettled[state.client_id] = None

    def _claim(self, state: OrderState) -> list[OrderChange]:
        """Give an order whose venue id has become known what was told of that id before."""
        name = (state.intent.symbol, state.venue_order_id)
        if not state.venue_order_id or name in self._by_venue:
            return []
        self._by_venue[name] = state.client_id
        changes: list[OrderChange] = []
        if (told := self.foreign.pop(name, None)) is not None:
            changes += self._advance(state.client_id, OrderUpdate(order=told))
        for fill in self.unclaimed.pop(name, []):
            changes += self._advance(state.client_id, FillUpdate(fill=fill))
        return changes


def intent_of(order: VenueOrder, number: int, account: str) -> Intent:
    """Return the intent that an order of ours must have come from, as far as the venue tells.

    What the venue does not tell of side, price and quantity cannot be known: ValueError then.
    """
    if order.side is None or order.quantity is None:
        raise ValueError(f"order {order.venue_order_id} was told without side or quantity")
    is_limit = order.price is not None and order.kind != "market"
    return Intent(
        number=number,
        client_id=order.client_id,
        venue=order.venue,
        account=account,
        symbol=order.symbol,
        side=order.side,
        kind="limit" if is_limit else "market",
        tif=(order.tif or "gtc") if is_limit else _market_tif(order),
        created_ns=order.created_ns,
        price=order.price if is_limit else None,
        quantity=order.quantity,
    )


def _market_tif(order: VenueOrder) -> TimeInForce:
    """Some venues write GTC on market orders, which cannot rest."""
    return "fok" if order.tif == "fok" else "ioc"
