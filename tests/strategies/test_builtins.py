"""What the built-in strategies do at the desk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli import strategies
from kimera_cli.kernels import quoting
from kimera_cli.layouts import (
    ACT_NEW,
    ASK,
    BID,
    INVERSE,
    IOC,
    LIMIT,
    NO_ASK,
    NO_BID,
    ORDER_CANCELLING,
    ORDER_PENDING,
    POST_ONLY,
    SPOT,
)
from kimera_cli.strategies.registry import BUILT_IN
from kimera_cli.strategies.testing import Desk

S = 1_000_000_000


@pytest.fixture(scope="module")
def specs():
    return {name: strategies.load(name) for name in BUILT_IN}


def place_all(desk, said):
    """Let the venue accept every new order that was said."""
    for action in said:
        if action.kind == "new":
            desk.order(BID if action.side == "buy" else ASK, action.px_ticks, 1, action.tag)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_parameter_is_documented_with_a_unit_and_every_code_has_a_meaning(specs, name):
    spec = specs[name]
    assert list(spec.docs) == list(spec.params)
    assert all(unit and meaning for unit, meaning in spec.docs.values())
    assert spec.summary.endswith(".")
    assert all(text for text in spec.errors.values())


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize(
    "fields",
    [
        {"best_bid_ticks": NO_BID, "mid_ticks": math.nan},
        {"best_ask_ticks": NO_ASK, "mid_ticks": math.nan},
        {"best_bid_ticks": 10_001},
        {"best_bid_ticks": 10_002},
    ],
)
def test_nothing_new_without_a_market(specs, name, fields):
    assert Desk(specs[name], **fields).decide() == []


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov"])
@pytest.mark.parametrize("sigma", [0.0, math.nan])
def test_makers_wait_for_a_volatility(specs, name, sigma):
    assert Desk(specs[name], vol_mid=sigma).decide() == []


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov"])
def test_makers_withdraw_when_the_market_is_gone(specs, name):
    desk = Desk(specs[name])
    place_all(desk, desk.decide())
    desk.set(best_ask_ticks=NO_ASK, mid_ticks=math.nan)
    assert [action.kind for action in desk.decide()] == ["cancel_all"]


def test_glft_quotes_where_the_formula_says(specs):
    # mid 10000 ticks: 1 bps is 1 tick, so bps and ticks agree.
    desk = Desk(specs["glft"], {"tolerance_bps": 0.0}, vol_mid=2.0, position_lots=30_000)
    buy, sell = desk.decide()
    bid = 10_000 - quoting.glft_bid_delta(3.0, 0.05, 2.0, 1.0, 1.0)
    ask = 10_000 + quoting.glft_ask_delta(3.0, 0.05, 2.0, 1.0, 1.0)
    assert buy.px_ticks == math.floor(bid)
    assert sell.px_ticks == max(math.ceil(ask), 10_000)  # never at the bid: 9999
    assert buy.tif == sell.tif == POST_ONLY
    assert buy.qty_lots == sell.qty_lots == 10_000


def test_avellaneda_stoikov_quotes_where_the_formula_says(specs):
    fields = {"vol_mid": 2.0, "position_lots": -20_000, "maker_fee": 0.0002}
    fields |= {"best_bid_ticks": 9_980, "best_ask_ticks": 10_020}
    buy, sell = Desk(specs["avellaneda_stoikov"], **fields).decide()
    centre = quoting.as_reservation(10_000.0, -2.0, 0.05, 2.0, 10.0)
    half = 0.5 * quoting.as_spread(0.05, 2.0, 1.0, 10.0) + 2.0  # 2 bps of maker fee
    assert (buy.px_ticks, sell.px_ticks) == (math.floor(centre - half), math.ceil(centre + half))
    buy, sell = Desk(specs["avellaneda_stoikov"], {"cover_fees": 0}, **fields).decide()
    half -= 2.0
    assert (buy.px_ticks, sell.px_ticks) == (math.floor(centre - half), math.ceil(centre + half))


def test_a_fixed_horizon_narrows_and_ends(specs):
    desk = Desk(specs["avellaneda_stoikov"], {"rolling": 0, "gamma": 1.0}, vol_mid=1.0)
    start = int(desk.view.now_ns)
    first = desk.decide()
    desk.set(now_ns=start + 9 * S)
    later = desk.decide()
    assert first[0].px_ticks < later[0].px_ticks
    assert first[1].px_ticks > later[1].px_ticks
    place_all(desk, later)
    desk.set(now_ns=start + 10 * S)
    assert [action.kind for action in desk.decide()] == ["cancel_all"]


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov"])
def test_makers_keep_their_place_until_the_target_moved_by_more_than_the_tolerance(specs, name):
    desk = Desk(specs[name], {"tolerance_bps": 5.0})
    place_all(desk, desk.decide())
    desk.set(best_bid_ticks=10_003, best_ask_ticks=10_005)
    assert desk.decide() == []
    desk.set(best_bid_ticks=10_009, best_ask_ticks=10_011)
    assert [action.kind for action in desk.decide()] == ["amend", "amend"]


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov"])
@pytest.mark.parametrize(("held", "side"), [(100_000, "sell"), (-100_000, "buy")])
def test_makers_only_reduce_at_their_limit(specs, name, held, side):
    assert [a.side for a in Desk(specs[name], position_lots=held).decide()] == [side]


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov", "grid", "ofi_taker"])
def test_sizes_follow_the_notional_on_inverse_contracts(specs, name):
    desk = Desk(
        specs[name],
        {"order_notional": 1000.0} | ({"warm_up_s": 0, "ic": 1.0} if name == "ofi_taker" else {}),
        kind=INVERSE,
        lot=1.0,
        contract_size=100.0,
        ofi=10.0,
        queue_imbalance=1.0,
        vol_mid=100.0,
    )
    said = desk.decide()
    assert said
    assert {action.qty_lots for action in said} == {10}


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov", "grid", "ofi_taker"])
def test_an_order_below_one_lot_stops_with_a_named_code(specs, name):
    spec = specs[name]
    code = Desk(spec, {"order_notional": 0.01}).code()
    assert code < 0
    error = spec.failure(code, "binance/BTCUSDT")
    assert error.code == "run.strategy"
    assert name in error.message
    assert "order_notional" in error.message


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("glft", {"gamma": 0.0}),
        ("glft", {"k": -1.0}),
        ("glft", {"intensity": 0.0}),
        ("avellaneda_stoikov", {"horizon_s": 0.0}),
        ("grid", {"levels": 13.0}),
        ("grid", {"levels": 2.5}),
        ("grid", {"gap_ticks": 0.0}),
    ],
)
def test_parameters_that_make_no_sense_stop_with_a_named_code(specs, name, params):
    code = Desk(specs[name], params).code()
    assert code == -1
    assert next(iter(params)) in specs[name].errors[code]


def peer_grid(best_bid, best_ask, position, taken, levels=5, half=10, gap=5):
    """The grid of hftbacktest's examples, with dictionaries and in ticks: new prices, cancels."""
    mid = (best_bid + best_ask) / 2
    bid = min(np.floor((mid - half - position) / gap) * gap, best_bid)
    ask = max(np.ceil((mid + half - position) / gap) * gap, best_ask)
    bids = {int(bid - i * gap): "buy" for i in range(levels)}
    asks = {int(ask + i * gap): "sell" for i in range(levels)}
    cancels = sorted(p for p, side in taken.items() if p not in (bids if side == "buy" else asks))
    new = [(p, s) for p, s in {**bids, **asks}.items() if p not in taken]
    return new, cancels


