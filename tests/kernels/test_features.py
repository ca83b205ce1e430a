"""Features: known answers, brute force on a recording, no look-ahead, sigma of a diffusion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError
from kimera_cli.kernels.book import book_clear, book_depth, book_set
from kimera_cli.kernels.features import (
    DEPTH_LEVELS,
    FLOW_TAU_S,
    VOL_SAMPLE_NS,
    VOL_TAU_S,
    fade,
    features_book,
    features_trade,
)
from kimera_cli.layouts import ASK, BID, DEPTH, EVENT, F_LAST, NO_SIDE, TRADE
from kimera_cli.market.book import new_books
from kimera_cli.market.features import FeatureStream, new_features

S = 1_000_000_000


def quote(book, bid, bid_lots, ask, ask_lots):
    book_clear(book, NO_SIDE)
    book_set(book, BID, np.int64(bid), np.int64(bid_lots))
    book_set(book, ASK, np.int64(ask), np.int64(ask_lots))


def fresh():
    return new_features(1)[0], new_books(1)[0]


def test_ofi_cont_kukanov_stoikov_2014():
    states = [(100, 5, 101, 7), (100, 8, 101, 7), (100, 8, 101, 4), (101, 2, 102, 6)]
    states.append((100, 8, 101, 5))
    f, book = fresh()
    sums = []
    for state in states:
        quote(book, *state)
        features_book(f, book, S)
        sums.append(f.ofi_sum)
    assert np.diff(sums).tolist() == [3, 3, 6, -7]
    assert f.ofi_sum == 5
    assert f.ofi == 5  # no time passed, nothing faded


def test_weighted_mid_known_answer():
    f, book = fresh()
    quote(book, 100, 8, 101, 2)
    features_book(f, book, S)
    assert f.microprice_ticks == pytest.approx(100.8, abs=1e-12)
    assert (f.queue_imbalance + 1) / 2 == pytest.approx(0.8, abs=1e-12)
    assert f.mid_ticks == 100.5


def test_an_empty_side_is_nan_and_counts_as_zero_lots_in_ofi():
    f, book = fresh()
    quote(book, 100, 8, 101, 2)
    features_book(f, book, S)
    book_clear(book, BID)
    features_book(f, book, S)
    assert f.ofi_sum == -8
    for value in (f.mid_ticks, f.microprice_ticks, f.queue_imbalance, f.depth_imbalance):
        assert math.isnan(value)
    quote(book, 100, 3, 101, 2)
    features_book(f, book, S)
    assert f.ofi_sum == -5
    assert f.mid_ticks == 100.5


def test_flow_fades_with_its_time_constant():
    f, book = fresh()
    quote(book, 100, 8, 101, 2)
    features_book(f, book, S)
    features_trade(f, BID, 101, 10, S)
    features_trade(f, ASK, 100, 4, S)
    features_trade(f, NO_SIDE, 100, 99, S)
    assert f.signed_flow == 6
    assert (f.last_trade_ticks, f.last_trade_lots, f.last_trade_side) == (100, 99, NO_SIDE)
    features_book(f, book, S + round(FLOW_TAU_S * S))
    assert f.signed_flow == pytest.approx(6 / math.e, rel=1e-12)


@given(st.floats(0, 50))
def test_fade_is_exp(x):
    assert fade(x) == pytest.approx(math.exp(-x), rel=1e-12)


def test_volatility_recovers_sigma_of_a_diffusion_at_irregular_times():
    sigma, tick = 40.0, 1e-3  # ticks per square root of second, in thousandths of a tick
    rng = np.random.default_rng(5)
    f, book = fresh()
    gaps = rng.exponential(0.03, 60_000) * rng.choice([0.1, 1.0, 4.0], 60_000)
    times = S + np.cumsum(np.maximum(1, gaps * S).astype(np.int64))
    steps = sigma * np.sqrt(np.diff(times, prepend=S) / S) * rng.standard_normal(len(times))
    prices = np.round(5e8 + np.cumsum(steps) / tick).astype(np.int64)
    fast, mid, slow = [], [], []
    for ts, px in zip(times, prices, strict=True):
        quote(book, px - 1, 1, px + 1, 1)
        features_book(f, book, ts)
        fast.append(f.var_fast)
        mid.append(f.var_mid)
        slow.append(f.var_slow)
    true = (sigma / tick) ** 2
    late = slice(len(times) // 4, None)
    # variances are unbiased; their averages over ~50 minutes have a few per cent of noise
    assert np.mean(fast[late]) / true == pytest.approx(1, abs=0.04)
    assert np.mean(mid[late]) / true == pytest.approx(1, abs=0.04)
    assert np.mean(slow[late]) / true == pytest.approx(1, abs=0.04)
    spread = [np.std(v[late]) / true for v in (fast, mid, slow)]
    assert spread[0] > spread[1] > spread[2]
    # sd of an exponential average of chi-square rates: sqrt(sample spacing / tau), roughly
    assert spread[0] == pytest.approx(math.sqrt(0.17 / VOL_TAU_S[0]), rel=0.5)


def test_volatility_does_not_see_trades_and_bounds_flicker():
    f, book = fresh()
    for k in range(20_000):  # every millisecond the mid flickers and trades bounce
        ts = S + k * 1_000_000
        quote(book, 1000 + 2 * (k % 2), 1, 1002 + 2 * (k % 2), 1)
        features_book(f, book, ts)
        features_trade(f, k % 2, 1000 + 4 * (k % 2), 1, ts)
    worst = 2.0**2 / (VOL_SAMPLE_NS / S)
    assert f.var_fast <= worst + 1e-9


def test_volatility_is_nan_until_there_are_two_samples():
    f, book = fresh()
    quote(book, 100, 1, 102, 1)
    features_book(f, book, S)
    features_book(f, book, S + VOL_SAMPLE_NS - 1)
    assert math.isnan(f.vol_fast)
    quote(book, 101, 1, 103, 1)
    features_book(f, book, S + VOL_SAMPLE_NS)
    expected = math.sqrt(1.0 / (VOL_SAMPLE_NS / S))
    assert f.vol_fast == f.vol_mid == f.vol_slow == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 9)), min_size=1, max_size=12),
    st.sampled_from([BID, ASK]),
)
def test_depth_stays_near_the_touch(levels, side):
    from kimera_cli.kernels.book import NEAR

    book = new_books(1)[0]
    lots = {}
    for away, qty in levels:
        px = 500_000 - away if side == BID else 500_000 + away
        lots[px] = qty
        book_set(book, side, np.int64(px), np.int64(qty))
    best = max(lots) if side == BID else min(lots)
    order = sorted(lots, key=lambda px: abs(px - best))
    near = [lots[px] for px in order if abs(px - best) <= NEAR]
    for n in (1, 2, 5):
        assert book_depth(book, side, n) == sum(near[:n])


def synthetic_events(n, seed=2):
    rng = np.random.default_rng(seed)
    events = np.zeros(n, EVENT)
    events["kind"] = np.where(rng.random(n) < 0.2, TRADE, DEPTH)
    events["side"] = rng.integers(0, 2, n)
    away = rng.integers(1, 12, n)
    events["px_ticks"] = 1000 + np.where(events["side"] == BID, -away, away)
    events["qty_lots"] = np.where(events["kind"] == TRADE, 1, 0) + rng.integers(0, 4, n)
    events["flags"] = np.where(rng.random(n) < 0.5, F_LAST, 0)
    events["ts_local_ns"] = S + np.cumsum(rng.integers(0, 200_000_000, n))
    return events


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_prefix_property_and_slices(first, second):
    events = synthetic_events(400)
    a, b = sorted((first, second))
    whole = FeatureStream().advance(events)
    stream = FeatureStream()
    parts = [stream.advance(events[i:j]) for i, j in ((0, a), (a, b), (b, 400))]
    same = np.concatenate(parts).tobytes() == whole.tobytes()
    assert same
    same = parts[0].tobytes() == whole[: len(parts[0])].tobytes()
    assert same


def test_recording_against_brute_force(depth_events):
    """OFI, imbalances and micro-price of a real recording, recomputed from a dict book."""
    events = depth_events[:20_000]
    rows = FeatureStream().advance(events)
    books = ({}, {})
    k, touched, total, before = 0, False, 0, None
    for event in events:
        if event["kind"] == DEPTH:
            books[event["side"]][event["px_ticks"]] = event["qty_lots"]
            touched = True
        if not (touched and event["flags"] & F_LAST):
            continue
        live = [{p: q for p, q in book.items() if q} for book in books]
        bids = sorted(live[BID], reverse=True)[:DEPTH_LEVELS]
        asks = sorted(live[ASK])[:DEPTH_LEVELS]
        now = (bids[0], live[BID][bids[0]], asks[0], live[ASK][asks[0]])
        if before:
            total += (now[0] >= before[0]) * now[1] - (now[0] <= before[0]) * before[1]
            total += (now[2] >= before[2]) * before[3] - (now[2] <= before[2]) * now[3]
        row = rows[k]
        assert row["ofi_sum"] == total
        depth = [sum(live[s][p] for p in px) for s, px in ((BID, bids), (ASK, asks))]
        expected = (depth[0] - depth[1]) / (depth[0] + depth[1])
        assert row["depth_imbalance"] == pytest.approx(expected, abs=1e-12)
        weighted = (now[1] * now[2] + now[3] * now[0]) / (now[1] + now[3])
        assert row["microprice_ticks"] == pytest.approx(weighted, rel=1e-12)
        before, touched, k = now, False, k + 1
    assert k == len(rows) > 100


def test_wrapper_refuses_other_arrays():
    with pytest.raises(DataError, match="dtype EVENT"):
        FeatureStream().advance(np.zeros(3))
    bad = np.zeros(1, EVENT)
    bad["kind"], bad["px_ticks"] = DEPTH, -5
    with pytest.raises(DataError, match="fit the book"):
        FeatureStream().advance(bad)
