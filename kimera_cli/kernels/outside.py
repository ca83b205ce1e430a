"""The loop's door to the outside: events of live feeds come in, and answers of real venues.

Both are called between turns, from kernels/entry.py.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.answers import answer, send_answer, tell_fill
from kimera_cli.kernels.feed import drop_passed
from kimera_cli.kernels.latency import prepare_feed
from kimera_cli.kernels.state import LATENCY_RECORDED
from kimera_cli.layouts import F_NO_EXCH_TIME, R_FILL

NO_STAMP_NS = 631_152_000_000_000_000
"""1990-01-01: no venue's stamp is older; nought, put right by its clock's offset, is."""

TOLD = np.dtype(
    [
        ("stream", "i8"),
        ("kind", "i8"),  # layouts.R_*
        ("id", "i8"),
        ("sleeve", "i8"),
        ("slot", "i8"),
        ("ts_exch_ns", "i8"),  # before NO_STAMP_NS: not told
        ("side", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("left_lots", "i8"),
        ("maker", "i8"),
        ("code", "i8"),  # layouts.REJECTS; of a fill: lots of it that the venue kept as its fee
        ("fee", "f8"),  # settlement currency, with what was kept; NaN: not told
        ("reserved", "i8", (3,)),
    ],
    align=True,
)
"""One answer of a venue about an own order; two cache lines."""

ASKED = np.dtype(
    [
        ("stream", "i8"),
        ("kind", "i8"),  # REQ_*
        ("id", "i8"),
        ("sleeve", "i8"),
        ("slot", "i8"),
        ("side", "i8"),
        ("type", "i8"),
        ("tif", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),  # REQ_AMEND: the change of size, may be negative
        ("ts_ns", "i8"),  # when the gate let it pass
        ("reserved", "i8", (5,)),
    ],
    align=True,
)
"""One request on its way to the executor outside; two cache lines."""


@kernel
def take_live(streams, buffers, events, first, origin):
    """Append live events, from index `first` on, to the buffers of their streams.

    event.instrument counts from `origin`. Local times are those of arrival here, kept in order.
    Returns how many events were taken: fewer than all when a buffer is full (its stream is that of
    the next event), minus (1 + index) of the first event with a local time before 1970.
    """
    for i in range(first, events.shape[0]):
        e = events[i]
        k = origin + e.instrument
        stream = streams[k]
        buffer = buffers[k]
        if stream.n == buffer.shape[0]:
            drop_passed(stream, buffer)
            if stream.n == buffer.shape[0]:
                return i - first
        n = stream.n
        buffer[n] = e
        buffer[n].instrument = k
        local = e.ts_local_ns + stream.feed_shift_ns
        buffer[n].ts_exch_ns = min(e.ts_exch_ns + stream.venue_shift_ns, local)
        if prepare(buffer, n, stream) >= 0:
            return -1 - i
        stream.n = n + 1
    return events.shape[0] - first


@inner
def prepare(buffer, n, stream):
    """Bring the times of the event at index n into order."""
    return prepare_feed(
        buffer,
        n,
        n + 1,
        stream,
        stream,
        LATENCY_RECORDED,
        0,
        0.0,
        stream.feed_shift_ns,
        F_NO_EXCH_TIME,
    )


@kernel
def bring(loop, streams, books, messages, markouts, told):
    """Let one answer of a venue in; it is delivered at the loop's next moment.

    Where the venue told no time of it, it happened when it was learnt.
    """
    k = told.stream
    stream = streams[k]
    ts_ns = loop.pause_ns
    if told.ts_exch_ns > NO_STAMP_NS:
        ts_ns = min(told.ts_exch_ns, ts_ns)
    if told.kind == R_FILL:
        tell_fill(
            loop,
            stream,
            books[k],
            messages,
            markouts[k],
            told,
            ts_ns,
            told.px_ticks,
            told.qty_lots,
            told.maker,
            math.nan,
            told.fee,
            told.code,
        )
        return loop.error
    n = answer(loop, stream, messages, ts_ns, told.kind, told.id, told.sleeve, told.slot, told.code)
    m = messages[n]
    m.side = told.side
    m.px_ticks = told.px_ticks
    m.qty_lots = told.qty_lots
    m.left_lots = told.left_lots
    send_answer(loop, messages, n)
    return loop.error
