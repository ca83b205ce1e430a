"""A session: ends cleanly in each of its ways, keeps pace, leaves nothing half-made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tapes import LINEAR, MS, T0, HandMade, S, events, plain_profile, quotes, start

from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.engine.run_audit import verify_run
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.engine.session import Session
from kimera_cli.errors import DataError, KimeraError
from kimera_cli.layouts import R_SAMPLE

RequestOf = Callable[..., RunRequest]
Scripted = Callable[..., Sleeved]
TRADER = "market.buy(None, 0.01) if n % 2 else market.sell(None, 0.01)"


def tape(seconds: int = 20, step_ns: int = S) -> HandMade:
    mids = [500_000 + (i * i) % 7 for i in range(seconds * S // step_ns)]
    return HandMade(LINEAR, events(quotes(mids, step_ns)))


def test_a_stopped_run_ends_with_a_last_sample_and_verifies(
    request_of: RequestOf, scripted: Scripted
) -> None:
    session = start(request_of([tape(200)], [scripted(TRADER)]))
    steps = session.steps(stop=lambda: session.market_ns >= 9 * S)
    for _ in steps:
        pass
    summary = session.finish("interrupted", 1.0)
    folder = RunFolder.open(session.folder.path)
    assert folder.status == summary.status == "interrupted"
    assert 9 <= summary.market_seconds < 12
    samples = folder.samples()
    assert samples["ts_ns"][-1] == T0 + int(summary.market_seconds * S)
    assert all(check.ok for check in verify_run(folder))


def test_a_reader_who_leaves_costs_nothing_that_was_done(
    request_of: RequestOf, scripted: Scripted
) -> None:
    """The consumer stops taking records in the middle, as after a closed pipe."""
    compiled = Sleeved(_load("noop"), {})
    session = start(request_of([tape(50)], [compiled]))
    next(session.steps())
    summary = session.finish("interrupted", 1.0)
    folder = RunFolder.open(session.folder.path)
    assert all(check.ok for check in verify_run(folder))
    assert folder.events()["kind"][-1] == R_SAMPLE
    assert summary.status == "interrupted"


def test_a_failed_run_keeps_its_journal_and_says_why(
    request_of: RequestOf, scripted: Scripted
) -> None:
    body = f"{TRADER}\nif n == 6: raise RuntimeError('boom')"
    session = start(request_of([tape()], [scripted(body)]))
    with pytest.raises(KimeraError) as caught:
        for _ in session.steps():
            pass
    session.fail(caught.value)
    folder = RunFolder.open(session.folder.path)
    assert folder.status == "failed"
    assert folder.manifest["error"]["code"] == "strategy.raised"
    assert "boom" in folder.manifest["error"]["message"]
    kept = [check for check in verify_run(folder) if check.check == "journal"]
    assert kept[0].ok
    assert kept[0].entries >= 5 * 3
    assert not list(folder.path.glob("*.parquet"))
    assert not list(folder.path.glob(".*"))


def test_bad_first_events_are_found_before_there_is_a_folder(
    request_of: RequestOf, scripted: Scripted, tmp_path: Path
) -> None:
    bad = tape()
    bad.events["ts_local_ns"][3] = -5
    with pytest.raises(DataError, match="after 1970"):
        start(request_of([bad], [scripted("pass")]))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_hold_a_journal_is_taken_away(
    request_of: RequestOf, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimera_cli.engine import order_process as module

    def full(*args: Any, **kwargs: Any) -> None:
        raise KimeraError("run.disk_full", "expected room, was none")

    monkeypatch.setattr(module, "RunRecorder", full)
    with pytest.raises(KimeraError, match="expected room"):
        start(request_of([tape()], [scripted("pass")]))
    assert not (tmp_path / "run").exists()


def test_a_compiled_strategy_that_raises_is_named(request_of: RequestOf, tmp_path: Path) -> None:
    path = tmp_path / "bang.py"
    path.write_text(
        '"""Bang."""\n\nINTERVAL_NS = 1_000_000_000\n\n\n'
        "def decide(view):\n"
        "    if view.now_ns > 1_700_000_003_000_000_000:\n"
        '        raise ValueError("too late")\n'
        "    return 0\n"
    )
    session = start(request_of([tape()], [Sleeved(_load(str(path)), {})]))
    with pytest.raises(KimeraError) as caught:
        for _ in session.steps():
            pass
    assert caught.value.code == "strategy.raised"
    assert "bang" in caught.value.message
    assert "ValueError: too late" in caught.value.message
    assert LINEAR.name in caught.value.message
    session.fail(caught.value)


def test_the_kill_file_halts_a_running_session(
    request_of: RequestOf, scripted: Scripted, tmp_path: Path
) -> None:
    kill = tmp_path / "kill"
    long = tape(6_000, 100 * MS)  # more than one slice, so that the session looks around
    session = start(request_of([long], [scripted(TRADER)], kill_file=kill))
    for _ in session.steps():
        if session.market_ns > 5 * S:
            kill.touch()
    summary = session.finish("complete", 1.0)
    assert (summary.status, summary.halted_by) == ("halted", "risk.kill_switch")
    assert summary.denied > 0
    fills = RunFolder.open(session.folder.path).fills()
    assert fills["ts_ns"][-1] < T0 + 3_000 * S  # the slice in work when the file came


# --- pace ------------------------------------------------------------------------------------


class WallClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.ns = 1_000

    def __call__(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0])
def test_market_time_follows_the_wall_clock(
    request_of: RequestOf, scripted: Scripted, speed: float
) -> None:
    wall = WallClock()
    request = request_of([tape(30, 100 * MS)], [scripted("pass")], speed=speed)
    session = start(request, monotonic_ns=wall, sleep=wall.sleep)
    began = wall.ns
    for _ in session.steps():
        passed = (wall.ns - began) * speed
        assert session.market_ns <= passed + MS
    took = (wall.ns - began) / 1e9
    assert 29.9 / speed <= took + 0.1 <= 30.2 / speed + 0.1
    session.finish("complete", took)


def test_full_speed_never_waits(request_of: RequestOf, scripted: Scripted) -> None:
    session = start(request_of([tape()], [scripted("pass")]))  # its sleep raises
    for _ in session.steps():
        pass
    session.finish("complete", 1.0)


# --- the same, however it is cut --------------------------------------------------------------


class Cut(HandMade):
    """Hands its events over in slices of the given sizes, again and again."""

    sizes: tuple[int, ...] = (16_384,)

    def chunks(self, size: int = 16_384) -> Any:
        at = i = 0
        while at < self.rows:
            n = self.sizes[i % len(self.sizes)]
            yield self.events[at : at + n].copy()
            at, i = at + n, i + 1


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_events_may_come_in_any_slices(tmp_path_factory: Any, sizes: list[int]) -> None:
    folder = tmp_path_factory.mktemp("cut")
    assert _hash(folder / "a", sizes) == _hash(folder / "b", [16_384])


def _hash(out: Path, sizes: list[int]) -> tuple[str, int]:
    spec = _load("grid")
    rng = np.random.default_rng(5)
    mids = [int(m) for m in 500_000 + rng.integers(-25, 25, 400).cumsum()]
    source = Cut(LINEAR, events(quotes(mids, 20 * MS, lots=50)))
    source.sizes = tuple(sizes)
    strategies = [Sleeved(spec, dict(spec.params))]
    request = RunRequest("replay", [source], strategies, plain_profile(), seed=1, out=out)
    session = start(request)
    for _ in session.steps():
        pass
    summary = session.finish("complete", 1.0)
    assert summary.fills > 0
    return summary.trade_hash, summary.fills


def test_a_manifest_holds_what_is_needed_to_repeat(
    request_of: RequestOf, scripted: Scripted
) -> None:
    session = start(request_of([tape()], [scripted("pass")], max_events=5))
    for _ in session.steps():
        pass
    session.finish("complete", 1.0)
    stated = json.loads((session.folder.path / "manifest.json").read_text())
    assert stated["status"] == "complete"
    assert (stated["source"], stated["max_events"], stated["seed"]) == ("replay", 5, 1)
    assert stated["fidelity"]["durability"].startswith("batch")
    assert isinstance(session, Session)


def _load(name: str) -> Any:
    from kimera_cli.strategies.loader import load

    return load(name)


def test_a_manifest_comes_after_the_journal_that_it_promises(
    request_of: RequestOf, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill while the databases are made leaves no run, rather than one that does not verify."""
    present: list[set[str]] = []
    begin = RunFolder.begin

    def watched(folder: RunFolder) -> None:
        present.append({path.name for path in folder.path.iterdir()})
        begin(folder)

    monkeypatch.setattr(RunFolder, "begin", watched)
    session = start(request_of([tape()], [scripted("pass")]))
    session.finish("interrupted", 1.0)
    assert present[0] >= {"journal.db", "bulk.db"}
    assert "manifest.json" not in present[0]
