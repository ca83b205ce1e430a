"""Money: every number of a summary follows from the fills, for each kind of instrument."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tapes import INVERSE, LINEAR, SPOT, HandMade, Ran, events, plain_profile, quotes

from kimera_cli.engine.request import Sleeved
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import BID
from kimera_cli.settings import Market
from kimera_cli.sim.synthetic import SyntheticMarket
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve

RunAll = Callable[..., Ran]
Scripted = Callable[..., Sleeved]


def test_a_round_trip_on_spot_by_hand(run_all: RunAll, scripted: Scripted) -> None:
    """Buy 0.1 BTC at 50,000.01, sell at 50,999.99, 0.1 % each time: 99.998 - 10.099999..."""
    trader = scripted("if n == 1: market.buy(None, 0.1)\nif n == 3: market.sell(None, 0.1)")
    tape = HandMade(SPOT, events(quotes([5_000_000] * 3 + [5_100_000] * 4)))
    ran = run_all([tape], [trader])
    gross = Decimal("0.1") * (Decimal("50999.99") - Decimal("50000.01"))
    fees = Decimal("0.001") * Decimal("0.1") * (Decimal("50999.99") + Decimal("50000.01"))
    assert ran.summary.fills == 2
    assert ran.summary.fees == pytest.approx(float(fees), rel=1e-12)
    assert ran.summary.pnl == pytest.approx(float(gross - fees), rel=1e-12)


def test_a_short_on_an_inverse_contract_by_hand(run_all: RunAll, scripted: Scripted) -> None:
    """Sell 10 contracts of 100 USD at 50,000, buy back at 40,000: 1000 (1/40000 - 1/50000) BTC."""
    trader = scripted("if n == 1: market.sell(None, 10)\nif n == 3: market.buy(None, 10)")
    tape = HandMade(INVERSE, events(quotes([500_001] * 3 + [399_999] * 4)))
    ran = run_all([tape], [trader], plain_profile(fees={"taker": 0.0}))
    coins = 1000 * (Decimal(1) / Decimal("40000.0") - Decimal(1) / Decimal("50000.0"))
    assert ran.summary.pnl == pytest.approx(float(coins * Decimal("39999.9")), rel=1e-9)


def test_an_open_position_is_valued_at_the_last_mid(run_all: RunAll, scripted: Scripted) -> None:
    trader = scripted("if n == 1: market.buy(None, 0.1)")
    tape = HandMade(LINEAR, events(quotes([500_000] * 3 + [510_000] * 3)))
    ran = run_all([tape], [trader], plain_profile(fees={"taker": 0.0}))
    assert ran.summary.pnl == pytest.approx(0.1 * (51_000.0 - 50_000.1), rel=1e-12)


def test_a_book_that_lost_a_side_is_valued_at_its_newest_mid(
    run_all: RunAll, scripted: Scripted
) -> None:
    """The run ends with bids only: PnL is a number, and the one that the report finds."""
    from kimera_cli.report.analysis import analyse
    from kimera_cli.report.run import read

    rows = quotes([500_000] * 4)
    rows.append((5_000_000_000, 1, 1, 500_001, 0))
    trader = scripted("if n == 1: market.buy(None, 0.1)")
    ran = run_all([HandMade(LINEAR, events(rows))], [trader], plain_profile(fees={"taker": 0.0}))
    assert ran.summary.pnl == pytest.approx(-0.01)
    analysis = analyse(read(ran.folder))
    assert analysis.measures["pnl"].value == pytest.approx(ran.summary.pnl)
    assert not [note for note in analysis.notes if "add up" in note]


def test_fees_stay_in_the_currency_in_which_they_were_paid(
    run_all: RunAll, scripted: Scripted
) -> None:
    trader = scripted("if n == 1: market.buy(None, 10 if name else 0.1)")
    tapes = [HandMade(i, events(quotes([500_000] * 4))) for i in (LINEAR, INVERSE)]
    ran = run_all(tapes, [trader])
    fees = ran.summary.fees_by_currency
    assert fees["USDT"] == pytest.approx(0.0005 * 0.1 * 50_000.1)
    assert fees["BTC"] == pytest.approx(0.0004 * 1000 / 50_000.1)
    assert ran.summary.fees == pytest.approx(fees["USDT"] + fees["BTC"] * 50_000.0)


# --- against an independent account ---------------------------------------------------------------


def synthetic(instrument: Instrument, index: int) -> Any:
    """Real order flow under another instrument's name and money."""
    settings = Market(start_px=float(500_000 * instrument.tick), tick=float(instrument.tick))
    source = SyntheticMarket(settings, seed=7, index=index)
    source.instrument = instrument
    return source


