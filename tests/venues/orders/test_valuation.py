"""What positions are worth: per market, and in total per asset over venues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from kimera_cli.errors import ProfileError
from kimera_cli.records import TradePosition
from kimera_cli.settings import Portfolio
from kimera_cli.venues.valuation import valued

PRICES = {("binance", "BTCUSDT"): "50000", ("kraken", "XBTUSD"): "50100"}


def position(venue: str, symbol: str, qty: str, quote: str = "", asset: str = "BTC"):
    return TradePosition(
        venue=venue, account="main", symbol=symbol, asset=asset, qty=qty, quote=quote
    )


def prices(venue: str, symbols: Sequence[str]) -> Mapping[str, Decimal]:
    return {s: Decimal(PRICES[venue, s]) for s in symbols if (venue, s) in PRICES}


POSITIONS = [
    position("binance", "BTCUSDT", "0.5", "USDT"),
    position("kraken", "XBTUSD", "-0.2", "USD"),
    position("total", "", "0.3"),
]
IN_DOLLARS = Portfolio(rates={"USD": 1.0, "USDT": 0.9995})


def test_the_total_is_the_sum_over_venues_at_the_stated_rates() -> None:
    """0.5 at 50,000 USDT and 0.9995, less 0.2 at 50,100 USD."""
    found = list(valued(POSITIONS, IN_DOLLARS, prices))
    assert [each.value for each in found] == ["24987.5", "-10020", "14967.5"]
    assert {each.currency for each in found} == {"USD"}


def test_without_a_price_neither_market_nor_total_has_a_value() -> None:
    unknown = [*POSITIONS[:2], position("okx", "BTC-USDT", "1", "USDT"), POSITIONS[2]]
    unknown.append(position("total", "", "0", asset="ETH"))
    found = [each.value for each in valued(unknown, IN_DOLLARS, prices)]
    assert found == ["24987.5", "-10020", "", "", "0"]


def test_a_currency_without_a_rate_is_an_error() -> None:
    with pytest.raises(ProfileError, match="rate from USDT"):
        list(valued(POSITIONS, Portfolio(rates={"USD": 1.0}), prices))
