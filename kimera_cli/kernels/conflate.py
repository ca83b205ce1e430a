"""A conflating buffer in front of a ring: what happens to events when the consumer lags.

While the ring has room, events pass through unchanged. When a whole message does not fit, it is
absorbed: of each price level only the latest state is kept, trades and every kind that is not named
below are kept all and in order. As soon as there is room the pending events leave as one batch,
frozen at the end of a message, so that it is a state that the book really had: first what is kept,
then per instrument one message of levels that ends with F_LAST. What arrives meanwhile gathers for
the next batch, so a consumer that takes anything at all gets ahead.

| kind | when it is absorbed |
| --- | --- |
| DEPTH | the latest state of (instrument, side, price); with F_STALE dropped: it changes nothing |
| CLEAR | forgets the pending levels of its side and leads the instrument's message |
| CHECKSUM | kept while it speaks of the last book message, else dropped: nobody sees that state |
| QUOTE | the latest of each side, after the levels |
| all others, and all of an instrument that is not conflated (L3) | kept, in order |

A message of levels carries the first `ref` and the last `seq` of the messages in it (so gap checks
hold), the last venue time, the local time of the batch's last event (so local time never falls),
and, when it is more than one message, F_CONFLATED. Nothing is ever dropped for want of room: what
can be neither passed nor absorbed is not accepted, and the caller keeps it. A message too large for
the table is passed piece by piece, as the ring has room.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.ring import RING_END, ring_push, ring_room
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    EVENT,
    F_CONFLATED,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    F_STALE,
    MAX_INSTRUMENTS,
    NO_SIDE,
    QUOTE,
)

CONFLATE = np.dtype(
    [
        # addresses and sizes, set by kimera_cli/shm/conflate.py
        ("levels", "i8"),  # EVENT (n_levels_max,): latest state of each pending level
        ("link", "i8"),  # i8 (n_levels_max,): the instrument's next level, -1 at its end
        ("cell_of", "i8"),  # i8 (n_levels_max,): the level's cell
        ("cells", "i8"),  # i8 (2 * n_levels_max,): hash of a level -> its number plus 1; 0: free
        ("kept", "i8"),  # EVENT (n_kept_max,)
        ("out", "i8"),  # EVENT (n_levels_max + n_kept_max + MORE,): the frozen batch
        ("pending", "i8"),  # PENDING (MAX_INSTRUMENTS,)
        ("lasts", "i8"),  # EVENT (LASTS * MAX_INSTRUMENTS,): CLEAR, CHECKSUM, QUOTE bid, QUOTE ask
        ("n_levels_max", "i8"),  # a power of two
        ("n_kept_max", "i8"),
        # what is pending
        ("n_levels", "i8"),
        ("n_kept", "i8"),
        ("n_pending", "i8"),  # events absorbed since the last freeze
        ("n_messages", "i8"),
        ("ts_first_ns", "i8"),  # local time of the oldest pending event
        ("ts_last_ns", "i8"),  # and of the newest
        ("n_out", "i8"),
        ("out_at", "i8"),  # how much of the batch has left
        ("ts_out_ns", "i8"),  # local time of the oldest event in the batch
        ("open", "i8"),  # 1: a message has left in part
        # counts
        ("n_taken", "i8"),  # events accepted
        ("n_passed", "i8"),  # of them, unchanged and at once
        ("n_merged", "i8"),  # levels and quotes that a later state replaced, or a CLEAR forgot
        ("n_delayed", "i8"),  # trades and all else that was kept for later
        ("n_unchecked", "i8"),  # checksums dropped
        ("n_batches", "i8"),
        ("n_refused", "i8"),  # times that not all was accepted
        ("reserved", "i8", (5,)),
    ],
    align=True,
)
"""One buffer, in the producer's own memory."""

