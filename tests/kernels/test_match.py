"""The matching engine against an independent reference, its conservation laws, and its rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError
from kimera_cli.kernels.match import (
    MATCH_AMEND,
    MATCH_CANCEL,
    MATCH_NEW,
    MATCH_REQUEST,
    match_run,
)
from kimera_cli.kernels.match_book import BAND
from kimera_cli.layouts import ASK, BID, REJECTS
from kimera_cli.market.matching import MatchingEngine, new_engines

STPS = ["none", "cancel_newest", "cancel_oldest", "cancel_both", "decrement"]
TIFS = ["gtc", "ioc", "fok", "post_only"]


class Reference:
    """Matching written the slow way: one list of orders, searched anew for every trade."""

    def __init__(self):
        self.orders = []  # dicts with id, account, side, px, left, stp, tif, rank
        self.rank = 0

    def opposite(self, side, limit):
        """Orders that a newcomer may trade with, best first."""
        sign = 1 if side == BID else -1
        found = [o for o in self.orders if o["side"] != side]
        found = [o for o in found if limit is None or sign * (limit - o["px"]) >= 0]
        return sorted(found, key=lambda o: (sign * o["px"], o["rank"]))

    def own(self, order, account, stp):
        return stp != "none" and account != 0 and order["account"] == account

    def would_fill(self, side, limit, qty, account, stp):
        total = 0
        for order in self.opposite(side, limit):
            if self.own(order, account, stp):
                if stp == "cancel_oldest":
                    continue
                break
            total += order["left"]
        return total >= qty

    def trade(self, side, limit, qty, account, stp):
        """Return (left, filled, gone, executions)."""
        filled = gone = 0
        done = []
        while qty:
            makers = self.opposite(side, limit)
            if not makers:
                break
            maker = makers[0]
            if not self.own(maker, account, stp):
                lots = min(qty, maker["left"])
                maker["left"] -= lots
                qty, filled = qty - lots, filled + lots
                done.append(
                    ("trade", maker["id"], maker["account"], maker["left"], maker["px"], lots)
                )
            elif stp == "decrement":
                lots = min(qty, maker["left"])
                maker["left"] -= lots
                qty, gone = qty - lots, gone + lots
                done.append(("decrement", maker["id"], account, maker["left"], maker["px"], lots))
            else:
                if stp != "cancel_newest":
                    lots, maker["left"] = maker["left"], 0
                    done.append(("cancel", maker["id"], account, 0, maker["px"], lots))
                if stp != "cancel_oldest":
                    qty, gone = 0, gone + qty
            self.orders = [o for o in self.orders if o["left"]]
        return qty, filled, gone, tuple(done)

    def rest(self, order):
        self.rank += 1
        self.orders.append({**order, "rank": self.rank})

    def submit(self, order_id, side, qty, px, account, order_type, tif, stp):
        limit = None if order_type == "market" else px
        if tif == "post_only" and self.opposite(side, limit):
            return ("post_only_would_cross", 0, 0, qty, ())
        if tif == "fok" and not self.would_fill(side, limit, qty, account, stp):
            return ("fok_not_filled", 0, 0, qty, ())
        left, filled, gone, done = self.trade(side, limit, qty, account, stp)
        if left and order_type == "limit" and tif in ("gtc", "post_only"):
            fixed = {"id": order_id, "account": account, "side": side, "stp": stp, "tif": tif}
            self.rest({**fixed, "px": px, "left": left})
            return ("ok", filled, left, gone, done)
        code = "self_trade" if gone else "ok"
        if left:
            code = "no_liquidity" if order_type == "market" else "ioc_expired"
        return (code, filled, 0, gone + left, done)

    def find(self, order_id, account):
        match = [o for o in self.orders if o["id"] == order_id]
        return match[0] if match and account in (0, match[0]["account"]) else None

    def cancel(self, order_id, account):
        order = self.find(order_id, account)
        if not order:
            return ("unknown_order", 0, 0, 0, ())
        self.orders.remove(order)
        return ("ok", 0, 0, order["left"], ())

    def amend(self, order_id, account, px, qty):
        order = self.find(order_id, account)
        if not order:
            return ("unknown_order", 0, 0, 0, ())
        if px == order["px"] and qty <= order["left"]:
            order["left"] = qty
            return ("ok", 0, qty, 0, ())
        if order["tif"] == "post_only" and self.opposite(order["side"], px):
            return ("post_only_would_cross", 0, order["left"], 0, ())
        self.orders.remove(order)
        left, filled, gone, done = self.trade(
            order["side"], px, qty, order["account"], order["stp"]
        )
        if left:
            self.rest({**order, "px": px, "left": left})
        return ("self_trade" if gone and not left else "ok", filled, left, gone, done)

    def book(self, side):
        levels = {}
        for o in sorted(self.orders, key=lambda o: o["rank"]):
            if o["side"] == side:
                levels.setdefault(o["px"], []).append((o["id"], o["left"]))
        return sorted(levels.items(), reverse=side == BID)


def outcome(answer):
    executions = tuple(tuple(e) for e in answer.executions)
    return (answer.code, answer.filled_lots, answer.left_lots, answer.gone_lots, executions)


def assert_same_book(engine, reference):
    for side in (BID, ASK):
        expected = reference.book(side)
        assert engine.levels(side, 10_000) == [(px, sum(q for _, q in os)) for px, os in expected]
        for px, orders in expected:
            assert [(o.id, o.left_lots) for o in engine.queue(side, px)] == orders
    assert len(engine) == len(reference.orders)
    bid, ask = engine.best_bid, engine.best_ask
    assert not (bid and ask) or bid.px_ticks < ask.px_ticks


def random_step(rng, engine, reference, ids, width):
    """One request to both; returns the two outcomes."""
    account = int(rng.integers(0, 4))
    px = 1000 + int(rng.integers(-width, width + 1))
    u = rng.random()
    if u < 0.62 or not ids:
        side, qty = int(rng.integers(0, 2)), int(rng.integers(1, 20))
        kind = "market" if rng.random() < 0.1 else "limit"
        tif = TIFS[int(rng.choice(4, p=[0.6, 0.15, 0.1, 0.15]))]
        tif = "gtc" if kind == "market" and tif == "post_only" else tif
        stp = STPS[int(rng.integers(0, 5))]
        got = engine.submit(
            side, qty, px, account=account, order_type=kind, tif=tif, self_trade=stp
        )
        want = reference.submit(got.order_id, side, qty, px, account, kind, tif, stp)
        assert got.filled_lots + got.left_lots + got.gone_lots == qty
        if got.left_lots:
            ids.append(got.order_id)
        return got, want
    order_id = ids[int(rng.integers(max(0, len(ids) - 60), len(ids)))]
    owner = engine.order(order_id)
    account = owner.account if owner and rng.random() < 0.9 else account
    if u < 0.85:
        return engine.cancel(order_id, account), reference.cancel(order_id, account)
    qty = int(rng.integers(1, 20))
    if owner and rng.random() < 0.4:
        px = owner.px_ticks
    got = engine.amend(order_id, px, qty, account)
    return got, reference.amend(order_id, account, px, qty)


@pytest.mark.parametrize(
    ("seed", "width", "steps"), [(1, 6, 15_000), (2, 40, 15_000), (3, 2, 4_000)]
)
def test_random_requests_equal_the_reference(seed, width, steps):
    rng = np.random.default_rng(seed)
    engine, reference, ids = MatchingEngine(), Reference(), []
    seen = set()
    for step in range(steps):
        got, want = random_step(rng, engine, reference, ids, width)
        assert outcome(got) == want
        seen.add(got.code)
        if step % 250 == 0:
            assert_same_book(engine, reference)
    assert_same_book(engine, reference)
    assert {"ok", "ioc_expired", "fok_not_filled", "post_only_would_cross", "self_trade"} <= seen


ORDERS = st.tuples(
    st.sampled_from([BID, ASK]),
    st.integers(95, 105),
    st.integers(1, 9),
    st.sampled_from(TIFS),
    st.integers(0, 2),
    st.sampled_from(STPS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ORDERS, max_size=40))
def test_conservation_and_price_time_priority(orders):
    engine = MatchingEngine()
    for side, px, qty, tif, account, stp in orders:
        got = engine.submit(side, qty, px, account=account, tif=tif, self_trade=stp)
        assert got.filled_lots + got.left_lots + got.gone_lots == qty
        trades = [e for e in got.executions if e.kind == "trade"]
        assert sum(e.qty_lots for e in trades) == got.filled_lots
        prices = [e.px_ticks for e in got.executions]
        assert prices == sorted(prices, reverse=side == ASK)
        assert all(p <= px if side == BID else p >= px for p in prices)
        for e in got.executions[:-1]:
            assert e.maker_left_lots == 0
    resting = sum(level.qty_lots for s in (BID, ASK) for level in engine.levels(s, 99))
    queues = [engine.queue(s, level.px_ticks) for s in (BID, ASK) for level in engine.levels(s, 99)]
    assert resting == sum(order.left_lots for queue in queues for order in queue)
    for queue in queues:
        priorities = [order.priority for order in queue]
        assert priorities == sorted(priorities)


def test_first_come_first_served_and_the_makers_price():
    engine = MatchingEngine()
    first = engine.submit(ASK, 5, 101).order_id
    second = engine.submit(ASK, 5, 101).order_id
    better = engine.submit(ASK, 2, 100).order_id
    got = engine.submit(BID, 9, 102)
    assert [(e.maker_id, e.px_ticks, e.qty_lots) for e in got.executions] == [
        (better, 100, 2),
        (first, 101, 5),
        (second, 101, 2),
    ]
    assert engine.best_ask == (101, 3)
    assert engine.order(first) is None
    assert engine.order(second).left_lots == 3


def test_amend_keeps_priority_only_for_a_smaller_size_at_the_same_price():
    engine = MatchingEngine()
    a, b = (engine.submit(BID, 5, 100).order_id for _ in range(2))
    engine.amend(a, 100, 3)
    assert [o.id for o in engine.queue(BID, 100)] == [a, b]
    engine.amend(a, 100, 4)
    assert [o.id for o in engine.queue(BID, 100)] == [b, a]
    engine.amend(b, 99, 5)
    engine.amend(b, 100, 5)
    assert [o.id for o in engine.queue(BID, 100)] == [a, b]


def test_ids_of_orders_that_left_stay_unknown():
    engine = MatchingEngine()
    old = engine.submit(BID, 5, 100).order_id
    engine.cancel(old)
    new = engine.submit(BID, 5, 100).order_id  # the same place in the pool
    assert new != old
    assert engine.cancel(old).code == "unknown_order"
    assert engine.amend(old, 100, 1).code == "unknown_order"
    assert engine.cancel(new, account=7).code == "unknown_order"
    assert engine.cancel(-3).code == "unknown_order"
    assert engine.cancel(new).ok


def test_what_is_refused_changes_nothing():
    engine = MatchingEngine(base_ticks=1000)
    engine.submit(ASK, 5, 2000)
    refused = [
        (engine.submit(BID, 0, 2000), "bad_order"),
        (engine.submit(7, 1, 2000), "bad_order"),
        (engine.submit(BID, 1, order_type="market", tif="post_only"), "bad_order"),
        (engine.submit(BID, 1, 999), "price_band"),
        (engine.submit(BID, 1, 1000 + BAND), "price_band"),
        (engine.submit(BID, 6, 2000, tif="fok"), "fok_not_filled"),
        (engine.submit(BID, 6, 2000, tif="post_only"), "post_only_would_cross"),
    ]
    assert [got.code for got, _ in refused] == [code for _, code in refused]
    assert engine.levels(ASK) == [(2000, 5)]
    assert engine.best_bid is None
    assert len(engine) == 1
    with pytest.raises(DataError, match="expected a price"):
        engine.submit(BID, 1)


def test_the_whole_band_is_searched():
    engine = MatchingEngine()
    low, high = engine.submit(BID, 1, 0).order_id, engine.submit(ASK, 1, BAND - 1).order_id
    engine.submit(BID, 1, 500_000)
    engine.submit(ASK, 1, 700_000)
    assert [px for px, _ in engine.levels(BID)] == [500_000, 0]
    assert [px for px, _ in engine.levels(ASK)] == [700_000, BAND - 1]
    assert engine.submit(BID, 5, order_type="market").filled_lots == 2
    assert engine.submit(ASK, 5, order_type="market").filled_lots == 2
    assert engine.order(low) is engine.order(high) is None
    assert engine.submit(ASK, 5, order_type="market").code == "no_liquidity"


def test_batches_equal_single_requests_and_plain_python():
    rng = np.random.default_rng(8)
    requests = np.zeros(600, MATCH_REQUEST).view(np.recarray)
    requests["kind"] = rng.choice([MATCH_NEW, MATCH_NEW, MATCH_CANCEL, MATCH_AMEND], 600)
    requests["side"] = rng.integers(0, 2, 600)
    requests["px_ticks"] = rng.integers(95, 106, 600)
    requests["qty_lots"] = rng.integers(1, 9, 600)
    requests["account"] = rng.integers(0, 3, 600)
    requests["stp"] = rng.integers(0, 5, 600)
    requests["order_id"] = (rng.integers(1, 300, 600) << 17) | rng.integers(1, 40, 600)
    results = []
    for run in (match_run, getattr(match_run, "py_func", match_run)):
        engine, codes, ids = new_engines(1)[0], np.zeros(600, np.int64), np.zeros(600, np.int64)
        trades = run(engine, requests, codes, ids)
        orders = engine.orders[: int(engine.used) + 1].tobytes()
        results.append((trades, codes.tobytes(), ids.tobytes(), orders))
    assert results[0] == results[1]
    assert set(np.unique(np.frombuffer(results[0][1], np.int64))) <= set(range(len(REJECTS)))
