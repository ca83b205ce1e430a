"""The gate counts as Kraken does: a cancel costs the more the younger its order.

Truth is the served Kraken's own counter, with the lowest tier's limits, and the clients' budget.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from tapes import SPOT, T0, HandMade, Ran, S, events, plain_profile, quotes

from kimera_cli.engine.paces import LATE_S, count_cancels
from kimera_cli.engine.request import Sleeved
from kimera_cli.kernels.gate import DENY_RATE
from kimera_cli.kernels.state import GATE, MAX_AGES
from kimera_cli.layouts import R_AMEND_INTENT, R_CANCEL_INTENT, R_INTENT
from kimera_cli.venues.clients.ages import Ages
from kimera_cli.venues.clients.limits import budget_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import RULES, rules_of
from kimera_cli.venues.server.dialects import kraken_limits

RunAll = Callable[..., Ran]
Scripted = Callable[..., Sleeved]
KRAKEN = msgspec.structs.replace(SPOT, venue="kraken", symbol="XBTUSD", quote="USD")
LIMIT, DECAY = 60, 1.0
"""Kraken's lowest tier."""
WHOLE = {"venue_orders_per_s": {"kraken": DECAY}, "venue_order_burst": {"kraken": 54}}
"""As live/order_rate.py sets it."""
MINUTES = 12
RESTLESS = """
import random
if n == 0:
    self.dice = random.Random(SEED)
dice = self.dice
for order in market.orders:
    if order.state == "open" and dice.random() < CANCELS:
        market.cancel(order)
    elif order.state == "open" and dice.random() < AMENDS:
        shrinks = dice.random() < 0.5 and order.qty > 0.00015
        px, qty = (order.px, 0.0001) if shrinks else (order.px - 1.0, 0.0002)
        market.amend(order, px, qty)
for _ in range(dice.choice(NEW)):
    market.buy(market.best_bid - 10.0 - dice.randrange(50), 0.0002, tif="post_only")
if dice.random() < 0.01:
    market.cancel_all()
"""


class Ask(NamedTuple):
    """Something that left the loop."""

    ts_ns: int
    kind: str
    order: int


def asked(ran: Ran) -> list[Ask]:
    """Return what leaves, an amendment as what it is at the venue: a cancel and a new order."""
    words = {
        R_INTENT: ("place",),
        R_CANCEL_INTENT: ("cancel",),
        R_AMEND_INTENT: ("cancel", "place"),
    }
    rows = ran.folder.events()
    return [
        Ask(int(row["ts_ns"]), word, int(row["order_id"]))
        for row in rows[np.isin(rows["kind"], list(words))]
        for word in words[int(row["kind"])]
    ]


def late(asks: list[Ask], seed: int) -> list[Ask]:
    """Return the same as the venue has it: each up to LATE_S late, in the order of leaving."""
    dice, there, found = np.random.default_rng(seed), 0, []
    for ask in asks:
        delay = int(dice.integers(0, int(LATE_S * S))) if dice.random() < 0.2 else 0
        there = max(there, ask.ts_ns + delay)
        found.append(ask._replace(ts_ns=there))
    return found


def refused(asks: list[Ask], monkeypatch: pytest.MonkeyPatch) -> tuple[int, float]:
    """Return how many orders the served Kraken refuses, and how high its counter rose."""
    monkeypatch.setattr(kraken_limits, "MOST_TRADING", float(LIMIT))
    monkeypatch.setattr(kraken_limits, "TRADING_DECAY", DECAY)
    limits, created, count, top = kraken_limits.Limits(True), dict[int, int](), 0, 0.0
    for ask in asks:
        if ask.kind == "place":
            created[ask.order] = ask.ts_ns
            count += not limits.order(1, "XBTUSD", ask.ts_ns)
        else:
            market = SimpleNamespace(symbol="XBTUSD")
            order: Any = SimpleNamespace(account=1, market=market, created_ns=created[ask.order])
            limits.cancel(order, ask.ts_ns)
        top = max(top, limits._of_trading((1, "XBTUSD")).level(ask.ts_ns))
    return count, top


def waits(asks: list[Ask]) -> int:
    """Return how many requests would wait in the order process's budget."""
    now = [T0]
    world = World(lambda: now[0], lambda: now[0], bytes, lambda error: None)
    budget, ages = budget_for("kraken", world), Ages(rules_of("kraken"), world)
    count = 0
    for ask in asks:
        now[0], name = ask.ts_ns, str(ask.order)
        if ask.kind == "place":
            ages.placed(name)
            count += not budget.takes("place")
        else:
            count += not budget.takes("cancel", units=ages.of_cancel(name))
    return count


