"""Journal against venue: every difference in words and as a record, and the entries that mend it.

Pure: what the venue says comes in as an `AccountReport`. The venue's word is taken for what happens
at the venue (orders and fills); a fill that only the journal has is never taken back, and foreign
orders are told and never touched. Balances must be what the baseline and all fills since come to,
exactly; what they do not explain is a deposit, a transfer or a trade that no fill tells.

First `to_ask` says which orders the open-order list does not settle; they are looked up one by one
and put into the report. A report is a moment's picture: while orders move, compare two with
`lasting` before alarm is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kimera_cli.records import Difference
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.balances import balance_differences, new_baseline
from kimera_cli.venues.orders.entry import Entry
from kimera_cli.venues.orders.fills import Assets
from kimera_cli.venues.orders.finding import AccountReport, Sides
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import VenueOrder
from kimera_cli.venues.orders.reconcile_fills import owed_fills, told_fills, untold_fills
from kimera_cli.venues.orders.reconcile_orders import told_orders, untold_orders


class Reconciliation(NamedTuple):
    """What a comparison came to."""

    differences: tuple[Difference, ...]
    repairs: tuple[Entry, ...]
    """Entries that take the venue's word into the journal, in the order in which to record them."""

    @property
    def is_clean(self) -> bool:
        """Whether journal and venue agree; foreign orders are no disagreement."""
        return all(difference.kind == "order_foreign" for difference in self.differences)


def to_ask(orders: AccountOrders, listed: Iterable[VenueOrder]) -> list[OrderState]:
    """Return the orders that the list of open orders does not settle: to be looked up each."""
    listed = list(listed)
    names = {(order.symbol, order.venue_order_id) for order in listed}
    ids = {order.client_id for order in listed if order.client_id}

    def is_listed(state: OrderState) -> bool:
        return (state.intent.symbol, state.venue_order_id) in names or state.client_id in ids

    live = [state for state in orders.live() if not is_listed(state)]
    return [*live, *(s for s in orders.unsettled() if not s.is_live and s.owed)]


def reconcile(
    orders: AccountOrders, report: AccountReport, assets: Mapping[str, Assets]
) -> Reconciliation:
    """Compare; `assets` says what each symbol trades."""
    sides = Sides(orders, report)
    findings = [
        *told_orders(sides),
        *untold_orders(sides),
        *told_fills(sides),
        *untold_fills(sides),
        *owed_fills(sides),
    ]
    differences = [finding.difference for finding in findings]
    repairs = [entry for finding in findings for entry in finding.repairs]
    if report.balances is not None:
        fills = {fill.name: fill for fill in (*report.fills, *orders.fills)}
        unexplained = balance_differences(orders.baseline, report, fills.values(), assets)
        differences += unexplained
        if any(difference.kind == "balance" for difference in unexplained):
            repairs.append(new_baseline(report.balances, report.asked_ns, "adopted"))
    return Reconciliation(tuple(differences), tuple(repairs))


def lasting(first: Iterable[Difference], second: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return the differences of the second comparison that the first one saw as well."""
    before = {_name(difference) for difference in first}
    return tuple(difference for difference in second if _name(difference) in before)


def _name(difference: Difference) -> tuple[str, ...]:
    d = difference
    return (d.kind, d.symbol, d.client_id, d.venue_order_id, d.trade_id, d.asset, d.amount)
