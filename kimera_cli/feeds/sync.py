"""Keeping one book in step with its venue: what all rules have in common.

A BookSync is a pure state machine: messages of one instrument go in, what may be shown comes out.
It reads no clock and asks nobody; what it wants of the venue stands in `wants`, and feeds/intake.py
sees to it. While the book is not good nothing of it is shown: the consumer has been given a *mark*
(a CLEAR event with F_GAP), and gets CLEAR, all levels (F_SNAPSHOT) and F_LAST once the book is the
venue's again. In between, messages are kept or dropped as the rule says.

Messages that follow the last one never come here: kernels/sync.py lets them pass.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kimera_cli.feeds.dialect import PROOF_LEVELS
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.book import BOOK_OK, OVER, WINDOW, book_apply, book_levels
from kimera_cli.kernels.sync import (
    CROSSED,
    FULL,
    GOOD,
    HELD,
    ORDER,
    RECENT,
    SNAPSHOT,
    WAITING,
    WATCHED,
    WRONG,
)
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    EVENT,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    NO_SIDE,
    VENUES,
    Events,
)
from kimera_cli.market.book import new_books


class Want(enum.Enum):
    """What a book needs of its venue."""

    NOTHING = "nothing"
    SNAPSHOT = "snapshot"
    """A whole book that has to be asked for."""
    SUBSCRIPTION = "subscription"
    """The channel anew, which begins with a whole book."""


@dataclass
class SyncCounts:
    """What happened to one book so far."""

    synced: int = 0
    """Times that the book became good."""
    lost: int = 0
    """Times that it was good and is not any more, whatever the reason."""
    gaps: int = 0
    """Messages that did not follow the one before."""
    restarts: int = 0
    """Times that the venue's numbers began anew."""
    crossed: int = 0
    """Books whose best bid was not below the best ask."""
    checksums: int = 0
    """Messages whose checksum was not that of the book."""
    audits: int = 0
    """Times that the book was compared with another answer of the venue."""
    wrong: int = 0
    """Of these, times that it was another one."""
    silences: int = 0
    """Times that the channel was silent for too long."""
    proved: int = 0
    """Times that it was silent and the venue said that nothing had happened."""
    stale: int = 0
    """Whole books that were too old to be continued."""
    repeated: int = 0
    """Messages that had come before."""
    buffered: int = 0
    """Messages that waited for a whole book."""
    dropped: int = 0
    """Messages that no good book could come of."""


