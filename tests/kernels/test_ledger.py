"""Money of spot, linear and inverse contracts: hand-computed answers, and exact recomputation."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.instrument import Instrument
from kimera_cli.kernels.ledger import (
    book_fill,
    book_fill_at,
    book_funding,
    book_kept,
    equity_at,
    quote_value,
    to_portfolio,
    trade_value,
)
from kimera_cli.kernels.state import SLEEVE
from kimera_cli.layouts import ASK, BID, VIEW

SPOT = Instrument(
    venue="binance",
    symbol="BTCUSDT",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    base="BTC",
    quote="USDT",
    maker_fee=-0.00005,
    taker_fee=0.001,
)
LINEAR = Instrument(
    venue="okx",
    symbol="BTC-USDT-SWAP",
    kind="linear",
    tick=Decimal("0.1"),
    lot=Decimal("0.1"),
    base="BTC",
    quote="USDT",
    contract_size=Decimal("0.01"),
    maker_fee=0.0002,
    taker_fee=0.0005,
)
INVERSE = Instrument(
    venue="binancecoinm",
    symbol="BTCUSD_PERP",
    kind="inverse",
    tick=Decimal("0.1"),
    lot=Decimal("1"),
    base="BTC",
    quote="USD",
    contract_size=Decimal("100"),
    maker_fee=0.0001,
    taker_fee=0.0005,
)
KINDS = pytest.mark.parametrize("instrument", [SPOT, LINEAR, INVERSE], ids=lambda i: i.kind)


class Account:
    """One sleeve and its instrument's row."""

    def __init__(self, instrument: Instrument, rate: float = 1.0) -> None:
        self.row = instrument.row(rate).view(np.recarray)[0]
        self.view = np.zeros(1, VIEW).view(np.recarray)[0]
        self.sleeve = np.zeros(1, SLEEVE).view(np.recarray)[0]

    def fill(self, side: int, px_ticks: int, lots: int, maker: int = 0) -> float:
        return book_fill(self.view, self.sleeve, self.row, side, px_ticks, lots, maker)

    def equity(self, mid_ticks: float) -> float:
        return equity_at(self.view, self.row, float(mid_ticks))


def test_spot_round_trip() -> None:
    """Buy 0.5 BTC at 60,000 as taker, sell at 60,500 as maker with a rebate of 0.5 bp."""
    account = Account(SPOT)
    assert account.fill(BID, 6_000_000, 50_000) == pytest.approx(30.0)
    assert account.view.cash == pytest.approx(-30_030.0)
    assert account.equity(6_010_000) == pytest.approx(20.0)  # 30,050 - 30,030
    assert account.fill(ASK, 6_050_000, 50_000, 1) == pytest.approx(-1.5125)
    assert account.view.position_lots == 0
    assert account.view.cash == pytest.approx(250 - 30 + 1.5125)
    assert account.equity(math.nan) == pytest.approx(221.5125)
    assert account.sleeve.fees == pytest.approx(28.4875)
    assert account.sleeve.volume == pytest.approx(60_250.0)
    assert account.sleeve.n_fills == 2


def test_linear_short_with_a_contract_size() -> None:
    """Sell 25 lots (2.5 contracts of 0.01 BTC: 0.025 BTC) at 60,000, buy back at 59,000."""
    account = Account(LINEAR)
    account.fill(ASK, 600_000, 25)
    assert account.view.position_lots == -25
    assert account.equity(590_000) == pytest.approx(25 - 0.75)
    account.fill(BID, 590_000, 25, 1)
    assert account.view.cash == pytest.approx(25 - 0.75 - 0.295)


def test_inverse_long_pays_in_coins() -> None:
    """300 contracts of 100 USD from 50,000 to 60,000: 30,000 (1/50,000 - 1/60,000) = 0.1 BTC."""
    account = Account(INVERSE)
    account.fill(BID, 500_000, 300)
    assert account.equity(600_000) == pytest.approx(0.1 - 0.0003, abs=1e-15)
    account.fill(ASK, 600_000, 300, 1)
    assert account.view.cash == pytest.approx(0.1 - 0.0003 - 0.00005, abs=1e-15)


def test_inverse_short_loses_when_the_price_rises() -> None:
    account = Account(INVERSE)
    account.fill(ASK, 500_000, 300)
    assert account.equity(600_000) == pytest.approx(-0.1 - 0.0003, abs=1e-15)


