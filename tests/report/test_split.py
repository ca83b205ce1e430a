"""The PnL split: hand-computed truth, the identity on any fills, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.layouts import ASK, BID, R_FILL, R_FUNDING, R_MARKOUT, R_SAMPLE, RECORD
from kimera_cli.report.analysis import analyse
from kimera_cli.report.money import Leg
from kimera_cli.report.run import Run
from kimera_cli.report.sleeve import Sleeve
from kimera_cli.report.split import split


def test_parts_of_the_tiny_run(tiny: Run) -> None:
    found = analyse(tiny).split
    assert found.capture.tolist() == [0.5, 0.5, -1.0]
    assert found.adverse.tolist() == [1.0, 1.5, 2.0]
    assert found.inventory.tolist() == [3.5, -4.0, 5.0]
    assert found.fees.tolist() == [-0.02, -0.02, -0.1]
    assert found.total == pytest.approx(8.86, abs=1e-12)
    assert (found.truncated, found.without_mid) == (0, 0)


def test_the_horizon_moves_the_border_not_the_total(tiny: Run) -> None:
    near, far = analyse(tiny, 1), analyse(tiny, 60)
    assert near.split.adverse.tolist() == [0.5, 0.5, 1.0]
    assert near.split.total == pytest.approx(far.split.total, abs=1e-12)
    assert far.split.truncated == 1
    assert far.split.adverse[2] == 2.0 * (105.0 - 101.5)
    assert far.split.inventory[2] == 0.0
    assert any("1 fill came closer than 60 s to the end" in note for note in far.notes)


def test_inverse_pnl_in_the_portfolio_currency(make: Callable[..., Run], kit: Any) -> None:
    found = analyse(make(kit.coin_rows(), [kit.COIN], ["glft"], pnl=40.0))
    assert found.split.total == pytest.approx(40.0)
    assert found.equity.pnl[-1] == pytest.approx(40.0)
    assert not any("states a PnL" in note for note in found.notes)


def test_a_summary_that_disagrees_is_said(make: Callable[..., Run], kit: Any) -> None:
    found = analyse(make(kit.tiny_rows(), [kit.SPOT], ["glft"], pnl=9.0))
    assert any("states a PnL of 9.0" in note for note in found.notes)


def test_a_fill_without_mid_is_inventory(make: Callable[..., Run], kit: Any) -> None:
    rows = kit.tiny_rows()
    rows["mid_ticks"][np.flatnonzero(rows["kind"] == R_FILL)[0]] = np.nan
    found = analyse(make(rows, [kit.SPOT], ["glft"], pnl=8.86))
    assert found.split.without_mid == 1
    assert (found.split.capture[0], found.split.adverse[0]) == (0.0, 0.0)
    assert found.split.inventory[0] == 5.0
    assert found.split.total == pytest.approx(8.86)


def test_funding_is_its_own_part(make: Callable[..., Run], kit: Any) -> None:
    rows = kit.Rows()
    rows.rows = [np.array([row], RECORD) for row in kit.tiny_rows()]
    rows.add(R_FUNDING, 80.0, fee=0.25)
    found = analyse(make(rows.array(), [kit.SPOT], ["glft"], pnl=8.61))
    assert found.measures["funding"].value == -0.25
    assert found.split.total == pytest.approx(8.61)


def test_no_funding_is_no_zero(tiny: Run) -> None:
    assert analyse(tiny).measures["funding"].reason == "no funding was due"


fill = st.tuples(
    st.sampled_from([BID, ASK]),
    st.integers(1, 10**6),  # price
    st.integers(1, 10**5),  # lots
    st.one_of(st.none(), st.integers(2, 2 * 10**6)),  # twice the mid
    st.one_of(st.none(), st.integers(2, 2 * 10**6)),  # twice the mid 10 s later
    st.floats(-10, 10),  # fee
)


@given(st.lists(fill, max_size=20), st.integers(2, 2 * 10**6), st.booleans())
def test_parts_add_up_to_the_pnl_of_a_ledger(
    fills: list[tuple[Any, ...]], final: int, inverse: bool
) -> None:
    sleeve = _sleeve(fills, final / 2, inverse)
    found = split(sleeve, 10)
    cash, position, size = 0.0, 0.0, 0.25 * 3.0
    for side, px, lots, _, _, fee in fills:
        sign, q = (1 if side == BID else -1), lots * size
        cash += (sign * q / (px * 0.5)) if inverse else (-sign * q * px * 0.5)
        cash -= fee
        position += sign * q
    price = final / 2 * 0.5
    ledger = (cash - position / price) * price if inverse else cash + position * price
    parts = [found.capture, found.adverse, found.inventory, found.fees]
    scale = max(1.0, *(float(np.abs(p).sum()) for p in parts))
    assert found.total == pytest.approx(ledger, abs=1e-9 * scale)
    assert math.isclose(
        sum(float(p.sum()) for p in parts), found.total, rel_tol=1e-12, abs_tol=1e-12
    )


def _sleeve(fills: list[tuple[Any, ...]], final_ticks: float, inverse: bool) -> Sleeve:
    leg = Leg(
        name="x/Y",
        symbol="Y",
        kind="inverse" if inverse else "linear",
        tick=0.5,
        lot=0.25,
        contract_size=3.0,
        base="B",
        quote="Q",
        settle="B" if inverse else "Q",
        rate=1.0,
    )
    rows, marks = np.zeros(len(fills), RECORD), np.zeros(len(fills), RECORD)
    for i, (side, px, lots, mid, after, fee) in enumerate(fills):
        rows[i]["seq"], rows[i]["kind"], rows[i]["side"] = 2 * i + 1, R_FILL, side
        rows[i]["px_ticks"], rows[i]["qty_lots"], rows[i]["fee"] = px, lots, fee
        rows[i]["mid_ticks"] = np.nan if mid is None else mid / 2
        marks[i]["kind"], marks[i]["type"] = R_MARKOUT, 10 * 10**9
        marks[i]["mid_ticks"] = np.nan if after is None else after / 2
        marks[i]["left_lots"] = 2 * i + 1
    samples = np.zeros(1, RECORD)
    samples["kind"], samples["mid_ticks"] = R_SAMPLE, final_ticks
    return Sleeve("s", leg, rows, samples, marks, np.empty(0, RECORD), final_ticks)
