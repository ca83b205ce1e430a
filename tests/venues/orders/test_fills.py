"""Each fill counts once; positions, fees and asset changes are exact sums."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.venues.orders.fills import Added, Assets, FillLedger, asset_changes

ASSETS = {"BTCUSDT": Assets("BTC", "USDT"), "ETHBTC": Assets("ETH", "BTC")}


@st.composite
def tellings(draw, make):
    """Different fills, some told twice, in any order."""
    n = draw(st.integers(1, 8))
    fills = [
        make.fill(
            None,
            trade,
            draw(st.decimals("0.00001", "10", places=5)),
            symbol=draw(st.sampled_from(sorted(ASSETS))),
            side=draw(st.sampled_from(["buy", "sell"])),
            price=draw(st.decimals("0.01", "100", places=2)),
            fee=draw(st.decimals("-0.1", "0.1", places=8)),
            fee_asset=draw(st.sampled_from(["BTC", "BNB", "USDT"])),
        )
        for trade in range(n)
    ]
    again = draw(st.lists(st.sampled_from(fills), max_size=8))
    return fills, draw(st.permutations([*fills, *again]))


@settings(deadline=None)
@given(st.data())
def test_positions_are_the_sum_of_distinct_fills(make, data):
    fills, told = data.draw(tellings(make))
    ledger = FillLedger()
    new = [f for f in told if ledger.add(f) is Added.NEW]
    assert len(new) == len(ledger) == len(fills)
    assert set(ledger) == set(fills)
    assert not ledger.conflicts
    for symbol in ASSETS:
        signed = [f.quantity * (1 if f.side == "buy" else -1) for f in fills if f.symbol == symbol]
        assert ledger.position(symbol) == sum(signed, Decimal(0))
        times = [f.ts_ns for f in fills if f.symbol == symbol]
        assert ledger.last_ns(symbol) == max(times, default=0)
    for asset, fee in ledger.fees().items():
        assert fee == sum((f.fee for f in fills if f.fee_asset == asset), Decimal(0))
    assert ledger.last_ns() == max(f.ts_ns for f in fills)


@settings(deadline=None)
@given(st.data())
def test_what_one_side_gains_the_other_loses(make, data):
    """Conservation: a fill and its mirror image leave only the fees."""
    fills, _ = data.draw(tellings(make))
    from msgspec.structs import replace

    other = {"buy": "sell", "sell": "buy"}
    mirror = [replace(f, side=other[f.side], fee=Decimal(0)) for f in fills]
    total = asset_changes([*fills, *mirror], ASSETS)
    fees = FillLedger(fills).fees()
    assert {a: v for a, v in total.items() if v} == {a: -v for a, v in fees.items() if v}


def test_a_known_answer(make):
    bought = make.fill(None, 1, 2, price=Decimal(50), fee=Decimal("0.002"), fee_asset="BTC")
    sold = make.fill(None, 2, 1, side="sell", price=Decimal(60), fee=Decimal("0.06"),
                     fee_asset="USDT")  # fmt: skip
    changes = asset_changes([bought, sold], ASSETS)
    assert changes == {"BTC": Decimal("0.998"), "USDT": Decimal("-40.06")}


def test_money_that_the_venue_rounds_counts_as_the_venue_says(make):
    fill = make.fill(None, 1, "0.003", price=Decimal("33.333"), cost=Decimal("0.10"), fee_asset="")
    assert asset_changes([fill], ASSETS)["USDT"] == Decimal("-0.10")


def test_the_same_trade_number_of_another_symbol_is_another_fill(make):
    ledger = FillLedger([make.fill(None, 1), make.fill(None, 1, symbol="ETHBTC")])
    assert len(ledger) == 2


def test_a_telling_that_contradicts_is_kept_apart(make):
    ledger = FillLedger([make.fill(None, 1, 2)])
    assert ledger.add(make.fill(None, 1, 3)) is Added.CONFLICT
    assert ledger.position("BTCUSDT") == 2
    assert [f.quantity for f in ledger.conflicts] == [3]
    late_fee = make.fill(None, 1, 2, fee=Decimal(9), maker=True)
    assert ledger.add(late_fee) is Added.KNOWN, "a fee may be told later than the fill"
