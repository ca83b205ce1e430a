"""The gate of a live run lets no more orders through than its venues' budgets let leave."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kimera_cli.live.order_rate import RATE, pace_of, within_budgets
from kimera_cli.profile import Resolved, load
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.limits import budget_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import RULES

NS = 1_000_000_000


def profile(**overrides: str) -> Resolved:
    env: Mapping[str, str] = {"HOME": "/nonexistent"}
    return load(None, env, {f"risk.{name}": value for name, value in overrides.items()})


class Steady:
    """A clock that stands until it is moved."""

    now_ns = 0

    def budget(self, venue: str) -> Budget:
        return budget_for(venue, World(lambda: 0, lambda: self.now_ns, bytes, lambda error: None))


def fits(budget: Budget, kind: str) -> bool:
    """Take one request if it need not wait."""
    return budget._charge(kind, 1) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("venue", sorted(RULES))
def test_orders_at_that_rate_and_their_cancels_never_wait(venue: str) -> None:
    """The whole burst at once, each order canceled at once, then the rate for two minutes."""
    clock, pace = Steady(), pace_of(venue)
    budget = clock.budget(venue)
    for _ in range(pace.burst):
        assert fits(budget, "place")
        assert fits(budget, "cancel")
    for _ in range(int(120 * pace.per_s)):
        clock.now_ns += int(NS / pace.per_s) + 1
        assert fits(budget, "place")
        assert fits(budget, "cancel")


@pytest.mark.parametrize("venue", sorted(RULES))
def test_twice_that_rate_would_wait(venue: str) -> None:
    clock, pace = Steady(), pace_of(venue)
    budget = clock.budget(venue)
    waits = 0
    for _ in range(int(240 * pace.per_s)):
        clock.now_ns += int(NS / pace.per_s / 2.2)
        waits += not fits(budget, "place")
        waits += not fits(budget, "cancel")
    assert waits


def test_each_venue_has_a_rate_of_its_own() -> None:
    resolved, told = within_budgets(profile(), ["binance", "kraken"])
    risk = resolved.profile.risk
    assert (risk.max_orders_per_s, risk.order_burst) == (100, 50)
    assert risk.venue_orders_per_s == {"binance": 5, "kraken": 0.5}
    assert risk.venue_order_burst == {"binance": 45, "kraken": 27}
    assert resolved.origins[f"{RATE}.kraken"] == "budget of kraken"
    assert told == [
        "risk.venue_orders_per_s.binance is 5, was 100",
        "risk.venue_order_burst.binance is 45, was 50",
        "risk.venue_orders_per_s.kraken is 0.5, was 100",
        "risk.venue_order_burst.kraken is 27, was 50",
    ]


def test_a_profile_that_asks_for_less_is_left_as_it_is() -> None:
    wanted = profile(**{"venue_orders_per_s.kraken": "0.25", "venue_order_burst.kraken": "2"})
    resolved, told = within_budgets(wanted, ["kraken"])
    assert resolved == wanted
    assert told == []
