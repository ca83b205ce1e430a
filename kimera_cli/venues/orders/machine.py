"""The life of one order, as far as is known here: a pure function from state and entry to state.

    NEW ──► SENT ──► OPEN ──► PARTIAL ──► FILLED
     │        │        └────────┴───────► CANCELED, EXPIRED
     │        ├──► REJECTED
     │        └──► UNKNOWN ──► (looked up) any of these, or ABSENT
     └──► WITHHELD

Entries come twice, late and in any order. Four rules hold against that:
what is filled never shrinks; what the venue has closed stays closed (a late fill may still turn
canceled into filled); an older version of an order changes no status; and what the venue tells of
an order outweighs what was concluded here (an order that was taken for absent or rejected and yet
is told lives again, with a note of it in `surprises`).
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from kimera_cli.venues.orders.entry import (
    Answered,
    ChangeAnswered,
    ChangeAsked,
    ProvedAbsent,
    Released,
    Withheld,
)
from kimera_cli.venues.orders.outcome import (
    Accepted,
    AmendIntent,
    FillUpdate,
    Handling,
    Intent,
    OrderUpdate,
    Reason,
    Rejected,
    Unknown,
    VenueFill,
    VenueOrder,
)

ZERO = Decimal(0)


class Phase(enum.StrEnum):
    """Where an order stands."""

    NEW = "new"
    """Not at the venue, for certain; it may be released."""
    SENT = "sent"
    UNKNOWN = "unknown"
    """There may be an order: to be looked up."""
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    WITHHELD = "withheld"
    """Never sent."""
    ABSENT = "absent"
    """Sent, and proved never to have been executed."""


class Change(enum.StrEnum):
    """Where a cancel or an amendment stands."""

    NONE = ""
    ASKED = "asked"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


LIVE = frozenset({Phase.SENT, Phase.UNKNOWN, Phase.OPEN, Phase.PARTIAL})
"""There is or may be an order at the venue."""
CLOSED_BY_VENUE = frozenset({Phase.FILLED, Phase.CANCELED, Phase.EXPIRED})


class OrderState(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it is known."""

    intent: Intent
    phase: Phase = Phase.NEW
    venue_order_id: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None
    told: Decimal = ZERO
    """The most that the venue has told to be filled, in the base currency."""
    filled: Decimal = ZERO
    """Sum of the fills that are known one by one: this is what counts for positions."""
    cost: Decimal = ZERO
    """What these fills came to in the quote currency."""
    version: int = 0
    updated_ns: int = 0
    sent_ns: int = 0
    expires_ns: int = 0
    attempts: int = 0
    change: Change = Change.NONE
    amending: bool = False
    """Whether the change in question may alter the quantity."""
    reason: Reason | None = None
    raw: str = ""
    surprises: tuple[str, ...] = ()

    @property
    def client_id(self) -> str:
        """The order's name."""
        return self.intent.client_id

    @property
    def done(self) -> Decimal:
        """What is filled, as far as anybody has told."""
        return max(self.told, self.filled)

    @property
    def owed(self) -> Decimal:
        """How much the venue has told as filled without (yet) telling the fills."""
        return max(self.told - self.filled, ZERO)

    @property
    def is_live(self) -> bool:
        """Whether an order is or may be at the venue."""
        return self.phase in LIVE

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to come: over, and every fill is known."""
        return not self.is_live and self.phase is not Phase.NEW and not self.owed

    @property
    def must_ask(self) -> bool:
        """Whether the venue has to be asked for this order."""
        unsure = self.phase is Phase.UNKNOWN or (self.is_live and self.change is Change.UNKNOWN)
        return unsure or bool(self.owed)


StateEntry = (
    Released | Withheld | Answered | ProvedAbsent | ChangeAsked | ChangeAnswered
    | OrderUpdate | FillUpdate
)  # fmt: skip


def begin(intent: Intent) -> OrderState:
    """Return the state of an order that is only meant."""
    return OrderState(intent=intent, price=intent.price, quantity=intent.quantity)


def advance(state: OrderState, entry: StateEntry) -> OrderState:
    """Return the state after an entry of this order; each fill must be given once (fills.py)."""
    match entry:
        case Released():
            return _released(state, entry)
        case Withheld():
            return _concluded(state, Phase.WITHHELD, entry.why)
        case ProvedAbsent():
            return _concluded(state, Phase.ABSENT, "not found at the venue")
        case Answered():
            return _answered(state, entry)
        case ChangeAsked():
            return _change_asked(state, entry)
        case ChangeAnswered():
            return _change_answered(state, entry)
        case OrderUpdate():
            return _told(state, entry.order)
        case FillUpdate():
            return _filled(state, entry.fill)


def _released(state: OrderState, entry: Released) -> OrderState:
    if state.phase not in (Phase.NEW, Phase.ABSENT):
        return state
    return replace(
        state,
        phase=Phase.SENT,
        sent_ns=entry.ts_ns,
        expires_ns=max(entry.expires_ns, state.expires_ns),
        attempts=state.attempts + 1,
    )


def _concluded(state: OrderState, phase: Phase, why: str) -> OrderState:
    """Close an order that no word of the venue speaks for."""
    if state.phase not in (Phase.NEW, Phase.SENT, Phase.UNKNOWN):
        return state
    return replace(state, phase=phase, raw=why)


def _answered(state: OrderState, entry: Answered) -> OrderState:
    match entry.outcome:
        case Accepted(venue_order_id=order_id, order=None):
            if state.venue_order_id:
                return _named(state, order_id)
            return _alive(_named(state, order_id))
        case Accepted(order=order):
            return state if order is None else _told(state, order)
        case Rejected() as no:
            return _rejected(state, no)
        case Unknown(why=why, detail=detail):
            if state.phase is Phase.SENT:
                return replace(state, phase=Phase.UNKNOWN, reason=why, raw=detail)
            return state


def _rejected(state: OrderState, no: Rejected) -> OrderState:
    if state.phase not in (Phase.SENT, Phase.UNKNOWN):
        return state
    again = no.handling in (Handling.RETRY_LATER, Handling.CLOCK)
    if again and state.phase is Phase.UNKNOWN:
        return state  # it may be the answer to another request than the one in doubt
    phase = Phase.NEW if again else Phase.REJECTED
    return replace(state, phase=phase, reason=no.reason, raw=no.raw)


def _change_asked(state: OrderState, entry: ChangeAsked) -> OrderState:
    if not state.is_live:
        return state
    amending = state.amending or isinstance(entry.intent, AmendIntent)
    return replace(state, change=Change.ASKED, amending=amending)


def _change_answered(state: OrderState, entry: ChangeAnswered) -> OrderState:
    if not state.is_live:
        return state
    match entry.outcome:
        case Accepted(order=order):
            state = replace(state, change=Change.ACCEPTED, amending=False)
            return _complete(state) if order is None else _told(state, order)
        case Rejected(reason=Reason.NOT_FOUND | Reason.ALREADY_CLOSED) | Unknown():
            return replace(state, change=Change.UNKNOWN)
        case Rejected():
            return _complete(replace(state, change=Change.NONE, amending=False))


def _told(state: OrderState, order: VenueOrder) -> OrderState:
    """Take what the venue says of the order, whichever way it says it."""
    if state.venue_order_id and order.venue_order_id != state.venue_order_id:
        return _named(state, order.venue_order_id)
    closed = _is_closed(state)
    older = _is_older(state, order)
    state = _named(state, order.venue_order_id)
    state = replace(state, told=max(state.told, order.filled or ZERO))
    if not older:
        state = _refreshed(state, order)
    if order.status != "open":
        return _complete(_closed(state, Phase(order.status), order))
    return _complete(state if closed else _alive(state))


def _refreshed(state: OrderState, order: VenueOrder) -> OrderState:
    return replace(
        state,
        price=state.price if order.price is None else order.price,
        quantity=state.quantity if order.quantity is None else order.quantity,
        version=max(order.version, state.version),
        updated_ns=max(order.updated_ns, state.updated_ns),
    )


def _closed(state: OrderState, phase: Phase, order: VenueOrder) -> OrderState:
    if state.phase in CLOSED_BY_VENUE and phase is not Phase.FILLED:
        return state
    if phase is Phase.REJECTED and state.done:
        phase = Phase.CANCELED  # partly filled before the venue gave it up
    if state.phase is not phase:
        state = _surprised(state)
    reason = state.reason if order.reason is None else order.reason
    raw = order.raw_status or state.raw
    return replace(state, phase=phase, reason=reason, raw=raw, change=Change.NONE, amending=False)


def _filled(state: OrderState, fill: VenueFill) -> OrderState:
    if state.venue_order_id and fill.venue_order_id != state.venue_order_id:
        return _named(state, fill.venue_order_id)
    closed = _is_closed(state)
    state = _named(state, fill.venue_order_id)
    state = replace(state, filled=state.filled + fill.quantity, cost=state.cost + fill.money)
    return _complete(state if closed else _alive(state))


def _alive(state: OrderState) -> OrderState:
    state = _surprised(state)
    return replace(state, phase=Phase.PARTIAL if state.done else Phase.OPEN)


def _complete(state: OrderState) -> OrderState:
    """Turn an order whose whole quantity is filled into a filled one."""
    if state.amending or state.quantity is None or state.done < state.quantity:
        return state
    return replace(state, phase=Phase.FILLED, change=Change.NONE)


def _named(state: OrderState, order_id: str) -> OrderState:
    if not order_id or state.venue_order_id == order_id:
        return state
    if not state.venue_order_id:
        return replace(state, venue_order_id=order_id)
    return _noted(state, f"a second order at the venue: {order_id} beside {state.venue_order_id}")


def _surprised(state: OrderState) -> OrderState:
    """Note that the venue speaks of an order that was concluded not to be there."""
    if state.phase not in (Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT):
        return state
    return _noted(state, f"was taken for {state.phase}, yet the venue has it")


def _noted(state: OrderState, note: str) -> OrderState:
    if note in state.surprises:
        return state
    return replace(state, surprises=(*state.surprises, note))


def _is_closed(state: OrderState) -> bool:
    """Whether the venue itself has said that the order is over."""
    told = state.phase is Phase.REJECTED and bool(state.venue_order_id)
    return told or state.phase in CLOSED_BY_VENUE


def _is_older(state: OrderState, order: VenueOrder) -> bool:
    if order.version and state.version:
        return order.version < state.version
    return 0 < order.updated_ns < state.updated_ns
