"""Strategies as classes: plain objects, the same answers, and errors that name the line."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli import strategies
from kimera_cli.kernels.quoting import QUOTE_TAG
from kimera_cli.layouts import ASK, BID, IOC, LIMIT, MARKET, ORDER_OPEN, ORDER_PENDING
from kimera_cli.strategies import Market, StrategyError
from kimera_cli.strategies.testing import Desk

TWIN = Path(__file__).with_name("glft_twin.py")

CLASS = '''"""A class."""

from kimera_cli.strategies import Market, Strategy

PARAMS = {"size": 2.0}
INTERVAL_NS = 7


class Mine(Strategy):
    def on_start(self):
        self.wakes = 0

    def on_wake(self, market: Market) -> None:
        self.wakes += 1
        BODY
'''


@pytest.fixture
def load(tmp_path):
    def write(body: str, params=None):
        path = tmp_path / "mine.py"
        path.write_text(CLASS.replace("BODY", body))
        return strategies.load(str(path))

    return write


def test_a_class_is_loaded_with_its_declarations(load):
    spec = load("market.buy(market.best_bid, self.params['size'], tif='ioc', tag=5)")
    assert (spec.protocol, spec.interval_ns, spec.params) == ("python", 7, {"size": 2.0})
    assert spec.compiled is None
    (action,) = Desk(spec).decide()
    assert action == ("new", "buy", 9_999, 2_000, LIMIT, IOC, 0, 5)


def test_each_instrument_has_its_own_instance_and_state_lasts(load):
    spec = load("market.buy(None, self.wakes)")
    desk = Desk(spec)
    sizes = []
    for instrument in (0, 0, 1, 0):
        desk.set(instrument=instrument)
        (action,) = desk.decide()
        assert action.type == MARKET
        sizes.append(action.qty_lots)
    assert sizes == [1_000, 2_000, 1_000, 3_000]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise KeyError", "KeyError"),
        ("market.best_bdi", "Market has no best_bdi: did you mean best_bid"),
        ("market.buy(99.995, 1)", "whole number of ticks of 0.01, was 99.995"),
        ("market.buy(float('nan'), 1)", "was nan"),
        ("market.buy(100.0, 0.0005)", "whole number of lots of 0.001"),
        ("market.buy(100.0, 1, tif='day')", "tif gtc, ioc, fok or post_only"),
        ("for _ in range(33): market.cancel_all()", "at most 32 actions"),
        ("import json; json.loads('{')", "JSONDecodeError"),
    ],
)
def test_what_a_class_raises_names_strategy_file_line_and_exception(load, body, said):
    spec = load(body)
    with pytest.raises(StrategyError) as caught:
        Desk(spec).decide()
    error = caught.value
    assert error.code == "strategy.raised"
    assert "mine" in error.message
    assert f"{spec.path}:15" in error.message
    assert said in error.message
    assert error.__cause__ is not None, "--debug shows where it came from"


def test_an_interrupt_is_no_error_of_the_strategy(load):
    with pytest.raises(KeyboardInterrupt):
        Desk(load("raise KeyboardInterrupt")).decide()


def test_a_class_without_on_wake_is_told(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from kimera_cli.strategies import Strategy\n\nclass A(Strategy):\n    pass\n")
    with pytest.raises(StrategyError, match="on_wake") as caught:
        strategies.load(str(path))
    assert caught.value.message.startswith(f"{path}:3: ")


def test_market_says_what_the_view_holds(load):
    desk = Desk(load("pass"), position_lots=-1_500, ofi=3.5, reason=2, cash=12.5)
    desk.order(ASK, 10_010, 2_500, tag=4, state=ORDER_PENDING)
    market = Market(desk.view)
    assert (market.best_bid, market.best_ask) == (pytest.approx(99.99), pytest.approx(100.01))
    assert (market.mid, market.position) == (pytest.approx(100.0), pytest.approx(-1.5))
    assert (market.ofi, market.cash, market.wake) == (3.5, 12.5, "fill")
    assert type(market.ofi) is float
    (order,) = market.orders
    assert (order.side, order.state, order.tag, order.slot) == ("sell", "pending", 4, 0)
    assert (order.px_ticks, order.left_lots, order.id) == (10_010, 2_500, 1)
    assert (order.px, order.qty) == (pytest.approx(100.10), pytest.approx(2.5))
    desk.set(best_bid_ticks=-1, best_ask_ticks=1 << 60)
    assert market.best_bid is market.best_ask is None
    assert not market.has_market
    assert math.isnan(Market(Desk(load("pass"), mid_ticks=math.nan).view).mid)


@given(st.integers(1, 10**7), st.integers(1, 10**6), st.sampled_from([0.01, 0.1, 1e-8, 0.00025]))
def test_a_price_made_of_ticks_is_those_ticks_again(ticks, lots, step):
    spec = strategies.load("noop")
    market = Market(Desk(spec, tick=step, lot=step).view)
    assert market.ticks(ticks * step) == ticks
    assert market.lots(lots * step) == lots


own = st.tuples(
    st.sampled_from([BID, ASK]),
    st.integers(-40, 40),
    st.sampled_from([QUOTE_TAG, 3]),
    st.sampled_from([ORDER_OPEN, ORDER_PENDING]),
)


@given(
    bid=st.integers(5_000, 15_000),
    spread=st.integers(0, 40),
    held=st.integers(-11, 11),
    sigma=st.floats(0.0, 50.0),
    fee=st.sampled_from([0.0, 0.0002, -0.0001]),
    orders=st.lists(own, max_size=4),
)
def test_the_class_twin_of_glft_says_the_same_on_any_view(bid, spread, held, sigma, fee, orders):
    spec = strategies.load("glft")
    twin = strategies.load(str(TWIN)).python(spec.params)
    answers = []
    for decide in (spec.compiled, twin.decide):
        desk = Desk(spec, best_bid_ticks=bid, best_ask_ticks=bid + spread)
        desk.set(position_lots=held * 9_000, vol_mid=sigma, maker_fee=fee)
        for side, away, tag, state in orders:
            desk.order(side, bid + away, 5, tag, state)
        desk._decide = decide
        answers.append((desk.code(), desk.said()))
    assert answers[0] == answers[1]


def test_a_view_without_recarray_dtype_is_not_needed(load):
    """The loop hands `views.view(np.recarray)[i]`: that is what every attribute here reads."""
    desk = Desk(load("market.cancel_all()"))
    assert isinstance(desk.view, np.record)
    assert [a.kind for a in desk.decide()] == ["cancel_all"]


@pytest.mark.parametrize("name", ["usdm_btcusdt", "cm_btcusd_perp", "spot_btcusdt"])
def test_the_class_twin_of_glft_gives_the_same_run(kimera, shared_data, name):
    recording = shared_data / "hftbacktest" / f"{name}_20240808.gz"
    params = {**strategies.info("glft").params, "cover_fees": 0}
    sets = [text for key, value in params.items() for text in ("--set", f"{key}={value}")]
    runs = []
    for strategy in ("glft", TWIN):  # with all parameters said: a profile may know only one of them
        options = ("--replay", recording, *sets, "--events", "100000")
        done = kimera("run", "--strategy", strategy, *options, "--out", kimera.folder / "run")
        assert done.code == 0, done.err
        runs.append([without_name(r) for r in (*done.records("order"), *done.records("fill"))])
        shutil.rmtree(kimera.folder / "run")
    assert len(runs[0]) > 50
    assert runs[0] == runs[1]


def without_name(record):
    return {key: value for key, value in record.items() if key != "strategy"}
