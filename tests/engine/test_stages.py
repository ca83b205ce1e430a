"""Latency by stage in a run: what is counted, where it is kept, and that it changes no result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from tapes import LINEAR, MS, HandMade, Ran, S, events, plain_profile, quotes

from kimera_cli.engine.request import Sleeved
from kimera_cli.engine.run_audit import verify_run
from kimera_cli.engine.stage_times import FILE, StageTimes
from kimera_cli.kernels import stages
from kimera_cli.records import Stage
from kimera_cli.settings import Profile
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve
from kimera_cli.telemetry.histogram import read_log

RunAll = Callable[..., Ran]
SECONDS = 40
TRADER = "market.buy(None, 0.01) if n % 2 else market.sell(None, 0.01)"


def tape() -> HandMade:
    mids = [500_000 + (i * i) % 7 for i in range(SECONDS * 10)]
    return HandMade(LINEAR, events(quotes(mids, 100 * MS)))


def profile(on: bool) -> Profile:
    return plain_profile(run={"stages": on})


def compiled(name: str) -> Sleeved:
    spec = load(name)
    return Sleeved(spec, resolve(spec, {}))


def staged(ran: Ran) -> dict[str, Stage]:
    found = msgspec.convert(ran.folder.manifest["stages"], list[Stage])
    assert {each.run for each in found} == {ran.folder.run}
    return {each.stage: each for each in found}


def test_off_measures_and_writes_nothing(run_all: RunAll) -> None:
    ran = run_all([tape()], [compiled("grid")], profile(False))
    assert ran.folder.manifest["stages"] == []
    assert not (ran.folder.path / FILE).exists()
    assert not ran.session.arrays.stages["histograms"]["counts"].any()


@pytest.mark.parametrize("name", ["grid", "scripted"])
def test_a_run_has_the_same_trades_and_counts_its_stages(
    run_all: RunAll, scripted: Callable[..., Sleeved], tmp_path: Any, name: str
) -> None:
    def strategy() -> Sleeved:
        return scripted(TRADER) if name == "scripted" else compiled(name)

    plain = run_all([tape()], [strategy()], profile(False), out=tmp_path / "plain")
    ran = run_all([tape()], [strategy()], profile(True), out=tmp_path / "staged")
    assert ran.summary.trade_hash == plain.summary.trade_hash
    assert ran.summary.orders == plain.summary.orders > 0
    found = staged(ran)
    assert set(found) == {"event_to_book", "book_to_decision", "decision_to_gate", "total"}
    calls = int(ran.session.arrays.strategies["calls"].sum())
    assert 0 < found["decision_to_gate"].count <= found["book_to_decision"].count <= calls
    assert found["total"].count == found["decision_to_gate"].count
    assert found["book_to_decision"].count <= found["event_to_book"].count
    for each in found.values():
        assert 0 <= each.p50_ns <= each.p99_ns <= each.p999_ns <= each.max_ns
    log = read_log(ran.folder.path / FILE)
    assert {tag: h.get_total_count() for tag, h in log.items() if h.get_total_count()} == {
        tag: each.count for tag, each in found.items()
    }
    assert all(check.ok for check in verify_run(ran.folder))


def test_every_strategy_has_stages_of_its_own(
    run_all: RunAll, scripted: Callable[..., Sleeved]
) -> None:
    """Two that act at every call: each call has its decision, its gate and its total."""
    first, second = scripted(TRADER, "first"), scripted(TRADER, "second")
    ran = run_all([tape()], [first, second], profile(True))
    found = staged(ran)
    counts = {name: each.count for name, each in found.items()}
    assert counts["book_to_decision"] == counts["decision_to_gate"] == counts["total"]
    assert counts["total"] % 2 == 0
    assert ran.summary.orders - 2 <= counts["total"] <= ran.summary.orders  # one turn may wait
    assert counts["event_to_book"] >= counts["total"] // 2


def test_a_turn_without_events_is_no_chain(
    run_all: RunAll, scripted: Callable[..., Sleeved]
) -> None:
    """Two events 20 s apart: the strategy's timer goes off between them, and nothing came in."""
    quiet = HandMade(LINEAR, events(quotes([500_000, 500_001], 20 * S)))
    ran = run_all([quiet], [scripted("pass")], profile(True))
    counts = {name: each.count for name, each in staged(ran).items()}
    assert int(ran.session.arrays.strategies["calls"].sum()) > 10
    assert max(counts.values(), default=0) <= 2
    assert "total" not in counts


def test_the_clock_follows_the_systems_once_a_second() -> None:
    now = [0]
    times = StageTimes(np.zeros(1, stages.STAGES), True, lambda: now[0])
    clock = times._recorder.clock
    if not clock.row.tsc:
        pytest.skip("no time-stamp counter: nothing to follow")
    bases = [int(clock.row.base_ticks)]
    for now[0] in (S - 1, S, S + 1, 2 * S):
        times.refresh()
        bases.append(int(clock.row.base_ticks))
    assert bases[0] == bases[1] < bases[2] == bases[3] < bases[4]


def test_a_total_of_a_chain_that_goes_on() -> None:
    row = np.zeros(1, stages.STAGES).view(np.recarray)[0]
    row.on = row.live = row.every = 1
    row.scale, row.most = stages.fixed_point(1.0)
    row.began, row.mark = 100, 140
    stages.stage_total(row)
    row.mark = 190
    stages.stage_total(row)
    stages.stage_drop(row)
    stages.stage_total(row)
    counts = row.histograms[stages.TOTAL].counts
    assert (int(counts[40]), int(counts[90]), int(counts.sum())) == (1, 1, 2)
