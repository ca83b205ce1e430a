"""The member: local lines against numpy, what it must find, and that it cannot look ahead."""

from __future__ import annotations

import numpy as np
import pytest
from leaning import OFI, QI, leaning_states

from kimera_cli.ensemble.next_move import LEAST_STATES, NO_OPINION, learn, mirrored
from kimera_cli.ensemble.states import next_moves
from kimera_cli.errors import DataError
from kimera_cli.kernels.nearby import local_fits


def weighted_plane(points, moves, query, width, prior):
    """The same fit by lstsq on weighted rows, with the ridge as rows of its own."""
    weights = np.prod(np.maximum(0.0, 1.0 - ((points - query) / width) ** 2), axis=1)
    design = np.column_stack([np.ones(len(points)), points - query])
    rows = design * np.sqrt(weights)[:, None]
    ridge = np.sqrt(prior) * np.eye(design.shape[1])
    target = np.concatenate([moves * np.sqrt(weights), np.zeros(len(ridge))])
    fitted = np.linalg.lstsq(np.concatenate([rows, ridge]), target, rcond=None)[0][0]
    squares = float((weights**2).sum())
    return fitted, weights.sum() ** 2 / squares if squares else 0.0


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("width", [0.2, 0.7, 2.5])
def test_local_fits_are_weighted_planes(d, width):
    rng = np.random.default_rng(d)
    points = rng.uniform(-1, 1, (200, d))
    points = points[np.argsort(points[:, 0])]
    moves = points.sum(axis=1) + rng.normal(0, 0.3, 200)
    queries = rng.uniform(-1.2, 1.2, (25, d))
    means, supports = np.zeros(25), np.zeros(25)
    local_fits(points, moves, width, 2.0, queries, np.zeros((d + 1, d + 2)), means, supports)
    for query, mean, support in zip(queries, means, supports, strict=True):
        fitted, effective = weighted_plane(points, moves, query, width, 2.0)
        assert mean == pytest.approx(fitted, abs=1e-9)
        assert support == pytest.approx(effective)


def test_far_from_all_points_nothing_is_expected():
    means, supports = np.ones(1), np.ones(1)
    room = np.zeros((2, 3))
    local_fits(np.zeros((5, 1)), np.ones(5), 0.5, 2.0, np.array([[3.0]]), room, means, supports)
    assert (means[0], supports[0]) == (0.0, 0.0)


def test_the_next_move_is_the_first_other_mid():
    ts = np.arange(7) * 10
    moves, resolved = next_moves(ts, np.array([5.0, 5.0, np.nan, 7.0, 7.0, 4.0, 4.0]))
    assert moves[[0, 1, 3, 4]].tolist() == [2.0, 2.0, -3.0, -3.0]
    assert resolved[[0, 1, 3, 4]].tolist() == [30, 30, 50, 50]
    assert np.isnan(moves[[2, 5, 6]]).all()


def test_what_is_there_is_found_and_is_odd():
    member = learn(leaning_states(3_000, seed=1), (QI, OFI))
    x = np.zeros((5, 8))
    x[:, QI] = [-0.8, -0.4, 0.0, 0.4, 0.8]
    means, supports = member.expect(x)
    assert means == pytest.approx(4.0 * x[:, QI], abs=0.5)
    assert means == pytest.approx(-means[::-1], abs=1e-9)
    assert member.decide(means, supports).tolist() == [-1, -1, 0, 1, 1]


def test_a_rise_while_it_learns_is_no_reason_to_expect_one():
    states = leaning_states(3_000, seed=2)
    rising = states.part(np.flatnonzero(states.next_move > 0))
    member = learn(rising, (OFI,))
    assert member.expect(np.zeros((1, 8)))[0][0] == pytest.approx(0.0, abs=1e-9)


def test_where_it_saw_too_little_it_has_no_opinion():
    member = learn(leaning_states(400, seed=3), (QI, OFI), widths=(0.05,))
    x = np.zeros((2, 8))
    x[1] = np.nan
    means, supports = member.expect(x)
    assert (supports < 30).all()
    assert member.decide(means, supports).tolist() == [NO_OPINION, NO_OPINION]


def test_too_little_to_learn_from_is_said():
    with pytest.raises(DataError, match=f"expected {LEAST_STATES} states .* was 99"):
        learn(leaning_states(100, seed=4), (QI,))


def test_mirrors_are_sorted_pairs():
    ranks = np.array([[0.5, 0.1], [-0.2, 0.3]])
    points, moves = mirrored(ranks, np.array([1.0, 2.0]), np.array([True, False]))
    assert points.tolist() == [[-0.5, 0.1], [-0.2, 0.3], [0.2, 0.3], [0.5, 0.1]]
    assert moves.tolist() == [-1.0, 2.0, -2.0, 1.0]
