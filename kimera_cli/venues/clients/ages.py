"""How old orders are when they are canceled: at some venues a young one costs more of the budget.

Times are those of this host's steady clock. An order that was neither placed here nor listed by the
venue is taken to be as old as the session: who placed it did so before.
"""

from __future__ import annotations

from collections.abc import Iterable

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.outcome import VenueOrder
from kimera_cli.venues.orders.rules import ByAge, Rules

KEPT = 8192
"""Names of orders that are remembered."""


class Ages:
    """When the orders of one session were placed, and what their cancels and amendments cost."""

    def __init__(self, rules: Rules, world: World) -> None:
        self._cancel, self._amend, self._world = rules.cancel_by_age, rules.amend_by_age, world
        self._counts = bool(rules.cancel_by_age or rules.amend_by_age)
        self._began_ns = world.monotonic_ns()
        self._placed_ns: dict[str, int] = {}

    def placed(self, *names: str) -> None:
        """Note an order that is placed now, by our id and, once it is known, the venue's."""
        if self._counts:
            now = self._world.monotonic_ns()
            for name in names:
                self._note(name, now)

    def listed(self, orders: Iterable[VenueOrder], venue_ns: int) -> None:
        """Note orders as the venue lists them at a time of its clock."""
        if not self._counts:
            return
        now = self._world.monotonic_ns()
        for order in orders:
            if order.created_ns:
                placed_ns = now - max(0, venue_ns - order.created_ns)
                for name in filter(None, (order.client_id, order.venue_order_id)):
                    if name not in self._placed_ns:
                        self._note(name, placed_ns)

    def of_cancel(self, name: str) -> int:
        """Return what canceling an order counts, by our id or the venue's."""
        return self._cost(self._cancel, name) if self._cancel else 1

    def of_cancel_all(self) -> int:
        """Return what canceling all counts, if every order that is known were open."""
        if not self._cancel:
            return 1
        # Each order is there by two names once the venue has named it: by its time it is one.
        return sum(self._at(self._cancel, placed) for placed in {*self._placed_ns.values()})

    def of_amend(self, name: str) -> int:
        """Return what amending an order counts."""
        return 1 + (self._cost(self._amend, name) if self._amend else 0)

    def _note(self, name: str, placed_ns: int) -> None:
        if len(self._placed_ns) >= KEPT:
            del self._placed_ns[next(iter(self._placed_ns))]
        self._placed_ns[name] = placed_ns

    def _cost(self, table: ByAge, name: str) -> int:
        return self._at(table, self._placed_ns.get(name, self._began_ns))

    def _at(self, table: ByAge, placed_ns: int) -> int:
        age_ns = self._world.monotonic_ns() - placed_ns
        return next((cost for below_s, cost in table if age_ns < below_s * NS_PER_S), 0)
