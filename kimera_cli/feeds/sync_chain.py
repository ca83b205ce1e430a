"""Books that begin with a snapshot of their own, and go on with numbered changes.

OKX (`books`): the subscription begins with a snapshot; each change names the one before
(`prevSeqId`), and a sequence that the venue begins anew is announced by a change that still does,
with a smaller number of its own. Bybit (`orderbook.N`): changes count one by one; a snapshot may
come at any time and replaces the book (`u` 1: the service began anew). What does not follow is
mended by subscribing anew; changes before the snapshot are dropped. A snapshot that is older than
what came before it came late or twice, and is no book of now.
"""

from __future__ import annotations

from kimera_cli.feeds.sync import BookSync, Want
from kimera_cli.kernels.sync import CHAINED
from kimera_cli.layouts import Events


class ChainSync(BookSync):
    """One book."""

    rule = CHAINED
    source = Want.SUBSCRIPTION

    def whole(self, message: Events) -> list[Events]:
        """Take a snapshot: it is the book, whatever there was before."""
        before = self.good
        if self.is_late(message) or (before and self.came_before(message)):
            self.counts.repeated += 1
            return []
        unnumbered = self.rule == CHAINED and not message[0]["seq"]
        shown = [] if unnumbered else self.show([message])
        if unnumbered:
            self.reason = "a snapshot without a number, which nothing can be seen to follow"
        if before and not shown:
            return self.lose(self.reason, int(message[0]["ts_local_ns"]))
        return shown

    def hold(self, message: Events) -> list[Events]:
        """Drop a change: the snapshot that begins the channel is yet to come."""
        self.counts.dropped += 1
        self.note(message)
        return []
