"""Everything that can happen to an account's orders: what the journal keeps, in order.

The state of an order is the fold of its entries (machine.py), so a restart that reads the entries
stands where the process stood that wrote them.
"""

from __future__ import annotations

import msgspec

from kimera_cli.venues.orders.outcome import (
    AmendIntent,
    Balance,
    CancelIntent,
    FillUpdate,
    Intent,
    OrderUpdate,
    Outcome,
    VenueOrder,
)


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag="planned"):
    """An order is meant; nothing of it has left."""

    intent: Intent


class Released(msgspec.Struct, frozen=True, kw_only=True, tag="released"):
    """From here on bytes of the order may be on the wire."""

    client_id: str
    ts_ns: int
    expires_ns: int
    """When the venue will no longer execute the request that is signed now, by its own clock."""


class Withheld(msgspec.Struct, frozen=True, kw_only=True, tag="withheld"):
    """The order was not sent, for certain, and will not be."""

    client_id: str
    ts_ns: int
    why: str


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag="answered"):
    """The venue's answer to an order request, or that there was none."""

    client_id: str
    outcome: Outcome


class ProvedAbsent(msgspec.Struct, frozen=True, kw_only=True, tag="proved_absent"):
    """Lookups have shown that the request never was and never will be executed (lookup.py)."""

    client_id: str
    ts_ns: int
    asked_ns: tuple[int, ...]


class ChangeAsked(msgspec.Struct, frozen=True, kw_only=True, tag="change_asked"):
    """A cancel or an amendment is on its way."""

    intent: CancelIntent | AmendIntent


class ChangeAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="change_answered"):
    """The answer to a cancel or an amendment, or that there was none."""

    intent: CancelIntent | AmendIntent
    outcome: Outcome


class Adopted(msgspec.Struct, frozen=True, kw_only=True, tag="adopted"):
    """An order at the venue that carries an id of ours and that the journal did not know."""

    order: VenueOrder
    account: str
    ts_ns: int


class Baseline(msgspec.Struct, frozen=True, kw_only=True, tag="baseline"):
    """Balances that are taken as they are; from here on fills explain them."""

    balances: tuple[Balance, ...]
    ts_ns: int
    why: str


Entry = (
    Planned
    | Released
    | Withheld
    | Answered
    | ProvedAbsent
    | ChangeAsked
    | ChangeAnswered
    | Adopted
    | Baseline
    | OrderUpdate
    | FillUpdate
)
