"""The simulated venue by worked example: who fills, when, at which price, out of which volume."""

from __future__ import annotations

import numpy as np
import pytest
from rig import (
    Row,
    Script,
    Source,
    amend,
    cancel,
    cancel_all,
    depth,
    new,
    replay,
    snapshot,
    tape,
    trade,
)

from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DENIALS,
    F_HIDDEN,
    F_SNAPSHOT,
    F_STALE,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NO_SIDE,
    POST_ONLY,
    R_ACCEPTED,
    R_CANCELLED,
    R_DENIED,
    R_REJECTED,
    REJECTS,
)

BOOK = snapshot(0, (BID, 100, 5), (BID, 99, 8), (ASK, 102, 5), (ASK, 103, 4), (ASK, 104, 9))
END = depth(500, BID, 90, 1)
"""Something late, so that the run lasts."""


def run(plan, *rows, book=BOOK, **options):
    """Replay the rows after the opening book with a scripted strategy."""
    settings = options.pop("settings", {})
    return replay(Source(tape(book, *rows, END)), Script(plan), settings, **options)


def codes(result, tag):
    """Events of an order with the reason's name where there is one."""
    return [
        (event, REJECTS[code] if event not in ("fill", "denied") else code)
        for event, code in result.life(tag)
    ]


# --- makers ------------------------------------------------------------------------------------
def test_a_maker_fills_only_after_the_queue_ahead_has_traded() -> None:
    plan = {5: [new(BID, 100, 3, tag=1)]}
    got = run(plan, trade(10, ASK, 100, 5), trade(20, ASK, 100, 2), trade(30, ASK, 100, 4))
    assert got.fills() == [(20, 100, 2, 1), (30, 100, 1, 1)]
    accepted = got.of(R_ACCEPTED)[0]
    assert accepted["ahead_lots"] == 5


def test_one_trade_that_passes_the_queue_fills_what_is_left_of_it() -> None:
    assert run({5: [new(BID, 100, 9)]}, trade(10, ASK, 100, 7)).fills() == [(10, 100, 2, 1)]


def test_size_that_joined_later_stands_behind() -> None:
    rows = (depth(8, BID, 100, 50), trade(10, ASK, 100, 6))
    assert run({5: [new(BID, 100, 9)]}, *rows).fills() == [(10, 100, 1, 1)]


def test_a_level_that_shrinks_below_our_place_moves_us_up() -> None:
    rows = (depth(8, BID, 100, 2), trade(10, ASK, 100, 3))
    assert run({5: [new(BID, 100, 9)]}, *rows).fills() == [(10, 100, 1, 1)]


def test_a_trade_through_our_price_fills_us_at_our_price_out_of_its_volume() -> None:
    plan = {5: [new(BID, 100, 3)]}
    assert run(plan, trade(10, ASK, 99, 2)).fills() == [(10, 100, 2, 1)]


def test_a_trade_at_a_worse_price_for_the_aggressor_does_not_reach_us() -> None:
    assert run({5: [new(BID, 99, 3)]}, trade(10, ASK, 100, 50)).fills() == []


def test_a_trade_of_the_same_aggressor_side_does_not_fill() -> None:
    assert run({5: [new(BID, 100, 3)]}, trade(10, BID, 100, 50)).fills() == []


def test_asks_mirror_bids() -> None:
    plan = {5: [new(ASK, 102, 3)]}
    rows = (trade(10, BID, 102, 6), trade(20, BID, 103, 1), trade(30, BID, 103, 9))
    assert run(plan, *rows).fills() == [(10, 102, 1, 1), (20, 102, 1, 1), (30, 102, 1, 1)]


def test_a_trade_without_a_side_is_placed_by_the_book() -> None:
    plan = {5: [new(BID, 100, 2), new(ASK, 102, 2)]}
    rows = (trade(10, NO_SIDE, 101, 99), trade(20, NO_SIDE, 100, 6), trade(30, NO_SIDE, 102, 6))
    assert run(plan, *rows).fills() == [(20, 100, 1, 1), (30, 102, 1, 1)]


@pytest.mark.parametrize("flag", [F_HIDDEN, F_SNAPSHOT])
def test_hidden_and_retold_trades_fill_nobody(flag: int) -> None:
    assert run({5: [new(BID, 100, 2)]}, trade(10, ASK, 90, 99, flags=flag)).fills() == []


