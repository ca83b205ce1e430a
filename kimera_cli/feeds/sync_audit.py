"""Books of a venue that tells nothing to check them by but the book itself (Coinbase Exchange).

The subscription begins with a snapshot; its changes have neither number nor checksum, so what is
lost cannot be seen on the stream. Now and then the whole book (`level=2`) is asked for over REST
and compared.
That answer is of some moment between question and answer, and the stream may be later than it: so a
level is *wrong* only if it was not touched by the stream from the question until a while after the
answer, and still differs. Then the book is subscribed anew. Until an audit finds it, a lost message
does show: that is as good as this venue's public book can be known.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.feeds.dialect import EVERY
from kimera_cli.feeds.sync_chain import ChainSync
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, Events

Place = tuple[int, int]
"""(side, px_ticks)"""


class AuditSync(ChainSync):
    """One book."""

    rule = 0

    def __init__(self, row: Any, number: int, instrument: Instrument) -> None:
        super().__init__(row, number, instrument)
        self._touched: set[Place] = set()
        self._told: dict[Place, int] | None = None

    def forget(self) -> None:
        """End an audit that has begun."""
        self.row["watched"] = 0
        self._told = None

    def watch(self) -> None:
        """An audit begins: the book is asked for now."""
        self.row["watched"] = 1
        self._touched, self._told = set(), None

    def touched(self, message: Events) -> None:
        """A message passed while an audit is under way."""
        self._touched |= set(_levels(message))

    def whole(self, message: Events) -> list[Events]:
        """Take a snapshot; an audit of the book before it is of no use."""
        self.forget()
        return super().whole(message)

    def told(self, message: Events) -> None:
        """Take the venue's answer; it is compared by `judge`."""
        if self.row["watched"]:  # else the book was lost meanwhile
            self._told = _levels(message)

    def judge(self, ts_local_ns: int) -> list[Events]:
        """Compare; the answer has been there for a while. Return the mark if the book is wrong."""
        told, self._told = self._told, None
        self.row["watched"] = 0
        if not self.good or told is None:
            return []
        self.counts.audits += 1
        own = self._own()
        wrong = [
            place
            for place in told.keys() | own.keys()
            if place not in self._touched and told.get(place, 0) != own.get(place, 0)
        ]
        if not wrong:
            return []
        self.counts.wrong += 1
        side, px = min(wrong)
        text = f"{told.get((side, px), 0)} lots at {px} ticks, was {own.get((side, px), 0)}"
        reason = f"{len(wrong)} levels differ from the venue's answer: expected {text}"
        return self.lose(reason, ts_local_ns)

    def _own(self) -> dict[Place, int]:
        """Return the own levels."""
        return {(side, px): lots for side in (BID, ASK) for px, lots in self.best(side, EVERY)}


def _levels(message: Events) -> dict[Place, int]:
    rows = message[message["kind"] == DEPTH]
    sides, px, qty = (rows[name].tolist() for name in ("side", "px_ticks", "qty_lots"))
    return dict(zip(zip(sides, px, strict=True), qty, strict=True))