@KINDS
def test_no_mid_no_equity_unless_nothing_is_held(instrument: Instrument) -> None:
    account = Account(instrument)
    assert account.equity(math.nan) == 0.0
    account.fill(BID, 600_000, 1)
    assert math.isnan(account.equity(math.nan))


def test_funding() -> None:
    """0.01 % on 0.025 BTC at 60,000 is 0.15 USDT, paid by a long; inverse: in coins."""
    account = Account(LINEAR)
    assert book_funding(account.view, account.row, 600_000.0, 1e-4) == 0.0
    account.view.position_lots = 25
    assert book_funding(account.view, account.row, 600_000.0, 1e-4) == pytest.approx(0.15)
    account.view.position_lots = -25
    assert book_funding(account.view, account.row, 600_000.0, 1e-4) == pytest.approx(-0.15)
    assert account.view.cash == pytest.approx(0)
    coins = Account(INVERSE)
    coins.view.position_lots = 300
    assert book_funding(coins.view, coins.row, 600_000.0, 1e-4) == pytest.approx(5e-5)


def test_values_in_quote_and_portfolio_currency() -> None:
    linear, inverse = Account(LINEAR, rate=0.9), Account(INVERSE, rate=0.9)
    assert trade_value(linear.row, 600_000, 25) == pytest.approx(1_500)
    assert quote_value(linear.row, 600_000, 25) == pytest.approx(1_500)
    assert quote_value(inverse.row, 600_000, 25) == pytest.approx(2_500)
    assert trade_value(inverse.row, 500_000, 25) == pytest.approx(0.05)
    assert to_portfolio(linear.row, 10.0, math.nan) == pytest.approx(9)
    assert to_portfolio(inverse.row, 0.1, 500_000.0) == pytest.approx(4_500)


FILLS = st.lists(
    st.tuples(
        st.sampled_from((BID, ASK)),
        st.integers(1, 10_000_000),
        st.integers(1, 100_000),
        st.sampled_from((0, 1)),
    ),
    max_size=30,
)


@KINDS
@given(fills=FILLS, mid=st.integers(1, 10_000_000))
def test_money_is_what_the_fills_say_in_exact_decimals(instrument, fills, mid) -> None:
    account = Account(instrument)
    cash, fees, lots, gross = Decimal(0), Decimal(0), 0, Decimal(1)
    for side, px, qty, maker in fills:
        account.fill(side, px, qty, maker)
        size = qty * instrument.lot * instrument.contract_size
        price = px * instrument.tick
        value = size / price if instrument.kind == "inverse" else size * price
        fee = value * Decimal(repr(instrument.maker_fee if maker else instrument.taker_fee))
        sign = (1 if side == BID else -1) * (1 if instrument.kind == "inverse" else -1)
        cash += sign * value - fee
        fees += fee
        gross += value
        lots += qty if side == BID else -qty
    assert account.view.position_lots == lots
    tolerance = float(gross) * 1e-13
    assert account.view.cash == pytest.approx(float(cash), abs=tolerance)
    assert account.sleeve.fees == pytest.approx(float(fees), abs=tolerance)
    held = lots * instrument.lot * instrument.contract_size
    price = mid * instrument.tick
    equity = cash - held / price if instrument.kind == "inverse" else cash + held * price
    scale = tolerance + abs(float(equity - cash)) * 1e-13
    assert account.equity(mid) == pytest.approx(float(equity), abs=scale)


def test_what_a_venue_keeps_as_its_fee_is_not_there_to_be_sold() -> None:
    """Buy 1,000 lots of 0.00001 at 50,000.00 (500), fee 0.1 % = 1 lot (0.50), kept of the BTC."""
    record = SPOT.row(1.0).view(np.recarray)[0]
    view, sleeve = (np.zeros(1, kind).view(np.recarray)[0] for kind in (VIEW, SLEEVE))
    book_fill_at(view, sleeve, record, BID, 5_000_000, 1_000, 0.5)
    before = equity_at(view, record, 5_000_000.0)
    book_kept(view, record, 5_000_000, 1)
    assert view.position_lots == 999
    assert view.cash == pytest.approx(-500.0)
    assert equity_at(view, record, 5_000_000.0) == pytest.approx(before) == pytest.approx(-0.5)
    assert sleeve.fees == 0.5
