"""The synthetic market as an event source: repeatable, consistent, never crossed."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from kimera_cli.errors import DataError
from kimera_cli.kernels.flow import N_EXCITED, excite, pick_arrival
from kimera_cli.layouts import ADD, CLEAR, EXECUTE, F_LAST, F_SNAPSHOT, TRADE
from kimera_cli.market.book import Book
from kimera_cli.market.l3 import L3Normaliser
from kimera_cli.market.matching import new_engines
from kimera_cli.settings import Market
from kimera_cli.sim.synthetic import (
    BRANCHING,
    FEED_NS,
    START_NS,
    SyntheticMarket,
    new_flow,
    synthetic_sources,
)


def first(source, n, size=16_384):
    parts, have = [], 0
    for chunk in source.chunks(size):
        assert 0 < len(chunk) <= size
        parts.append(chunk)
        have += len(chunk)
        if have >= n:
            return np.concatenate(parts)[:n]
    raise AssertionError("a synthetic market has no end")


@pytest.fixture(scope="module")
def events():
    return first(SyntheticMarket(Market(), 7), 20_000)


@pytest.mark.parametrize("size", [1, 7, 4_999, 100_000])
def test_the_same_events_however_they_are_cut(events, size):
    same = first(SyntheticMarket(Market(), 7), 20_000, size).tobytes() == events.tobytes()
    assert same


def test_seeds_instruments_and_settings_tell_markets_apart():
    base = SyntheticMarket(Market(), 3)
    again, other = SyntheticMarket(Market(), 3), SyntheticMarket(Market(), 4)
    poisson = SyntheticMarket(Market(model="poisson"), 3)
    assert base.source_hash == again.source_hash
    a, b, *_ = synthetic_sources(Market(instruments=2), 3)
    assert a.dataset == "synthetic/BTCUSD/l2"
    assert a.dataset != b.dataset
    sources = [base, other, poisson, b]
    assert len({source.source_hash for source in sources}) == len(sources)
    assert len({first(source, 500).tobytes() for source in sources}) == len(sources)


def test_messages_are_whole_and_in_order(events):
    assert events["kind"][0] == CLEAR
    opening = events["flags"] & F_SNAPSHOT != 0
    assert opening[: np.argmin(opening)].all()
    assert events["flags"][np.argmin(opening) - 1] & F_LAST
    assert not opening[np.argmin(opening) :].any()
    live = events[~opening]
    ends = live["flags"] & F_LAST != 0
    stamps = live["ts_exch_ns"]
    assert (np.diff(stamps) > 0).tolist() == ends[:-1].tolist()
    assert (events["ts_local_ns"] - events["ts_exch_ns"] == FEED_NS).all()
    assert events["ts_exch_ns"][0] == START_NS
    assert (live["qty_lots"][live["kind"] == TRADE] > 0).all()


def test_levels_and_orders_tell_the_same_market():
    """The L3 feed, normalised into a book, equals the L2 feed's book after every message."""
    by_level = first(SyntheticMarket(Market(), 5, family="l2"), 12_000)
    by_order = first(SyntheticMarket(Market(), 5, family="l3"), 12_000)
    normaliser = L3Normaliser()
    told = normaliser.normalise(by_order)
    assert set(np.unique(by_order["kind"])) <= {CLEAR, ADD, 8, EXECUTE}
    tops = []
    for feed in (by_level, told):
        book, seen, start = Book(), {}, 0
        for stop in np.flatnonzero(feed["flags"] & F_LAST) + 1:
            book.apply(feed[start:stop])
            seen[int(feed["ts_exch_ns"][stop - 1])] = (book.best_bid, book.best_ask)
            start = stop
        tops.append(seen)
    common = tops[0].keys() & tops[1].keys()
    assert len(common) > 8_000
    assert all(tops[0][ts] == tops[1][ts] for ts in common)
    assert all(bid.px_ticks < ask.px_ticks for bid, ask in tops[0].values())
    assert normaliser.unknown_ids == normaliser.duplicate_ids == normaliser.over_executed == 0
    lots = [feed["qty_lots"][feed["kind"] == kind].sum() for feed, kind in
            ((by_level, TRADE), (by_order, EXECUTE))]  # fmt: skip
    assert lots[0] == pytest.approx(lots[1], rel=0.1)


@pytest.mark.parametrize("model", ["poisson", "hawkes"])
def test_arrivals_are_the_point_process_that_the_settings_say(model):
    """Time rescaling: integrated intensities between arrivals are independent and exponential."""
    sparse = {"limit_rate": 3.0, "market_rate": 1.0}  # excitement fades between arrivals
    market = Market(model=model, volatility=0.0, **sparse)
    flow, engine = new_flow(market, 99, "l2"), new_engines(1)[0]
    excitation = market.excitation if model == "hawkes" else 0.0
    jumps = excitation * market.decay_per_s * BRANCHING
    own, excited, last = flow.own.copy(), np.zeros(N_EXCITED), int(flow.ts_ns)
    residuals, counts = [], np.zeros(N_EXCITED)
    for _ in range(12_000):
        kind = int(pick_arrival(flow, engine))
        dt = (int(flow.ts_ns) - last) / 1e9
        last = int(flow.ts_ns)
        faded = excited * np.exp(-market.decay_per_s * dt)
        residuals.append(own.sum() * dt + (excited - faded).sum() / market.decay_per_s)
        excite(flow, kind)
        excited = faded + jumps[kind]
        counts[kind] += 1
    residuals = np.array(residuals)
    n = len(residuals)
    assert residuals.mean() == pytest.approx(1, abs=4 / np.sqrt(n))
    exponential = 1 - np.exp(-np.sort(residuals))
    distance = np.abs(exponential - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.63 / np.sqrt(n)  # Kolmogorov-Smirnov, 1 %
    centred = residuals - residuals.mean()
    assert abs(np.mean(centred[1:] * centred[:-1])) < 4 / np.sqrt(n)
    assert counts[0] == pytest.approx(counts[1], rel=0.35)


def test_plain_python_and_compiled_agree():
    flows, engines = [new_flow(Market(), 1, "l2") for _ in range(2)], new_engines(2)
    plain = getattr(pick_arrival, "py_func", pick_arrival)
    for _ in range(200):
        assert pick_arrival(flows[0], engines[0]) == plain(flows[1], engines[1])
    assert flows[0].ts_ns == flows[1].ts_ns


def test_settings_under_which_there_is_no_market():
    with pytest.raises(DataError, match="market_rate below limit_rate"):
        SyntheticMarket(Market(limit_rate=5.0, market_rate=6.0), 1)
    with pytest.raises(DataError, match="start_px"):
        SyntheticMarket(Market(start_px=1.0, tick=1.0), 1)


def test_a_market_without_cancellations_runs_too():
    market = SyntheticMarket(Market(cancel_rate=0.0, volatility=0.0), 2)
    chunks = list(islice(market.chunks(4_096), 4))
    assert all(len(chunk) for chunk in chunks)
