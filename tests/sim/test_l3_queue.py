"""Exact queue position on order-by-order feeds: published cases, and a real queue as the oracle."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import MS, Replay, Row, Script, Source, cancel, depth, new, replay, tape

from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    EXECUTE,
    F_SNAPSHOT,
    MODIFY,
    NO_SIDE,
    R_ACCEPTED,
)
from kimera_cli.market.matching import MatchingEngine

L3 = {"queue": {"model": "l3"}}
OURS = 1


def add(ms: float, ref: int, side: int, px: int, qty: int) -> Row:
    """An order enters."""
    return Row(round(ms * MS), ADD, side, px, qty, ref=ref)


def change(ms: float, kind: int, ref: int, side: int, px: int, qty: int) -> Row:
    """MODIFY, DELETE or EXECUTE of an order."""
    return Row(round(ms * MS), kind, side, px, qty, ref=ref)


def run(rows: list[Row], plan: dict[float, Any], model: str = "l3") -> Replay:
    """Replay order events with one order of ours."""
    events = tape(rows, depth(400, BID, 1, 1))
    source = Source(events, family="l3")
    return replay(source, Script(plan), {"queue": {"model": model}})


# --- published cases ---------------------------------------------------------------------------
def cases(folder: Path) -> dict[str, Any]:
    path = folder / "execution" / "hftbacktest_l3_queue_cases.json"
    return {case["id"]: case for case in json.loads(path.read_text())["cases"]}


@pytest.mark.parametrize("name", ["fill_by_crossing_buy", "fill_by_crossing_sell", "fill_in_queue"])
def test_published_case(shared_data: Path, name: str) -> None:
    """Each line of the case is one step of 10 ms; a moved best price is an order that crosses."""
    case = cases(shared_data)[name]
    rows: list[Row] = [add(0, 90, BID, 50, 1), add(0, 91, ASK, 150, 1)]
    plan: dict[float, Any] = {}
    filled_after: dict[str, float] = {}
    for i, step in enumerate(case["events"], start=1):
        at = 10.0 * i
        if step[0] == "add" and step[1] == "own":
            plan[at] = [new(BID if step[3] == "B" else ASK, step[4], step[5], tag=OURS)]
        elif step[0] == "add":
            rows.append(add(at, step[2], BID if step[3] == "B" else ASK, step[4], step[5]))
        elif step[0] == "fill":
            side = BID if step[3] == "B" else ASK
            rows.append(change(at, EXECUTE, step[2], side, step[4], step[5]))
            filled_after[str(step[2])] = at
        else:
            rows += crossing(at, step)
    got = run(rows, plan)
    expected = case["expected"]
    if "own_filled" in expected:
        assert sum(q for _, _, q, _ in got.fills()) == len(expected["own_filled"])
        return
    for ref, own in expected["own_filled_after_fill_of"].items():
        known = sum(q for at, _, q, _ in got.fills() if at <= filled_after[ref])
        assert known == len(own), ref


def crossing(at: float, step: list[Any]) -> list[Row]:
    """The best price moves through ours: the order there goes, one of the other side comes."""
    _, before, after = step
    if step[0] == "best_ask_update":
        assert after < before
        return [change(at, DELETE, 1, BID, 100, 1), add(at, 70, ASK, after, 1)]
    return [change(at, DELETE, 2, ASK, 101, 1), add(at, 70, BID, after, 1)]


# --- worked examples ---------------------------------------------------------------------------
QUEUE = [add(0, 90, ASK, 102, 9), add(0, 1, BID, 100, 4), add(1, 2, BID, 100, 3)]


def test_only_what_left_before_us_moves_us() -> None:
    rows = [
        *QUEUE,
        add(10, 3, BID, 100, 5),
        change(11, DELETE, 3, BID, 100, 0),
        add(12, 4, BID, 100, 5),
        change(13, MODIFY, 1, BID, 100, 1),
        change(14, DELETE, 2, BID, 100, 0),
        change(20, EXECUTE, 1, BID, 100, 1),
        change(21, EXECUTE, 4, BID, 100, 1),
    ]
    got = run(rows, {5: [new(BID, 100, 2, tag=OURS)]})
    assert got.of(R_ACCEPTED)["ahead_lots"].tolist() == [7]
    assert got.fills() == [(21, 100, 1, 1)]


def test_an_order_that_grows_goes_behind_us() -> None:
    rows = [*QUEUE, change(10, MODIFY, 1, BID, 100, 9), change(20, EXECUTE, 1, BID, 100, 3)]
    got = run(rows, {5: [new(BID, 100, 2, tag=OURS)]})
    assert got.fills() == [(20, 100, 2, 1)]


def test_an_execution_at_a_worse_price_fills_us_first() -> None:
    rows = [*QUEUE, add(2, 5, BID, 99, 8), change(20, EXECUTE, 5, BID, 99, 3)]
    got = run(rows, {5: [new(BID, 100, 5, tag=OURS)]})
    assert got.fills() == [(20, 100, 3, 1)]


def test_after_a_snapshot_all_that_it_shows_counts_as_before_us() -> None:
    """Orders are told anew: who of them came first is lost, so none of them fills us early."""
    clear = Row(10 * MS, CLEAR, NO_SIDE, 0, 0, 0, flags=F_SNAPSHOT)
    again = [r._replace(exch=10 * MS, flags=F_SNAPSHOT, last=0) for r in QUEUE]
    rows = [*QUEUE, clear, *again[:-1], again[-1]._replace(last=1)]
    rows += [change(20, EXECUTE, 2, BID, 100, 1), add(21, 7, BID, 100, 5)]
    rows += [change(22, EXECUTE, 7, BID, 100, 1)]
    got = run(rows, {5: [new(BID, 100, 2, tag=OURS)]})
    assert got.fills() == [(22, 100, 1, 1)]


@pytest.mark.parametrize("model", ["risk_averse", "power", "log"])
def test_level_models_also_run_on_order_feeds(model: str) -> None:
    rows = [*QUEUE, change(20, EXECUTE, 1, BID, 100, 4), change(21, EXECUTE, 2, BID, 100, 3)]
    rows += [add(22, 6, BID, 100, 5), change(23, EXECUTE, 6, BID, 100, 1)]
    got = run(rows, {5: [new(BID, 100, 2, tag=OURS)]}, model)
    assert got.fills() == [(23, 100, 1, 1)]


# --- a real queue as the oracle ----------------------------------------------------------------
class Market:
    """One flow on two matching engines: without our order it is the recording, with it the truth.

    Sells are sized so that our order changes nobody else's fate at its price before it is filled;
    from then on the two worlds differ, and the comparison ends.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.recorded, self.real = MatchingEngine(), MatchingEngine()
        self.ids: dict[int, int] = {}  # recorded id to real id
        self.rows: list[Row] = []
        self.ours = 0
        self.truth: list[tuple[float, int]] = []
        self.diverged = False

    def bid(self, ms: float) -> None:
        px, qty = self.draw.choice((98, 99, 100, 100, 100)), self.draw.randint(1, 9)
        ref = self.recorded.submit(BID, qty, px).order_id
        self.ids[ref] = self.real.submit(BID, qty, px).order_id
        self.rows.append(add(ms, ref, BID, px, qty))

    def leave(self, ms: float) -> None:
        ref = self.draw.choice(list(self.ids))
        order = self.recorded.order(ref)
        if order is None:
            return
        less = self.draw.randint(0, order.left_lots - 1)
        if less and self.draw.random() < 0.5:
            self.recorded.amend(ref, order.px_ticks, less)
            self.real.amend(self.ids[ref], order.px_ticks, less)
            self.rows.append(change(ms, MODIFY, ref, BID, order.px_ticks, less))
        else:
            self.recorded.cancel(ref)
            self.real.cancel(self.ids[ref])
            self.rows.append(change(ms, DELETE, ref, BID, order.px_ticks, 0))

    def sell(self, ms: float) -> None:
        qty = self.draw.randint(1, 12)
        told = self.recorded.submit(ASK, qty, 98, tif="ioc")
        for e in told.executions:
            self.rows.append(change(ms, EXECUTE, e.maker_id, BID, e.px_ticks, e.qty_lots))
        real = self.real.submit(ASK, told.filled_lots, 98, tif="ioc") if told.filled_lots else told
        filled = sum(e.qty_lots for e in real.executions if e.maker_id == self.ours)
        if filled:
            self.truth.append((ms, filled))
            self.diverged = True

    def queue_ahead(self) -> int:
        """Lots that really stand before us."""
        ahead = 0
        for order in self.real.queue(BID, 100):
            if order.id == self.ours:
                return ahead
            ahead += order.left_lots
        return -1


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 6))
def test_our_place_and_first_fill_are_those_of_a_real_queue(seed: int, size: int) -> None:
    market = Market(seed)
    market.rows.append(add(0, 10**6, ASK, 110, 5))
    for i in range(12):
        market.bid(1 + i)
    market.ours = market.real.submit(BID, size, 100).order_id
    placed = market.queue_ahead()
    ahead = placed
    for i in range(80):
        ms = 30 + 2 * i
        getattr(market, market.draw.choice(("bid", "leave", "leave", "sell")))(ms)
        if market.diverged:
            break
        ahead = market.queue_ahead()
    got = run(market.rows, {20: [new(BID, 100, size, tag=OURS)]})
    assert got.of(R_ACCEPTED)["ahead_lots"].tolist() == [placed]
    fills: dict[float, int] = {}
    for at, _, qty, _ in got.fills():
        fills[at] = fills.get(at, 0) + qty
    assert list(fills.items()) == market.truth
    if not market.diverged:
        assert got.arrays.own[0]["ahead"][0] == ahead


def test_a_cancel_leaves_the_exact_queue() -> None:
    rows = [*QUEUE, add(10, 3, BID, 100, 5), change(20, EXECUTE, 3, BID, 100, 5)]
    plan = {5: [new(BID, 100, 2, tag=OURS)], 15: [cancel(OURS)]}
    assert run(rows, plan).fills() == []
    assert np.isnan(run(rows, {}).rows["ahead_lots"]).all()
