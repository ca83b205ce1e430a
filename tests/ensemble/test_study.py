"""Out of sample: block bootstrap against theory, no look-ahead, targets on the recordings."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from leaning import DT, T0, leaning_states

from kimera_cli.ensemble import study
from kimera_cli.ensemble.agreement import NOT_YET, OK, use_record
from kimera_cli.ensemble.blocks import block_sums, estimate
from kimera_cli.ensemble.plot import drawing
from kimera_cli.ensemble.publish import Tally
from kimera_cli.ensemble.quality import quality
from kimera_cli.ensemble.study import Recipe, judge, learn_table
from kimera_cli.ensemble.watch import Watch
from kimera_cli.errors import DataError


@dataclasses.dataclass
class Source:
    """As much of an event source as a table is learnt from."""

    start_ns: int
    end_ns: int
    dataset: str = "a/B/l2"
    source_hash: str = "0" * 64


def made(n: int = 6_000, seed: int = 1, strength: float = 1.0):
    states = leaning_states(n, seed, strength)
    return Source(int(states.ts_ns[0]), int(states.ts_ns[-1])), states


RECIPE = Recipe(axes="queue_imbalance:16", train=0.5)


@pytest.fixture(scope="module")
def learnt():
    source, states = made()
    return learn_table(source, states, RECIPE), states


def test_block_errors_are_those_of_theory_for_independent_blocks():
    rng = np.random.default_rng(3)
    per_block = np.repeat(rng.normal(1.0, 2.0, 400), 5)  # five equal values in each block
    ts_ns = T0 + 10**9 * np.arange(2_000)
    columns = np.column_stack([per_block, np.ones(2_000)])
    sums = block_sums(ts_ns, columns)
    assert sums.shape == (400, 2)
    value, error = estimate(sums, lambda s: s[:, 0] / s[:, 1])
    assert value == pytest.approx(per_block.mean())
    assert error == pytest.approx(2.0 / 20, rel=0.15)  # as if every row counted: 0.045


def test_no_error_is_claimed_where_nothing_varied_or_too_little_was_seen():
    ts_ns = T0 + 10**9 * np.arange(100)
    ones = np.ones((100, 2))
    assert estimate(block_sums(ts_ns, ones), lambda s: s[:, 0] / s[:, 1]) == (1.0, None)
    some = block_sums(ts_ns[:20], np.random.default_rng(1).random((20, 2)))
    assert estimate(some, lambda s: s[:, 0] / s[:, 1])[1] is None
    assert estimate(np.zeros((0, 2)), lambda s: s[:, 0]) == (None, None)


def test_quality_by_hand(learnt):
    table, states = learnt
    test = states.part(slice(0, 6))
    moves = test.next_move
    base = table.learnt.mean_ticks
    expected = np.array([4.0, -4.0, 0.0, 2.0, np.nan, -1.0])
    result = quality("a/B/l2", "member", table, test, expected)
    used = np.isfinite(expected)
    y, p = moves[used], expected[used]
    assert result.states == 5
    assert result.r2 == pytest.approx(1 - ((y - p) ** 2).sum() / ((y - base) ** 2).sum())
    assert result.correlation == pytest.approx(np.corrcoef(p, y)[0, 1])
    said = p != 0
    assert result.direction == pytest.approx((np.sign(p[said]) == np.sign(y[said])).mean())
    assert result.r2_se is None  # one block


def test_what_can_be_foretold_is_and_noise_is_not(learnt):
    table, states = learnt
    use, (by_table, by_member) = judge(table, "a/B/l2", states)
    assert by_member.r2 == pytest.approx(1 / 3, abs=0.03)  # var(4 lean) / 16 for lean uniform
    assert by_member.direction == pytest.approx(0.75, abs=0.03)
    assert by_table.r2 > by_member.r2  # states near the border, where moves are a toss, are missing
    assert use.met
    noise_source, noise = made(seed=2, strength=0.0)
    _, (blind, _) = judge(learn_table(noise_source, noise, RECIPE), "a/B/l2", noise)
    assert blind.r2 < 3 * blind.r2_se
    assert abs(blind.correlation) < 3 * blind.correlation_se


def test_nothing_after_the_cut_changes_the_table():
    """Prefix property: another future, the same table."""
    source, states = made()
    cut = study.cut_of(source, RECIPE)
    after = states.resolved_ns >= cut
    other = dataclasses.replace(
        states,
        x=np.where(after[:, None], -states.x, states.x),
        next_move=np.where(after, 9_999.0, states.next_move),
    )
    one, two = learn_table(source, states, RECIPE), learn_table(source, other, RECIPE)
    known = states.part(states.resolved_ns < cut)
    assert one.learnt.states == len(known)
    assert one == two


def test_only_later_states_are_judged(learnt):
    table, states = learnt
    use, (by_table, _) = judge(table, "a/B/l2", states)
    assert by_table.start_ns > table.learnt.end_ns
    assert use.lookups == int((states.ts_ns > table.learnt.end_ns).sum())
    assert "not_yet" not in use.statuses
    with pytest.raises(DataError, match="never tested on its own past"):
        judge(table, "a/B/l2", states.part(states.ts_ns < table.learnt.end_ns))


def test_use_by_hand(learnt):
    table, _ = learnt
    status = np.array([OK, OK, OK, 3, NOT_YET, OK])
    action, fresh = np.array([1, 1, -1, 1, 1, 0]), np.array([1, -1, -1, 1, 1, 2])
    tally = Tally(6, 4, {"ok": 4, "missing": 1, "not_yet": 1}, 2e9, int(5e9), 0)
    use = use_record("d", table, 0.9, tally, (T0 + DT * np.arange(6), status, action, fresh))
    assert use.hit_rate == 4 / 5
    assert (use.compared, use.agreement) == (4, 0.5)
    assert use.chance == pytest.approx(0.25 * 0.5 + 0.5 * 0.25)  # buys, sells; a silent one: none
    assert use.kappa == pytest.approx((0.5 - 0.25) / 0.75)
    assert (use.mean_age_s, use.max_age_s, use.met) == (2.0, 5.0, False)


def test_watching_a_sample_tells_what_all_lookups_tell(learnt):
    table, states = learnt
    test = states.part(states.ts_ns > table.learnt.end_ns)
    whole, _ = judge(table, "a/B/l2", states)
    watch = Watch(table, sample_every=3)
    rows = test.rows().view(np.recarray)
    from kimera_cli.kernels.table import table_consult

    for k in range(len(test)):
        table_consult(np.int64(watch.address), rows[k], test.ts_ns[k])
        if k % 500 == 0:
            watch.look_back()
    use = watch.record("a/B/l2", "s")
    assert (use.lookups, use.hits, use.statuses) == (whole.lookups, whole.hits, whole.statuses)
    assert use.compared == pytest.approx(whole.hits / 3, rel=0.1)
    assert use.agreement == pytest.approx(whole.agreement, abs=0.02)
    assert use.dropped == 0


def test_more_confidence_means_fewer_hits_and_a_drawing(learnt, monkeypatch):
    source, states = made(3_000)
    monkeypatch.setattr(study, "states_of", lambda s: states)
    points = list(study.curve([source], RECIPE, bins=(4, 32)))
    assert len(points) == 2 * len(study.CONFIDENCES)
    for cells in (4, 32):
        line = [p for p in points if p.cells == cells]
        assert all(a.hit_rate >= b.hit_rate for a, b in pairwise(line))
    coarse, fine = (next(p for p in points if p.cells == n) for n in (4, 32))
    assert fine.agreement > coarse.agreement
    svg = drawing(points)
    assert svg.startswith("<svg xmlns=")
    assert svg.count("<circle") == sum(p.agreement is not None for p in points)


@pytest.mark.parametrize(
    "dataset",
    ["binance/BTCUSDT/l2", "binanceusdm/BTCUSDT/l2", "binancecoinm/BTCUSD_PERP/l2"],
)
def test_recordings_reach_the_targets_with_the_default_table(recorded, recorded_states, dataset):
    """4,096 cells, learnt on the first 60 % of the time, used on the rest."""
    source, states = recorded[dataset], recorded_states[dataset]
    table = learn_table(source, states, Recipe())
    use, (by_table, _) = judge(table, dataset, states)
    assert table.quantiser().cells > 3_600
    assert use.hit_rate > 0.80
    assert use.agreement >= 0.99
    assert use.kappa > 0.95, "agreement must not come from always doing the same"
    assert by_table.states > 5_000
    assert by_table.direction > by_table.baseline_direction


def test_recorded_features_are_those_of_the_hot_loop(recorded, recorded_states):
    """Every state of a recording again, one message at a time."""
    from kimera_cli.layouts import DEPTH, F_LAST, F_STALE, STATUS, TABLE_AXES, TRADE
    from kimera_cli.market.features import FeatureStream

    name = "binance/BTCUSDT/l2"
    events = next(iter(recorded[name].chunks(6_000)))
    events["kind"][events["flags"] & F_STALE != 0] = STATUS
    stream, found, begin = FeatureStream(), [], 0
    for end in np.flatnonzero(events["flags"] & F_LAST) + 1:
        message = events[begin:end]
        begin = end
        (row,) = stream.advance(message)
        if np.isin(message["kind"], (DEPTH, TRADE)).any():
            found.append((int(message["ts_local_ns"][-1]), float(row.ofi), float(row.mid_ticks)))
    states = recorded_states[name].part(slice(0, len(found)))
    assert states.ts_ns.tolist() == [t for t, _, _ in found]
    ofi = states.x[:, TABLE_AXES.index("ofi")]
    assert np.array_equal(ofi, [o for _, o, _ in found])
    assert np.array_equal(states.mid_ticks, [m for _, _, m in found], equal_nan=True)
