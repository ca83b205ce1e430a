"""A run against its replay: which orders and fills are the same, how far, and why not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.layouts import (
    ASK,
    BID,
    R_ACCEPTED,
    R_BREAKER,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_INTENT,
    R_REJECTED,
    R_SAMPLE,
    RECORD,
)
from kimera_cli.records import Agreement, FidelityBasis, FidelityCause
from kimera_cli.report.agreement import Fidelity, compare
from kimera_cli.report.agreement_page import page
from kimera_cli.report.causes import Basis, causes, fill_matches
from kimera_cli.report.pairs import candidates, nearest
from kimera_cli.report.run import Run

S, MS = 1_000_000_000, 1_000_000
PAPER, LIVE = Basis(False, "risk averse"), Basis(True, "risk averse")
Make = Callable[..., Run]


class Story:
    """Orders of one strategy on a spot book with tick 0.5 and lot 0.1, as rows of a run."""

    def __init__(self, kit: SimpleNamespace) -> None:
        self.rows, self.start = kit.Rows(), kit.START
        self.position = 0
        for t in range(0, 101, 10):
            self.rows.add(R_SAMPLE, t, mid_ticks=200.0, equity=float(t))

    def order(self, number: int, t: float, side: int, px: int, lots: int) -> None:
        row = {"order_id": number, "side": side, "px_ticks": px, "qty_lots": lots}
        self.rows.add(R_INTENT, t, **row)
        self.rows.add(R_ACCEPTED, t + 0.002, **row)

    def fill(self, number: int, t: float, side: int, px: int, lots: int, maker: int = 1) -> None:
        self.position += lots if side == BID else -lots
        self.rows.add(
            R_FILL,
            t,
            order_id=number,
            side=side,
            px_ticks=px,
            qty_lots=lots,
            type=maker,
            fee=0.01 * lots,
            mid_ticks=200.0,
            position_lots=self.position,
        )

    def end(self, number: int, t: float, kind: int = R_CANCELLED, code: int = 0) -> None:
        self.rows.add(kind, t, order_id=number, code=code)

    def array(self) -> np.ndarray:
        rows = self.rows.array()
        rows = rows[np.argsort(rows["ts_ns"], kind="stable")]
        rows["seq"] = np.arange(1, len(rows) + 1)
        return rows


@pytest.fixture
def both(kit: SimpleNamespace, make: Make) -> Callable[[Story, Story], Fidelity]:
    def build(run: Story, replay: Story) -> Fidelity:
        runs = [
            make(s.array(), [kit.SPOT], ["glft"], name=name)
            for s, name in ((run, "run"), (replay, "replay"))
        ]
        return compare(*runs)

    return build


def one(found: Fidelity) -> Agreement:
    (record,) = found.records()
    return record


def told(found: Fidelity, basis: Basis = PAPER) -> dict[str, FidelityCause]:
    return {cause.cause: cause for cause in causes(found, basis)}


def quoted(kit: SimpleNamespace) -> Story:
    """One buy that fills in two parts and one sell."""
    story = Story(kit)
    story.order(1, 1.0, BID, 199, 10)
    story.fill(1, 5.0, BID, 199, 4)
    story.fill(1, 6.0, BID, 199, 6)
    story.order(2, 20.0, ASK, 203, 10)
    story.fill(2, 30.0, ASK, 203, 10)
    return story


def test_a_run_agrees_with_itself(kit: SimpleNamespace, both: Callable[..., Fidelity]) -> None:
    found = both(quoted(kit), quoted(kit))
    record = one(found)
    assert record.same_fills
    assert record.identical
    assert record.parted_ns is None
    assert (record.matched, record.run_only, record.replay_only) == (3, 0, 0)
    assert record.within == {"1ms": 1.0, "10ms": 1.0, "100ms": 1.0, "1s": 1.0}
    assert (record.late_p50_ns, record.apart_p95_ns) == (0, 0)
    assert (record.position_same, record.position_apart, record.equity_apart) == (1.0, "0.0", 0.0)
    assert record.bought == record.replay_bought == "1.0"
    assert record.buy_px == pytest.approx(99.5)
    assert record.turnover == pytest.approx(1.0 * 99.5 + 1.0 * 101.5)
    assert record.fees == pytest.approx(0.2)
    assert causes(found, PAPER) == []


def test_what_was_known_later_is_the_same_trade(
    kit: SimpleNamespace, both: Callable[..., Fidelity]
) -> None:
    late = quoted(kit)
    for row in late.rows.rows:
        if row["kind"][0] == R_FILL:
            row["ts_ns"] += 7 * MS
    record = one(both(late, quoted(kit)))
    assert record.same_fills
    assert not record.identical
    assert record.position_same == pytest.approx(1 - 3 * 0.007 / 100, abs=1e-6)
    assert record.position_apart == "1.0"


def test_a_fill_that_comes_later_in_the_replay_is_the_queue_model(
    kit: SimpleNamespace, both: Callable[..., Fidelity]
) -> None:
    run, replay = Story(kit), Story(kit)
    for story, at in ((run, 5.0), (replay, 5.12)):
        story.order(1, 1.0, BID, 199, 10)
        story.fill(1, at, BID, 199, 10)
    found = both(run, replay)
    cause = told(found)["fill.later"]
    assert (cause.count, cause.median_ns) == (1, 120 * MS)
    assert "queue model (risk averse)" in cause.text
    assert "120 ms" in cause.text
    record = one(found)
    assert record.late_p50_ns == 120 * MS
    assert record.within == {"1ms": 0.0, "10ms": 0.0, "100ms": 0.0, "1s": 1.0}
    assert record.parted_ns == run.start + 5 * S
    assert "5 s after the start" in told(found)["parted"].text


def test_parts_are_matched_by_quantity(kit: SimpleNamespace, both: Callable[..., Fidelity]) -> None:
    """4 and 6 lots in the run, 7 and 2 in the replay: 9 of 10 have a match, 1 has none."""
    run, replay = Story(kit), Story(kit)
    for story, parts in ((run, (4, 6)), (replay, (7, 2))):
        story.order(1, 1.0, BID, 199, 10)
        for k, lots in enumerate(parts):
            story.fill(1, 5.0 + k, BID, 199, lots)
    found = both(run, replay)
    (twin,) = found.twins
    assert twin.pairs.lots.tolist() == [4, 3, 2]
    assert twin.pairs.run_left.tolist() == [0, 1]
    assert twin.pairs.replay_left.tolist() == [0, 0]
    record = one(found)
    assert (record.matched, record.run_only) == (2, 0)
    assert record.within["1ms"] == 0.5, "the second fill is not whole"
    lonely = [m for m in fill_matches(found, PAPER) if m.match == "run_only"]
    assert [(m.qty, m.cause) for m in lonely] == [("0.1", "run_only.waiting")]


@pytest.mark.parametrize(
    ("end", "code", "cause"),
    [
        (None, 0, "replay_only.waiting"),
        (R_CANCELLED, 0, "replay_only.canceled"),
        (R_REJECTED, 1, "replay_only.refused"),
    ],
)
def test_what_became_of_the_order_says_why_a_fill_is_in_one_only(
    kit: SimpleNamespace, both: Callable[..., Fidelity], end: int | None, code: int, cause: str
) -> None:
    run, replay = Story(kit), Story(kit)
    for story in (run, replay):
        story.order(1, 1.0, BID, 199, 10)
    replay.fill(1, 5.0, BID, 199, 10)
    if end is not None:
        run.end(1, 2.0, end, code)
    found = both(run, replay)
    assert one(found).replay_only == 1
    causes_ = told(found, LIVE)
    assert causes_[cause].count == 1
    if end == R_REJECTED:
        assert "venue.post_only_would_cross 1" in causes_[cause].text
        assert causes_["refused.venue.post_only_would_cross"].count == 1
    else:
        assert "the venue's own queue" in causes_[cause].text


def test_a_fill_of_an_order_that_the_other_never_had(
    kit: SimpleNamespace, both: Callable[..., Fidelity]
) -> None:
    run, replay = Story(kit), Story(kit)
    run.order(1, 1.0, BID, 199, 10)
    run.fill(1, 5.0, BID, 199, 10)
    replay.order(1, 9.0, BID, 197, 10)
    found = both(run, replay)
    assert told(found)["run_only.no_order"].count == 1
    assert told(found)["orders.run_only"].count == told(found)["orders.replay_only"].count == 1


def test_prices_are_compared_from_the_run_s_side(
    kit: SimpleNamespace, both: Callable[..., Fidelity]
) -> None:
    """The run paid 100 where the replay paid 99.5, and sold at 102 where it got 101.5."""
    run, replay = Story(kit), Story(kit)
    for story, buy, sell in ((run, 200, 204), (replay, 199, 203)):
        story.order(1, 1.0, BID, buy, 10)
        story.fill(1, 5.0, BID, buy, 10, maker=0)
        story.order(2, 8.0, ASK, sell, 10)
        story.fill(2, 9.0, ASK, sell, 10, maker=0)
    found = both(run, replay)
    record = one(found)
    assert record.buy_worse_bps == pytest.approx((100 / 99.5 - 1) * 1e4)
    assert record.sell_worse_bps == pytest.approx(-(102 / 101.5 - 1) * 1e4)
    weights = np.array([100.0, 102.0])
    both_bps = np.array([record.buy_worse_bps, record.sell_worse_bps])
    assert record.matched_worse_bps == pytest.approx(float((weights * both_bps).sum() / 202))
    assert told(found)["fill.price"].count == 2, "matched by time: orders at other prices"


def test_answers_breakers_and_denials_are_told(
    kit: SimpleNamespace, both: Callable[..., Fidelity]
) -> None:
    run, replay = quoted(kit), quoted(kit)
    for row in run.rows.rows:
        if row["kind"][0] == R_ACCEPTED:
            row["ts_ns"] += 30 * MS
    run.rows.add(R_BREAKER, 50.0, code=17)
    run.rows.add(R_BREAKER, 54.0, code=0)
    run.rows.add(R_DENIED, 51.0, side=BID, px_ticks=199, qty_lots=1, code=17)
    found = both(run, replay)
    by_code = told(found)
    assert by_code["answers"].median_ns == 30 * MS
    assert "a live feed tells" in by_code["answers"].text
    assert "a live feed tells" not in told(found, LIVE)["answers"].text
    assert by_code["breaker"].count == 1
    assert by_code["refused.risk.overload"].text.endswith("1 in the run, 0 in the replay")
    assert by_code["parted"].count == 1


def test_a_run_counts_up_to_where_its_recording_ends(kit: SimpleNamespace, make: Make) -> None:
    runs = [make(quoted(kit).array(), [kit.SPOT], ["glft"], name=n) for n in ("run", "replay")]
    found = compare(*runs, cut_ns=kit.START + 25 * S)
    record = one(found)
    assert (record.fills, record.replay_fills) == (2, 3)
    assert found.seconds == pytest.approx(20, abs=0.1)


def test_what_the_run_did_while_it_closed_is_said(
    kit: SimpleNamespace, both: Callable[..., Fidelity]
) -> None:
    run, replay = quoted(kit), quoted(kit)
    run.order(3, 99.0, BID, 190, 5)
    run.fill(3, 100.5, BID, 190, 5)
    assert told(both(run, replay))["run_only.after_end"].count == 1


def test_several_markets_have_a_total(kit: SimpleNamespace, make: Make) -> None:
    other = dict(kit.SPOT) | {"symbol": "ETHUSDT", "base": "ETH"}
    second = quoted(kit).array()
    second["instrument"], second["order_id"] = 1, second["order_id"] + 10
    rows = kit.merged(quoted(kit).array(), second)
    runs = [make(rows, [kit.SPOT, other], ["glft"], name=name) for name in ("run", "replay")]
    first, other_, total = compare(*runs).records()
    assert (first.instrument, other_.instrument) == ("binance/BTCUSDT", "binance/ETHUSDT")
    assert total.instrument == ""
    assert total.fills == first.fills + other_.fills == 6
    assert total.turnover == pytest.approx(2 * first.turnover)
    assert total.identical


def test_the_page_fits_its_terminal(kit: SimpleNamespace, both: Callable[..., Fidelity]) -> None:
    run, replay = quoted(kit), Story(kit)
    replay.order(1, 1.0, BID, 199, 10)
    replay.fill(1, 5.2, BID, 199, 10)
    found = both(run, replay)
    basis = FidelityBasis(
        run="run", executor="paper", status="complete", queue_model="risk averse: " + "w " * 60,
        latency="1 ms there, 1 ms back (the run's profile)", seconds=100.0, trade_hash="a",
        replay_trade_hash="b", window_ns=S, recorded_until_ns=kit.START, replay="kept",
    )  # fmt: skip
    for width in (60, 80, 120):
        text = page(basis, found.records(), causes(found, PAPER), width, colour=False)
        assert max(map(len, text.splitlines())) <= width
        for word in ("different trades", "Position at the end", "filled later", "kept"):
            assert word in text


# --- matching ----------------------------------------------------------------------------------
TIMES = st.lists(st.integers(0, 60), max_size=12).map(
    lambda found: np.sort(np.asarray(found, dtype=np.int64))
)


@given(one=TIMES, two=TIMES, window=st.integers(0, 20))
def test_candidates_are_all_that_are_near(one: np.ndarray, two: np.ndarray, window: int) -> None:
    i, j = candidates(one, two, window)
    brute = [(a, b) for a in range(one.size) for b in range(two.size)
             if abs(int(one[a]) - int(two[b])) <= window]  # fmt: skip
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == brute


@settings(max_examples=60)
@given(one=TIMES, two=TIMES, window=st.integers(0, 20))
def test_no_two_that_are_left_are_near(one: np.ndarray, two: np.ndarray, window: int) -> None:
    found = nearest(one, two, window)
    here, there = {i for i, _ in found}, {j for _, j in found}
    assert len(here) == len(there) == len(found)
    assert all(abs(int(one[i]) - int(two[j])) <= window for i, j in found)
    left = [(a, b) for a in range(one.size) if a not in here
            for b in range(two.size) if b not in there]  # fmt: skip
    assert all(abs(int(one[a]) - int(two[b])) > window for a, b in left)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_lot_is_matched_twice_and_none_is_lost(data: st.DataObject) -> None:
    from kimera_cli.report.pairs import Orders, same_fills

    def fills() -> np.ndarray:
        n = data.draw(st.integers(0, 8))
        rows = np.zeros(n, RECORD)
        for row in rows:
            row["kind"], row["order_id"] = R_FILL, data.draw(st.integers(1, 4))
            row["side"] = row["order_id"] % 2
            row["ts_exch_ns"] = data.draw(st.integers(0, 5)) * S
            row["qty_lots"], row["px_ticks"] = data.draw(st.integers(1, 5)), 100
        return np.sort(rows, order="ts_exch_ns")

    run, replay = fills(), fills()
    nobody = np.zeros(0, RECORD)
    links = {a: a for a in range(1, 5) if data.draw(st.booleans())}
    pairs = same_fills(run, replay, Orders(nobody, nobody, links), S)
    for rows, at, left in (
        (run, pairs.run, pairs.run_left),
        (replay, pairs.replay, pairs.replay_left),
    ):
        used = np.zeros(len(rows), np.int64)
        np.add.at(used, at, pairs.lots)
        np.testing.assert_array_equal(used + left, rows["qty_lots"])
    assert (pairs.lots > 0).all()
    np.testing.assert_array_equal(run["side"][pairs.run], replay["side"][pairs.replay])