@given(
    bid=st.integers(200, 20_000),
    spread=st.integers(1, 60),
    held=st.integers(-4, 4),
    moves=st.lists(st.integers(-30, 30), max_size=6),
)
def test_grid_equals_the_peers_example_on_any_path(specs, bid, spread, held, moves):
    desk = Desk(specs["grid"], {"order_lots": 10, "skew_ticks": 1.0}, position_lots=10 * held)
    taken: dict[int, str] = {}
    for move in [0, *moves]:
        bid = max(bid + move, 150)
        desk.set(best_bid_ticks=bid, best_ask_ticks=bid + spread)
        said = desk.decide()
        new, cancels = peer_grid(bid, bid + spread, held, taken)
        orders = desk.array["orders"][0]
        cancelled = [a.order for a in said if a.kind == "cancel"]
        assert sorted(int(orders["px_ticks"][i]) for i in cancelled) == cancels
        assert [(a.px_ticks, a.side) for a in said if a.kind == "new"] == new
        assert all(a.qty_lots == 10 and a.tif == POST_ONLY for a in said if a.kind == "new")
        for i in cancelled:
            taken.pop(int(orders["px_ticks"][i]))
            orders["state"][i] = 0
            desk.view.n_orders -= 1
        place_all(desk, said)
        taken.update(new)


