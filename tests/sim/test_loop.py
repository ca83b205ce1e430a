"""The loop: its clocks, its records, and that nothing depends on how the events were cut."""

from __future__ import annotations

import numpy as np
import pytest
from flows import wild, wild_tape
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import (
    LINEAR_PERP,
    MS,
    SPOT_PAIR,
    T0,
    Plan,
    S,
    Script,
    Source,
    cancel,
    depth,
    new,
    replay,
    snapshot,
    tape,
    trade,
)

from kimera_cli.kernels.latency import draw_latency
from kimera_cli.kernels.state import DONE, LATENCY_LOGNORMAL, LOOP, TIME_LIMIT
from kimera_cli.layouts import (
    ASK,
    BID,
    DENIALS,
    R_ACCEPTED,
    R_CANCEL_INTENT,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_HALT,
    R_INTENT,
    R_MARKOUT,
    R_SAMPLE,
)

BOOK = snapshot(0, (BID, 100, 50), (ASK, 102, 50))
END = depth(500, BID, 90, 1)
LATE = {"latency": {"feed": "constant", "feed_ns": 3 * MS, "entry_ns": 2 * MS, "response_ns": MS}}
RECORDED = {"latency": {"feed": "recorded", "min_feed_ns": 0, "entry_ns": MS, "response_ns": MS}}
LOGNORMAL = {
    "latency": {
        **dict.fromkeys(("feed", "entry", "response"), "lognormal"),
        **dict.fromkeys(("feed_ns", "entry_ns", "response_ns"), 2 * MS),
        "sigma": 1.5,
    }
}


def ms(ns) -> float:
    """Milliseconds after T0."""
    return (int(ns) - T0) / MS


# --- latency -----------------------------------------------------------------------------------
def test_three_latencies_to_the_nanosecond() -> None:
    """The book is 3 ms old here, an order takes 2 ms there, its answer 1 ms back."""
    events = tape(BOOK, depth(10, ASK, 101, 5), END)
    plan = Plan(Script({13: [new(BID, 101, 1)]}), interval_ns=0)
    got = replay(Source(events), plan, LATE)
    assert [ms(t) for t in got.of(R_INTENT)["ts_ns"]] == [13]
    assert [(ms(r["ts_exch_ns"]), ms(r["ts_ns"])) for r in got.of(R_ACCEPTED)] == [(15, 16)]
    assert [(ms(r["ts_exch_ns"]), ms(r["ts_ns"])) for r in got.of(R_FILL)] == [(15, 16)]


def test_recorded_latency_is_that_of_the_last_arrival() -> None:
    events = tape(BOOK, depth(10, ASK, 103, 5, local=17 * MS), END)
    settings = {"latency": {**RECORDED["latency"], "entry": "recorded", "response": "recorded"}}
    plan = Plan(Script({17: [new(BID, 101, 1)]}), interval_ns=0)
    got = replay(Source(events), plan, settings)
    assert [(ms(r["ts_exch_ns"]), ms(r["ts_ns"])) for r in got.of(R_ACCEPTED)] == [(24, 31)]


def test_lognormal_latencies_are_the_generators_next_draws() -> None:
    own = np.zeros(1, LOOP).view(np.recarray)
    own["rng"] = 77
    entry, response = (draw_latency(own[0], LATENCY_LOGNORMAL, 2 * MS, 1.5, 0) for _ in range(2))
    latency = {**LOGNORMAL["latency"], "feed": "constant", "feed_ns": 0}
    plan = Script({5: [new(BID, 101, 1)]})
    got = replay(Source(tape(BOOK, END)), plan, {"latency": latency}, seed=77)
    accepted = got.of(R_ACCEPTED)[0]
    assert accepted["ts_exch_ns"] == T0 + 5 * MS + entry
    assert accepted["ts_ns"] == T0 + 5 * MS + entry + response


def test_one_connection_keeps_its_order() -> None:
    orders = {5 + i: [new(BID, 80 + i, 1, tag=i + 1)] for i in range(15)}
    got = replay(Source(tape(BOOK, END)), Script(orders), LOGNORMAL)
    accepted = got.of(R_ACCEPTED)
    assert accepted["order_id"].tolist() == list(range(1, 16))
    assert (np.diff(accepted["ts_exch_ns"]) >= 0).all()
    assert (np.diff(accepted["ts_ns"]) >= 0).all()


def test_a_negative_recorded_latency_is_lifted_by_one_shift() -> None:
    events = tape(
        snapshot(0, (BID, 100, 5), (ASK, 102, 5)), depth(10, ASK, 101, 5, local=8 * MS), END
    )
    script = Script({})
    script.watch = ("now_ns", "best_ask_ticks")
    settings = {"latency": {**RECORDED["latency"], "min_feed_ns": MS}}
    replay(Source(events), Plan(script, interval_ns=0), settings)
    assert [(ms(s["now_ns"]), s["best_ask_ticks"]) for s in script.seen][:2] == [
        (3, 102),
        (11, 101),
    ]


