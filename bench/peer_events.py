"""The same events in hftbacktest's layout.

Both simulators get one array in which venue and local times never go backwards, so that each event
is one row for the peer as well (it would need two, one per clock, for an event that comes late).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kimera_cli.errors import DataError
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    F_HIDDEN,
    F_SNAPSHOT,
    NO_SIDE,
    TRADE,
    Events,
)

PeerEvents = NDArray[np.void]
"""Structured array of hftbacktest.types.event_dtype, shape (n,)."""


def comparable(events: Events) -> Events:
    """Return the events that both simulators understand: levels, trades against them, full clears.

    Statements of the feed (quotes, checksums, marks) are left out for both: both see the same n.
    """
    kind = events["kind"]
    if np.any((kind == CLEAR) & (events["side"] != NO_SIDE)):
        raise DataError(
            "data.peer_event",
            "expected clears of both sides for the peer, was a clear of one side",
            "hftbacktest writes outside its ladder there: compare on another recording",
        )
    told = (kind == TRADE) & (events["side"] != NO_SIDE) & (events["flags"] & F_HIDDEN == 0)
    kept: Events = events[(kind == DEPTH) | (kind == CLEAR) | told]
    return kept


def to_peer(events: Events, tick: float, lot: float) -> PeerEvents:
    """Convert comparable events, which stand in venue and in local order (see `in_order`)."""
    from hftbacktest import types as peer

    rows = np.zeros(len(events), peer.event_dtype)
    rows["ev"] = _flags(events, peer) | np.uint64(peer.EXCH_EVENT | peer.LOCAL_EVENT)
    rows["exch_ts"] = events["ts_exch_ns"]
    rows["local_ts"] = events["ts_local_ns"]
    rows["px"] = events["px_ticks"] * tick
    rows["qty"] = events["qty_lots"] * lot
    return rows


def in_order(events: Events, latency_ns: int | None = None, least_ns: int = 0) -> Events:
    """Return a copy whose venue and local times never go backwards: what kimera's feed model gives.

    Venue times become their running maximum. Local times are the recorded ones, moved together so
    that the least latency is `least_ns` where it would be less; with `latency_ns` they are venue
    time plus it.
    """
    out = events.copy()
    exch = np.maximum.accumulate(out["ts_exch_ns"])
    if latency_ns is None:
        lag = int((out["ts_local_ns"] - out["ts_exch_ns"]).min(initial=least_ns))
        local = out["ts_local_ns"] + max(0, least_ns - lag)
    else:
        local = exch + latency_ns
    out["ts_exch_ns"] = exch
    out["ts_local_ns"] = np.maximum.accumulate(np.maximum(local, exch))
    return out


def _flags(events: Events, peer: Any) -> NDArray[np.uint64]:
    kind, side = events["kind"], events["side"]
    flags = np.zeros(len(events), np.uint64)
    flags[kind == TRADE] = peer.TRADE_EVENT
    flags[kind == DEPTH] = peer.DEPTH_EVENT
    flags[(kind == DEPTH) & (events["flags"] & F_SNAPSHOT != 0)] = peer.DEPTH_SNAPSHOT_EVENT
    flags[kind == CLEAR] = peer.DEPTH_CLEAR_EVENT
    flags[side == BID] |= np.uint64(peer.BUY_EVENT)
    flags[side == ASK] |= np.uint64(peer.SELL_EVENT)
    return flags