def test_a_diff_that_the_snapshot_already_holds_touches_neither_book_nor_queue() -> None:
    stale = depth(8, BID, 100, 1, flags=F_STALE)
    script = Script({5: [new(BID, 100, 2)]})
    script.watch = ("best_bid_lots",)
    got = replay(Source(tape(BOOK, stale, trade(10, ASK, 100, 5), END)), script)
    assert got.fills() == []
    assert {seen["best_bid_lots"] for seen in script.seen} == {5}


def test_own_orders_share_a_trade_by_price_then_arrival_and_never_twice() -> None:
    plan = {
        5: [new(BID, 100, 2, tag=1), new(BID, 101, 2, tag=2)],
        6: [new(BID, 101, 2, tag=3), new(BID, 100, 2, tag=4)],
    }
    got = run(plan, trade(10, ASK, 100, 11), trade(20, ASK, 100, 1))
    # 101: 2 + 2; then the five others at 100, our first (2), nothing left; then our second
    assert got.fills(2) == [(10, 101, 2, 1)]
    assert got.fills(3) == [(10, 101, 2, 1)]
    assert got.fills(1) == [(10, 100, 2, 1)]
    assert got.fills(4) == [(20, 100, 1, 1)]
    assert [int(tag) for tag in got.rows["tag"][got.rows["kind"] == 5]] == [2, 3, 1, 4]


def test_others_between_two_own_orders_take_their_turn() -> None:
    plan = {5: [new(BID, 100, 1, tag=1)], 9: [new(BID, 100, 1, tag=2)]}
    rows = (depth(7, BID, 100, 8), trade(10, ASK, 100, 6), trade(20, ASK, 100, 3))
    got = run(plan, *rows)
    assert got.fills(1) == [(10, 100, 1, 1)]
    assert got.fills(2) == []  # 5 others, we, 3 others: the ninth lot was theirs
    got = run(plan, *rows, trade(30, ASK, 100, 1))
    assert got.fills(2) == [(30, 100, 1, 1)]


@pytest.mark.parametrize("model", ["power", "log"])
def test_no_model_lets_a_later_own_order_overtake(model: str) -> None:
    """The estimate alone is not monotone: 49 of 100 ahead may stay above 60 of 100."""
    plan = {5: [new(BID, 100, 1, tag=1)], 9: [new(BID, 100, 1, tag=2)]}
    book = snapshot(0, (BID, 100, 49), (ASK, 102, 5))
    rows = (depth(7, BID, 100, 60), depth(9.5, BID, 100, 100), depth(10, BID, 100, 40))
    sales = [trade(20 + i, ASK, 100, 1) for i in range(60)]
    settings = {"queue": {"model": model, "exponent": 9.0}}
    got = run(plan, *rows, *sales, book=book, settings=settings)
    first, second = got.fills(1)[0][0], got.fills(2)[0][0]
    assert first < second


# --- displayed size that crosses us ------------------------------------------------------------
def test_displayed_size_that_crosses_a_resting_order_fills_it_at_its_price() -> None:
    plan = {5: [new(BID, 100, 9)]}
    got = run(plan, [depth(10, BID, 100, 0, last=0), depth(10, ASK, 99, 4)])
    assert got.fills() == [(10, 100, 4, 1)]


def test_crossing_size_goes_to_the_best_price_first_and_is_used_once() -> None:
    plan = {5: [new(BID, 100, 3, tag=1)], 6: [new(BID, 101, 3, tag=2)]}
    rows = ([depth(10, BID, 100, 0, last=0), depth(10, ASK, 100, 4)], trade(20, BID, 103, 1))
    got = run(plan, *rows)
    assert got.fills(2) == [(10, 101, 3, 1)]
    assert got.fills(1) == [(10, 100, 1, 1)]


def test_crossing_size_counts_again_when_it_is_reported_anew() -> None:
    plan = {5: [new(BID, 101, 6)]}
    rows = (depth(10, ASK, 101, 2), depth(20, ASK, 102, 7), depth(30, ASK, 101, 3))
    assert run(plan, *rows).fills() == [(10, 101, 2, 1), (30, 101, 3, 1)]


