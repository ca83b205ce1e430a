"""Equity over time, returns, inventory: by hand and on several sleeves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kimera_cli.layouts import R_SAMPLE
from kimera_cli.report import equity as eq
from kimera_cli.report.analysis import analyse
from kimera_cli.report.inventory import filled_forward
from kimera_cli.report.run import Run


def test_curve_of_the_tiny_run(tiny: Run) -> None:
    found = analyse(tiny)
    assert found.equity.pnl.tolist() == [0.0, 1.98, 2.86, -1.14, 8.86]
    assert found.equity.value[0] == 1000.0
    assert found.equity.span_s == 95.0
    assert found.measures["max_drawdown_money"].value == pytest.approx(4.0)
    assert found.measures["max_drawdown"].value == pytest.approx(4.0 / 1002.86)
    assert found.measures["drawdown_duration"].value == 50.0


def test_inventory_of_the_tiny_run(tiny: Run) -> None:
    m = analyse(tiny).measures
    held = [0.0, 102.0, 204.0, 200.0, 210.0]
    assert m["inventory_mean"].value == pytest.approx(np.mean(held))
    assert m["inventory_max"].value == 210.0
    assert m["time_flat"].value == 0.2


def test_sleeves_hold_their_value_between_samples(make: Any, kit: Any) -> None:
    rows = kit.Rows()
    for t, instrument, equity in ((0, 0, 0.0), (1, 1, 5.0), (2, 0, 1.0), (3, 1, 7.0)):
        rows.add(R_SAMPLE, t, instrument=instrument, equity=equity, mid_ticks=100.0)
    e = analyse(make(rows.array(), [kit.SPOT, kit.SPOT | {"venue": "okx"}], ["x"])).equity
    assert e.pnl.tolist() == [0.0, 5.0, 6.0, 8.0]


def test_coin_pnl_moves_with_the_price(make: Any, kit: Any) -> None:
    rows = kit.Rows()
    for t, mid in ((0, 500_000), (1, 600_000)):
        rows.add(R_SAMPLE, t, equity=0.01, mid_ticks=float(mid))
    e = analyse(make(rows.array(), [kit.COIN], ["x"])).equity
    assert e.pnl == pytest.approx([500.0, 600.0])


@pytest.mark.parametrize(("seconds", "period"), [(59, 1), (300, 5), (3_600, 60), (40_000, 300)])
def test_period_of_returns(make: Any, kit: Any, seconds: int, period: int) -> None:
    rows = kit.market_rows(seconds + 1, 5)
    found = analyse(make(rows, [kit.SPOT], ["x"], stated={"cash": 1e9}))
    assert found.returns.period_s == period
    assert found.returns.values.size == seconds // period
    value = found.equity.value[:: int(period)]
    assert found.returns.values == pytest.approx(value[1:] / value[:-1] - 1)


def test_no_cash_no_returns(make: Any, kit: Any) -> None:
    m = analyse(make(kit.market_rows(100, 5), [kit.SPOT], ["x"], stated={"cash": 0})).measures
    assert "no cash" in m["sharpe"].reason
    assert m["max_drawdown"].value is None
    assert m["max_drawdown_money"].value is not None


def test_ruin_has_no_returns(make: Any, kit: Any) -> None:
    m = analyse(make(kit.market_rows(900, 300), [kit.SPOT], ["x"], stated={"cash": 1.0})).measures
    assert "equity fell to nothing" in m["sharpe_annual"].reason


def test_error_of_pnl_is_that_of_a_random_walk() -> None:
    rng = np.random.default_rng(1)
    ts = np.arange(401, dtype=np.int64) * 10**9
    errors = []
    for _ in range(500):
        pnl = np.concatenate(([0.0], np.cumsum(rng.normal(0.1, 1.0, 400))))
        e = eq.Equity(ts, pnl, [], [], 1.0)
        errors.append(eq.pnl(pnl[-1], e, 1).se or 0)
    assert np.mean(errors) == pytest.approx(np.sqrt(400.0), rel=0.03)


def test_gaps_are_filled_with_what_was_known() -> None:
    nan = float("nan")
    assert filled_forward(np.array([nan, 1.0, nan, 3.0, nan])).tolist() == [1.0, 1.0, 1.0, 3.0, 3.0]
    assert np.isnan(filled_forward(np.array([nan, nan]))).all()
