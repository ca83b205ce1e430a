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
from numba import types

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.conflate_absorb import absorb
from kimera_cli.kernels.conflate_batch import freeze
from kimera_cli.kernels.conflate_state import CONFLATE
from kimera_cli.kernels.direct import direct
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.ring import RING_END, ring_push, ring_room
from kimera_cli.layouts import EVENT, F_LAST


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
        freeze(c)


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
            absorb(c, events[i])
        at = stop
    c.n_taken += at
    c.n_refused += at < n
    return at


# --- from Python: integers only ------------------------------------------------------------------
_TAKES = types.int64(types.int64, types.int64, types.int64, types.int64)
_ENDS = types.int64(types.int64, types.int64)


@kernel(_TAKES, nogil=False)
def _put_at(buffer, end, source, n):
    return conflate_put(array_at(buffer, 1, CONFLATE)[0], array_at(end, 1, RING_END)[0], source, n)


@kernel(_ENDS, nogil=False)
def _drain_at(buffer, end):
    return conflate_drain(array_at(buffer, 1, CONFLATE)[0], array_at(end, 1, RING_END)[0])


put_at = direct(_put_at, _TAKES)
"""`conflate_put` on the CONFLATE and the RING_END at their addresses."""
drain_at = direct(_drain_at, _ENDS)
"""`conflate_drain` on the CONFLATE and the RING_END at their addresses."""
