"""A venue's documented limits (venues/orders/rules.py) as the rules of a budget."""

from __future__ import annotations

from collections.abc import Mapping

from kimera_cli.venues.clients.budget import ALL, ORDERS, Budget, Kind, Rule
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import rules_of

KINDS: Mapping[str, frozenset[Kind]] = {
    "all": ALL,
    "orders": ORDERS,
    "queries": frozenset({"query"}),
}
NO_CANCEL: frozenset[Kind] = frozenset({"cancel"})
NONE: frozenset[Kind] = frozenset()
DAY_S = 86_400
PAUSE_S = 1.0
"""How long a venue is left alone that says "too many" without saying for how long."""
BAN_S = 120.0
"""How long a ban is taken to last where the venue does not say: the shortest documented one."""


def budget_for(venue: str, world: World) -> Budget:
    """Return a venue's budget. Limits per day are the venue's to count: they outlast a process."""
    by_age = rules_of(venue).cancel_by_age
    rules = tuple(
        Rule(
            f"{budget.scope} {budget.period_s} s",
            float(budget.units),
            float(budget.period_s),
            KINDS[budget.scope],
            by_weight=budget.scope == "all",
            never_refuses=NO_CANCEL if budget.scope == "orders" and by_age else NONE,
        )
        for budget in rules_of(venue).budgets
        if budget.scope in KINDS and budget.period_s < DAY_S
    )
    return Budget(venue, rules, world)


def pause_s(headers: Mapping[str, str], *, ban: bool) -> float:
    """Return for how long to send nothing after a refusal for too many requests."""
    said = headers.get("retry-after", "")
    return float(said) if said.isdigit() else BAN_S if ban else PAUSE_S
