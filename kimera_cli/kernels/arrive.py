"""Our side of the wire, inwards: market events arrive, books and features follow."""

from __future__ import annotations

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.answers import mid_of
from kimera_cli.kernels.audit import record
from kimera_cli.kernels.book import book_clear, book_qty, book_set
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.kernels.ledger import book_funding
from kimera_cli.kernels.state import BOOK_OVERFLOW, FOREVER, NEED_DATA
from kimera_cli.layouts import (
    ADD,
    CLEAR,
    DEPTH,
    EXECUTE,
    F_GAP,
    F_LAST,
    F_SNAPSHOT,
    F_STALE,
    FUNDING,
    MARK,
    NO_ASK,
    NO_BID,
    R_FUNDING,
    TRADE,
)

FUNDING_UNIT = 1e-9


@inner
def next_arrival(loop, streams, buffers):
    """Return the time of the next arrival: FOREVER when all ended, -1 when one needs data."""
    earliest = FOREVER
    for k in range(loop.n_streams):
        stream = streams[k]
        if stream.head_local < stream.n:
            t = buffers[k][stream.head_local].ts_local_ns
            if t < earliest:
                earliest = t
        elif stream.eof == 0:
            loop.stream = k
            return -1
    return earliest


@inner
def touch_only(feature, book):
    """Keep best prices and mid when the full features are switched off."""
    feature.best_bid_ticks = book.best_bid_ticks
    feature.best_ask_ticks = book.best_ask_ticks
    feature.mid_ticks = mid_of(book)


@inner
def pay_funding(loop, stream, feature, instrument, views, sleeves, records, e):
    """Pay funding on every sleeve's position in this instrument, at the mark (the mid without
    one).
    """
    mark = float(stream.mark_ticks) if stream.mark_ticks > 0 else feature.mid_ticks
    if not mark > 0.0:
        return
    for s in range(loop.n_sleeves):
        if sleeves[s].stream == loop.stream and views[s].position_lots != 0:
            paid = book_funding(views[s], instrument, mark, e.qty_lots * FUNDING_UNIT)
            i = record(loop, records, R_FUNDING, sleeves[s], e.ts_exch_ns)
            records[i].fee = paid
            records[i].mid_ticks = mark
            records[i].position_lots = views[s].position_lots


@inner
def arrive_run(loop, k, streams, buffers, books, features, instruments, views, sleeves, records):
    """Let in every event of stream k that has arrived by loop.turn_ns; NEED_DATA when more may
    have.
    """
    stream = streams[k]
    book = books[k]
    feature = features[k]
    buffer = buffers[k]
    turn = loop.turn_ns
    features_on = loop.features_on != 0
    n = stream.n
    i = stream.head_local
    start = i
    status = 0
    touched = 0
    while i < n:
        e = buffer[i]
        if e.ts_local_ns > turn:
            break
        kind = e.kind
        if (e["flags"] & F_GAP) != 0:
            stream.gap = 1
        if kind == DEPTH or (ADD <= kind <= EXECUTE):
            if kind == EXECUTE and features_on:
                lots = book_qty(book, e.side, e.px_ticks) - e.qty_lots
                features_trade(feature, 1 - e.side, e.px_ticks, lots, e.ts_local_ns)
            if (e["flags"] & F_STALE) == 0:
                touched = 1
                status = book_set(book, e.side, e.px_ticks, e.qty_lots)
            if status != 0:
                loop.stream = k
                status = BOOK_OVERFLOW
                break
        elif kind == TRADE:
            touched = 1
            if features_on and (e["flags"] & F_SNAPSHOT) == 0:  # retold trades are past
                features_trade(feature, e.side, e.px_ticks, e.qty_lots, e.ts_local_ns)
        elif kind == CLEAR:
            stream.gap = 0
            book_clear(book, e.side)
        elif kind == MARK:
            stream.mark_ticks = e.px_ticks
        elif kind == FUNDING:
            loop.stream = k
            pay_funding(loop, stream, feature, instruments[k], views, sleeves, records, e)
        if (e["flags"] & F_LAST) != 0:
            if features_on:
                features_book(feature, book, e.ts_local_ns)
            if stream.ready == 0:
                two_sided = book.best_bid_ticks != NO_BID and book.best_ask_ticks != NO_ASK
                stream.ready = 1 if two_sided else 0
        i += 1
    if i > start:
        last = buffer[i - 1]
        stream.ts_local_ns = last.ts_local_ns
        stream.feed_ns = last.ts_local_ns - last.ts_exch_ns
        stream.touched |= touched
        loop.n_events += i - start
        if not features_on:
            touch_only(feature, book)
    stream.head_local = i
    if status == 0 and i >= n and stream.eof == 0:
        loop.stream = k
        return NEED_DATA
    return status
