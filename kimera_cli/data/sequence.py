"""The rule by which a venue's update ids follow each other, in one place for importers and
checks.

A book message carries `seq` (its own id, the last one when it covers a range) and `ref` (the id
that it follows: Binance `pu`, or `U - 1`; OKX `prevSeqId`; Bybit `u - 1`; HTX `prevSeqNum`).
`ref` 0 means that the feed does not number its messages. After a snapshot the first message may
reach back behind it (`U <= lastUpdateId + 1 <= u` in Binance's words); from then on `ref` must
equal the last `seq`.
"""

from __future__ import annotations

import enum


class Step(enum.Enum):
    """What one message does to the chain of ids."""

    FOLLOWS = "follows"
    START = "start"
    """Nothing to compare with: the first message, or a feed without `ref`."""
    GAP = "gap"
    """At least one message is missing just before this one."""
    STALE = "stale"
    """An id that was already passed: a repeated message, or one that arrived out of order."""


class Chain:
    """Follows the update ids of one book."""

    __slots__ = ("after_snapshot", "last")

    def __init__(self) -> None:
        self.last = 0
        self.after_snapshot = False

    def snapshot(self, seq: int) -> None:
        """Start anew from a snapshot that holds all updates up to `seq` (0: not told)."""
        self.last = seq
        self.after_snapshot = True

    def step(self, seq: int, ref: int) -> Step:
        """Take the next message; only a message that is not stale moves the chain."""
        if self.last == 0 or seq == 0:
            verdict = Step.START
        elif ref == self.last and ref:
            verdict = Step.FOLLOWS
        elif seq <= self.last:
            return Step.STALE
        elif ref == 0:
            verdict = Step.START
        elif self.after_snapshot and ref < self.last:
            verdict = Step.FOLLOWS
        else:
            verdict = Step.GAP
        self.last = max(seq, self.last)
        self.after_snapshot = False
        return verdict
