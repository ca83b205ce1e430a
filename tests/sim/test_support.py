"""Nothing fills at a price or size that the data do not support; cautious models fill least."""

from __future__ import annotations

import numpy as np
import pytest
from flows import wild, wild_tape
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import MS, Plan, Script, Source, new, replay

from kimera_cli.layouts import ASK, BID, DEPTH, R_FILL, TRADE

SEEDS = st.integers(0, 10**6)


def supported(events: np.ndarray, side: int, px: int, until_ns: int) -> int:
    """Lots that the data offer to buyers up to px (sellers: from px) until a venue time.

    Volume that traded there against their side, and size of the other side each time that it was
    shown.
    """
    seen = events[events["ts_exch_ns"] <= until_ns]
    reach = seen["px_ticks"] <= px if side == BID else seen["px_ticks"] >= px
    traded = reach & (seen["kind"] == TRADE) & (seen["side"] != side)
    shown = reach & (seen["kind"] == DEPTH) & (seen["side"] == 1 - side)
    return int(seen["qty_lots"][traded | shown].sum())


@settings(max_examples=25)
@given(seed=SEEDS, model=st.sampled_from(["risk_averse", "power", "log"]))
def test_fills_never_exceed_what_traded_and_what_was_shown(seed: int, model: str) -> None:
    events = wild_tape(seed, 150, latency=False)
    got = replay(Source(events), [Plan(wild(seed), MS)] * 2, {"queue": {"model": model}})
    fills = got.of(R_FILL)
    for side in (BID, ASK):
        own = fills[fills["side"] == side]
        for last in own:
            before = own["ts_exch_ns"] <= last["ts_exch_ns"]
            worse = last["px_ticks"]
            through = own["px_ticks"] <= worse if side == BID else own["px_ticks"] >= worse
            filled = int(own["qty_lots"][before & through].sum())
            assert filled <= supported(events, side, worse, int(last["ts_exch_ns"]))


@settings(max_examples=25)
@given(seed=SEEDS)
def test_a_taker_never_gets_more_than_was_displayed_at_its_price(seed: int) -> None:
    events = wild_tape(seed, 120, latency=False)
    got = replay(Source(events), Plan(wild(seed), MS))
    taken = got.of(R_FILL)[got.of(R_FILL)["type"] == 0]
    for fill in taken:
        shown = events[
            (events["ts_exch_ns"] <= fill["ts_exch_ns"])
            & (events["kind"] == DEPTH)
            & (events["side"] == 1 - fill["side"])
            & (events["px_ticks"] == fill["px_ticks"])
        ]
        assert len(shown)
        assert fill["qty_lots"] <= shown["qty_lots"][-1]
        same = (taken["ts_exch_ns"] >= shown["ts_exch_ns"][-1]) & (
            taken["ts_exch_ns"] <= fill["ts_exch_ns"]
        )
        same &= (taken["px_ticks"] == fill["px_ticks"]) & (taken["side"] == fill["side"])
        later = taken[same & (taken["ts_exch_ns"] > shown["ts_exch_ns"][-1])]
        assert later["qty_lots"].sum() <= shown["qty_lots"][-1]


@settings(max_examples=25)
@given(seed=SEEDS, qty=st.integers(1, 40), side=st.sampled_from([BID, ASK]))
def test_cautious_fills_are_among_the_hopeful_ones(seed: int, qty: int, side: int) -> None:
    """At every moment: risk averse <= power and log <= every lot that traded at or through us."""
    events = wild_tape(seed, 250, latency=False)
    px = 99 if side == BID else 101
    filled = {}
    for model in ("risk_averse", "power", "log"):
        plan = Script({8: [new(side, px, qty)]})
        filled[model] = replay(Source(events), plan, {"queue": {"model": model}}).fills()
    moments = sorted({at for fills in filled.values() for at, *_ in fills})
    for moment in moments:
        done = {m: sum(q for at, _, q, _ in f if at <= moment) for m, f in filled.items()}
        assert done["risk_averse"] <= done["power"]
        assert done["risk_averse"] <= done["log"]


def test_the_flows_of_these_tests_do_fill() -> None:
    """A property over runs without fills would prove nothing."""
    kinds = {0: 0, 1: 0}
    for seed in range(10):
        fills = replay(Source(wild_tape(seed, 150, latency=False)), Plan(wild(seed), MS)).of(R_FILL)
        for kind in kinds:
            kinds[kind] += int((fills["type"] == kind).sum())
    assert min(kinds.values()) > 50


@pytest.mark.parametrize("seed", range(5))
def test_time_priority_among_own_orders_at_one_price(seed: int) -> None:
    """Whoever came first at a price is filled first, whatever the model guesses."""
    events = wild_tape(seed, 250, latency=False)
    plan = {8 + 3 * i: [new(BID, 99, 2, tag=i + 1)] for i in range(8)}
    settings = {"queue": {"model": "power", "exponent": 8.0}}
    got = replay(Source(events), Script(plan), settings).of(R_FILL)
    makers = got[got["type"] == 1]["tag"].tolist()
    assert makers == sorted(makers)
