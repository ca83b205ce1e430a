"""Whether the book that a frame speaks of is still the venue's book, checked as the frame is read.

Per instrument a SYNC record knows the number that the next message has to follow, and a book that
the messages were applied to. A message passes (PASSED) when its book is good and stays so: it
follows the last one, and leaves no crossed book. Everything else is rare and is left to Python
(feeds/sync.py): the frame is handed over with the reason, and nothing of it was shown to anyone.
Trades and quotes pass always; they do not touch the book.

A book that its venue cuts to a depth and tells the checksum of (LIMITED) is a TOP record; its
messages grow by the deletions that the venue leaves out (kernels/top_book.py).
"""

from __future__ import annotations

import numpy as np
from numba import types

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.book import book_put
from kimera_cli.kernels.direct import direct
from kimera_cli.kernels.ladder import BOOK, BOOK_OK
from kimera_cli.kernels.parse import read_frame
from kimera_cli.kernels.parse_layout import FEED, REG_COUNT
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.top_book import TOP, TOP_CROSSED, TOP_FULL, TOP_OK, top_message
from kimera_cli.layouts import CHECKSUM, CLEAR, DEPTH, EVENT, QUOTE, STATUS, TRADE

UNCHECKED = 0
"""The instrument's books need no rule: every message is a whole book."""
WAITING = 1
GOOD = 2

CHAINED = 1
"""Bit of `rule`: a message follows (`ref`) the number of the one before (`seq`)."""
LIMITED = 2
"""Bit of `rule`: the book has a depth, and each message ends with its checksum."""

RECENT = 64
"""Numbers of the last messages, by which a repeated one is told from a restarted venue."""
HEARD_DEPTH, HEARD_TRADE, HEARD_QUOTE = range(3)

SYNC = np.dtype(
    [
        ("state", "i8"),  # UNCHECKED, WAITING, GOOD
        ("rule", "i8"),
        ("last", "i8"),  # number of the last message in the book
        ("ts_exch_ns", "i8"),  # and its time
        ("book", "i8"),  # address of the BOOK; LIMITED: of the TOP
        ("heard_ns", "i8", (3,)),  # local time of the last change, trade, quote message
        ("messages", "i8"),  # book messages that passed
        ("watched", "i8"),  # 1: messages that pass are to be looked at (WATCHED)
        ("recent", "i8", (RECENT,)),
    ],
    align=True,
)
"""One instrument of one connection."""

LINK = np.dtype([("numbered", "i8"), ("count", "i8")], align=True)
"""One connection: whether the venue numbers its messages, of all channels, and the last number."""

(PASSED, HELD, SNAPSHOT, ORDER, CROSSED, FULL, COUNT, SLOW, WRONG, WATCHED) = range(10)
"""What became of a message: it passed; its book is not good; it is a whole book; it does not follow
the last one; it leaves a crossed book; the book has no room; a message of the connection is missing
or came twice; the frame was read slowly and is not checked yet; the checksum is another one; it
passed and is to be looked at.
"""
VERDICT_BITS = 32
"""A result above zero is the number of events, and the verdict << 32."""


@inner
def _apply(s, events, n):
    """Apply the levels of a message to the book; return PASSED, CROSSED or FULL."""
    book = array_at(s.book, 1, BOOK)[0]
    status = BOOK_OK
    for k in range(n):
        e = events[k]
        if e.kind == DEPTH:
            status |= book_put(book, np.int64(e.side), e.px_ticks, e.qty_lots)
    if status != BOOK_OK:
        return np.int64(FULL)
    if book.best_bid_ticks >= book.best_ask_ticks:
        return np.int64(CROSSED)
    return np.int64(WATCHED if s.watched else PASSED)


@inner
def _apply_limited(s, events, n):
    """Apply a message to a LIMITED book; return (verdict, events of it now)."""
    if events[n - 1].kind != CHECKSUM:
        return np.int64(WRONG), n
    status, n = top_message(array_at(s.book, 1, TOP)[0], events, n)
    if status == TOP_OK:
        return np.int64(PASSED), n
    if status == TOP_FULL:
        return np.int64(FULL), n
    return np.int64(CROSSED if status == TOP_CROSSED else WRONG), n


@inner
def _is_book(s, first, last):
    """Tell whether a message that begins with STATUS is one of the book."""
    if s.rule & LIMITED:
        return last.kind == CHECKSUM
    return first.ref != 0 or s.rule & CHAINED == 0


@inner
def _judge(syncs, events, n):
    """Return (verdict, events now) of a message of one instrument."""
    first = events[0]
    s = syncs[first.instrument]
    kind = first.kind
    if kind == TRADE:
        s.heard_ns[HEARD_TRADE] = first.ts_local_ns
        return np.int64(PASSED), n
    if kind == QUOTE:
        s.heard_ns[HEARD_QUOTE] = first.ts_local_ns
        return np.int64(PASSED), n
    if kind == STATUS and not _is_book(s, first, events[n - 1]):  # a trade without size
        return np.int64(PASSED), n
    if s.state != UNCHECKED and kind == CLEAR:
        return np.int64(SNAPSHOT), n
    s.heard_ns[HEARD_DEPTH] = first.ts_local_ns
    if s.state != GOOD:
        return np.int64(PASSED if s.state == UNCHECKED else HELD), n
    if s.rule & CHAINED:
        if first.ref != s.last:
            return np.int64(ORDER), n
        s.last = first.seq
        s.recent[s.messages & (RECENT - 1)] = first.seq
    s.ts_exch_ns = first.ts_exch_ns
    s.messages += 1
    if s.rule & LIMITED:
        return _apply_limited(s, events, n)
    return _apply(s, events, n), n


@kernel
def check_message(syncs, events, n):
    """Check the message in events[:n], of one instrument; return its events | verdict << 32.

    `syncs` are SYNC by `event.instrument`. A LIMITED book wants room for as many events again. Only
    what is PASSED has moved the record; a message that is CROSSED, FULL or WRONG has spoilt the
    book.
    """
    verdict, n = _judge(syncs, events, n)
    return n | (verdict << VERDICT_BITS)


@kernel
def read_checked(feed, frame, n, ts_local_ns, out, syncs, link):
    """Read a frame (`read_frame`) and check it; return events | verdict << 32, or -reason."""
    count = read_frame(feed, frame, n, ts_local_ns, out)
    if count <= 0:
        return count
    if link.numbered:
        number = feed.registers[REG_COUNT]
        if number != link.count + 1:
            return count | (np.int64(COUNT) << VERDICT_BITS)
        link.count = number
    return check_message(syncs, out, count)


_TAKES = types.int64(types.int64, types.int64, types.int64)


@kernel(_TAKES, nogil=False)
def _enter_checked(address, n, ts_local_ns):
    """Call `read_checked` on the arrays of the table at `address`, as `parse_entry.enter` does."""
    a = array_at(address, 10, np.int64)
    return read_checked(
        array_at(a[0], a[1], FEED)[0],
        array_at(a[2], a[3], np.uint8),
        n,
        ts_local_ns,
        array_at(a[4], a[5], EVENT),
        array_at(a[6], a[7], SYNC),
        array_at(a[8], a[9], LINK)[0],
    )


enter_checked = direct(_enter_checked, _TAKES)
"""`enter_checked(address of the table, bytes of the frame, ts_local_ns)`."""