PENDING = np.dtype(
    [
        ("lossless", "i8"),  # 1: never conflate this instrument
        ("first", "i8"),  # its first pending level, -1: none
        ("last", "i8"),
        ("messages", "i8"),  # book messages in the pending one
        ("message", "i8"),  # number of the last of them
        ("ref", "i8"),  # of the first
        ("seq", "i8"),  # of the last
        ("ts_exch_ns", "i8"),  # of the last
        ("marks", "i8"),  # F_GAP of any, F_NO_EXCH_TIME of the last
        ("cleared", "i8"),  # bit BID, bit ASK
        ("lasts", "i8"),  # bit LAST_*: which of its `lasts` are pending
        ("reserved", "i8"),
    ],
    align=True,
)
"""What is pending of one instrument."""

LAST_CLEAR = 0
LAST_CHECKSUM = 1
LAST_QUOTE = 2
"""Plus the side."""
LASTS = 4
MORE = LASTS * MAX_INSTRUMENTS
"""Events of a batch that are neither levels nor kept."""

_BOTH = (1 << BID) | (1 << ASK)
_MIX = np.uint64(2654435769)
_LOW32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


# --- absorbing ---------------------------------------------------------------------------------
@inner
def _cell_of(c, levels, cells, e):
    """Return the cell that holds the level of event e, or the free one where it would go."""
    mask = 2 * c.n_levels_max - 1
    key = (np.uint64(e.px_ticks) * np.uint64(2 * MAX_INSTRUMENTS)) & _LOW32
    key ^= np.uint64(2 * e.instrument + e.side)
    spread = (key * _MIX) & _LOW32
    cell = np.int64((spread * np.uint64(mask + 1)) >> _32)
    while cells[cell] != 0:
        held = levels[cells[cell] - 1]
        if held.px_ticks == e.px_ticks and held.side == e.side and held.instrument == e.instrument:
            break
        cell = (cell + 1) & mask
    return cell


@inner
def _absorb_level(c, p, e):
    levels = array_at(c.levels, c.n_levels_max, EVENT)
    cells = array_at(c.cells, 2 * c.n_levels_max, np.int64)
    cell = _cell_of(c, levels, cells, e)
    number = cells[cell] - 1
    if number >= 0:
        c.n_merged += levels[number].kind == DEPTH  # else a CLEAR forgot it, and counted it
        levels[number] = e
        return
    number = c.n_levels
    c.n_levels += 1
    cells[cell] = number + 1
    levels[number] = e
    array_at(c.cell_of, c.n_levels_max, np.int64)[number] = cell
    link = array_at(c.link, c.n_levels_max, np.int64)
    link[number] = -1
    if p.first < 0:
        p.first = number
    else:
        link[p.last] = number
    p.last = number


@inner
def _absorb_clear(c, p, e):
    levels = array_at(c.levels, c.n_levels_max, EVENT)
    link = array_at(c.link, c.n_levels_max, np.int64)
    number = p.first
    while number >= 0:
        level = levels[number]
        if level.kind == DEPTH and (e.side == NO_SIDE or e.side == level.side):
            level.kind = 0
            c.n_merged += 1
        number = link[number]
    p.cleared |= _BOTH if e.side == NO_SIDE else 1 << e.side


@inner
def _set_last(c, p, e, which):
    """Keep the latest event of its kind; return whether one was replaced."""
    lasts = array_at(c.lasts, LASTS * MAX_INSTRUMENTS, EVENT)
    lasts[e.instrument * LASTS + which] = e
    replaced = (p.lasts >> which) & 1
    p.lasts |= 1 << which
    return replaced


@inner
def _absorb_book(c, p, e):
    """Take in a DEPTH or CLEAR that changes the book."""
    if p.messages == 0:
        p.ref = e.ref
    if p.message != c.n_messages:
        p.message = c.n_messages
        p.messages += 1
    p.seq = e.seq
    p.ts_exch_ns = e.ts_exch_ns
    p.marks = (p.marks & F_GAP) | (e["flags"] & (F_GAP | F_NO_EXCH_TIME))
    if (p.lasts >> LAST_CHECKSUM) & 1:
        p.lasts &= ~(1 << LAST_CHECKSUM)
        c.n_unchecked += 1
    if e.kind == DEPTH:
        _absorb_level(c, p, e)
    else:
        _absorb_clear(c, p, e)
        _set_last(c, p, e, LAST_CLEAR)


