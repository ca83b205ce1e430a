"""What a comparison of journal and venue works with, and how a difference is written down."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from kimera_cli.records import Difference
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.entry import Entry
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import Balance, VenueFill, VenueOrder
from kimera_cli.venues.orders.wording import fill_words, plain


class AccountReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue says of an account at one moment."""

    venue: str
    account: str
    asked_ns: int
    """When the first question was sent, by the venue's clock."""
    orders: tuple[VenueOrder, ...]
    """All open orders, and those that were looked up."""
    fills: tuple[VenueFill, ...]
    fills_since_ns: int
    """All fills from this time on are among `fills`."""
    balances: tuple[Balance, ...] | None = None
    """None: not asked, not compared."""


class Sides(NamedTuple):
    """The two sides of one comparison."""

    orders: AccountOrders
    report: AccountReport


class Finding(NamedTuple):
    """One difference, and the entries that mend it."""

    difference: Difference
    repairs: tuple[Entry, ...] = ()


def of_state(
    report: AccountReport, kind: str, repair: str, text: str, state: OrderState, **more: str
) -> Finding:
    """Return a difference about an order of the journal."""
    fields = {
        "symbol": state.intent.symbol,
        "client_id": state.client_id,
        "venue_order_id": state.venue_order_id,
        "journal": str(state.phase),
    }
    return Finding(_difference(report, kind, repair, text, fields | more))


def of_order(
    report: AccountReport, kind: str, repair: str, text: str, order: VenueOrder, *entries: Entry
) -> Finding:
    """Return a difference about an order of the venue that the journal does not have."""
    fields = {
        "symbol": order.symbol,
        "client_id": order.client_id,
        "venue_order_id": order.venue_order_id,
        "journal": "missing",
        "at_venue": order.status,
    }
    return Finding(_difference(report, kind, repair, text, fields), entries)


def of_both(
    report: AccountReport,
    kind: str,
    repair: str,
    text: str,
    state: OrderState,
    order: VenueOrder,
    *entries: Entry,
) -> Finding:
    """Return a difference about an order that both sides have."""
    fields = {
        "symbol": order.symbol,
        "client_id": state.client_id,
        "venue_order_id": order.venue_order_id,
        "journal": str(state.phase),
        "at_venue": order.status,
    }
    return Finding(_difference(report, kind, repair, text, fields), entries)


def of_fill(
    report: AccountReport,
    kind: str,
    repair: str,
    text: str,
    fill: VenueFill,
    *entries: Entry,
    **more: str,
) -> Finding:
    """Return a difference about a fill; by default both sides have it as it is."""
    fields = {
        "symbol": fill.symbol,
        "client_id": fill.client_id,
        "venue_order_id": fill.venue_order_id,
        "trade_id": fill.trade_id,
        "amount": plain(fill.quantity),
        "journal": fill_words(fill),
        "at_venue": fill_words(fill),
    }
    return Finding(_difference(report, kind, repair, text, fields | more), entries)


def _difference(
    report: AccountReport, kind: str, repair: str, text: str, fields: dict[str, str]
) -> Difference:
    values: dict[str, Any] = {
        "venue": report.venue,
        "account": report.account,
        "kind": kind,
        "repair": repair,
        "text": text,
    }
    return msgspec.convert(values | fields | {"type": "difference"}, Difference)