class BookSync(ABC):
    """One book. `row` is its SYNC record, `number` its `event.instrument`."""

    rule: ClassVar[int]
    """Bits of SYNC's `rule`."""
    source: ClassVar[Want]
    """Where a whole book comes from."""

    def __init__(self, row: Any, number: int, instrument: Instrument) -> None:
        self.row, self.number, self.instrument = row, number, instrument
        self.venue = VENUES.index(instrument.venue)
        self.counts = SyncCounts()
        self.wants = self.source
        self.reason = "not connected yet"
        """Why the book is not good; empty when it is."""
        self.doubted = False
        """Whether the last answer, in a silence, was another book than ours."""
        self._memory = self.memory()
        self.book = self._memory[0]
        row["state"], row["rule"] = WAITING, self.rule
        row["book"] = self._memory.ctypes.data

    def memory(self) -> Any:
        """Return the memory of an empty book, shape (1,)."""
        return new_books(1)

    def best(self, side: int, most: int) -> list[tuple[int, int]]:
        """Return prices and quantities of the best levels, in ticks and lots, best first."""
        most = min(most, WINDOW + OVER)
        px, qty = np.zeros(most, np.int64), np.zeros(most, np.int64)
        n = int(book_levels(self.book, side, px, qty))
        return list(zip(px[:n].tolist(), qty[:n].tolist(), strict=True))

    @property
    def waiting(self) -> int:
        """Changes that wait for a whole book."""
        return 0

    @property
    def unsure(self) -> bool:
        """Whether one more whole book, soon, would tell if the first is one of now."""
        return False

    @property
    def answers(self) -> int:
        """Times that the venue has told what its book is although nothing was heard of it."""
        return self.counts.proved + self.counts.wrong

    @property
    def good(self) -> bool:
        """Whether what was shown is the venue's book."""
        return bool(self.row["state"] == GOOD)

    def take(self, message: Events, verdict: int) -> list[Events]:
        """Take a message that the kernel did not let pass; return what may be shown, in order."""
        if message[0]["kind"] == CLEAR or verdict == SNAPSHOT:
            return self.whole(message)
        if verdict == HELD:
            return self.hold(message)
        ts_local_ns = int(message[0]["ts_local_ns"])
        if verdict == ORDER:
            return self._out_of_order(message, ts_local_ns)
        if verdict == CROSSED:
            self.counts.crossed += 1
            return [*self.lose("the book is crossed", ts_local_ns), *self.hold(message)]
        if verdict == WRONG:
            self.counts.checksums += 1
            return self.lose("its checksum is another one", ts_local_ns)
        if verdict == WATCHED:
            self.touched(message)
            return [message]
        assert verdict == FULL, verdict
        return self.lose("the book has more levels than there is room for", ts_local_ns)

    @abstractmethod
    def whole(self, message: Events) -> list[Events]:
        """Take a whole book; return what may be shown."""

    @abstractmethod
    def hold(self, message: Events) -> list[Events]:
        """Take a change while the book is not good; return what may be shown."""

    def prove(self, message: Events) -> None:
        """Take the venue's book of now: silence is right while it is ours.

        It is told by its number, or level by level where its numbers are not the stream's.
        """
        most = PROOF_LEVELS.get(self.instrument.venue)
        if most is None:
            same = int(message[0]["seq"]) == int(self.row["last"])
        else:
            same = self.is_ours(message, most)
        self.counts.proved += self.good and same
        self.doubted = not same

    def is_ours(self, message: Events, most: int) -> bool:
        """Tell whether a whole book is ours, in the best `most` levels of a side."""
        return all(_levels(message, side) == self.best(side, most) for side in (BID, ASK))

    def watch(self) -> None:  # noqa: B027 - most rules watch nothing
        """The venue is asked for its book, to compare."""

    def touched(self, message: Events) -> None:  # noqa: B027 - most rules watch nothing
        """A message passed that was to be looked at."""

    def lose(self, reason: str, ts_local_ns: int) -> list[Events]:
        """The book is not good any more; return the mark, if it was."""
        was_good = self.good
        self.row["state"] = WAITING
        self.wants, self.reason, self.doubted = self.source, reason, False
        self.forget()
        if not was_good:
            return []
        self.counts.lost += 1
        return [mark(self.number, self.venue, ts_local_ns)]

    def connected(self) -> None:
        """A new connection, on which the streams have been asked for."""
        self.wants = self.source
        self.reason = "no book yet"
        self.row["ts_exch_ns"] = 0
        self.forget()

    def forget(self) -> None:  # noqa: B027 - a rule need not keep anything
        """Drop what waits."""

    def show(self, parts: list[Events]) -> list[Events]:
        """Make a book of a snapshot and the changes behind it; return it as one message.

        Nothing is returned when it cannot be good; then another is wanted.
        """
        events = _one_message(parts)
        self.row["last"], self.row["ts_exch_ns"] = events[-1]["seq"], events[-1]["ts_exch_ns"]
        if book_apply(self.book, events.view(np.recarray)) != BOOK_OK:
            self.wants, self.reason = self.source, "a book with too many levels"
            return []
        if self.book.best_bid_ticks >= self.book.best_ask_ticks:
            self.counts.crossed += 1
            self.wants, self.reason = self.source, "a crossed book"
            return []
        self.row["recent"] = 0
        for k, part in enumerate(parts[-RECENT:]):
            self.row["recent"][k] = part[-1]["seq"]
        self.row["messages"] = len(parts[-RECENT:])
        self.row["state"] = GOOD
        self.wants, self.reason = Want.NOTHING, ""
        self.counts.synced += 1
        return [events]

    def came_before(self, message: Events) -> bool:
        """Tell whether a message is one of the last ones once more.

        A venue that begins to count anew may use the same numbers, but at a later time.
        """
        first, known = message[0], self.row["recent"][: min(self.row["messages"], RECENT)]
        timed = not first["flags"] & F_NO_EXCH_TIME
        newer = first["ts_exch_ns"] > self.row["ts_exch_ns"]
        return bool(timed and not newer and first["seq"] in known)

    def is_late(self, message: Events) -> bool:
        """Tell whether a whole book is older than what came before it on the connection."""
        timed = not message[0]["flags"] & F_NO_EXCH_TIME
        return bool(timed and message[0]["ts_exch_ns"] < self.row["ts_exch_ns"])

    def note(self, message: Events) -> None:
        """Remember the time of a message that is not applied."""
        if not message[0]["flags"] & F_NO_EXCH_TIME:
            self.row["ts_exch_ns"] = max(self.row["ts_exch_ns"], message[0]["ts_exch_ns"])

    def _out_of_order(self, message: Events, ts_local_ns: int) -> list[Events]:
        """A message that does not follow: it came twice, or others were lost."""
        seq, last = int(message[0]["seq"]), int(self.row["last"])
        if seq > last:
            self.counts.gaps += 1
            reason = f"expected the message after {last}, was the one after {message[0]['ref']}"
        elif self.came_before(message):
            self.counts.repeated += 1
            return []
        else:
            self.counts.restarts += 1
            reason = f"expected numbers beyond {last}, was {seq}"
        return [*self.lose(reason, ts_local_ns), *self.hold(message)]


def mark(number: int, venue: int, ts_local_ns: int) -> Events:
    """Return the message which says that a book is not to be trusted until a snapshot."""
    events = np.zeros(1, EVENT)
    events["ts_exch_ns"] = events["ts_local_ns"] = ts_local_ns
    events["instrument"], events["venue"] = number, venue
    events["kind"], events["side"] = CLEAR, NO_SIDE
    events["flags"] = F_GAP | F_LAST | F_NO_EXCH_TIME
    return events


def _levels(message: Events, side: int) -> list[tuple[int, int]]:
    """Return the levels of a side, best first."""
    rows = message[(message["kind"] == DEPTH) & (message["side"] == side)]
    found = zip(rows["px_ticks"].tolist(), rows["qty_lots"].tolist(), strict=True)
    return sorted(found, reverse=side == BID)


def _one_message(parts: list[Events]) -> Events:
    """Return a snapshot and what changed behind it as one snapshot of the last one's number."""
    events = np.concatenate(parts)
    last = parts[-1][-1]
    events["seq"], events["ref"] = last["seq"], 0
    events["ts_exch_ns"], events["ts_local_ns"] = last["ts_exch_ns"], events["ts_local_ns"].max()
    events["flags"] = F_SNAPSHOT | (last["flags"] & F_NO_EXCH_TIME)
    events["flags"][-1] |= F_LAST
    return events