def test_a_crossed_order_does_not_move_the_others_up() -> None:
    plan = {5: [new(BID, 99, 2, tag=1), new(BID, 101, 2, tag=2), new(ASK, 103, 2, tag=3)]}
    rows = (
        depth(10, ASK, 101, 2),
        depth(11, ASK, 101, 0),
        trade(20, ASK, 99, 8),
        trade(21, BID, 103, 4),
    )
    got = run(plan, *rows)
    assert got.fills(2) == [(10, 101, 2, 1)]
    assert got.fills(1) == []  # eight stood ahead, eight traded
    assert got.fills(3) == []


def test_a_crossed_book_inside_a_message_fills_nobody() -> None:
    plan = {5: [new(BID, 101, 2)]}
    message = [depth(10, ASK, 101, 9, last=0), depth(10, ASK, 101, 0)]
    assert run(plan, message).fills() == []


# --- takers ------------------------------------------------------------------------------------
def test_a_market_order_walks_the_displayed_book() -> None:
    got = run({5: [new(BID, 0, 11, MARKET)]})
    assert got.fills() == [(5, 102, 5, 0), (5, 103, 4, 0), (5, 104, 2, 0)]


def test_a_market_order_takes_no_more_than_is_displayed() -> None:
    got = run({5: [new(ASK, 0, 99, MARKET, tag=1)]})
    assert got.fills() == [(5, 100, 5, 0), (5, 99, 8, 0)]
    assert codes(got, 1)[-1] == ("cancelled", "ioc_expired")


def test_a_limit_order_takes_up_to_its_limit_and_rests_with_the_remainder() -> None:
    got = run({5: [new(BID, 103, 12)]}, trade(10, ASK, 103, 1))
    assert got.fills() == [(5, 102, 5, 0), (5, 103, 4, 0), (10, 103, 1, 1)]


def test_displayed_size_is_taken_once_until_it_is_reported_anew() -> None:
    plan = {
        5: [new(BID, 102, 3, LIMIT, IOC, tag=1)],
        6: [new(BID, 102, 3, LIMIT, IOC, tag=2)],
        7: [new(BID, 102, 3, LIMIT, IOC, tag=3)],
        15: [new(BID, 102, 3, LIMIT, IOC, tag=4)],
    }
    got = run(plan, depth(10, ASK, 102, 1))
    assert [q for _, _, q, _ in got.fills()] == [3, 2, 1]
    assert got.fills(3) == []
    assert codes(got, 3) == [("accepted", "ok"), ("cancelled", "ioc_expired")]
    assert got.fills(4) == [(15, 102, 1, 0)]


def test_ioc_fok_and_post_only() -> None:
    plan = {
        5: [
            new(BID, 101, 1, LIMIT, IOC, tag=1),
            new(BID, 102, 6, LIMIT, FOK, tag=2),
            new(BID, 103, 9, LIMIT, FOK, tag=3),
            new(BID, 104, 1, LIMIT, POST_ONLY, tag=4),
            new(BID, 101, 1, LIMIT, POST_ONLY, tag=5),
        ],
    }
    got = run(plan)
    assert codes(got, 1) == [("accepted", "ok"), ("cancelled", "ioc_expired")]
    assert codes(got, 2) == [("rejected", "fok_not_filled")]
    assert got.fills(3) == [(5, 102, 5, 0), (5, 103, 4, 0)]
    assert codes(got, 4) == [("rejected", "post_only_would_cross")]
    assert codes(got, 5) == [("accepted", "ok")]


def test_fok_counts_only_what_was_not_taken_before() -> None:
    plan = {
        5: [new(BID, 102, 1, LIMIT, IOC), new(BID, 102, 5, LIMIT, FOK, tag=2)],
        6: [new(BID, 102, 4, LIMIT, FOK, tag=3)],
    }
    got = run(plan)
    assert codes(got, 2) == [("rejected", "fok_not_filled")]
    assert got.fills(3) == [(6, 102, 4, 0)]


def test_fok_is_all_or_nothing_also_over_very_many_levels() -> None:
    book = snapshot(0, (BID, 100, 5), *[(ASK, 102 + i, 1) for i in range(80)])
    got = run({5: [new(BID, 500, 70, LIMIT, FOK, tag=1)]}, book=book)
    assert sum(q for _, _, q, _ in got.fills()) in (0, 70)