def restless(scripted: Scripted, **words: object) -> Sleeved:
    body = RESTLESS
    for name, value in words.items():
        body = body.replace(name, repr(value))
    return scripted(body)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("cancels", "amends", "new"),
    [(1.0, 0.0, (1, 2)), (0.02, 0.0, (0, 1)), (0.05, 0.3, (0, 0, 1)), (0.2, 0.01, (0, 9))],
    ids=["flickers", "rests", "amends", "bursts"],
)
def test_what_passes_the_gate_passes_krakens_counter(
    run_all: RunAll,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    cancels: float,
    amends: float,
    new: tuple[int, ...],
    seed: int,
) -> None:
    tape = HandMade(KRAKEN, events(quotes([5_000_000] * 60 * MINUTES)))
    trader = restless(scripted, CANCELS=cancels, AMENDS=amends, NEW=new, SEED=seed)
    ran = run_all([tape], [trader], plain_profile(risk=WHOLE))
    asks = asked(ran)
    assert waits(asks) == 0
    for delays in range(3):
        count, top = refused(late(asks, delays), monkeypatch)
        assert count == 0
        assert top > 40, "the gate is no stricter than it has to be"
    denied = ran.session.arrays.gate[0]["counts"][DENY_RATE]
    assert denied > 50, "the counter, not the strategy, is what bounds this"


def test_a_cancel_counts_by_age_and_is_never_stopped(run_all: RunAll, scripted: Scripted) -> None:
    """One order canceled at once, one after 8 s, one after 400 s: 8 + 6 + 0, and one for each."""
    tape = HandMade(KRAKEN, events(quotes([5_000_000] * 500)))
    trader = scripted(
        "if n in (2, 20, 80): market.buy(49_000.0, 0.001, tag=n)\n"
        "for order in market.orders:\n"
        "    if n == {2: 3, 20: 28, 80: 480}[order.tag]: market.cancel(order)"
    )
    slow = {"venue_orders_per_s": {"kraken": 1e-6}, "venue_order_burst": {"kraken": 10}}
    ran = run_all([tape], [trader], plain_profile(risk=slow))
    assert ran.summary.cancels == 2  # the third order was denied: 10 - 1 - 8 - 1 - 6 is below one
    assert ran.session.arrays.gate[0]["counts"][DENY_RATE] == 1
    assert ran.session.arrays.gate[0]["paces"][0]["tokens"] == pytest.approx(-6, abs=0.01)


def test_an_amendment_counts_both_and_a_refused_one_nothing(
    run_all: RunAll, scripted: Scripted
) -> None:
    """Of 12: one order, then 8 + 1 for its amendment; the next one, 30 s later, is 5 too dear."""
    tape = HandMade(KRAKEN, events(quotes([5_000_000] * 60)))
    trader = scripted(
        "if n == 2: market.buy(49_000.0, 0.001)\n"
        "if n in (4, 34): market.amend(market.orders[0], 48_000.0 - n, 0.001)"
    )
    slow = {"venue_orders_per_s": {"kraken": 1e-6}, "venue_order_burst": {"kraken": 12}}
    ran = run_all([tape], [trader], plain_profile(risk=slow))
    (order,) = (o for o in ran.session.arrays.views[0]["orders"] if o["state"])
    assert order["px_ticks"] == 4_799_600
    assert order["ts_sent_ns"] - T0 == pytest.approx(4 * S, abs=S)
    assert ran.summary.denied == 1
    assert ran.session.arrays.gate[0]["paces"][0]["tokens"] == pytest.approx(2, abs=0.01)


def test_what_reduces_is_counted_and_passes(run_all: RunAll, scripted: Scripted) -> None:
    tape = HandMade(KRAKEN, events(quotes([5_000_000] * 12)))
    trader = scripted(
        "if n == 2: market.buy(None, 0.003)\n"
        "if 4 <= n < 7: market.sell(None, 0.001)\n"
        "if n == 8: market.buy(49_000.0, 0.001)"
    )
    slow = {"venue_orders_per_s": {"kraken": 1e-6}, "venue_order_burst": {"kraken": 2}}
    ran = run_all([tape], [trader], plain_profile(risk=slow))
    assert ran.session.arrays.views[0]["position_lots"] == 0
    assert ran.summary.denied == 1
    assert ran.session.arrays.gate[0]["paces"][0]["tokens"] == pytest.approx(-2, abs=0.01)


def test_elsewhere_cancels_are_not_counted(run_all: RunAll, scripted: Scripted) -> None:
    tape = HandMade(SPOT, events(quotes([5_000_000] * 12)))
    trader = scripted("market.cancel_all()\nif n < 9: market.buy(49_000.0, 0.001)")
    rate = {"venue_orders_per_s": {"binance": 1e-6}, "venue_order_burst": {"binance": 9}}
    ran = run_all([tape], [trader], plain_profile(risk=rate))
    assert ran.summary.orders == 9
    assert ran.summary.denied == 0
    assert ran.session.arrays.gate[0]["paces"][0]["tokens"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("venue", sorted(RULES))
def test_the_gate_has_the_rules_table_a_second_older(venue: str) -> None:
    pace = np.zeros(1, GATE)[0]["paces"][0]
    by_age = RULES[venue].cancel_by_age
    count_cancels(pace, by_age)
    assert pace["n_ages"] == len(by_age) <= MAX_AGES
    found = [
        (int(ns), int(units)) for ns, units in zip(pace["ages_ns"], pace["age_units"], strict=True)
    ]
    assert found[: len(by_age)] == [(int((s + LATE_S) * S), units) for s, units in by_age]
    assert bool(by_age) == (venue == "kraken")
