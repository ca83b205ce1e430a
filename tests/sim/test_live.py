"""A run on a live feed, which learns of events as they arrive, against the replay of the same tape.

Where answers take longer than the feed, both must come to the same records: then nothing that
happens at the venue is learnt before all that happened there until then is known here.
"""

from __future__ import annotations

import numpy as np
from flows import wild, wild_tape
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import (
    LINEAR_PERP,
    MS,
    SPOT_PAIR,
    T0,
    Plan,
    Row,
    Script,
    Source,
    depth,
    live,
    new,
    replay,
    snapshot,
    tape,
)

from kimera_cli.kernels.gate import DENY_STALE
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    F_GAP,
    F_NO_EXCH_TIME,
    NO_SIDE,
    R_ACCEPTED,
    R_DENIED,
    R_FILL,
    R_MARKOUT,
    R_SAMPLE,
)

SLOW_ANSWERS = {
    "latency": {"feed": "recorded", "min_feed_ns": 0, "entry_ns": 2 * MS, "response_ns": 7 * MS},
}
"""The feed of a wild tape takes at most 5 ms."""
HOLD = 6 * MS


def same(one: np.ndarray, other: np.ndarray, end_ns: int) -> None:
    """Compare records before the last arrival: a replay has timers and answers after it.

    A markout says the same, but it is known later on a live feed, so that the numbers shift.
    """
    one, other = (rows[rows["ts_ns"] < end_ns] for rows in (one, other))
    known = [rows[rows["kind"] != R_MARKOUT] for rows in (one, other)]
    assert len(known[0]) == len(known[1])
    for name in one.dtype.names or ():
        if name not in ("seq", "left_lots"):
            np.testing.assert_array_equal(known[0][name], known[1][name], name)
    later = [rows[rows["kind"] == R_MARKOUT] for rows in (one, other)]
    n = min(map(len, later))
    for name in ("order_id", "type", "ts_exch_ns", "mid_ticks"):
        np.testing.assert_array_equal(later[0][name][:n], later[1][name][:n], name)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    busy=st.sampled_from((0.1, 0.7)),
    interval_ns=st.sampled_from((0, MS, 17 * MS)),
    moments=st.lists(st.integers(0, 2_000 * MS), max_size=60),
    buffer=st.sampled_from((0, 9, 64)),
)
def test_live_comes_to_what_a_replay_comes_to(
    seed: int, busy: float, interval_ns: int, moments: list[int], buffer: int
) -> None:
    source = Source(wild_tape(seed, 150))
    plan = [Plan(wild(seed, busy), interval_ns=interval_ns) for _ in range(2)]
    expected = replay(source, plan[0], SLOW_ANSWERS)
    got = live(source, plan[1], SLOW_ANSWERS, moments=moments, hold_ns=HOLD, buffer=buffer)
    assert len(expected.of(R_ACCEPTED)) > 0
    assert got.status == expected.status
    same(got.rows, expected.rows, int(source.events["ts_local_ns"].max()))


def test_two_feeds_come_to_what_a_replay_comes_to() -> None:
    tapes = [wild_tape(seed, 300) for seed in (7, 8)]
    sources = [Source(t, i) for t, i in zip(tapes, (LINEAR_PERP, SPOT_PAIR), strict=True)]
    expected = replay(sources, Plan(wild(3, 0.4), interval_ns=0), SLOW_ANSWERS)
    got = live(sources, Plan(wild(3, 0.4), interval_ns=0), SLOW_ANSWERS, hold_ns=HOLD)
    assert len(expected.of(R_FILL)) > 5
    same(got.rows, expected.rows, min(int(s.events["ts_local_ns"].max()) for s in sources))


def test_a_silent_feed_does_not_hold_answers_back_for_ever() -> None:
    """The order reaches the venue at 12 ms and nothing comes: held 6 ms, answered 7 ms on."""
    book = snapshot(0, (BID, 99, 5), (ASK, 101, 5))
    end = depth(400, BID, 98, 1)
    source = Source(tape(book, end))
    plan = Plan(Script({10: [new(BID, 100, 3, tag=1)]}))
    moments = [m * MS for m in range(400)]
    got = live(source, plan, SLOW_ANSWERS, moments=moments, hold_ns=HOLD)
    (accepted,) = got.of(R_ACCEPTED, tag=1)
    assert accepted["ts_exch_ns"] == T0 + 12 * MS
    assert accepted["ts_ns"] == T0 + 19 * MS


def test_an_answer_that_is_overdue_arrives_at_once() -> None:
    """Answers take 1 ms, but what the venue did at 12 ms is known only at 18 ms."""
    book = snapshot(0, (BID, 99, 5), (ASK, 101, 5))
    source = Source(tape(book, depth(400, BID, 98, 1)))
    plan = Plan(Script({10: [new(BID, 100, 3, tag=1)]}))
    quick = {
        "latency": {"feed": "recorded", "min_feed_ns": 0, "entry_ns": 2 * MS, "response_ns": MS}
    }
    moments = [m * MS for m in range(400)]
    got = live(source, plan, quick, moments=moments, hold_ns=HOLD)
    assert got.of(R_ACCEPTED, tag=1)["ts_ns"].tolist() == [T0 + 18 * MS + 1]


def test_a_lost_book_takes_no_new_risk_until_a_snapshot() -> None:
    """The mark of a lost connection is a clear of its own; levels that follow are no whole book."""
    lost = Row(5 * MS, CLEAR, NO_SIDE, 0, 0, flags=F_GAP | F_NO_EXCH_TIME)
    rows = [
        snapshot(0, (BID, 99, 5), (ASK, 101, 5)),
        lost,
        depth(6, BID, 99, 5),
        depth(7, ASK, 101, 5),
        snapshot(30, (BID, 99, 5), (ASK, 101, 5)),
        depth(60, BID, 98, 1),
    ]
    plan = Plan(Script({10: [new(BID, 99, 1, tag=1)], 40: [new(BID, 99, 1, tag=2)]}))
    got = live(Source(tape(*rows)), plan, SLOW_ANSWERS, hold_ns=HOLD, moments=range(0, 60 * MS, MS))
    assert [int(r["code"]) for r in got.of(R_DENIED)] == [DENY_STALE]
    assert len(got.of(R_ACCEPTED, tag=2)) == 1


def test_samples_come_though_nothing_else_does() -> None:
    book = snapshot(0, (BID, 99, 5), (ASK, 101, 5))
    source = Source(tape(book, depth(3_500, BID, 98, 1)))
    got = live(
        source, Plan(lambda view: 0), SLOW_ANSWERS, moments=[m * 100 * MS for m in range(35)]
    )
    times = (got.of(R_SAMPLE)["ts_ns"] - T0) // MS
    assert times.tolist()[:4] == [0, 1_000, 2_000, 3_000]
