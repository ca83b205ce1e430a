"""What users type, and numbers as venues write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.units import NS_PER_DAY, NS_PER_S
from kimera_cli.venues.history.decimals import decimal_of, exact, price_of, step_value, text_of
from kimera_cli.venues.history.exchange import exact_json, options_of, venues
from kimera_cli.venues.history.names import market_of, step_of, symbol_of, venue_of
from kimera_cli.venues.history.span import span_of
from kimera_cli.venues.history.trades import number_of

NOW = 1_704_067_200 * NS_PER_S
"""2024-01-01."""
KRAKEN = {"id": "XXBTZUSD", "symbol": "BTC/USD", "info": {"altname": "XBTUSD"}, "base": "BTC",
          "quote": "USD"}  # fmt: skip
HTX = {"id": "btcusdt", "symbol": "BTC/USDT", "info": {}, "base": "BTC", "quote": "USDT"}
SWAP = {"id": "BTCUSDT", "symbol": "BTC/USDT:USDT", "info": {}, "base": "BTC", "quote": "USDT",
        "swap": True}  # fmt: skip


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        ("2023-12-31", None, NOW - NS_PER_DAY, NOW),
        ("2023-12-31T06:30Z", "2023-12-31T23:00+01:00", -63_000, -7_200),
        ("2d", "1d", -172_800, -86_400),
        ("2023-12-31T00:00:00.250", None, -86_399.75, 0),
        ("1d", "2031-01-01", -86_400, 0),
    ],
)
def test_times(since: str, until: str | None, start: float, end: float) -> None:
    """The end is never in the future; seconds from now where small."""
    found = span_of(since, until, NOW)
    expected = [at if at > 1e12 else NOW + int(at * NS_PER_S) for at in (start, end)]
    assert list(found) == expected


@pytest.mark.parametrize(
    ("since", "until", "word"),
    [
        ("yesterday", None, "--since"),
        ("2023-13-01", None, "--since"),
        ("1d", "soon", "--until"),
        ("1d", "2d", "before"),
        ("2023-12-31", "2023-12-31", "before"),
        ("2031-01-01", "2031-01-02", "past"),
    ],
)
def test_times_that_cannot_be(since: str, until: str | None, word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        span_of(since, until, NOW)
    assert caught.value.code == "usage.time"


def test_venues_have_their_former_names_and_the_nearest_is_told() -> None:
    assert venue_of("huobi", venues()) == "htx"
    assert venue_of("CoinbasePro", venues()) == "coinbaseexchange"
    with pytest.raises(UsageError) as caught:
        venue_of("krakn", venues())
    assert "kraken" in caught.value.hint


@pytest.mark.parametrize("typed", ["BTC/USD", "btc/usd", "XXBTZUSD", "XBTUSD", "xbtusd"])
def test_markets_by_any_of_their_names(typed: str) -> None:
    assert market_of(typed, {"BTC/USD": KRAKEN}, "kraken") is KRAKEN


def test_names_of_datasets() -> None:
    """The venue's own; spot and swap are not the same."""
    assert [symbol_of(each) for each in (KRAKEN, HTX, SWAP)] == [
        *("XBTUSD", "BTCUSDT", "BTCUSDT_PERP"),
    ]


def test_lengths_of_bars() -> None:
    known: dict[str, Any] = {"1m": "1", "1w": "7", "1M": "30", "1y": "365"}
    assert step_of("1w", known, "x") == 7 * NS_PER_DAY
    with pytest.raises(UsageError) as caught:
        step_of("1M", known, "x")
    assert caught.value.hint == "x has 1m, 1w"


def test_only_the_markets_that_are_wanted_are_asked_for() -> None:
    assert options_of("okx", ["BTC-USDT"], swaps=False)["fetchMarkets"] == {"types": ["spot"]}
    for symbol in ("BTC/USDT:USDT", "BTC-USDT-SWAP"):
        assert options_of("okx", [symbol], swaps=False)["fetchMarkets"] == {"types": ["swap"]}


@given(st.decimals(min_value="1e-12", max_value="1e12", places=10, allow_nan=False))
def test_text_is_the_same_number_and_the_shortest(number: Decimal) -> None:
    text = text_of(str(number))
    assert text is not None
    assert Decimal(text) == number
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith(("0", ".")))
    if exact(number):
        assert text_of(float(number)) == text


def test_numbers_as_venues_write_them() -> None:
    assert text_of("1e-7") == "0.0000001"
    assert text_of("100") == "100"
    assert [text_of(each) for each in (None, "", "NaN", "x", float("inf"))] == [None] * 5
    assert decimal_of(0.1) == Decimal("0.1")
    assert not exact(Decimal("123456789.12345678901"))
    with pytest.raises(VenueError, match="above zero"):
        price_of("0", "a price")


def test_numbers_in_json_stay_text() -> None:
    """A float would be 0.1 and 1e-07."""
    told = exact_json('{"a":[0.10000000000000000001,1.0E-7,12]}')
    assert told == {"a": ["0.10000000000000000001", "1.0E-7", 12]}


def test_steps_are_told_in_two_ways() -> None:
    assert step_value("0.01", places=False) == Decimal("0.01")
    assert step_value("2", places=True) == Decimal("0.01")
    assert step_value(None, places=False) is None
    assert step_value("0", places=False) is None


def test_ids_of_trades_are_numbers() -> None:
    assert number_of("123") == 123
    ids = ["2f7a", "2f7b", str(1 << 70)]
    assert len({number_of(each) for each in ids}) == 3
    assert all(0 <= number_of(each) < 1 << 63 for each in ids)
    assert number_of("2f7a") == number_of("2f7a")
