"""Order flow of the tiny run by hand, and the measures made of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kimera_cli.layouts import ASK, BID, R_FILL
from kimera_cli.report.analysis import Analysis, analyse
from kimera_cli.report.execution import median
from kimera_cli.report.run import Run


@pytest.fixture
def found(tiny: Run) -> Analysis:
    return analyse(tiny)


def test_counts(found: Analysis) -> None:
    f = found.flow
    # orders 1, 2, 3, 4 and 6 were sent (5 was denied); 4 was cancelled, 6 rejected
    assert (f.sent, f.filled, f.fills, f.maker_fills, f.cancelled) == (5, 3, 3, 2, 1)
    assert f.messages == 6
    assert dict(f.denials) == {"risk.max_order": 1}
    assert dict(f.rejects) == {"venue.post_only_would_cross": 1}


def test_ratios(found: Analysis) -> None:
    m = found.measures
    assert m["fill_ratio"].value == 0.6
    assert m["fill_ratio"].se == pytest.approx(math.sqrt(0.6 * 0.4 / 5))
    assert m["cancel_ratio"].value == 0.2
    assert m["order_to_trade"].value == 6 / 3 - 1
    assert m["maker_share"].value == pytest.approx(2 / 3)
    assert m["turnover"].value == pytest.approx(100 + 103 + 204)
    sent = 100 + 103 + 204 + 0.5 * 115 + 0.5 * 105
    assert m["fill_ratio_value"].value == pytest.approx(407 / sent)


def test_waiting_and_queue(found: Analysis) -> None:
    assert found.measures["time_to_fill"].value == 0.5
    # ahead over own size of the orders that rested: 30/10, 10/10, 20/5
    assert sorted(found.flow.queue_ratio) == [1.0, 3.0, 4.0]
    assert found.measures["queue_ahead"].value == 3.0


def test_hit_rate(found: Analysis) -> None:
    # the sale at 103 closed a buy at 100 with a gain; nothing else closed
    assert (found.flow.closing, found.flow.winning) == (1, 1)
    assert found.measures["hit_rate"].value == 1.0


def test_a_turn_through_zero_starts_a_new_average(make: Any, kit: Any) -> None:
    rows = kit.Rows()
    for t, side, px, lots in (
        (1, BID, 100, 10),
        (2, ASK, 90, 30),
        (3, BID, 85, 20),
        (4, ASK, 85, 1),
    ):
        rows.add(R_FILL, t, side=side, px_ticks=px, qty_lots=lots, mid_ticks=float(px), order_id=t)
    flow = analyse(make(rows.array(), [kit.SPOT], ["x"])).flow
    # 10 bought at 100 sold at 90: loss; 20 sold at 90 bought at 85: gain; then a new position
    assert (flow.closing, flow.winning) == (2, 1)


def test_several_sleeves_add_up(make: Any, kit: Any) -> None:
    rows = kit.merged(
        kit.market_rows(300, 50), kit.market_rows(300, 30, 5, strategy=1, instrument=1)
    )
    linear = kit.SPOT | {"venue": "binanceusdm", "kind": "linear"}
    found = analyse(make(rows, [kit.SPOT, linear], ["a", "b"]))
    assert len(found.parts) == 2
    assert found.flow.sent == sum(p.flow.sent for p in found.parts) == 160
    assert found.flow.turnover == pytest.approx(sum(p.flow.turnover for p in found.parts))
    assert found.split.total == pytest.approx(sum(p.split.total for p in found.parts))
    assert found.equity.pnl[-1] == pytest.approx(found.split.total)


def test_median_and_its_error() -> None:
    rng = np.random.default_rng(2)
    samples = rng.exponential(size=(2000, 101))
    spread = np.std(np.median(samples, axis=1))
    errors = [median(x, "").se or 0 for x in samples]
    assert np.mean(errors) == pytest.approx(spread, rel=0.15)
    assert median(np.array([1.0, 2.0]), "").se is None
    assert median(np.empty(0), "none").reason == "none"


def test_nothing_sent_has_reasons(make: Any, kit: Any) -> None:
    m = analyse(make(kit.market_rows(60, 0)[-60:], [kit.SPOT], ["x"])).measures
    assert m["fill_ratio"].reason == "no order was sent"
    assert m["order_to_trade"].reason == "no fills"
    assert m["hit_rate"].value is None
    assert m["pnl"].reason == "no fills"
