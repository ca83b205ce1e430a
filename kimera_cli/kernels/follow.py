"""One pass over a stream's events: at the venue's time, through the one book that there is.

Both sides of the wire see the same events in the same order, so a second book on our side would
hold what this one held a moment ago. The pass therefore goes once over each event: level, own
orders, features. While something of ours is at the venue it runs ahead of what we may know; then
the state after each message is put on the wire (`wire`, `wire_at`), and our side takes what has
arrived. While nothing of ours is there it follows our own clock and nothing needs to be kept.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.answers import mid_of
from kimera_cli.kernels.audit import emit_markouts
from kimera_cli.kernels.book import book_put, book_qty
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.kernels.prefetch import prefetch
from kimera_cli.kernels.state import BOOK_OVERFLOW, FLUSH, FOREVER, HEAP_FULL, NEED_DATA
from kimera_cli.kernels.venue import venue_event, venue_message, venue_request
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DEPTH,
    EVENT,
    EXECUTE,
    F_LAST,
    F_NO_EXCH_TIME,
    NO_ASK,
    NO_BID,
    TRADE,
)

_EVENT_BYTES = EVENT.itemsize
_NOT_PLAIN = 0xFFFF ^ (F_NO_EXCH_TIME | F_LAST)
_ONE = np.uint64(1)
_63 = np.uint64(63)


@inner
def touch(state, book):
    """Keep best prices, sizes and mid when the full features are switched off."""
    bid, ask = book.best_bid_ticks, book.best_ask_ticks
    state.best_bid_ticks = bid
    state.best_bid_lots = book_qty(book, BID, bid)
    state.best_ask_ticks = ask
    state.best_ask_lots = book_qty(book, ASK, ask)
    state.mid_ticks = mid_of(book)


@inner
def send_state(stream, book, state, wire_at, wire, number, features_on):
    """Put the state after event `number` - 1 on its way to our side."""
    n = stream.wire_tail
    if n >= wire.shape[0]:
        n = _close_ranks(stream, wire_at, wire)
    wire_at[n] = number
    if features_on:
        wire[n] = state
    else:
        touch(wire[n], book)
    stream.wire_tail = n + 1


@inner
def _close_ranks(stream, wire_at, wire):
    """Move what is on the wire to the start of its arrays; return how much that is."""
    low = stream.wire_head
    n = stream.wire_tail - low
    for i in range(n):
        wire_at[i] = wire_at[low + i]
        wire[i] = wire[low + i]
    stream.wire_head = 0
    return n


@inner
def two_sided(stream, book, ts_local_ns):
    """Remember when the first two-sided book arrives here."""
    if book.best_bid_ticks != NO_BID and book.best_ask_ticks != NO_ASK:
        stream.ready_ns = ts_local_ns


@part
def plain_run(stream, book, state, wire_at, wire, buffer, i, stop, until, features_on, active):
    """Process events that concern nothing of ours; return the first one that does.

    Minus that number when event number - 1 was processed and completes a message that crosses own
    orders. Stops before `stop`, and before an event whose venue time is after `until`.
    """
    bid_filter = stream.own_bids
    ask_filter = stream.own_asks
    own = stream.n_own > 0
    bid_low = stream.own_worst_bid if own else NO_ASK
    bid_high = stream.own_best_bid if own else NO_BID
    ask_low = stream.own_best_ask if own else NO_ASK
    ask_high = stream.own_worst_ask if own else NO_BID
    ready = stream.ready_ns != FOREVER
    ahead = stream.chunk_address + stream.chunk_at * _EVENT_BYTES
    while i < stop:
        prefetch(ahead + i * _EVENT_BYTES)
        e = buffer[i]
        if e.ts_exch_ns > until or (e["flags"] & _NOT_PLAIN) != 0:
            break
        px = e.px_ticks
        kind = e.kind
        if kind == DEPTH:
            if e.side == BID:
                if bid_low <= px <= bid_high and (bid_filter >> (np.uint64(px) & _63)) & _ONE != 0:
                    break
            elif ask_low <= px <= ask_high and (ask_filter >> (np.uint64(px) & _63)) & _ONE != 0:
                break
            if book_put(book, e.side, px, e.qty_lots) != 0:
                break
        elif kind == TRADE:
            if (px >= ask_low and e.side != ASK) or (px <= bid_high and e.side != BID):
                break
            if features_on:
                features_trade(state, e.side, px, e.qty_lots, e.ts_local_ns)
        elif kind == CLEAR or ADD <= kind <= EXECUTE:
            break
        i += 1
        if (e["flags"] & F_LAST) != 0:
            if features_on:
                features_book(state, book, e.ts_local_ns)
            if not ready:
                two_sided(stream, book, e.ts_local_ns)
                ready = stream.ready_ns != FOREVER
            if active:
                if book.best_ask_ticks <= bid_high or book.best_bid_ticks >= ask_low:
                    i = -i
                    break
                send_state(stream, book, state, wire_at, wire, stream.passed + i, features_on)
    return i


@part
def follow(
    loop,
    k,
    streams,
    buffers,
    books,
    states,
    wire_ats,
    wires,
    own,
    requests,
    messages,
    markouts,
    sleeves,
    records,
    stop,
    bound,
    active,
):
    """Process events of stream k below index `stop` and own requests, in venue time up to `bound`.

    Returns 0 when the end is reached or the venue has news for us; NEED_DATA when only the bound
    would have stopped it (stop is the buffer's end); FLUSH, BOOK_OVERFLOW or HEAP_FULL.
    """
    stream = streams[k]
    book = books[k]
    state = states[k]
    mine = own[k]
    asked = requests[k]
    pending = markouts[k]
    buffer = buffers[k]
    wire_at = wire_ats[k]
    wire = wires[k]
    features_on = loop.features_on != 0
    news = loop.message_seq
    i = stream.head_exch
    status = 0
    request_due = asked[0].due_ns if stream.n_requests > 0 else FOREVER
    while True:
        if stream.n_taken == 0 and stream.in_snapshot == 0:
            until = min(bound, request_due, stream.markout_due_ns)
            j = plain_run(
                stream, book, state, wire_at, wire, buffer, i, stop, until, features_on, active
            )
            if j != i:
                i = abs(j)
                stream.ts_exch_ns = buffer[i - 1].ts_exch_ns
            if j < 0:
                venue_message(loop, stream, book, messages, pending, mine, stream.ts_exch_ns)
                send_state(stream, book, state, wire_at, wire, stream.passed + i, features_on)
                if loop.message_seq != news:
                    break
                continue
        if i >= stop and stream.eof == 0 and loop.live == 0:
            status = NEED_DATA
            break
        ts = buffer[i].ts_exch_ns if i < stop else FOREVER
        if ts <= request_due:
            if ts > bound or ts == FOREVER:
                break
            if ts > stream.markout_due_ns:
                emit_markouts(loop, stream, book, pending, sleeves, records, ts - 1)
                if ts > stream.markout_due_ns:
                    status = FLUSH
                    break
            stream.ts_exch_ns = ts
            e = buffer[i]
            if venue_event(loop, stream, book, state, messages, pending, mine, e) != 0:
                loop.stream = k
                status = BOOK_OVERFLOW
                break
            i += 1
            if (e["flags"] & F_LAST) != 0:
                venue_message(loop, stream, book, messages, pending, mine, ts)
                if features_on:
                    features_book(state, book, e.ts_local_ns)
                if stream.ready_ns == FOREVER:
                    two_sided(stream, book, e.ts_local_ns)
                if active:
                    send_state(stream, book, state, wire_at, wire, stream.passed + i, features_on)
        else:
            if request_due + loop.live > bound:
                break
            venue_request(loop, stream, book, messages, pending, mine, asked)
            request_due = asked[0].due_ns if stream.n_requests > 0 else FOREVER
        if loop.message_seq != news:
            break
    stream.head_exch = i
    if status == NEED_DATA:
        loop.stream = k
    if loop.error != 0:
        return HEAP_FULL
    return status
