"""Money of linear and inverse instruments, and what happens without a rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kimera_cli.errors import DataError
from kimera_cli.report.money import Leg

RATES = {"USD": 1.0, "USDT": 0.999}


def test_linear_settles_in_quote_at_its_rate(kit: Any) -> None:
    leg = Leg.from_manifest(kit.SPOT, RATES, "USD")
    assert (leg.settle, leg.rate, leg.size_unit) == ("USDT", 0.999, "BTC")
    assert float(leg.notional(200, 10)) == pytest.approx(100 * 1.0 * 0.999)
    assert float(leg.to_portfolio(200.0)) == 0.999


def test_inverse_settles_in_coin_at_its_own_price(kit: Any) -> None:
    """Ten contracts of 100 USD from 50,000 to 52,000: 1000 (1/50000 - 1/52000) BTC = 40 USD."""
    leg = Leg.from_manifest(kit.COIN, RATES, "USD")
    gained = leg.size(10) * (leg.phi(520_000) - leg.phi(500_000))
    assert float(gained) == pytest.approx(1000 * (1 / 50_000 - 1 / 52_000))
    assert float(gained * leg.to_portfolio(520_000)) == pytest.approx(40.0)
    assert (leg.settle, leg.size_unit) == ("BTC", "contracts")
    assert float(leg.notional(1.0, 10)) == 1000.0
    assert float(leg.shown_size(10)) == 10.0


def test_the_portfolio_currency_needs_no_rate(kit: Any) -> None:
    assert Leg.from_manifest(kit.SPOT | {"settle": "EUR"}, {}, "EUR").rate == 1.0


def test_a_missing_rate_names_the_setting(kit: Any) -> None:
    with pytest.raises(DataError, match="expected a rate of BTC in USD for ETHBTC") as caught:
        Leg.from_manifest(kit.SPOT | {"symbol": "ETHBTC", "settle": "BTC"}, RATES, "USD")
    assert "portfolio.rates" in caught.value.hint


def test_shapes_are_kept(kit: Any) -> None:
    leg = Leg.from_manifest(kit.SPOT, RATES, "USD")
    assert leg.phi(np.arange(1.0, 4.0)).shape == (3,)
