"""Comparisons: paired errors, noise, deflation, and what is said about unlike runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kimera_cli.report import compare_page
from kimera_cli.report.analysis import Analysis, analyse
from kimera_cli.report.braille import visible
from kimera_cli.report.compare import compare, paired_steps
from kimera_cli.report.compare_page import verdict
from kimera_cli.risk import ratios, significance


@pytest.fixture
def pair(make: Any, kit: Any) -> list[Analysis]:
    """The same market twice; the second earns ten times the spread."""
    rows = [kit.market_rows(1200, 400, edge=edge) for edge in (1.0, 10.0)]
    stated = {"cash": 1e8}
    hashes = ("a" * 64, "b" * 64)
    return [
        analyse(make(r, [kit.SPOT], ["x"], stated=stated, trade_hash=h))
        for r, h in zip(rows, hashes, strict=True)
    ]


def test_one_market_is_compared_pair_by_pair(pair: list[Analysis]) -> None:
    found = compare(pair)[0]
    pnl = next(d for d in found.differences if d.name == "pnl")
    steps = np.diff(pair[1].equity.pnl) - np.diff(pair[0].equity.pnl)
    variance = ratios.long_run_variance(steps, ratios.newey_west_lags(steps.size))
    assert pnl.difference.se == pytest.approx(np.sqrt(variance * steps.size))
    apart = np.hypot(pnl.base.se or 0, pnl.other.se or 0)
    assert (pnl.difference.se or 0) < 0.5 * apart
    assert (pnl.noise, verdict(pnl)) == (False, "better")


def test_other_markets_are_not_paired(pair: list[Analysis], make: Any, kit: Any) -> None:
    rows = kit.market_rows(1200, 400, seed=9)
    rows["ts_ns"] += 10**15
    other = analyse(make(rows, [kit.SPOT], ["x"], stated={"cash": 1e8}))
    assert paired_steps(pair[0], other) is None
    pnl = compare([pair[0], other])[0].differences[0]
    assert pnl.difference.se == pytest.approx(np.hypot(pnl.base.se or 0, pnl.other.se or 0))


def test_a_run_against_itself(pair: list[Analysis]) -> None:
    found = compare([pair[0], pair[0]])[0]
    assert found.same_trades
    for d in found.differences:
        assert d.difference.value in (None, 0.0)
        assert d.noise in (None, True)
    assert "exactly the same trades" in " ".join(compare_page.notes(found))


def test_more_trials_deflate_more(pair: list[Analysis], make: Any, kit: Any) -> None:
    third = analyse(make(kit.market_rows(1200, 400, edge=5.0), [kit.SPOT], ["x"],
                         stated={"cash": 1e8}))  # fmt: skip
    found = compare([*pair, third])
    best = next(d for d in found[0].differences if d.name == "dsr").other
    x = pair[1].returns.values
    known = [a.measures["sharpe"].value or 0 for a in (*pair, third)]
    g3, g4 = ratios.moments(x)
    expected = significance.dsr(known[1], x.size, g3, g4, float(np.var(known, ddof=1)), 3)
    assert best.value == pytest.approx(expected.value)
    assert (best.value or 0) < (pair[1].measures["psr"].value or 0)


def test_unlike_assumptions_are_named(make: Any, kit: Any) -> None:
    one = analyse(make(kit.tiny_rows(), [kit.SPOT], ["x"]))
    fidelity = {"queue_model": "log", "seed": 7}
    two = analyse(make(kit.tiny_rows(), [kit.SPOT], ["x"], stated={"fidelity": fidelity}))
    notes = " ".join(compare_page.notes(compare([one, two])[0]))
    assert "They assume different things:" in notes
    assert "Queue position" in notes


@pytest.mark.parametrize("width", [80, 140])
def test_pages(pair: list[Analysis], width: int) -> None:
    text = compare_page.page(compare(pair), width, colour=False)
    assert max(visible(line) for line in text.splitlines()) <= width
    assert "better" in text
    page = compare_page.html(compare(pair))
    assert page.count("<tr>") > 30
    assert not [word for word in ("http://", "https://", "NaN") if word in page]


def test_records_state_noise(pair: list[Analysis]) -> None:
    records = {r.metric: r for r in compare(pair)[0].records()}
    assert records["pnl"].noise is False
    assert records["inventory_pnl"].noise is None
    assert records["pnl"].unit == "USD"


def test_runs_at_other_times_are_laid_over_each_other(
    pair: list[Analysis], make: Any, kit: Any
) -> None:
    rows = kit.market_rows(1200, 400, seed=9)
    rows["ts_ns"] += 10**15
    other = analyse(make(rows, [kit.SPOT], ["x"], stated={"cash": 1e8}))
    drawn, elapsed = compare_page.on_one_axis([pair[0], other])
    assert elapsed
    assert [int(ts[0]) for _, ts in drawn] == [0, 0]
    assert compare_page.on_one_axis(pair)[1] is False
    text = compare_page.page(compare([pair[0], other]), 100, colour=False)
    assert "over time since the start" in text
    assert "00:05" in text
