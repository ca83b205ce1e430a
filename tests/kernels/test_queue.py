"""Queue position from level totals: invariants, known answers, and models in their order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.kernels.queue import behind_share, queue_after_level
from kimera_cli.kernels.state import QUEUE_L3, QUEUE_LOG, QUEUE_POWER, QUEUE_RISK_AVERSE

MODELS = (QUEUE_RISK_AVERSE, QUEUE_POWER, QUEUE_LOG)
LOTS = st.integers(0, 10**9)


def after(model, ahead, traded, before, later, exponent=2.0) -> float:
    """Call the kernel with the types that the venue uses."""
    args = (float(exponent), float(ahead), float(traded), float(before), float(later))
    return queue_after_level(model, *args)


@st.composite
def levels(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Quantities (ahead, traded, before, after) that one level can show."""
    before = draw(LOTS)
    ahead = draw(st.integers(0, before))
    traded = draw(st.integers(0, before - ahead))  # trades took it from what stood ahead
    return ahead, traded, before, draw(LOTS)


@pytest.mark.parametrize("model", MODELS)
@given(level=levels(), exponent=st.floats(0.1, 10))
def test_front_and_back_make_the_level_and_the_front_never_rises(model, level, exponent) -> None:
    ahead, traded, before, later = level
    moved = after(model, ahead, traded, before, later, exponent)
    assert 0 <= moved <= ahead
    assert moved <= later  # so that back = level - front is not negative


@given(level=levels(), model=st.sampled_from((QUEUE_POWER, QUEUE_LOG)))
def test_the_cautious_estimate_is_never_better(level, model) -> None:
    assert after(model, *level) <= after(QUEUE_RISK_AVERSE, *level)


@given(level=levels(), model=st.sampled_from(MODELS))
def test_a_decrease_that_trades_explain_moves_nobody(level, model) -> None:
    ahead, traded, before, _ = level
    explained = before - traded
    assert after(model, ahead, traded, before, explained) == min(ahead, explained)


@given(level=levels())
def test_without_order_ids_the_exact_model_is_cautious(level) -> None:
    assert after(QUEUE_L3, *level) == after(QUEUE_RISK_AVERSE, *level)


@given(ahead=st.integers(1, 10**6), back=st.integers(1, 10**6), share=st.floats(0.01, 0.99))
def test_what_leaves_the_front_and_the_back_is_the_whole_decrease(ahead, back, share) -> None:
    """Split by the share, the back gives what it has, the rest comes from the front."""
    before = ahead + back
    later = math.floor(before * share)
    moved = after(QUEUE_POWER, ahead, 0, before, later, 1.0)
    change = before - later
    from_back = min(back, change * back / before)
    assert moved == pytest.approx(min(later, max(0, ahead - (change - from_back))), abs=1e-6)


@pytest.mark.parametrize(
    ("model", "exponent", "front", "back", "share"),
    [
        (QUEUE_POWER, 1.0, 30.0, 70.0, 0.7),
        (QUEUE_POWER, 2.0, 30.0, 70.0, 4900 / 5800),
        (QUEUE_POWER, 3.0, 10.0, 10.0, 0.5),
        (QUEUE_LOG, 1.0, 1.0, 3.0, 2 / 3),  # log 4 / (log 4 + log 2)
        (QUEUE_LOG, 1.0, 0.0, 5.0, 1.0),
        (QUEUE_POWER, 2.0, 5.0, 0.0, 0.0),
        (QUEUE_POWER, 2.0, 0.0, 0.0, 1.0),
    ],
)
def test_share_of_a_cancel_that_stood_behind(model, exponent, front, back, share) -> None:
    """f(back) / (f(back) + f(front)) with f = x^n or log(1 + x), by hand."""
    assert behind_share(model, exponent, front, back) == pytest.approx(share, rel=1e-12)


def test_worked_example_power_one() -> None:
    """30 ahead of 100; 20 leave unexplained: 14 from behind, 6 from before us."""
    assert after(QUEUE_POWER, 30, 0, 100, 80, 1.0) == pytest.approx(24)


def test_worked_example_with_trades() -> None:
    """50 ahead of 100, 10 of them traded: 40 of 90 are ahead; the level shows 72: 18 cancelled."""
    assert after(QUEUE_POWER, 40, 10, 100, 72, 1.0) == pytest.approx(40 - 18 * 40 / 90)
