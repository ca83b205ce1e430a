"""How many orders a live run makes: not more than its venues' budgets let leave in time.

Behind its budget an order waits, and what waits for a second is not sent any more; what the gate
denies is told to the strategy at once. Of a budget each new order gets half, because it may have
to be canceled, and the part that is kept for cancels is left out. One gate stands before all
venues, so the slowest of them sets the rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from kimera_cli.profile import Resolved
from kimera_cli.venues.clients.budget import RESERVED
from kimera_cli.venues.clients.limits import DAY_S, KINDS
from kimera_cli.venues.orders.rules import rules_of

RATE, BURST = "risk.max_orders_per_s", "risk.order_burst"


class Pace(NamedTuple):
    """What a venue lets a run do. Limits per day are the venue's to count."""

    venue: str
    per_s: float
    burst: int


def pace_of(venue: str) -> Pace:
    """Return at what rate new orders, and their cancels, can be sent to a venue."""
    budgets = [
        (float(budget.units), float(budget.period_s))
        for budget in rules_of(venue).budgets
        if "place" in KINDS.get(budget.scope, ()) and budget.period_s < DAY_S
    ]
    per_s = min(units / period for units, period in budgets) / 2
    burst = min(units for units, _ in budgets) * (1 - RESERVED["place"]) / 2
    return Pace(venue, per_s, max(1, int(burst)))


def within_budgets(resolved: Resolved, venues: Iterable[str]) -> tuple[Resolved, list[str]]:
    """Return the profile with a rate that all venues can take, and what was lowered in words."""
    paces = [pace_of(venue) for venue in venues]
    slowest = min(paces, key=lambda pace: pace.per_s)
    shortest = min(paces, key=lambda pace: pace.burst)
    risk, origins, told = resolved.profile.risk, dict(resolved.origins), []
    if slowest.per_s < risk.max_orders_per_s:
        told.append(f"{RATE} is {slowest.per_s:g}, was {risk.max_orders_per_s:g}: {slowest.venue}")
        origins[RATE] = f"budget of {slowest.venue}"
        risk = replace(risk, max_orders_per_s=slowest.per_s)
    if shortest.burst < risk.order_burst:
        told.append(f"{BURST} is {shortest.burst}, was {risk.order_burst}: {shortest.venue}")
        origins[BURST] = f"budget of {shortest.venue}"
        risk = replace(risk, order_burst=shortest.burst)
    return resolved._replace(profile=replace(resolved.profile, risk=risk), origins=origins), told
