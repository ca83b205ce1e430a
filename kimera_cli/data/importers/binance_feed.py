"""One Binance instrument of a recording: its frames as events, its book kept in sequence.

Binance's procedure for a local book (snapshot by REST, diffs by stream) is followed here, so that
whoever applies the events in order has the venue's book: a snapshot answers late, therefore the
diffs that came before it but are newer are told again after it (F_SNAPSHOT, with their own
numbers); diffs that are older than it are marked F_STALE; a diff that does not follow its
predecessor is marked F_GAP.
"""

from __future__ import annotations

from collections import deque

from kimera_cli.data.importers.binance_frames import AggTrade, Depth, Snapshot, Ticker, Trade
from kimera_cli.data.importers.messages import NOTHING, Messages
from kimera_cli.layouts import (
    CLEAR,
    DEPTH,
    F_GAP,
    F_LAST,
    F_SNAPSHOT,
    F_STALE,
    QUOTE,
    STATUS,
    TRADE,
)
from kimera_cli.units import NS_PER_MS

REMEMBERED = 2_048
"""Diffs kept until a snapshot comes: over 20 s of the fastest stream."""


class Feed:
    """Turns the frames of one instrument into events, gathered in `messages`."""

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self._last = 0
        self._snapshot = 0
        self._recent: deque[tuple[int, Depth]] = deque(maxlen=REMEMBERED)

    def depth(self, ts_local_ns: int, line: int, frame: Depth) -> None:
        """Add a diff; `ref` is the update that it follows (pu, for spot U-1)."""
        if frame.u > self._last:
            self._recent.append((line, frame))
        follows = _follows(frame)
        flags = F_LAST
        if frame.u <= max(self._last, self._snapshot):
            flags |= F_STALE
        elif follows != self._last if self._last else follows > self._snapshot > 0:
            flags |= F_GAP
        self._last = max(self._last, frame.u)
        self._levels(ts_local_ns, line, frame, flags)

    def snapshot(self, ts_local_ns: int, line: int, frame: Snapshot) -> None:
        """Add a whole book, and after it the diffs already seen that are newer."""
        seq, exch = frame.lastUpdateId, frame.T * NS_PER_MS
        add = self.messages.add
        full = bool(frame.bids or frame.asks)
        opening = F_SNAPSHOT if full else F_SNAPSHOT | F_LAST
        add(CLEAR, exch, ts_local_ns, line, NOTHING, seq=seq, flags=opening)
        if full:
            flags = F_SNAPSHOT | F_LAST
            add(DEPTH, exch, ts_local_ns, line, frame.bids, frame.asks, seq=seq, flags=flags)
        self._snapshot = seq
        newer = [(n, diff) for n, diff in self._recent if diff.u > seq]
        for index, (n, diff) in enumerate(newer):
            flags = F_SNAPSHOT | F_LAST
            if index == 0 and _follows(diff) > seq:
                flags |= F_GAP
            self._levels(ts_local_ns, n, diff, flags)

    def ticker(self, ts_local_ns: int, line: int, frame: Ticker) -> None:
        """Add the venue's own best prices: one QUOTE per side."""
        self.messages.add(
            QUOTE,
            frame.T * NS_PER_MS,
            ts_local_ns,
            line,
            ((frame.b, frame.B),),
            ((frame.a, frame.A),),
            seq=frame.u,
        )

    def trade(self, ts_local_ns: int, line: int, frame: Trade | AggTrade) -> None:
        """Add a trade; one without size (futures: X other than MARKET) as STATUS."""
        level = ((frame.p, frame.q),)
        seq = frame.t if isinstance(frame, Trade) else frame.a
        exch = frame.T * NS_PER_MS
        if frame.q == 0:
            self.messages.add(STATUS, exch, ts_local_ns, line, NOTHING, seq=seq)
        elif frame.m:
            self.messages.add(TRADE, exch, ts_local_ns, line, (), level, seq=seq)
        else:
            self.messages.add(TRADE, exch, ts_local_ns, line, level, (), seq=seq)

    def other(self, ts_local_ns: int, line: int) -> None:
        """Keep the place of a frame that has no kind of its own."""
        self.messages.add(STATUS, 0, ts_local_ns, line, NOTHING)

    def _levels(self, ts_local_ns: int, line: int, frame: Depth, flags: int) -> None:
        exch = (frame.T or frame.E) * NS_PER_MS
        kind, bids = (DEPTH, frame.b) if frame.b or frame.a else (STATUS, NOTHING)
        self.messages.add(
            kind,
            exch,
            ts_local_ns,
            line,
            bids,
            frame.a,
            seq=frame.u,
            ref=_follows(frame),
            flags=flags,
        )


def _follows(frame: Depth) -> int:
    return frame.pu if frame.pu >= 0 else frame.U - 1