def test_a_market_order_into_an_empty_side_ends_without_liquidity() -> None:
    rows = (depth(8, BID, 100, 0), depth(8, BID, 99, 0))
    plan = {5: [new(ASK, 100, 5, LIMIT, IOC)], 6: [new(ASK, 0, 1, MARKET, tag=1)]}
    book = snapshot(0, (BID, 100, 5), (ASK, 102, 5))
    settings = {"latency": {"entry_ns": 5_000_000}}
    got = run(plan, *rows, book=book, settings=settings)
    assert codes(got, 1) == [("accepted", "ok"), ("cancelled", "no_liquidity")]


# --- cancel and amend --------------------------------------------------------------------------
def test_a_cancel_takes_the_order_off() -> None:
    plan = {5: [new(BID, 100, 2, tag=1), new(BID, 99, 2, tag=2)], 8: [cancel(1)], 40: [cancel_all]}
    got = run(plan, trade(10, ASK, 99, 99))
    assert got.fills(1) == []
    assert codes(got, 1) == [("accepted", "ok"), ("cancelled", "ok")]
    assert got.fills(2) == [(10, 99, 2, 1)]
    assert got.arrays.views[0]["n_orders"] == 0
    assert got.arrays.gate[0]["open_orders"] == 0


def test_a_cancel_that_arrives_too_late_says_so_and_the_fill_stands() -> None:
    plan = {5: [new(BID, 101, 2, tag=1)], 20: [cancel(1)]}
    settings = {"latency": {"entry_ns": 4_000_000, "response_ns": 4_000_000}}
    got = run(plan, trade(22, ASK, 101, 9), settings=settings)
    assert got.fills() == [(22, 101, 2, 1)]
    late = got.rows[got.rows["kind"] == 8]
    assert [REJECTS[c] for c in late["code"]] == ["too_late"]
    assert got.arrays.views[0]["n_orders"] == 0
    assert got.arrays.views[0]["open_bid_lots"] == 0


def test_a_smaller_amend_keeps_its_place() -> None:
    plan = {5: [new(BID, 100, 4, tag=1)], 8: [amend(1, 100, 2)]}
    rows = (depth(7, BID, 100, 50), trade(10, ASK, 100, 9))
    assert run(plan, *rows).fills() == [(10, 100, 2, 1)]


@pytest.mark.parametrize(("px", "qty"), [(100, 5), (99, 3)])
def test_a_larger_or_moved_amend_joins_the_back(px: int, qty: int) -> None:
    plan = {5: [new(BID, 100, 4, tag=1)], 8: [amend(1, px, qty)]}
    rows = (depth(7, BID, 100, 10), trade(10, ASK, px, 9))
    got = run(plan, *rows)
    assert got.fills() == ([] if px == 100 else [(10, 99, 1, 1)])
    amended = got.rows[got.rows["kind"] == 7][0]
    assert amended["ahead_lots"] == (10 if px == 100 else 8)
    assert (amended["px_ticks"], amended["left_lots"]) == (px, qty)


def test_an_amend_to_a_crossing_price_is_refused_and_the_order_stays() -> None:
    plan = {5: [new(BID, 100, 4, tag=1)], 8: [amend(1, 102, 4)]}
    got = run(plan, trade(10, ASK, 100, 6))
    assert codes(got, 1)[1] == ("cancel_rejected", "post_only_would_cross")
    assert got.fills() == [(10, 100, 1, 1)]
    assert got.arrays.views[0]["open_bid_lots"] == 3


def test_an_amend_onto_an_own_order_is_refused() -> None:
    plan = {5: [new(BID, 100, 4, tag=1), new(ASK, 101, 1, tag=2)], 8: [amend(1, 101, 4)]}
    got = run(plan)
    assert codes(got, 1)[1] == ("cancel_rejected", "self_trade")


@pytest.mark.parametrize(("wanted", "left"), [(7, 4), (2, 0), (4, 1)])
def test_fills_on_the_way_count_against_an_amend(wanted: int, left: int) -> None:
    """Five are open, three fill while the amend travels: never more in all than was asked."""
    plan = {5: [new(BID, 101, 5, tag=1)], 20: [amend(1, 101, wanted)]}
    settings = {"latency": {"entry_ns": 4_000_000, "response_ns": 4_000_000}}
    got = run(plan, trade(22, ASK, 101, 3), settings=settings)
    assert got.fills() == [(22, 101, 3, 1)]
    assert got.arrays.views[0]["open_bid_lots"] == left
    assert got.arrays.gate[0]["open_orders"] == (1 if left else 0)


