"""Action kernels: what is written, what is refused, and sizes from money."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli import layouts
from kimera_cli.kernels import strategy as actions
from kimera_cli.kernels.quoting import QUOTE_TAG, keep_quote, keep_quotes
from kimera_cli.layouts import ASK, BID, INVERSE, LIMIT, LINEAR, MAX_ACTIONS, POST_ONLY, SPOT, VIEW


def new_view(**fields):
    """A view with a market, as numpy.record."""
    array = np.zeros(1, VIEW)
    values = {
        "kind": LINEAR,
        "tick": 0.1,
        "lot": 0.001,
        "contract_size": 1.0,
        "settle_rate": 1.0,
        "min_lots": 1,
    }
    values |= {"best_bid_ticks": 999, "best_ask_ticks": 1001, "mid_ticks": 1000.0}
    for name, value in {**values, **fields}.items():
        array[name] = value
    return array.view(np.recarray)[0]


def own_order(view, slot, side, px_ticks, tag=QUOTE_TAG, state=layouts.ORDER_OPEN):
    row = view.orders[slot]
    row["state"], row["side"], row["px_ticks"], row["tag"] = state, side, px_ticks, tag
    view.n_orders += 1


def test_each_action_is_written_in_full_over_what_was_there():
    view = new_view()
    view.actions.fill(np.full(1, 77, "i8").view("i8")[0])
    assert actions.place(view, ASK, 1005, 3, LIMIT, POST_ONLY, 9) == 0
    assert actions.cancel(view, 4) == 1
    assert actions.amend(view, 5, 1006, 2) == 2
    assert actions.cancel_all(view) == 3
    rows = [tuple(int(v) for v in view.actions[i]) for i in range(4)]
    assert rows == [
        (layouts.ACT_NEW, ASK, LIMIT, POST_ONLY, 1005, 3, 0, 9),
        (layouts.ACT_CANCEL, 0, 0, 0, 0, 0, 4, 0),
        (layouts.ACT_AMEND, 0, 0, 0, 1006, 2, 5, 0),
        (layouts.ACT_CANCEL_ALL, 0, 0, 0, 0, 0, 0, 0),
    ]


def test_a_full_table_says_so_and_keeps_what_it_has():
    view = new_view()
    for i in range(MAX_ACTIONS):
        assert actions.cancel(view, i) == i
    assert actions.place(view, BID, 1, 1, LIMIT, 0, 0) == actions.FULL
    assert actions.amend(view, 0, 1, 1) == actions.cancel_all(view) == actions.FULL
    assert view.n_actions == MAX_ACTIONS
    assert [int(row["order"]) for row in view.actions] == list(range(MAX_ACTIONS))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 0.5, 1e300, 2.0**61])
def test_a_number_that_is_not_whole_becomes_one_that_the_gate_denies(number):
    view = new_view()
    actions.place(view, BID, number, number, LIMIT, 0, 0)
    assert view.actions[0].px_ticks == view.actions[0].qty_lots == actions.BAD_NUMBER < 0


@given(st.integers(-(2**53), 2**53))
def test_whole_keeps_whole_numbers_of_either_type(number):
    assert actions.whole(number) == number
    assert actions.whole(float(number)) == number


@pytest.mark.parametrize(
    ("fields", "notional", "lots"),
    [
        # 1000 quote units at 100.00 (1000 ticks of 0.1), lots of 0.001: 10 units, 10000 lots.
        ({"kind": LINEAR}, 1000.0, 10_000),
        # The quote currency is worth half of the portfolio's: twice as much.
        ({"kind": LINEAR, "settle_rate": 0.5}, 1000.0, 20_000),
        ({"kind": LINEAR, "contract_size": 0.01}, 1000.0, 1_000_000),
        # Inverse: contracts of 100 quote units, whatever the price.
        ({"kind": INVERSE, "lot": 1.0, "contract_size": 100.0, "mid_ticks": 7.0}, 1050.0, 10),
        ({"kind": INVERSE, "lot": 1.0, "contract_size": 100.0, "settle_rate": 0.5}, 1050.0, 21),
        ({"kind": INVERSE, "settle_rate": math.nan}, 1050.0, 0),
        ({"kind": LINEAR, "min_lots": 10_001}, 1000.0, 0),
        ({"kind": LINEAR, "min_notional": 1000.01}, 1000.0, 0),
        ({"kind": LINEAR, "min_notional": 1000.0}, 1000.0, 10_000),
        ({"kind": LINEAR}, 0.05, 0),
        ({"kind": LINEAR, "mid_ticks": math.nan}, 1000.0, 0),
        ({"kind": LINEAR}, math.nan, 0),
        ({"kind": LINEAR}, -5.0, 0),
        ({"kind": LINEAR}, math.inf, 0),
    ],
)
def test_lots_for_notional_known_answers(fields, notional, lots):
    assert actions.lots_for_notional(new_view(**fields), notional) == lots


@given(
    notional=st.floats(0.01, 1e9),
    mid=st.floats(1.0, 1e9),
    lot=st.sampled_from([1.0, 0.001, 1e-5, 1e-8]),
    kind=st.sampled_from([LINEAR, INVERSE]),
)
def test_lots_never_cost_more_than_the_notional_and_one_more_would(notional, mid, lot, kind):
    view = new_view(kind=kind, mid_ticks=mid, lot=lot)
    lots = actions.lots_for_notional(view, notional)
    value = actions.quote_lot_value(view)
    assert lots * value <= notional * (1 + 1e-9) + value * 1e-8
    assert (lots + 1) * value > notional * (1 - 1e-9)


@pytest.mark.parametrize(
    ("kind", "held", "wanted", "lots"),
    [
        (LINEAR, 0, 7, 7),
        (INVERSE, -50, 7, 7),
        (SPOT, 0, 7, 0),
        (SPOT, 5, 7, 5),
        (SPOT, 9, 7, 7),
        (SPOT, 2, 7, 0),  # held, but less than the smallest order
        (SPOT, -3, 7, 0),
    ],
)
def test_spot_is_not_sold_short(kind, held, wanted, lots):
    view = new_view(kind=kind, position_lots=held, min_lots=3)
    assert actions.sellable_lots(view, wanted) == lots
    view.n_actions = 0
    keep_quotes(view, 990.0, 1010.0, wanted, 100, 0.0)
    sold = [int(view.actions[i].qty_lots) for i in range(view.n_actions) if view.actions[i].side]
    assert sold == ([lots] if lots else [])


def test_find_order_sees_every_state_and_skips_holes():
    view = new_view()
    own_order(view, 3, BID, 990, tag=7, state=layouts.ORDER_PENDING)
    own_order(view, 31, ASK, 1010, tag=7)
    assert actions.find_order(view, BID, 7) == 3
    assert actions.find_order(view, ASK, 7) == 31
    assert actions.find_order(view, ASK, 8) == -1
    assert not actions.is_open(view, 3)
    assert actions.is_open(view, 31)


@pytest.mark.parametrize(
    ("px", "lots", "tolerance", "state", "kind"),
    [
        (990, 5, 0.0, layouts.ORDER_OPEN, None),
        (992, 5, 2.0, layouts.ORDER_OPEN, None),
        (993, 5, 2.0, layouts.ORDER_OPEN, layouts.ACT_AMEND),
        (990, 0, 0.0, layouts.ORDER_OPEN, layouts.ACT_CANCEL),
        (0, 5, 0.0, layouts.ORDER_OPEN, layouts.ACT_CANCEL),
        (993, 5, 0.0, layouts.ORDER_PENDING, None),
        (993, 0, 0.0, layouts.ORDER_AMENDING, None),
    ],
)
def test_keep_quote_moves_only_what_must_move(px, lots, tolerance, state, kind):
    view = new_view()
    own_order(view, 2, BID, 990, state=state)
    keep_quote(view, BID, px, lots, tolerance)
    said = [int(view.actions[i].kind) for i in range(view.n_actions)]
    assert said == ([] if kind is None else [kind])
    if kind is not None:
        assert view.actions[0].order == 2


@given(
    bid=st.floats(-10.0, 5000.0),
    width=st.floats(0.0, 5000.0),
    held=st.integers(-40, 40),
    lots=st.integers(1, 10),
)
def test_quotes_never_cross_the_book_nor_pass_the_position_limit(bid, width, held, lots):
    view = new_view(position_lots=held)
    keep_quotes(view, bid, bid + width, lots, 20, 0.0)
    for i in range(view.n_actions):
        row = view.actions[i]
        if row.side == BID:
            assert 0 < row.px_ticks < view.best_ask_ticks
            assert row.px_ticks <= bid
            assert held + row.qty_lots <= 20
        else:
            assert row.px_ticks > view.best_bid_ticks
            assert row.px_ticks >= bid + width
            assert held - row.qty_lots >= -20
