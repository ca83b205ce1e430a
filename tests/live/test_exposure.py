"""The cap of a live run counts what rests, what is held, and the order that is asked for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from journal_steps import Steps, asked

from kimera_cli.errors import RiskError
from kimera_cli.live.exposure import Exposure
from kimera_cli.venues.desk import Wish

BUY = Wish("BTCUSDT", "buy", price=Decimal(100), quantity=Decimal(1))


def test_without_a_cap_nothing_is_refused() -> None:
    Exposure(None).check(BUY._replace(quantity=Decimal(10**9)), [])


def test_the_order_itself_counts() -> None:
    Exposure(Decimal(100)).check(BUY, [])
    with pytest.raises(RiskError, match=r"was 100\.01"):
        Exposure(Decimal(100)).check(BUY._replace(price=Decimal("100.01")), [])


def test_resting_orders_count_as_far_as_they_are_open() -> None:
    """5 lots of 0.001 at 100.00, of which 2 were filled: 0.30 rest, 0.20 are held."""
    steps = Steps()
    name = steps.send(steps.bridge.begin(asked()))
    steps.answer(name, "77")
    exposure = Exposure(Decimal("100.5"))
    exposure.check(BUY, steps.orders.live())
    steps.fill("77", "0.002")
    for fill in steps.orders.fills:
        exposure.filled(fill, "BTC")
    exposure.check(BUY, steps.orders.live())
    with pytest.raises(RiskError, match=r"was 100\.51"):
        exposure.check(BUY._replace(price=Decimal("100.01")), steps.orders.live())


def test_a_market_order_is_worth_its_size_at_the_last_fill() -> None:
    exposure = Exposure(Decimal(1000))
    market = Wish("BTCUSDT", "buy", "market", "ioc", quantity=Decimal(5))
    with pytest.raises(RiskError, match="before any fill"):
        exposure.check(market, [])
    exposure.prices["BTCUSDT"] = Decimal(200)
    exposure.check(market, [])
    with pytest.raises(RiskError, match="was 1200"):
        exposure.check(market._replace(quantity=Decimal(6)), [])


def test_a_fee_in_the_base_asset_is_not_held() -> None:
    steps = Steps()
    steps.answer(steps.send(steps.bridge.begin(asked())), "77")
    steps.fill("77", "0.005", fee=Decimal("0.001"), fee_asset="BTC")
    exposure = Exposure(None)
    for fill in steps.orders.fills:
        exposure.filled(fill, "BTC")
    assert exposure.held == {"BTCUSDT": Decimal("0.004")}


def test_the_cap_is_for_all_venues_together_in_one_currency() -> None:
    """40 at another venue, and a tether at 0.99: of 100 there is room for 60.6 tethers."""
    exposure = Exposure(Decimal(100), {"BTCUSDT": Decimal("0.99")}, lambda: Decimal(40))
    exposure.check(BUY._replace(price=Decimal("60.6")), [])
    with pytest.raises(RiskError, match=r"was 100\.093"):
        exposure.check(BUY._replace(price=Decimal("60.7")), [])
    exposure.held["BTCUSDT"], exposure.prices["BTCUSDT"] = Decimal("-0.5"), Decimal(100)
    assert exposure.worth([]) == Decimal("49.5")
