"""The gate of a live run lets no more orders through than its venues' budgets let leave."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from kimera_cli.live.order_rate import RATE, pace_of, units_left, within_budgets
from kimera_cli.profile import Resolved, load
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.limits import budget_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import RULES, rules_of

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
    return budget.takes(kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("venue", sorted(RULES))
def test_orders_at_that_rate_and_their_cancels_never_wait(venue: str) -> None:
    """The whole burst at once, each order canceled at once, then the rate for two minutes.

    Where cancels count by age the gate has the whole budget, as it counts them itself
    (tests/engine/test_paces.py): what is canceled there is old enough to count nothing.
    """
    clock, pace = Steady(), pace_of(venue)
    budget, units = clock.budget(venue), 0 if rules_of(venue).cancel_by_age else 1
    for _ in range(pace.burst):
        assert fits(budget, "place")
        assert budget.takes("cancel", units=units)
    for _ in range(int(120 * pace.per_s)):
        clock.now_ns += int(NS / pace.per_s) + 1
        assert fits(budget, "place")
        assert budget.takes("cancel", units=units)


@pytest.mark.parametrize("venue", sorted(RULES))
def test_more_than_that_burst_would_wait(venue: str) -> None:
    pace, budget = pace_of(venue), Steady().budget(venue)
    units = 0 if rules_of(venue).cancel_by_age else 1
    waits = 0
    for _ in range(pace.burst + 2):
        waits += not fits(budget, "place")
        waits += not budget.takes("cancel", units=units)
    assert waits


def test_what_a_start_takes_back_at_kraken_is_not_there_for_new_orders() -> None:
    """Two orders of a run that was killed a moment ago: 8 each, of the 54 that new orders have."""
    clock = Steady()
    budget = clock.budget("kraken")
    assert units_left(budget) == pace_of("kraken").burst == 54
    assert budget.takes("cancel", units=16)
    assert units_left(budget) == 38
    clock.now_ns += 6 * NS
    assert units_left(budget) == 44
    for _ in range(44):
        assert fits(budget, "place")
    assert not fits(budget, "place")
    assert units_left(clock.budget("binance")) == math.inf


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
    assert risk.venue_orders_per_s == {"binance": 5, "kraken": 1}
    assert risk.venue_order_burst == {"binance": 45}, "Kraken's 54 are more than the run's 50"
    assert resolved.origins[f"{RATE}.kraken"] == "budget of kraken"
    assert told == [
        "risk.venue_orders_per_s.binance is 5, was 100",
        "risk.venue_order_burst.binance is 45, was 50",
        "risk.venue_orders_per_s.kraken is 1, was 100",
    ]


def test_a_profile_that_asks_for_less_is_left_as_it_is() -> None:
    wanted = profile(**{"venue_orders_per_s.kraken": "0.25", "venue_order_burst.kraken": "2"})
    resolved, told = within_budgets(wanted, ["kraken"])
    assert resolved == wanted
    assert told == []
