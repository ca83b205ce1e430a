"""How many orders a live run makes: not more than its venues' budgets let leave in time.

Behind its budget an order waits, and what waits for a second is not sent any more; what the gate
denies is told to the strategy at once. The part of a budget that is kept for cancels is left out.
Each venue has a rate of its own in the gate, below that of the whole run.

Where a cancel counts one, each new order gets half of the budget, because it may have to be
canceled. Where a young order's cancel counts more (Kraken), the gate counts as the venue does
(engine/paces.py), with the whole budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from kimera_cli.profile import Resolved
from kimera_cli.venues.clients.budget import RESERVED, Budget
from kimera_cli.venues.clients.limits import DAY_S, KINDS
from kimera_cli.venues.orders.rules import rules_of

RATE, BURST = "risk.venue_orders_per_s", "risk.venue_order_burst"


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
    part = 1 if rules_of(venue).cancel_by_age else 2
    per_s = min(units / period for units, period in budgets) / part
    burst = min(units for units, _ in budgets) * (1 - RESERVED["place"]) / part
    return Pace(venue, per_s, max(1, int(burst)))


def units_left(budget: Budget) -> float:
    """Return what new orders may take now, at a venue whose cancels the gate counts; else inf."""
    if not rules_of(budget.venue).cancel_by_age:
        return math.inf
    left, reserved = budget.left(), RESERVED["place"]
    rules = [rule for rule in budget.rules if "place" in rule.kinds]
    return min(left[rule.name] - reserved * rule.limit for rule in rules)


def within_budgets(resolved: Resolved, venues: Iterable[str]) -> tuple[Resolved, list[str]]:
    """Return the profile with rates that each venue can take, and what was lowered in words."""
    risk, origins, told = resolved.profile.risk, dict(resolved.origins), []
    rates, bursts = dict(risk.venue_orders_per_s), dict(risk.venue_order_burst)
    for pace in map(pace_of, venues):
        rate, burst = f"{RATE}.{pace.venue}", f"{BURST}.{pace.venue}"
        if pace.per_s < (wanted := rates.get(pace.venue, risk.max_orders_per_s)):
            rates[pace.venue], origins[rate] = pace.per_s, f"budget of {pace.venue}"
            told.append(f"{rate} is {pace.per_s:g}, was {wanted:g}")
        if pace.burst < (most := bursts.get(pace.venue, risk.order_burst)):
            bursts[pace.venue], origins[burst] = pace.burst, f"budget of {pace.venue}"
            told.append(f"{burst} is {pace.burst}, was {most}")
    risk = replace(risk, venue_orders_per_s=rates, venue_order_burst=bursts)
    return resolved._replace(profile=replace(resolved.profile, risk=risk), origins=origins), told
