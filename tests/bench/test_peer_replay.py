"""Kimera and hftbacktest on the same events: two independent simulators, the same fills.

What may differ, and why, is in docs/performance.md: several own orders crossed by less size than
they have together. Everything else is the same to the nanosecond.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_cli.bench import replay, tape
from kimera_cli.bench.loop_run import fills_of

pytest.importorskip("hftbacktest", reason="needs pip install 'kimera[peers]'")


def compare(tape_: tape.Tape, ms: int) -> tuple[dict[str, int], dict[str, int], float]:
    """Return both sides' counts and the share of fills that are the same."""
    what = replay.setting("x", replay.memory_source(tape_), "grid", ms, replay.grid_params())
    run = what.loop()
    run.run()
    ours, peer = run.outcome(), replay.PeerRun(what)
    theirs = peer.outcome()
    mine, its = fills_of(what.loop()), peer.fills()
    counts = ("submits", "cancels", "fills")
    return (
        {name: getattr(ours, name) for name in counts},
        {name: getattr(theirs, name) for name in counts},
        len(mine & its) / len(mine | its),
    )


@pytest.mark.parametrize(("ms", "least"), [(100, 0.99), (10, 0.98)])
def test_recording_gives_the_peers_counts_and_fills(
    shared_data: Path, ms: int, least: float
) -> None:
    path = shared_data / "hftbacktest" / "usdm_btcusdt_20240808.gz"
    ours, theirs, same = compare(tape.recorded(path), ms)
    assert theirs["fills"] > 1000
    for name, count in theirs.items():
        assert ours[name] == pytest.approx(count, rel=0.05), name
    assert same > least


def test_synthetic_market_gives_the_peers_counts_and_fills() -> None:
    ours, theirs, same = compare(tape.synthetic(200_000), 100)
    assert theirs["fills"] > 100
    for name, count in theirs.items():
        assert ours[name] == pytest.approx(count, rel=0.05), name
    assert same > 0.9