# --- causality ---------------------------------------------------------------------------------
def test_a_jump_that_has_not_arrived_cannot_be_seen_but_it_is_there() -> None:
    """The ask falls to 90 at the venue at 10 ms; it arrives at 50 ms. A buy at 20 ms gets 90."""
    jump = [depth(10, BID, 100, 0, last=0), depth(10, BID, 80, 5, last=0), depth(10, ASK, 90, 5)]
    events = tape(BOOK, [r._replace(local=50 * MS) for r in jump], END)
    script = Script({20: [new(BID, 101, 2)]})
    script.watch = ("now_ns", "best_ask_ticks", "last_trade_ticks", "mid_ticks")
    got = replay(Source(events), script, RECORDED)
    assert {s["best_ask_ticks"] for s in script.seen if ms(s["now_ns"]) < 50} == {102}
    assert {s["best_ask_ticks"] for s in script.seen if ms(s["now_ns"]) >= 50} == {90}
    assert got.fills() == [(21, 90, 2, 0)]
    assert got.of(R_INTENT)["mid_ticks"].tolist() == [101.0]


def test_a_fill_is_known_before_the_trade_that_made_it_arrives() -> None:
    events = tape(BOOK, trade(10, ASK, 101, 9, local=60 * MS), END)
    got = replay(Source(events), Script({5: [new(BID, 101, 2)]}), RECORDED)
    assert [ms(t) for t in got.of(R_FILL)["ts_ns"]] == [11]


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), cut=st.integers(20, 140))
def test_the_future_changes_nothing_in_the_past(seed: int, cut: int) -> None:
    """Cut the end off: until the last arrival that is left, and before the first removed event
    happens, every record is the same (a run that ended calls nobody any more).
    """
    events = wild_tape(seed, 150)
    times = events["ts_local_ns"]
    kept = events[: np.searchsorted(times, times[min(cut, len(events) - 1)])]
    if len(kept) in (0, len(events)):
        return
    horizon = min(int(events["ts_exch_ns"][len(kept) :].min()), int(kept["ts_local_ns"][-1]))
    runs = [
        replay(Source(e), Plan(wild(seed), MS), RECORDED, LOGNORMAL_ORDERS) for e in (events, kept)
    ]
    past = [_past(r.rows, horizon) for r in runs]
    assert past[0].tobytes() == past[1].tobytes()


LOGNORMAL_ORDERS = {"latency": {"entry": "lognormal", "response": "lognormal", "sigma": 1.0}}


def _past(rows: np.ndarray, horizon: int) -> np.ndarray:
    return rows[(rows["ts_ns"] < horizon) & (rows["kind"] != R_MARKOUT)]


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_no_answer_before_its_request_could_be_there_and_back(seed: int) -> None:
    got = replay(Source(wild_tape(seed, 150)), Plan(wild(seed), MS), RECORDED)
    sent = {int(r["order_id"]): int(r["ts_ns"]) for r in got.of(R_INTENT)}
    for row in got.of(R_ACCEPTED, R_FILL, R_CANCELLED):
        assert row["ts_exch_ns"] >= sent[int(row["order_id"])] + MS
        assert row["ts_ns"] >= row["ts_exch_ns"] + MS


# --- cuts --------------------------------------------------------------------------------------
@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    buffer=st.sampled_from([8, 32, 256]),
)
def test_cuts_do_not_matter(seed: int, cuts: list[int], buffer: int) -> None:
    """Two streams, two strategies, random latencies: the same records byte for byte."""
    tapes = [wild_tape(seed, 80), wild_tape(seed + 1, 80)]
    pairs = list(zip(tapes, (LINEAR_PERP, SPOT_PAIR), strict=True))
    plans = [Plan(wild(seed), MS), Plan(wild(seed + 2, 0.2), 0)]
    whole = replay([Source(t, i) for t, i in pairs], plans, LOGNORMAL)
    sliced = [Source(t, i, cuts[: k + 1]) for k, (t, i) in enumerate(pairs)]
    assert replay(sliced, plans, LOGNORMAL, buffer=buffer).rows.tobytes() == whole.rows.tobytes()
    assert len(whole.rows) > 10