@inner
def _keep(c, e):
    kept = array_at(c.kept, c.n_kept_max, EVENT)
    kept[c.n_kept] = e
    c.n_kept += 1
    c.n_delayed += 1


@inner
def _absorb(c, e):
    """Take in one event."""
    if c.n_pending == 0:
        c.ts_first_ns = e.ts_local_ns
    c.n_pending += 1
    c.ts_last_ns = max(c.ts_last_ns, e.ts_local_ns)
    if e.instrument < 0 or e.instrument >= MAX_INSTRUMENTS:
        _keep(c, e)
        return
    p = array_at(c.pending, MAX_INSTRUMENTS, PENDING)[e.instrument]
    if p.lossless:
        _keep(c, e)
    elif e.kind == DEPTH and (e["flags"] & F_STALE) != 0:
        c.n_merged += 1
    elif e.kind == DEPTH or e.kind == CLEAR:
        _absorb_book(c, p, e)
    elif e.kind == CHECKSUM:
        c.n_unchecked += _set_last(c, p, e, LAST_CHECKSUM)
    elif e.kind == QUOTE and e.side <= ASK:
        c.n_merged += _set_last(c, p, e, LAST_QUOTE + e.side)
    else:
        _keep(c, e)


# --- the batch ---------------------------------------------------------------------------------
@inner
def _emit(c, e):
    """Append an event to the batch and return it there."""
    out = array_at(c.out, c.n_out + 1, EVENT)
    out[c.n_out] = e
    c.n_out += 1
    return out[c.n_out - 1]


@inner
def _stamp(c, p, e):
    """Make an event part of the instrument's one message."""
    e.ts_local_ns = c.ts_last_ns
    e.ts_exch_ns = p.ts_exch_ns
    e.seq = p.seq
    more = F_CONFLATED if p.messages > 1 else 0
    e["flags"] = (e["flags"] & F_SNAPSHOT) | (p.marks & F_NO_EXCH_TIME) | more
    return e


@inner
def _freeze_book(c, p, instrument):
    """Write the message of one instrument's book."""
    lasts = array_at(c.lasts, LASTS * MAX_INSTRUMENTS, EVENT)
    begin = c.n_out
    if p.cleared != 0:
        e = _stamp(c, p, _emit(c, lasts[instrument * LASTS + LAST_CLEAR]))
        e.ref = p.ref
        if p.cleared == _BOTH:
            e.side = NO_SIDE
    levels = array_at(c.levels, c.n_levels_max, EVENT)
    link = array_at(c.link, c.n_levels_max, np.int64)
    number = p.first
    while number >= 0:
        if levels[number].kind == DEPTH:
            e = _stamp(c, p, _emit(c, levels[number]))
            e.ref = p.ref
            if (p.cleared >> e.side) & 1:
                e["flags"] |= F_SNAPSHOT
        number = link[number]
    if (p.lasts >> LAST_CHECKSUM) & 1:  # its ref is not a sequence number: left alone
        e = _emit(c, lasts[instrument * LASTS + LAST_CHECKSUM])
        e.ts_local_ns = c.ts_last_ns
        if p.messages != 0:
            _stamp(c, p, e)
    if c.n_out > begin:
        out = array_at(c.out, c.n_out, EVENT)
        out[begin]["flags"] |= p.marks & F_GAP
        out[c.n_out - 1]["flags"] |= F_LAST


@inner
def _freeze_quotes(c, p, instrument):
    lasts = array_at(c.lasts, LASTS * MAX_INSTRUMENTS, EVENT)
    for which in range(LAST_QUOTE, LASTS):
        if (p.lasts >> which) & 1:
            e = _emit(c, lasts[instrument * LASTS + which])
            e.ts_local_ns = c.ts_last_ns
            e["flags"] |= F_LAST


