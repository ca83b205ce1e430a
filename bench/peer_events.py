"""The same events in hftbacktest's layout.

Its exchange and its local side read one array, so a row says for whom it is (EXCH_EVENT,
LOCAL_EVENT). An event whose exchange time is earlier than one already received is split into two
rows: one for the exchange in exchange order, one for the local side in the order of arrival. All
others stay one row, which is the layout that costs the peer least.
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


def to_peer(events: Events, tick: float, lot: float, shift_ns: int = 0) -> PeerEvents:
    """Convert comparable events; `shift_ns` is added to local time: no latency may be negative."""
    from hftbacktest import types as peer

    rows = np.zeros(len(events), peer.event_dtype)
    rows["ev"] = _flags(events, peer) | np.uint64(peer.EXCH_EVENT | peer.LOCAL_EVENT)
    rows["exch_ts"] = events["ts_exch_ns"]
    rows["local_ts"] = events["ts_local_ns"] + shift_ns
    rows["px"] = events["px_ticks"] * tick
    rows["qty"] = events["qty_lots"] * lot
    return _split_late(rows, peer)


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


def _split_late(rows: PeerEvents, peer: Any) -> PeerEvents:
    """Give late events a second row, for the exchange alone, where their exchange time belongs."""
    exch = rows["exch_ts"]
    late = exch < np.maximum.accumulate(exch) if len(rows) else np.zeros(0, bool)
    if not late.any():
        return rows
    out = rows.copy()
    out["ev"][late] &= ~np.uint64(peer.EXCH_EVENT)
    early = rows[late]
    early["ev"] &= ~np.uint64(peer.LOCAL_EVENT)
    early = early[np.argsort(early["exch_ts"], kind="stable")]
    punctual = np.flatnonzero(~late)
    after = np.searchsorted(exch[punctual], early["exch_ts"], side="right")
    return np.insert(out, punctual[after], early)