# --- timers, samples, limits, end --------------------------------------------------------------
def test_timers_are_on_their_grid_also_over_gaps() -> None:
    script = Script({})
    script.watch = ("now_ns", "reason")
    events = tape(BOOK, depth(3, ASK, 103, 1), depth(47, ASK, 103, 2), depth(61, ASK, 103, 3))
    replay(Source(events), Plan(script, interval_ns=10 * MS))
    assert [ms(s["now_ns"]) for s in script.seen] == [10, 20, 30, 40, 50, 60, 70]
    assert {s["reason"] for s in script.seen} == {1}


def test_an_event_driven_strategy_is_called_per_arrival_and_per_fill() -> None:
    script = Script({1: [new(BID, 101, 1)]})
    script.watch = ("now_ns", "reason")
    events = tape(BOOK, depth(5, ASK, 103, 1), trade(20, ASK, 101, 1, local=30 * MS), END)
    replay(Source(events), Plan(script, interval_ns=0), RECORDED)
    seen = [(ms(s["now_ns"]), s["reason"]) for s in script.seen]
    assert seen == [(0, 0), (5, 0), (21, 2), (30, 0), (500, 0)]


def test_samples_come_at_their_interval() -> None:
    events = tape(BOOK, trade(1_200, ASK, 101, 9), depth(4_500, BID, 100, 60))
    settings = {"run": {"sample_interval": "1s"}}
    got = replay(Source(events), Script({5: [new(BID, 101, 2)]}), settings)
    rows = got.of(R_SAMPLE)
    assert [ms(t) for t in rows["ts_ns"]][:5] == [0, 1_000, 2_000, 3_000, 4_000]
    assert rows["position_lots"].tolist()[:3] == [0, 0, 2]
    assert rows["equity"].tolist()[2] == 0.0  # bought at 101, the mid is 101


def test_a_duration_ends_the_run() -> None:
    got = replay(Source(tape(BOOK, END)), Script({50: [new(BID, 90, 1)]}), duration_ns=50 * MS)
    assert got.status == TIME_LIMIT
    assert len(got.of(R_INTENT)) == 1
    assert got.rows["ts_ns"].max() <= T0 + 50 * MS
    short = replay(Source(tape(BOOK, END)), Script({50: [new(BID, 90, 1)]}), duration_ns=49 * MS)
    assert len(short.of(R_INTENT)) == 0


def test_a_number_of_events_ends_the_run() -> None:
    events = tape(BOOK, [depth(i, ASK, 103, i) for i in range(1, 50)])
    got = replay(Source(events), Plan(Script({}), interval_ns=0), max_events=20)
    assert got.status == TIME_LIMIT
    assert got.arrays.loop[0]["n_events"] == 20


def test_at_the_end_of_data_answers_still_arrive_but_nobody_decides() -> None:
    script = Script({499: [new(BID, 101, 1)]})
    script.watch = ("now_ns",)
    got = replay(Source(tape(BOOK, trade(500, ASK, 101, 5))), script, LATE)
    assert got.status == DONE
    assert max(s["now_ns"] for s in script.seen) <= T0 + 503 * MS
    assert got.arrays.loop[0]["n_messages"] == 0


# --- markouts ----------------------------------------------------------------------------------
@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_markouts_are_the_venues_mid_at_their_time(seed: int) -> None:
    """Against the mid recomputed from the events at fill time + horizon."""
    events = wild_tape(seed, 120)
    events["ts_exch_ns"] = T0 + (events["ts_exch_ns"] - T0) * 40  # a minute and more
    events["ts_local_ns"] = events["ts_exch_ns"]
    got = replay(Source(events), Plan(wild(seed), 50 * MS))
    fills = {int(r["code"]): r for r in got.of(R_FILL)}
    told = {(int(r["code"]), int(r["type"])): r for r in got.of(R_MARKOUT)}
    last = int(events["ts_exch_ns"][-1])
    for number, fill in fills.items():
        for horizon in (S, 10 * S, 60 * S):
            due = int(fill["ts_exch_ns"]) + horizon
            row = told.pop((number, horizon), None)
            if due >= last:
                continue
            assert row is not None
            np.testing.assert_equal(row["mid_ticks"], mid_at(events, due))
            assert (row["px_ticks"], row["qty_lots"]) == (fill["px_ticks"], fill["qty_lots"])
            assert row["left_lots"] == fill["seq"]
            assert row["ts_ns"] >= due
    assert not told


def mid_at(events: np.ndarray, ts_ns: int) -> float:
    """Mid after all events up to a venue time; NaN while a side is empty."""
    book: list[dict[int, int]] = [{}, {}]
    for e in events[events["ts_exch_ns"] <= ts_ns]:
        if e["kind"] == 4:
            book = [{}, {}]
        elif e["kind"] == 1:
            book[e["side"]][int(e["px_ticks"])] = int(e["qty_lots"])
    bids, asks = ([px for px, qty in side.items() if qty] for side in book)
    return 0.5 * (max(bids) + min(asks)) if bids and asks else np.nan


