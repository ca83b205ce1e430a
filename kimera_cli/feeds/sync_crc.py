"""Books whose messages have no number, but a checksum of the best levels (Kraken).

The subscription begins with a snapshot. After each message the ten best levels of the book must
have the message's checksum; else something was lost, came twice or in another order, and the
channel is subscribed anew. Levels behind the tenth are not under the checksum: what is lost of
them alone shows when they come near the touch. Levels behind the subscribed depth are cut off
(kernels/top_book.py).

A book that is silent is asked for by subscribing anew while it stays shown: the venue's REST has
sizes of three decimals, which prove nothing of the rest. The whole book that comes is of the same
stream. If it is ours, nothing had happened. If not, it is shown as it is: it may have changed
between the two subscriptions. If that happens again and no change was told in between, the channel
tells none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kimera_cli.feeds.connection import decimals_of
from kimera_cli.feeds.kraken import DEPTH
from kimera_cli.feeds.sync import BookSync, Want
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.sync import GOOD, HEARD_DEPTH, LIMITED
from kimera_cli.kernels.top_book import TOP, TOP_CROSSED, TOP_OK, top_clear, top_message
from kimera_cli.layouts import CHECKSUM, Events


class CrcSync(BookSync):
    """One book."""

    rule = LIMITED
    source = Want.SUBSCRIPTION

    def __init__(self, row: Any, number: int, instrument: Instrument) -> None:
        super().__init__(row, number, instrument)
        self._watching = False
        self._heard_ns = -1
        """When the last change was heard before a whole book that was another one."""

    def memory(self) -> Any:
        """Return the memory of an empty book."""
        top = np.zeros(1, TOP).view(np.recarray)
        tick, lot = self.instrument.tick, self.instrument.lot
        top["depth"] = DEPTH
        top["px_factor"] = int(tick.scaleb(decimals_of(tick)))
        top["qty_factor"] = int(lot.scaleb(decimals_of(lot)))
        return top

    def best(self, side: int, most: int) -> list[tuple[int, int]]:
        """Return prices and quantities of the best levels, in ticks and lots, best first."""
        n = int(self.book.n[side])
        px, qty = (row[side][:n][::-1][:most].tolist() for row in (self.book.px, self.book.qty))
        return list(zip(px, qty, strict=True))

    def watch(self) -> None:
        """The channel is subscribed anew, to see whether its book is ours."""
        self._watching = True

    def forget(self) -> None:
        """The answer to what was asked is of no use."""
        self._watching = False

    def whole(self, message: Events) -> list[Events]:
        """Take a snapshot, if it is not older than what came before it."""
        if self.is_late(message):
            self.counts.repeated += 1
            return []
        compared, self._watching = self._watching and self.good, False
        same = compared and self.is_ours(message, DEPTH)
        rows = self._fill(message)
        if not len(rows):
            return self.lose("a snapshot that is no good book", int(message[0]["ts_local_ns"]))
        self.row["state"], self.row["ts_exch_ns"] = GOOD, message[0]["ts_exch_ns"]
        self.wants, self.reason = Want.NOTHING, ""
        self.counts.audits += compared
        if same:
            self.counts.proved += 1
            return []
        return self._other(rows) if compared else self._shown(rows)

    def _other(self, rows: Events) -> list[Events]:
        """The channel is silent, and the venue's book has changed."""
        heard_ns, before_ns = int(self.row["heard_ns"][HEARD_DEPTH]), self._heard_ns
        self._heard_ns = heard_ns
        self.counts.wrong += 1
        if heard_ns != before_ns:
            return self._shown(rows)
        self.counts.silences += 1
        return self.lose("the channel does not tell what changes", int(rows[0]["ts_local_ns"]))

    def _shown(self, rows: Events) -> list[Events]:
        self.counts.synced += 1
        return [rows]

    def hold(self, message: Events) -> list[Events]:
        """Drop a change: the snapshot that begins the channel is yet to come."""
        self.counts.dropped += 1
        self.note(message)
        return []

    def _fill(self, message: Events) -> Events:
        """Make the book of a snapshot; return its events, none when it is not good."""
        if message[-1]["kind"] != CHECKSUM:
            return message[:0]
        rows = np.concatenate((message, np.zeros_like(message)))
        top_clear(self.book)
        status, n = top_message(self.book, rows.view(np.recarray), len(message))
        self.counts.crossed += status == TOP_CROSSED
        self.counts.checksums += status not in (TOP_OK, TOP_CROSSED)
        return rows[: n if status == TOP_OK else 0]