def test_grid_leaves_what_is_under_way_and_stops_adding_at_its_limit(specs):
    desk = Desk(specs["grid"], {"order_lots": 10, "levels": 1}, position_lots=100)
    desk.order(BID, 5_000, 10, tag=5_000, state=ORDER_PENDING)
    desk.order(ASK, 9_000, 10, tag=9_000, state=ORDER_CANCELLING)
    assert [(a.kind, a.side) for a in desk.decide()] == [("new", "sell")]


EAGER = {"ic": 1.0, "warm_up_s": 0.0, "horizon_s": 100.0}


def test_taker_buys_at_the_ask_when_the_move_pays(specs):
    desk = Desk(specs["ofi_taker"], EAGER, ofi=5.0, queue_imbalance=0.5, taker_fee=0.0001)
    (order,) = desk.decide()
    assert (order.side, order.px_ticks, order.tif, order.type) == ("buy", 10_001, IOC, LIMIT)
    desk = Desk(specs["ofi_taker"], EAGER, ofi=-5.0, queue_imbalance=-0.5)
    (order,) = desk.decide()
    assert (order.side, order.px_ticks) == ("sell", 9_999)


def test_taker_stays_out_when_fees_eat_the_move(specs):
    # Expected: 1.0 * 0.85 * 1 tick/sqrt(s) * sqrt(100 s) = 8.5 ticks; spread 2, fees 2 * 3.3 ticks.
    fields = {"ofi": 5.0, "queue_imbalance": 0.5}
    in_reach = {"queue_weight": 0.1}
    score = 0.9 * 1.0 + 0.1 * 3.0 * 0.5
    limit = (10.0 * score - 2.0) / 2.0 / 10_000
    desk = Desk(specs["ofi_taker"], EAGER | in_reach, taker_fee=limit * 1.01, **fields)
    assert desk.decide() == []
    desk = Desk(specs["ofi_taker"], EAGER | in_reach, taker_fee=limit * 0.99, **fields)
    assert len(desk.decide()) == 1


def test_taker_waits_for_answers_cool_down_warm_up_and_limit(specs):
    fields = {"ofi": 5.0, "queue_imbalance": 1.0}
    waiting = Desk(specs["ofi_taker"], EAGER, **fields)
    waiting.order(BID, 10_001, 10, state=ORDER_PENDING)
    assert waiting.decide() == []
    assert Desk(specs["ofi_taker"], EAGER | {"warm_up_s": 5.0}, **fields).decide() == []
    full = Desk(specs["ofi_taker"], EAGER | {"cool_down_s": 0.0}, **fields)
    assert len(full.decide()) == 1
    full.set(position_lots=20_000)
    assert len(full.decide()) == 1
    full.set(position_lots=30_000)
    assert full.decide() == []
    desk = Desk(specs["ofi_taker"], EAGER | {"cool_down_s": 2.0}, **fields)
    start = int(desk.view.now_ns)
    assert len(desk.decide()) == 1
    desk.set(now_ns=start + S)
    assert desk.decide() == []
    desk.set(now_ns=start + 3 * S)
    assert len(desk.decide()) == 1