@inner
def _freeze(c):
    """Make one batch of all that is pending, and begin to gather anew."""
    kept = array_at(c.kept, c.n_kept_max, EVENT)
    for i in range(c.n_kept):
        _emit(c, kept[i])
    pending = array_at(c.pending, MAX_INSTRUMENTS, PENDING)
    for k in range(MAX_INSTRUMENTS):
        p = pending[k]
        if p.messages != 0 or p.lasts != 0:
            _freeze_book(c, p, k)
            _freeze_quotes(c, p, k)
            p.first = -1
            p.messages = p.marks = p.cleared = p.lasts = 0
    _forget(c)
    c.ts_out_ns = c.ts_first_ns
    c.n_levels = c.n_kept = c.n_pending = 0
    c.n_batches += 1


@inner
def _forget(c):
    """Empty the hash table."""
    cells = array_at(c.cells, 2 * c.n_levels_max, np.int64)
    cell_of = array_at(c.cell_of, c.n_levels_max, np.int64)
    for number in range(c.n_levels):
        cells[cell_of[number]] = 0


# --- the way through ---------------------------------------------------------------------------
@kernel
def conflate_drain(c, end):
    """Move what is pending into the ring, as far as it has room; return 0, or RING_BROKEN."""
    while True:
        if c.out_at < c.n_out:
            took = ring_push(end, c.out + (c.out_at << 6), c.n_out - c.out_at)
            if took < 0:
                return took
            c.out_at += took
            if c.out_at < c.n_out:
                return np.int64(0)
        c.out_at = c.n_out = 0
        if c.n_pending == 0:
            return np.int64(0)
        room = ring_room(end, 1)
        if room <= 0:  # nothing can leave: go on merging
            return room
        _freeze(c)


@inner
def _message_end(events, begin, n):
    """Return the place after the message that begins here; 0 when its end is not among them."""
    for i in range(begin, n):
        if (events[i]["flags"] & F_LAST) != 0:
            return i + 1
    return 0


@inner
def _whole(c, events, n, room, capacity):
    """Return how many of n events may pass into `room` slots without leaving a message in part.

    The rest of a message that has begun to leave goes on, and one that no table could hold begins.
    """
    at = 0
    while at < n:
        stop = _message_end(events, at, n)
        if stop == 0 or stop > room:
            begun = at == 0 and c.open
            size = (n if stop == 0 else stop) - at
            too_large = size > min(c.n_levels_max, c.n_kept_max) or (stop == 0 and size > capacity)
            return room if begun or too_large else at
        at = stop
    return at


@inner
def _pass(c, end, source, n):
    """Push what may pass unchanged; return how many events, or RING_BROKEN."""
    room = ring_room(end, n)
    if room < 0:
        return room
    events = array_at(source, n, EVENT)
    if room < n:
        n = _whole(c, events, n, room, end.capacity)
    if n > 0:
        ring_push(end, source, n)
        c.open = np.int64((events[n - 1]["flags"] & F_LAST) == 0)
        c.n_passed += n
    return n


@kernel
def conflate_put(c, end, source, n):
    """Take n events (layouts.EVENT) from `source`; return how many were accepted, or RING_BROKEN.

    Whatever is not accepted must be given again, first, in the next call.
    """
    broken = conflate_drain(c, end)
    if broken < 0:
        return broken
    at = np.int64(0)
    if c.n_out == 0 and c.n_pending == 0:
        at = _pass(c, end, source, n)
        if at < 0:
            return at
    events = array_at(source, n, EVENT)
    while at < n and c.open == 0:
        stop = _message_end(events, at, n)
        size = stop - at
        if stop == 0 or c.n_levels + size > c.n_levels_max or c.n_kept + size > c.n_kept_max:
            break
        c.n_messages += 1
        for i in range(at, stop):
            _absorb(c, events[i])
        at = stop
    c.n_taken += at
    c.n_refused += at < n
    return at


# --- from Python: integers only ------------------------------------------------------------------
@kernel
def put_at(buffer, end, source, n):
    """`conflate_put` on the CONFLATE and the RING_END at their addresses."""
    return conflate_put(array_at(buffer, 1, CONFLATE)[0], array_at(end, 1, RING_END)[0], source, n)


@kernel
def drain_at(buffer, end):
    """`conflate_drain` on the CONFLATE and the RING_END at their addresses."""
    return conflate_drain(array_at(buffer, 1, CONFLATE)[0], array_at(end, 1, RING_END)[0])
