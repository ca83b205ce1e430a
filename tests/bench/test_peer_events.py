"""The peer gets the same market: conversion there and back, and times that only go forward."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.bench.peer_events import comparable, in_order, to_peer
from kimera_cli.errors import DataError
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    F_HIDDEN,
    F_SNAPSHOT,
    NO_SIDE,
    QUOTE,
    TRADE,
    Events,
    empty_events,
)

peer = pytest.importorskip("hftbacktest.types", reason="needs pip install 'kimera[peers]'")

TICK, LOT = 0.1, 0.001


def market(n: int = 500) -> Events:
    rng = np.random.default_rng(3)
    events = empty_events(n)
    events["kind"] = rng.choice([DEPTH, DEPTH, DEPTH, TRADE], n)
    events["side"] = rng.integers(0, 2, n)
    events["px_ticks"] = rng.integers(590_000, 610_000, n)
    events["qty_lots"] = rng.integers(0, 100_000, n)
    events["ts_exch_ns"] = 1_700_000_000_000_000_000 + np.cumsum(rng.integers(-5, 50, n))
    events["ts_local_ns"] = np.maximum.accumulate(events["ts_exch_ns"] - 1000)
    events["kind"][0], events["side"][0] = CLEAR, NO_SIDE
    events["flags"][1:20] = np.where(events["kind"][1:20] == DEPTH, F_SNAPSHOT, 0)
    return events


def back(rows: np.ndarray) -> Events:
    """The inverse of to_peer, written independently of it."""
    events = empty_events(len(rows))
    for event, row in zip(events, rows, strict=True):
        flags = int(row["ev"])
        kind = flags & 0xFF
        event["kind"] = {1: DEPTH, 2: TRADE, 3: CLEAR, 4: DEPTH}[kind]
        event["flags"] = F_SNAPSHOT if kind == 4 else 0
        event["side"] = BID if flags & (1 << 29) else ASK if flags & (1 << 28) else NO_SIDE
        event["px_ticks"], event["qty_lots"] = round(row["px"] / TICK), round(row["qty"] / LOT)
        event["ts_exch_ns"], event["ts_local_ns"] = row["exch_ts"], row["local_ts"]
        assert flags & (1 << 31), "expected each row for the exchange"
        assert flags & (1 << 30), "expected each row for the local side"
    return events


def test_round_trip() -> None:
    events = in_order(comparable(market()))
    assert np.array_equal(back(to_peer(events, TICK, LOT)), events)


def test_the_peers_own_check_accepts_the_order() -> None:
    from hftbacktest.data import validate_event_order

    disordered = market()
    assert (np.diff(disordered["ts_exch_ns"]) < 0).any()
    with pytest.raises(ValueError, match="out of order"):
        validate_event_order(to_peer(disordered, TICK, LOT))
    validate_event_order(to_peer(in_order(disordered), TICK, LOT))


def test_only_what_both_understand_is_kept() -> None:
    events = market(8)
    events["kind"] = [CLEAR, DEPTH, TRADE, QUOTE, TRADE, TRADE, DEPTH, QUOTE]
    events["side"][1:] = [BID, ASK, BID, NO_SIDE, BID, ASK, ASK]
    events["flags"][5] = F_HIDDEN
    assert list(comparable(events)["kind"]) == [CLEAR, DEPTH, TRADE, DEPTH]


def test_a_clear_of_one_side_is_refused() -> None:
    events = market(3)
    events["kind"][1], events["side"][1] = CLEAR, BID
    with pytest.raises(DataError, match="one side") as caught:
        comparable(events)
    assert caught.value.code == "data.peer_event"


times = st.lists(st.tuples(st.integers(0, 1000), st.integers(-500, 500)), max_size=60)


@given(times, st.integers(0, 100))
def test_times_only_go_forward_and_latency_is_at_least_the_least(
    data: list[tuple[int, int]], least: int
) -> None:
    events = empty_events(len(data))
    events["ts_exch_ns"] = [exch for exch, _ in data]
    events["ts_local_ns"] = [exch + lag for exch, lag in data]
    before = events.copy()
    out = in_order(events, least_ns=least)
    assert np.array_equal(events, before)
    exch, local = out["ts_exch_ns"], out["ts_local_ns"]
    assert (np.diff(exch) >= 0).all()
    assert (np.diff(local) >= 0).all()
    assert (local >= exch).all()
    assert (local - before["ts_exch_ns"] >= least).all()
    assert np.array_equal(in_order(out), out)


def test_constant_latency_replaces_the_recorded_one() -> None:
    out = in_order(market(), latency_ns=2_000)
    assert set((out["ts_local_ns"] - out["ts_exch_ns"]).tolist()) == {2_000}
