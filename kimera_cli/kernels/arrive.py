"""Our side of the wire, inwards: market events arrive, books and features follow."""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.audit import record
from kimera_cli.kernels.follow import touch
from kimera_cli.kernels.ledger import book_funding
from kimera_cli.kernels.state import FOREVER, NEED_DATA
from kimera_cli.layouts import (
    ADD,
    CLEAR,
    DEPTH,
    EXECUTE,
    F_GAP,
    F_LAST,
    F_STALE,
    FUNDING,
    MARK,
    R_FUNDING,
    TRADE,
)

FUNDING_UNIT = 1e-9
_ONE = np.uint64(1)
LOST = F_GAP | F_LAST
"""A clear that is a message of its own: no snapshot follows it, the book is lost."""


@inner
def arrival_of(loop, stream, buffer):
    """Return the time of a stream's next arrival: FOREVER when none is known, -1 to ask for it."""
    if stream.head_local < stream.n:
        return buffer[stream.head_local].ts_local_ns
    return FOREVER if stream.eof != 0 or loop.live != 0 else np.int64(-1)


@inner
def next_arrival(loop):
    """Return the time of the next arrival: FOREVER when none is known, -1 when one needs data."""
    earliest = FOREVER
    for k in range(loop.n_streams):
        earliest = min(earliest, loop.next_at[k])
    if earliest < 0:
        for k in range(loop.n_streams):
            if loop.next_at[k] < 0:
                loop.stream = k
                break
    return earliest


@inner
def due_streams(loop):
    """Return one bit for each stream that something may have arrived from by loop.turn_ns."""
    due = np.uint64(0)
    for k in range(loop.n_streams):
        if loop.next_at[k] <= loop.turn_ns:
            due |= _ONE << np.uint64(k)
    return due


@inner
def pay_funding(loop, k, stream, feature, instrument, views, sleeves, records, e):
    """Pay funding on every sleeve's position in this instrument, at the mark (the mid without
    one).
    """
    mark = float(stream.mark_ticks) if stream.mark_ticks > 0 else feature.mid_ticks
    if not mark > 0.0:
        return
    for s in range(loop.n_sleeves):
        if sleeves[s].stream == k and views[s].position_lots != 0:
            paid = book_funding(views[s], instrument, mark, e.qty_lots * FUNDING_UNIT)
            i = record(loop, records, R_FUNDING, sleeves[s], e.ts_exch_ns)
            records[i].fee = paid
            records[i].mid_ticks = mark
            records[i].position_lots = views[s].position_lots


@inner
def first_after(buffer, i, n, turn_ns):
    """Return the first of events i to n - 1 that arrives after turn_ns, or n: doubling steps."""
    step = 1
    while i + step <= n and buffer[i + step - 1].ts_local_ns <= turn_ns:
        i += step
        step *= 2
    high = min(i + step - 1, n)
    while i < high:
        middle = (i + high) >> 1
        if buffer[middle].ts_local_ns <= turn_ns:
            i = middle + 1
        else:
            high = middle
    return i


@inner
def look_at(stream, buffer, i, end):
    """Look at events i to end - 1 as they arrive; return `end`, or the first FUNDING."""
    touched = 0
    while i < end:
        e = buffer[i]
        kind = e.kind
        if (e["flags"] & F_GAP) != 0:
            stream.gap = 1
        if kind == DEPTH or ADD <= kind <= EXECUTE:
            if (e["flags"] & F_STALE) == 0:
                touched = 1
        elif kind == TRADE:
            touched = 1
        elif kind == CLEAR:
            if (e["flags"] & LOST) != LOST:
                stream.gap = 0
        elif kind == MARK:
            stream.mark_ticks = e.px_ticks
        elif kind == FUNDING:
            break
        i += 1
    stream.touched |= touched
    return i


@inner
def take_state(stream, features, k, wire_at, wire, number):
    """Take the last state that left the book before event `number` off the wire."""
    last = stream.wire_tail - 1
    while last >= stream.wire_head and wire_at[last] > number:
        last -= 1
    if last >= stream.wire_head:
        features[k] = wire[last]
        stream.wire_head = last + 1
    if stream.wire_head == stream.wire_tail:
        stream.wire_head = 0
        stream.wire_tail = 0


@inner
def show_state(loop, k, streams, books, states, wire_ats, wires, features, i):
    """Let our side's state of stream k be the one after event i - 1."""
    stream = streams[k]
    if stream.head_exch > i:
        take_state(stream, features, k, wire_ats[k], wires[k], stream.passed + i)
        return
    stream.wire_head = 0
    stream.wire_tail = 0
    if loop.features_on != 0:
        features[k] = states[k]
    else:
        touch(features[k], books[k])


@inner
def arrived(loop, stream, buffer):
    """Return the first event of a stream that has not arrived by loop.turn_ns, or its end."""
    i = stream.head_local
    n = stream.n
    if loop.max_events > 0:
        n = min(n, i + max(0, loop.max_events - loop.n_events))
    return first_after(buffer, i, n, loop.turn_ns)


@inner
def is_special(stream):
    """Return True while events are ahead that arrival must look at one by one."""
    return stream.special > stream.passed + stream.head_local


@part
def arrive_run(
    loop,
    k,
    streams,
    buffers,
    books,
    states,
    wire_ats,
    wires,
    features,
    instruments,
    views,
    sleeves,
    records,
):
    """Let in every event of stream k that has arrived by loop.turn_ns; NEED_DATA when more may
    have.
    """
    stream = streams[k]
    buffer = buffers[k]
    end = arrived(loop, stream, buffer)
    if loop.event_driven == 0 and not is_special(stream):
        let_in(loop, k, streams, buffer, books, states, wire_ats, wires, features, end)
    else:
        while stream.head_local < end:
            i = look_at(stream, buffer, stream.head_local, end)
            let_in(loop, k, streams, buffer, books, states, wire_ats, wires, features, i)
            if i < end:
                e, feature, instrument = buffer[i], features[k], instruments[k]
                pay_funding(loop, k, stream, feature, instrument, views, sleeves, records, e)
                let_in(loop, k, streams, buffer, books, states, wire_ats, wires, features, i + 1)
    loop.next_at[k] = arrival_of(loop, stream, buffer)
    if stream.ready_ns <= loop.turn_ns:
        stream.ready = 1
    if end >= stream.n and stream.eof == 0 and loop.live == 0:
        loop.stream = k
        return NEED_DATA
    return 0


@inner
def let_in(loop, k, streams, buffer, books, states, wire_ats, wires, features, i):
    """Let events of stream k below index i in: what is known here is what they made of the book."""
    stream = streams[k]
    if i <= stream.head_local:
        return
    mid = features[k].mid_ticks
    show_state(loop, k, streams, books, states, wire_ats, wires, features, i)
    if math.isnan(features[k].mid_ticks) and mid > 0.0:
        stream.last_mid = mid
    last = buffer[i - 1]
    stream.ts_local_ns = last.ts_local_ns
    stream.feed_ns = last.ts_local_ns - last.ts_exch_ns
    loop.n_events += i - stream.head_local
    stream.head_local = i
