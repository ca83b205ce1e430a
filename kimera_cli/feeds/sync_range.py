"""Books that begin with a snapshot that is asked for, and go on with numbered changes.

Binance (developers.binance.com, "How to manage a local order book correctly"): changes are kept
from the first one on, a snapshot is asked for, what it holds already is dropped, and the first
change that is left must begin no later than where the snapshot ends: ref <= snapshot < seq. HTX
(`mbp`): the same, with a snapshot that is asked for on the socket.

A snapshot that is older than the first change kept (a cache answered) can never be continued:
another one is asked for. Without any change there is nothing to tell its age by. Then it waits for
the first one; or, in a market where nothing moves, for a second answer that says the same.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from kimera_cli.feeds.sync import BookSync, Want
from kimera_cli.kernels.sync import CHAINED
from kimera_cli.layouts import Events

KEPT = 10_000
"""Changes that are kept at most: over a quarter of an hour of Binance's diffs."""


OLDER = 600
"""Changes older than the snapshot that may come behind it: a minute of Binance's diffs. If there
are more, the venue's numbers have begun anew.
"""


class RangeSync(BookSync):
    """One book."""

    rule = CHAINED
    source = Want.SNAPSHOT

    def __init__(self, row: Any, number: int, venue: int) -> None:
        super().__init__(row, number, venue)
        self._kept: deque[Events] = deque(maxlen=KEPT)
        self._snapshot: Events | None = None
        self._older = 0

    def forget(self) -> None:
        """Drop what waits."""
        self.counts.dropped += len(self._kept)
        self._kept.clear()
        self._snapshot = None

    @property
    def waiting(self) -> int:
        """Changes that are kept."""
        return len(self._kept)

    def hold(self, message: Events) -> list[Events]:
        """Keep a change; show the book when the snapshot was waiting for it."""
        if self._kept:
            before = int(self._kept[-1][0]["seq"])
            if int(message[0]["ref"]) != before:
                if int(message[0]["seq"]) <= before:
                    self.counts.repeated += 1
                    return []
                self.counts.gaps += 1
                self.counts.dropped += len(self._kept)
                self._kept.clear()
        self.counts.dropped += len(self._kept) == KEPT
        self._kept.append(message)
        self.counts.buffered += 1
        if self._snapshot is None:
            return []
        snapshot, self._snapshot = self._snapshot, None
        return self._join(snapshot)

    def whole(self, message: Events) -> list[Events]:
        """Take a snapshot; show the book if it can be continued."""
        if self.good:  # an answer that came twice
            self.counts.repeated += 1
            return []
        if self._kept:
            return self._join(message)
        before, self._snapshot = self._snapshot, message
        if before is not None and before[0]["seq"] == message[0]["seq"]:
            self._snapshot = None
            return self._begin([message])
        self.wants = Want.SNAPSHOT
        self.reason = "the age of the snapshot is not known before the first change"
        return []

    def _join(self, snapshot: Events) -> list[Events]:
        seq = int(snapshot[0]["seq"])
        if int(self._kept[0][0]["ref"]) > seq:
            self.counts.stale += 1
            self.wants = Want.SNAPSHOT
            self.reason = "a snapshot that is older than the first change"
            return []
        rest = [each for each in self._kept if int(each[0]["seq"]) > seq]
        self._kept.clear()
        return self._begin([snapshot, *rest])

    def _begin(self, parts: list[Events]) -> list[Events]:
        self._older = OLDER if len(parts) == 1 else 0
        return self.show(parts)

    def _out_of_order(self, message: Events, ts_local_ns: int) -> list[Events]:
        """Behind a snapshot come changes that it holds already, then one that reaches over it."""
        if not self._older:
            return super()._out_of_order(message, ts_local_ns)
        last, seq = int(self.row["last"]), int(message[0]["seq"])
        if seq <= last:
            self._older -= 1
            self.counts.repeated += 1
            return []
        if int(message[0]["ref"]) > last:
            return super()._out_of_order(message, ts_local_ns)
        self._older = 0
        return self.follow(message)
