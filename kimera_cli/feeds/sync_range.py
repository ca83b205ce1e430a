"""Books that begin with a snapshot that is asked for, and go on with numbered changes.

Binance (developers.binance.com, "How to manage a local order book correctly"): changes are kept
from the first one on, a snapshot is asked for, what it holds already is dropped, and the first
change that is left must begin no later than where the snapshot ends: ref <= snapshot < seq. HTX
(`mbp`): the same, with a snapshot that is asked for on the socket.

A snapshot that is older than the first change kept (a cache answered) can never be continued:
another one is asked for. One that the changes have not come to yet waits for them: it may be of a
time before the venue began to count anew. Without any change there is nothing to tell its age by.
Then it waits for the first one; or, in a market where nothing moves, for a second answer that says
the same.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from kimera_cli.feeds.sync import BookSync, Want
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.sync import CHAINED
from kimera_cli.layouts import Events

KEPT = 10_000
"""Changes that are kept at most: over a quarter of an hour of Binance's diffs."""


class RangeSync(BookSync):
    """One book."""

    rule = CHAINED
    source = Want.SNAPSHOT

    def __init__(self, row: Any, number: int, instrument: Instrument) -> None:
        super().__init__(row, number, instrument)
        self._kept: deque[Events] = deque(maxlen=KEPT)
        self._snapshot: Events | None = None
        self._differed = False

    def forget(self) -> None:
        """Drop what waits."""
        self.counts.dropped += len(self._kept)
        self._kept.clear()
        self._snapshot = None
        self._differed = False

    @property
    def unsure(self) -> bool:
        """Whether there is one answer, and nothing to tell its age by."""
        return self._snapshot is not None and not self._kept and not self._differed

    @property
    def waiting(self) -> int:
        """Changes that are kept."""
        return len(self._kept)

    def hold(self, message: Events) -> list[Events]:
        """Keep a change; show the book when the snapshot was waiting for it."""
        if self._kept and message[0]["ref"] != self._kept[-1][0]["seq"]:
            if any(_same(message, each) for each in self._kept):
                self.counts.repeated += 1
                return []
            self.counts.gaps += 1
            self.counts.dropped += len(self._kept)
            self._kept.clear()
        self.counts.dropped += len(self._kept) == KEPT
        self._kept.append(message)
        self.counts.buffered += 1
        return self._join()

    def whole(self, message: Events) -> list[Events]:
        """Take a snapshot; show the book if it can be continued."""
        if self.good:  # a proof was asked for, or the answer came twice
            self.counts.repeated += message[0]["seq"] != self.row["last"]
            self.prove(message)
            return []
        before, self._snapshot = self._snapshot, message
        if self._kept:
            return self._join()
        if before is not None and before[0]["seq"] == message[0]["seq"]:
            self._snapshot = None
            return self.show([message])
        self._differed = before is not None
        self.reason = "the age of the snapshot is not known before the first change"
        return []

    def _join(self) -> list[Events]:
        """Show the book once the changes kept begin in the snapshot and reach its end."""
        if self._snapshot is None:
            return []
        seq = int(self._snapshot[0]["seq"])
        if int(self._kept[0][0]["ref"]) > seq:
            self.counts.stale += 1
            self.reason = "a snapshot that is older than the first change"
            self._snapshot = None
            return []
        if int(self._kept[-1][0]["seq"]) < seq:
            self.reason = "the changes have not come as far as the snapshot"
            return []
        parts = [self._snapshot, *(each for each in self._kept if int(each[0]["seq"]) > seq)]
        self._snapshot = None
        self._kept.clear()
        return self.show(parts)


def _same(a: Events, b: Events) -> bool:
    """Tell whether two messages are one that came twice."""
    return all(a[0][name] == b[0][name] for name in ("seq", "ref", "ts_exch_ns"))