def test_thousands_of_markouts_that_fall_due_at_once_all_arrive() -> None:
    """A gap of two minutes after a burst of fills: the record buffer must not overflow."""
    orders = {i: [new(BID, 101, 25, tag=i)] for i in range(1, 120)}
    trades = [trade(i + 0.001 * (j + 1), ASK, 101, 1) for i in range(1, 120) for j in range(25)]
    events = tape(BOOK, trades, depth(200_000, ASK, 104, 1), depth(200_001, ASK, 104, 2))
    got = replay(Source(events), Script(orders), {"run": {"sample_interval": "60s"}})
    assert len(got.of(R_FILL)) == 119 * 25
    assert len(got.of(R_MARKOUT)) == 3 * 119 * 25
    assert set(got.of(R_MARKOUT)["left_lots"]) == set(got.of(R_FILL)["seq"])
    assert (np.diff(got.rows["seq"]) == 1).all()


# --- latches -----------------------------------------------------------------------------------
def test_the_kill_switch_cancels_everything_and_denies_new_risk() -> None:
    plan = {
        5: [new(BID, 100, 2, tag=1), new(ASK, 103, 2, tag=2), new(BID, 101, 3, tag=3)],
        60: [new(BID, 101, 1, tag=4), new(ASK, 101, 3, tag=5), new(ASK, 101, 1, tag=6)],
    }
    events = tape(BOOK, trade(10, ASK, 101, 3), trade(70, BID, 101, 9), END)
    got = replay(Source(events), Script(plan), kill_ns=40 * MS)
    halt = got.of(R_HALT)
    assert [DENIALS[c] for c in halt["code"]] == ["kill_switch"]
    assert sorted(got.of(R_CANCELLED)["tag"]) == [1, 2]
    assert [(r["tag"], DENIALS[r["code"]]) for r in got.of(R_DENIED)] == [
        (4, "kill_switch"),
        (6, "kill_switch"),
    ]
    assert got.fills(5) == [(70, 101, 3, 1)]  # closing what is held is no new risk
    assert got.arrays.views[0]["position_lots"] == 0


def test_a_drawdown_halts_and_cancels() -> None:
    fall = [depth(1_500, BID, 100, 0), depth(1_501, ASK, 52, 5), depth(1_501, BID, 50, 5)]
    plan = {5: [new(BID, 101, 100), new(BID, 40, 1, tag=2)], 2_500: [new(BID, 51, 1, tag=3)]}
    settings = {"portfolio": {"cash": 20_000.0}, "risk": {"max_drawdown": 0.1}}
    rows = (trade(20, ASK, 101, 100), *fall, depth(4_000, BID, 49, 1))
    got = replay(Source(tape(BOOK, *rows)), Script(plan), settings)
    assert [DENIALS[c] for c in got.of(R_HALT)["code"]] == ["drawdown"]
    assert ms(got.of(R_HALT)["ts_ns"][0]) == 2_000
    assert got.of(R_CANCELLED)["tag"].tolist() == [2]
    assert [(r["tag"], DENIALS[r["code"]]) for r in got.of(R_DENIED)] == [(3, "drawdown")]


def test_a_cancel_is_asked_once() -> None:
    plan = {5: [new(BID, 100, 2, tag=1)], 8: [cancel(1), cancel(1)], 9: [cancel(1)]}
    settings = {"latency": {"entry_ns": 5 * MS, "response_ns": 5 * MS}}
    got = replay(Source(tape(BOOK, END)), Script(plan), settings)
    assert len(got.of(R_CANCEL_INTENT)) == 1


@pytest.mark.parametrize("seed", range(8))
def test_the_books_of_account_balance(seed: int) -> None:
    """Position, cash, open sizes and counters follow from the records."""
    got = replay(Source(wild_tape(seed, 200)), Plan(wild(seed), MS), LOGNORMAL)
    fills, view = got.of(R_FILL), got.arrays.views[0]
    sign = np.where(fills["side"] == BID, 1, -1)
    assert view["position_lots"] == (sign * fills["qty_lots"]).sum()
    spent = (sign * fills["qty_lots"] * fills["px_ticks"]).sum() + fills["fee"].sum()
    assert view["cash"] == pytest.approx(-spent)
    orders = view["orders"][view["orders"]["state"] != 0]
    for side, name in ((BID, "open_bid_lots"), (ASK, "open_ask_lots")):
        own = orders[orders["side"] == side]
        assert view[name] == (own["left_lots"] + own["reserved"]).sum()
    assert view["n_orders"] == len(orders) == got.arrays.gate[0]["open_orders"]
    assert got.arrays.loop[0]["n_intents"] == len(got.of(R_INTENT))