def test_taker_leaves_when_the_reason_or_the_time_is_gone(specs):
    desk = Desk(specs["ofi_taker"], EAGER | {"horizon_s": 10.0}, ofi=5.0, queue_imbalance=1.0)
    desk.decide()
    desk.set(position_lots=10_000, now_ns=int(desk.view.now_ns) + S)
    desk.set(ofi=-5.0, queue_imbalance=-1.0)
    (order,) = desk.decide()
    assert (order.side, order.qty_lots, order.px_ticks) == ("sell", 10_000, 9_999)
    desk.set(ofi=0.0, queue_imbalance=0.1, now_ns=int(desk.view.now_ns) + 11 * S)
    (order,) = desk.decide()
    assert order.side == "sell"


@pytest.mark.parametrize("name", BUILT_IN)
@given(held=st.integers(0, 120_000), open_asks=st.integers(0, 120_000), pull=st.floats(-9.0, 9.0))
def test_no_strategy_sells_spot_short(specs, name, held, open_asks, pull):
    params = EAGER if name == "ofi_taker" else {}
    desk = Desk(specs[name], params, kind=SPOT, position_lots=held, ofi=pull, queue_imbalance=0.0)
    desk.set(open_ask_lots=min(open_asks, held) if name == "grid" else 0)
    sold = sum(a.qty_lots for a in desk.decide() if a.side == "sell")
    assert sold <= held - desk.view.open_ask_lots


def test_a_position_too_small_to_trade_is_left_alone(specs):
    desk = Desk(specs["ofi_taker"], EAGER, min_lots=100, position_lots=99, ofi=0.0)
    assert desk.decide() == []


market = st.fixed_dictionaries(
    {
        "best_bid_ticks": st.integers(5_000, 15_000),
        "position_lots": st.integers(-200_000, 200_000),
        "vol_mid": st.floats(0.0, 1e4) | st.just(math.nan),
        "ofi": st.floats(-1e9, 1e9) | st.just(math.nan),
        "queue_imbalance": st.floats(-1.0, 1.0) | st.just(math.nan),
        "maker_fee": st.floats(-0.001, 0.01),
    }
)


@pytest.mark.parametrize("name", BUILT_IN)
@given(fields=market, spread=st.integers(1, 500))
def test_nothing_said_is_nonsense_whatever_the_market(specs, name, fields, spread):
    ask = fields["best_bid_ticks"] + spread
    desk = Desk(specs[name], best_ask_ticks=ask, **fields)
    for action in desk.decide():
        assert action.qty_lots > 0
        assert action.px_ticks > 0
        if action.tif == POST_ONLY:
            inside = (
                action.px_ticks < ask if action.side == "buy" else action.px_ticks > ask - spread
            )
            assert inside
    kinds = desk.array["actions"][0]["kind"][: int(desk.view.n_actions)]
    assert set(kinds.tolist()) <= {ACT_NEW}


@pytest.mark.parametrize("name", BUILT_IN)
@given(fields=market, spread=st.integers(1, 50))
def test_compiled_and_interpreted_say_the_same(specs, name, fields, spread):
    compiled = specs[name].compiled
    answers = []
    for decide in (compiled, getattr(compiled, "py_func", compiled)):
        desk = Desk(specs[name], best_ask_ticks=fields["best_bid_ticks"] + spread, **fields)
        desk._decide = decide
        with np.errstate(all="ignore"):
            answers.append((desk.code(), desk.said(), desk.array["state"].tobytes()))
    assert answers[0] == answers[1]