def account(ran: Ran, strategy: int, k: int, last_mid: Decimal) -> Decimal:
    """PnL of one sleeve in portfolio currency from its fills alone, in exact decimals."""
    instrument = ran.session.instruments[k]
    cash = position = Decimal(0)
    rows = ran.folder.fills()
    for row in rows[(rows["strategy"] == strategy) & (rows["instrument"] == k)]:
        px = int(row["px_ticks"]) * instrument.tick
        size = int(row["qty_lots"]) * instrument.lot * instrument.contract_size
        signed = size if row["side"] == BID else -size
        rate = instrument.maker_fee if row["type"] else instrument.taker_fee
        if instrument.kind == "inverse":
            cash += signed / px - Decimal(str(rate)) * size / px
        else:
            cash -= signed * px + Decimal(str(rate)) * size * px
        position += signed
    mid = last_mid * instrument.tick
    if instrument.kind == "inverse":
        return (cash - position / mid) * mid
    return cash + position * mid


@pytest.fixture
def crowd(run_all: RunAll, scripted: Scripted) -> Ran:
    """Three kinds of instrument, a maker, another maker and a taker, for two minutes."""
    makers = []
    for name, params in (("grid", {}), ("avellaneda_stoikov", {"k": 20.0})):
        spec = load(name)
        makers.append(Sleeved(spec, resolve(spec, params)))
    taker = scripted(
        "size = 10 if name == 2 else 0.02\n"
        "market.buy(None, size) if (n * 7) % 3 else market.sell(None, 2 * size)"
    )
    sources = [synthetic(i, k) for k, i in enumerate((SPOT, LINEAR, INVERSE))]
    profile = plain_profile(fees={"maker": 0.0})
    return run_all(sources, [*makers, taker], profile, duration_ns=120_000_000_000)


def test_each_ledger_is_what_its_fills_come_to(crowd: Ran) -> None:
    mids = [Decimal(str(m)) for m in crowd.session.arrays.features["mid_ticks"]]
    names = [s.spec.name for s in crowd.session.request.strategies]
    fills = crowd.folder.fills()
    assert set(fills["instrument"]) == {0, 1, 2}
    assert set(fills["strategy"]) == {0, 1, 2}
    assert {0, 1} <= set(fills["type"])
    total = Decimal(0)
    for j, name in enumerate(names):
        expected = sum((account(crowd, j, k, mids[k]) for k in range(3)), Decimal(0))
        total += expected
        assert crowd.summary.pnl_by_strategy[name] == pytest.approx(float(expected), abs=1e-5)
    assert crowd.summary.pnl == pytest.approx(float(total), abs=1e-5)
    assert crowd.summary.pnl == pytest.approx(sum(crowd.summary.pnl_by_strategy.values()))


def test_counts_of_the_summary_are_those_of_the_files(crowd: Ran) -> None:
    from kimera_cli.layouts import R_DENIED, R_INTENT, R_REJECTED

    kinds = crowd.folder.events()["kind"]
    fills = crowd.folder.fills()
    s = crowd.summary
    assert (s.fills, s.maker_fills) == (len(fills), int((fills["type"] == 1).sum()))
    assert s.orders == int((kinds == R_INTENT).sum())
    assert s.denied == int((kinds == R_DENIED).sum())
    assert s.rejects == int((kinds == R_REJECTED).sum())
    assert s.market_seconds == pytest.approx(120.0, abs=1.0)


def test_positions_are_told_per_market_and_in_total_per_asset(
    run_all: RunAll, scripted: Scripted
) -> None:
    """0.1 BTC on spot at 50,000 USDT, -30 contracts of 100 USD at 50,000: 0.04 BTC, 1,995 USD.

    The tether is at 0.999.
    """
    trader = scripted(
        "if n == 1 and name == 0: market.buy(None, 0.1)\n"
        "if n == 1 and name == 1: market.sell(None, 30)"
    )
    tapes = [
        HandMade(SPOT, events(quotes([5_000_000] * 4))),
        HandMade(INVERSE, events(quotes([500_000] * 4))),
        HandMade(LINEAR, events(quotes([500_000] * 4))),
    ]
    rates = {"portfolio": {"rates": {"USD": 1.0, "USDT": 0.999}}}
    ran = run_all(tapes, [trader], plain_profile(**rates))
    found = {h.market: (h.asset, h.qty, h.value) for h in ran.summary.holdings}
    assert found == {
        "binance/BTCUSDT": ("BTC", pytest.approx(0.1), pytest.approx(4_995.0)),
        "binancecoinm/BTCUSD_PERP": ("BTC", pytest.approx(-0.06), pytest.approx(-3_000.0)),
        "total": ("BTC", pytest.approx(0.04), pytest.approx(1_995.0)),
    }
    from kimera_cli.engine.brief import page as brief
    from kimera_cli.report.analysis import analyse
    from kimera_cli.report.html import page
    from kimera_cli.report.run import read

    assert "BTC 0.04 (1,995.00 USD): binance/BTCUSDT 0.1" in " ".join(
        brief(ran.summary, None, 100, colour=False).split()
    )
    written = page(analyse(read(ran.folder)))
    assert "Positions at the end" in written
    assert "all markets" in written