def test_an_amend_of_an_order_that_filled_meanwhile_is_too_late() -> None:
    plan = {5: [new(BID, 101, 5, tag=1)], 20: [amend(1, 101, 9)]}
    settings = {"latency": {"entry_ns": 4_000_000, "response_ns": 4_000_000}}
    got = run(plan, trade(22, ASK, 101, 5), settings=settings)
    assert [REJECTS[c] for c in got.rows[got.rows["kind"] == 8]["code"]] == ["too_late"]
    view = got.arrays.views[0]
    assert (view["open_bid_lots"], view["n_orders"], view["position_lots"]) == (0, 0, 5)


# --- self-trade prevention ---------------------------------------------------------------------
def test_the_newcomer_is_denied_when_it_would_meet_an_own_order() -> None:
    plan = {5: [new(ASK, 101, 2, tag=1)], 8: [new(BID, 101, 1, tag=2), new(BID, 100, 1, tag=3)]}
    got = run(plan)
    assert [DENIALS[c] for c in got.of(R_DENIED)["code"]] == ["self_trade"]
    assert codes(got, 3) == [("accepted", "ok")]


def test_the_resting_order_leaves_when_the_profile_says_so() -> None:
    plan = {5: [new(ASK, 101, 2, tag=1)], 8: [new(BID, 101, 1, tag=2)]}
    got = run(plan, settings={"risk": {"self_trade": "cancel_resting"}})
    assert codes(got, 1) == [("accepted", "ok"), ("cancelled", "self_trade")]
    assert codes(got, 2) == [("accepted", "ok")]
    assert got.arrays.views[0]["open_ask_lots"] == 0


# --- a snapshot while orders rest --------------------------------------------------------------
def test_a_snapshot_keeps_our_place_at_most_behind_what_it_shows() -> None:
    plan = {5: [new(BID, 100, 4, tag=1), new(BID, 99, 1, tag=2)]}
    again = snapshot(8, (BID, 100, 30), (BID, 99, 2), (ASK, 102, 5))
    rows = (again, trade(10, ASK, 100, 6), trade(20, ASK, 99, 6))
    got = run(plan, *rows)
    assert got.fills(1) == [(10, 100, 1, 1), (20, 100, 3, 1)]
    assert got.fills(2) == [(20, 99, 1, 1)]  # 6 - 3 of ours at 100, two others, we


def test_an_order_that_arrives_while_there_is_no_book_stands_behind_all_of_the_next_one() -> None:
    clear = Row(8_000_000, CLEAR, NO_SIDE, 0, 0, 0, flags=F_SNAPSHOT)
    whole = snapshot(20, (BID, 100, 6), (ASK, 102, 5))
    settings = {"latency": {"entry_ns": 6_000_000}}
    got = run(
        {5: [new(BID, 100, 4)]},
        clear,
        whole,
        trade(30, ASK, 100, 5),
        trade(40, ASK, 100, 3),
        settings=settings,
    )
    assert np.isnan(got.of(R_ACCEPTED)["ahead_lots"][0])
    assert got.fills() == [(40, 100, 2, 1)]


def test_sizes_always_add_up() -> None:
    """Filled + cancelled + open = asked for, order by order."""
    plan = {
        5: [new(BID, 102, 7, LIMIT, GTC, 1), new(BID, 100, 3, tag=2), new(ASK, 104, 5, tag=3)],
        9: [new(ASK, 0, 4, MARKET, tag=4)],
        30: [cancel_all],
    }
    rows = (trade(10, ASK, 100, 9), trade(12, BID, 105, 2))
    got = run(plan, *rows, settings={"risk": {"self_trade": "cancel_resting"}})
    for tag, asked in ((1, 7), (2, 3), (3, 5), (4, 4)):
        filled = sum(q for _, _, q, _ in got.fills(tag))
        gone = got.of(R_CANCELLED, R_REJECTED, tag=tag)["qty_lots"].sum()
        assert filled + gone == asked
