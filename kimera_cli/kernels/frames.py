"""Websocket frames out of a receive buffer: walk, read, check, many in one call.

A burst brings some dozens of frames in one read of the socket, and going back to Python after each
costs more than reading a small one. So the buffer is walked here (RFC 6455, 5.2) as long as frames
are whole text or binary messages whose books pass; events of one frame follow those of the last.
What is anything else ends the walk and is told: Python sees to it, and begins again behind it.
"""

from __future__ import annotations

import numpy as np
from numba import types

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.direct import direct
from kimera_cli.kernels.parse_layout import FEED
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.sync import LINK, SYNC, VERDICT_BITS, read_checked
from kimera_cli.layouts import EVENT

W_AT, W_FRAMES, W_EVENTS, W_START, W_SIZE, W_FOUND = range(6)
"""Words of a walk: where it stands, in bytes of the buffer; frames it went over; events of those
that passed, at the begin of the event buffer. Of the frame that ended it: where its payload is, its
bytes, and what `read_checked` says of it; its events follow the others.
"""
WALK_WORDS = 6
(W_MORE, W_BATCH, W_ATTEND, W_OTHER) = range(4)
"""Why a walk ended: the rest is no whole frame; enough was read at once; a frame that did not pass;
a control frame, a fragment, a masked one or one too large for here, which was not gone over.
"""
BATCH_FRAMES = 16
"""Frames of one walk: what the first of them has to wait until it is handed on, some 20 us."""
BATCH_EVENTS = 512
"""No frame is begun behind so many events: the event buffer has that much more room."""

EVENT_BYTES = EVENT.itemsize
_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82
_PASSES = (1 << VERDICT_BITS) - 1


@inner
def _big_endian(buffer, at, n):
    """Return an unsigned number of n bytes; one beyond int64 is negative."""
    value = np.int64(0)
    for k in range(n):
        value = (value << 8) | np.int64(buffer[at + k])
    return value


@inner
def _frame(buffer, at, end):
    """Return (where the payload begins, its bytes) of the frame at `at`.

    (0, 0): its head is not all there; (-1, 0): it is none to be read here.
    """
    if end - at < 2:
        return np.int64(0), np.int64(0)
    kind, size = buffer[at], np.int64(buffer[at + 1])
    if (kind != _WHOLE_TEXT and kind != _WHOLE_BINARY) or size > 127:
        return np.int64(-1), np.int64(0)
    if size < 126:
        return at + 2, size
    more = 2 if size == 126 else 8
    if end - at < 2 + more:
        return np.int64(0), np.int64(0)
    return at + 2 + more, _big_endian(buffer, at + 2, more)


@kernel
def walk_frames(a, buffer, walk, at, end, ts_local_ns):
    """Read the frames of buffer[at:end]; return why it ended, the rest is in `walk`.

    `a`: the table of a checked reader (`sync.enter_checked`); `buffer` has PAD bytes behind the
    last that may be filled.
    """
    feed = array_at(a[0], a[1], FEED)[0]
    syncs, link = array_at(a[6], a[7], SYNC), array_at(a[8], a[9], LINK)[0]
    room, first = a[5], a[4]
    frames = events = np.int64(0)
    why = W_MORE
    while frames < BATCH_FRAMES and events < BATCH_EVENTS:
        start, size = _frame(buffer, at, end)
        if start < 0 or size < 0 or size > feed.capacity:
            why = W_OTHER
            break
        if start == 0 or end - start < size:
            break
        at = start + size
        behind = buffer[at]
        found = read_checked(
            feed,
            buffer[start:],
            size,
            ts_local_ns,
            array_at(first + events * EVENT_BYTES, room - events, EVENT),
            syncs,
            link,
        )
        buffer[at] = behind  # the reader ends its text there
        frames += 1
        if found <= 0 or found > _PASSES:
            walk[W_START], walk[W_SIZE], walk[W_FOUND] = start, size, found
            why = W_ATTEND
            break
        events += found
    else:
        why = W_BATCH
    walk[W_AT], walk[W_FRAMES], walk[W_EVENTS] = at, frames, events
    return np.int64(why)


_TAKES = types.int64(types.int64, types.int64, types.int64, types.int64)


@kernel(_TAKES, nogil=False)
def _enter_frames(address, at, end, ts_local_ns):
    """Call `walk_frames`; the table has the addresses of a reader's table, a buffer and a walk."""
    a = array_at(address, 4, np.int64)
    return walk_frames(
        array_at(a[0], 10, np.int64),
        array_at(a[1], a[2], np.uint8),
        array_at(a[3], WALK_WORDS, np.int64),
        at,
        end,
        ts_local_ns,
    )


enter_frames = direct(_enter_frames, _TAKES)
"""`enter_frames(address of the table, at, end, ts_local_ns)`; the table: (reader's table, buffer,
its bytes, walk)."""
