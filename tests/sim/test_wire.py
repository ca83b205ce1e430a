"""What our side sees is what has arrived, whatever is at the venue.

One book serves both sides of the wire (kernels/follow.py). The oracle knows nothing of that: it
lets the events in by their arrival and computes the book and its features from the start.
"""

from __future__ import annotations

from typing import Any

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
    Row,
    Script,
    Source,
    cancel,
    depth,
    new,
    replay,
    snapshot,
    tape,
)

from kimera_cli.layouts import (
    ASK,
    BID,
    F_LAST,
    FUNDING,
    MARK,
    R_CANCELLED,
    R_FILL,
    R_FUNDING,
)
from kimera_cli.market.features import FeatureStream

RECORDED = {
    "latency": {"feed": "recorded", "min_feed_ns": 0, "entry_ns": 2 * MS, "response_ns": MS},
}
SHOWN = (
    "best_bid_ticks", "best_bid_lots", "best_ask_ticks", "best_ask_lots", "mid_ticks",
    "microprice_ticks", "queue_imbalance", "depth_imbalance", "ofi", "signed_flow", "vol_fast",
    "vol_mid", "vol_slow", "last_trade_ticks", "last_trade_lots", "last_trade_side",
)  # fmt: skip
TOUCH = SHOWN[:5]


class Witness:
    """Notes what it is shown, then does what `inner` does."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.seen: list[tuple[int, tuple[float, ...]]] = []

    def __call__(self, view: Any) -> int:
        self.seen.append((int(view.now_ns), tuple(view[name].item() for name in SHOWN)))
        return int(self.inner(view))


def arrived(events: np.ndarray) -> tuple[np.ndarray, Any]:
    """Return the arrival of each message and the features after it."""
    events = events.copy()
    events["ts_exch_ns"] = np.maximum.accumulate(events["ts_exch_ns"])
    local = np.maximum(np.maximum.accumulate(events["ts_local_ns"]), events["ts_exch_ns"])
    events["ts_local_ns"] = local
    return local[(events["flags"] & F_LAST) != 0], FeatureStream().advance(events)


def check(witness: Witness, events: np.ndarray, names: tuple[str, ...]) -> None:
    """Compare everything the witness saw with the last message that had arrived by then."""
    at, rows = arrived(events)
    assert len(witness.seen) > 10
    for now_ns, shown in witness.seen:
        row = rows[np.searchsorted(at, now_ns, "right") - 1]
        expected = tuple(row[name].item() for name in names)
        np.testing.assert_equal(shown[: len(names)], expected, f"at {(now_ns - T0) / MS} ms")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    busy=st.sampled_from((0.0, 0.1, 0.7)),
    interval_ns=st.sampled_from((0, MS, 17 * MS)),
    features=st.booleans(),
    buffer=st.sampled_from((0, 9, 64)),
)
def test_a_strategy_sees_what_has_arrived(
    seed: int, busy: float, interval_ns: int, features: bool, buffer: int
) -> None:
    events = wild_tape(seed, 150)
    witness = Witness(wild(seed, busy))
    plan = Plan(witness, interval_ns=interval_ns, features=features)
    got = replay(Source(events), plan, RECORDED, buffer=buffer)
    assert busy == 0.0 or len(got.of(R_FILL, R_CANCELLED)) > 0
    check(witness, events, SHOWN if features else TOUCH)


def test_two_streams_do_not_see_each_other() -> None:
    tapes = [wild_tape(seed, 200) for seed in (5, 6)]
    witnesses = {0: Witness(wild(5, 0.4)), 1: Witness(lambda view: 0)}
    plan = Plan(lambda view: witnesses[int(view.instrument)](view), interval_ns=0)
    sources = [Source(t, i) for t, i in zip(tapes, (LINEAR_PERP, SPOT_PAIR), strict=True)]
    replay(sources, plan, RECORDED, buffer=16)
    for k, events in enumerate(tapes):
        check(witnesses[k], events, SHOWN)


def test_a_state_on_its_way_survives_the_end_of_our_orders() -> None:
    """The order is gone at 4 ms; what left the venue before arrives in its turn after that."""
    rows = [depth(i, BID, 99, i, local=(i + 20) * MS) for i in range(1, 40)]
    book = snapshot(0, (BID, 99, 50), (ASK, 101, 50))
    witness = Witness(Script({20: [new(BID, 90, 1, tag=1)], 25: [cancel(1)]}))
    events = tape([r._replace(local=20 * MS) for r in book], rows)
    replay(Source(events), Plan(witness), RECORDED)
    check(witness, events, SHOWN)


@pytest.mark.parametrize("n", [1, 7, 19, 100, 4_500])
def test_exactly_as_many_events_arrive_as_were_asked_for(n: int) -> None:
    """A timer jumps over many arrivals; the last one of a run is the last one that counts."""
    book = snapshot(0, (BID, 99, 5), (ASK, 101, 5))
    events = tape(book, [depth(i * 0.3, ASK, 103, i) for i in range(1, 5_000)])
    witness = Witness(lambda view: 0)
    got = replay(Source(events), Plan(witness, interval_ns=100 * MS), max_events=n)
    assert got.arrays.loop[0]["n_events"] == n
    assert got.rows["ts_ns"].max() <= events["ts_local_ns"][n - 1]


def test_funding_is_paid_at_the_mark_of_its_moment() -> None:
    """A mark and a funding among levels, in one turn of the clock: 2 lots long, mark 100, 1 %."""
    fund = 10_000_000  # 1 % in units of 1e-9
    events = tape(
        snapshot(0, (BID, 99, 50), (ASK, 101, 50)),
        depth(30, BID, 98, 5),
        Row(40 * MS, MARK, 2, 100, 0),
        Row(41 * MS, FUNDING, 2, 0, fund),
        Row(42 * MS, MARK, 2, 200, 0),
        depth(60, BID, 98, 6),
        depth(500, BID, 98, 7),
    )
    got = replay(
        Source(events), Plan(Script({10: [new(BID, 101, 2)]}), interval_ns=10 * MS), RECORDED
    )
    paid = got.of(R_FUNDING)
    assert paid["mid_ticks"].tolist() == [100.0]
    assert paid["fee"].tolist() == pytest.approx([2 * 100 * 0.01])
