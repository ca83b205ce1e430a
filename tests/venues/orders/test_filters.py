"""What fits a market passes, what does not is refused with a value that would pass."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kimera_cli.errors import UsageError
from kimera_cli.instrument import Instrument
from kimera_cli.venues.orders.filters import (
    NO_BOOK,
    Touch,
    away_from_the_cross,
    check,
    fit,
    round_price,
    round_quantity,
)

BTC = Instrument(
    venue="binance",
    symbol="BTCUSDT",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    base="BTC",
    quote="USDT",
    min_qty=Decimal("0.00005"),
    max_qty=Decimal(100),
    min_notional=Decimal(5),
)
STEPS = st.sampled_from([Decimal(s) for s in ("0.01", "0.05", "0.00001", "1", "0.25", "5")])
AMOUNTS = st.decimals("0.000001", "10000000", places=8)
SIDES = st.sampled_from(["buy", "sell"])


def refusal(intent, touch=NO_BOOK):
    """The error of a check, or None when the order passes."""
    try:
        check(BTC, intent, touch)
    except UsageError as error:
        return error
    return None


@settings(deadline=None)
@given(AMOUNTS, SIDES, STEPS)
def test_a_rounded_price_is_the_nearest_tick_that_is_no_worse(price, side, tick):
    rounded = round_price(price, side, tick)
    assert rounded % tick == 0
    better = price - rounded if side == "buy" else rounded - price
    assert 0 <= better < tick
    assert round_price(rounded, side, tick) == rounded


@settings(deadline=None)
@given(AMOUNTS, STEPS)
def test_a_rounded_quantity_never_grows(quantity, lot):
    rounded = round_quantity(quantity, lot)
    assert rounded % lot == 0
    assert 0 <= quantity - rounded < lot


@settings(deadline=None)
@given(AMOUNTS, SIDES, STEPS, AMOUNTS, st.integers(1, 1000))
def test_a_post_only_price_rests_and_is_the_nearest_that_does(price, side, tick, bid, spread):
    bid = round_price(bid, "buy", tick)
    ask = bid + spread * tick
    price = round_price(price, side, tick)
    resting = away_from_the_cross(price, side, tick, Touch(bid, ask))
    crosses = price >= ask if side == "buy" else price <= bid
    if not crosses:
        assert resting == price
    elif side == "buy":
        assert resting == ask - tick
    else:
        assert resting == bid + tick


def test_away_from_the_cross_holds_when_the_book_is_off_the_ticks():
    touch = Touch(bid=Decimal("99.996"), ask=Decimal("100.004"))
    tick = Decimal("0.01")
    assert away_from_the_cross(Decimal(101), "buy", tick, touch) == Decimal("99.99")
    assert away_from_the_cross(Decimal(99), "sell", tick, touch) == Decimal("100.01")
    assert away_from_the_cross(Decimal(101), "buy", tick, Touch()) == 101


@settings(deadline=None)
@given(
    st.decimals("0.02", "100000", places=6),
    st.decimals("0.00001", "1000", places=8),
    SIDES,
    st.booleans(),
    st.decimals("0.02", "100000", places=2),
)
def test_what_was_fitted_passes_unless_it_is_too_small_or_too_large(
    make, price, quantity, side, post_only, ask
):
    touch = Touch(bid=ask - BTC.tick, ask=ask)
    fitted = fit(BTC, side, price, quantity, post_only=post_only, touch=touch)
    intent = make.intent(
        side=side, price=fitted.price, quantity=fitted.quantity,
        tif="post_only" if post_only else "gtc",
    )  # fmt: skip
    error = refusal(intent, touch)
    if error is not None:
        assert error.code in {"usage.min_quantity", "usage.max_quantity", "usage.min_notional"}


REFUSED = [
    ({"price": "100.005"}, "usage.tick", "100 or 100.01"),
    ({"price": "0.001"}, "usage.tick", "0.01 or 0.01"),
    ({"quantity": "0.000004"}, "usage.min_quantity", "0.00005"),
    ({"quantity": "0.100004"}, "usage.lot", "0.1 or 0.10001"),
    ({"quantity": "101"}, "usage.max_quantity", "in parts"),
    ({"quantity": "0.01", "price": "33.33"}, "usage.min_notional", "0.15002"),
    ({"price": "101", "tif": "post_only"}, "usage.post_only", "99.99"),
    ({"price": "99", "tif": "post_only", "side": "sell"}, "usage.post_only", "99.98"),
]


@pytest.mark.parametrize(("changes", "code", "hint"), REFUSED)
def test_a_refusal_names_the_limit_and_the_mend(make, changes, code, hint):
    values = {"price": "99", "quantity": "1"} | changes
    for name in ("price", "quantity"):
        values[name] = Decimal(values[name])
    with pytest.raises(UsageError) as caught:
        check(BTC, make.intent(**values), Touch(Decimal("99.97"), Decimal(100)))
    assert caught.value.code == code
    assert hint in caught.value.hint
    assert "binance/BTCUSDT: expected" in caught.value.message


@settings(deadline=None)
@given(st.decimals("0.01", "100000", places=2), st.decimals("0.00005", "0.01", places=5))
def test_the_quantity_that_the_refusal_proposes_passes(make, price, quantity):
    intent = make.intent(price=price, quantity=quantity)
    error = refusal(intent)
    if error is not None:
        assert error.code == "usage.min_notional"
        proposed = Decimal(re.search(r"quantity of (\S+)", error.hint)[1])
        assume(proposed <= BTC.max_qty)
        check(BTC, make.intent(price=price, quantity=proposed))
        with pytest.raises(UsageError):
            check(BTC, make.intent(price=price, quantity=proposed - BTC.lot))


def test_a_market_order_is_measured_at_the_touch_or_by_its_cost(make):
    market = {"kind": "market", "tif": "ioc", "price": None}
    small = make.intent(**market, quantity=Decimal("0.0001"))
    check(BTC, small)
    with pytest.raises(UsageError, match="at least 5 USDT"):
        check(BTC, small, Touch(Decimal(9), Decimal(10)))
    with pytest.raises(UsageError) as caught:
        check(BTC, make.intent(**market, quantity=None, cost=Decimal(4)))
    assert caught.value.hint == "try a cost of 5"


def test_fill_or_kill_is_refused_where_the_venue_has_none(make, venue):
    market = Instrument(venue=venue, symbol="BTC", kind="spot", tick=BTC.tick, lot=BTC.lot)
    intent = make.intent(tif="fok", price=Decimal(50_000), quantity=Decimal("0.01"))
    if venue != "kraken":
        check(market, intent)
        return
    with pytest.raises(UsageError, match="gtc, ioc or post_only, was fok") as caught:
        check(market, intent)
    assert caught.value.code == "usage.tif"
    assert "no fill or kill" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"price": None},
        {"quantity": None},
        {"cost": Decimal(1)},
        {"quantity": Decimal(0)},
        {"price": Decimal("NaN")},
        {"price": Decimal("Infinity")},
        {"kind": "market"},
        {"kind": "market", "price": None, "cost": Decimal(1)},
        {"kind": "market", "price": None, "tif": "post_only"},
        {"kind": "market", "price": None, "tif": "gtc"},
    ],
)
def test_an_order_that_is_none_cannot_be_made(make, changes):
    with pytest.raises(UsageError) as caught:
        make.intent(**changes)
    assert caught.value.code == "usage.order"
