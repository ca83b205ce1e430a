"""What the venue says to us: confirmations, refusals and fills on their way, and the markouts of
fills.
"""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.heap import heap_up
from kimera_cli.kernels.latency import draw_latency
from kimera_cli.kernels.state import FILL_RING, FOREVER, HORIZONS_NS, MARKOUT_CAP, N_HORIZONS
from kimera_cli.layouts import NO_ASK, NO_BID, R_ACCEPTED, R_FILL

REJ_POST_ONLY = 1
REJ_FOK = 2
REJ_IOC = 3
REJ_UNKNOWN = 4
REJ_SELF_TRADE = 5
REJ_NO_LIQUIDITY = 7
REJ_TOO_LATE = 8
REJ_BOOK_FULL = 10

UNKNOWN_AHEAD = float(1 << 60)
"""Queue ahead of an order that joined while the feed had no book: all of what comes."""


@kernel
def mid_of(book):
    """Return the mid in ticks; NaN while a side is empty."""
    if book.best_bid_ticks == NO_BID or book.best_ask_ticks == NO_ASK:
        return math.nan
    return 0.5 * (book.best_bid_ticks + book.best_ask_ticks)


@kernel
def answer(loop, stream, messages, ts_ns, kind, order_id, sleeve, slot, code):
    """Queue an answer to our side and return its index before ordering (its body may still be
    filled).
    """
    n = loop.n_messages
    if n >= messages.shape[0] - 2:
        loop.error = 1
        n = messages.shape[0] - 3
    delay = draw_latency(loop, loop.response_model, loop.response_ns, loop.sigma, stream.feed_ns)
    loop.message_seq += 1
    m = messages[n]
    m.due_ns = max(ts_ns + delay, stream.last_answer_ns)  # one connection keeps its order
    stream.last_answer_ns = m.due_ns
    m.seq = loop.message_seq
    m.kind = kind
    m.id = order_id
    m.sleeve = sleeve
    m.slot = slot
    m.ts_exch_ns = ts_ns
    m.side = 0
    m.px_ticks = 0
    m.qty_lots = 0
    m.left_lots = 0
    m.maker = 0
    m.code = code
    m.fill_id = 0
    m.mid_ticks = math.nan
    m.ahead = math.nan
    m.fee = math.nan
    return n


@kernel
def send_answer(loop, messages, n):
    """Put the answer written at index n into its place."""
    loop.n_messages = n + 1
    heap_up(messages, n + 1)


@kernel
def close_answer(loop, stream, messages, ts_ns, kind, o, code):
    """Queue an answer that ends (or refuses) an order."""
    n = answer(loop, stream, messages, ts_ns, kind, o.id, o.sleeve, o.slot, code)
    m = messages[n]
    m.side = o.side
    m.px_ticks = o.px_ticks
    m.qty_lots = o.left_lots
    send_answer(loop, messages, n)


@kernel
def accept_answer(loop, stream, messages, ts_ns, o, ahead):
    """Queue the confirmation of a new order."""
    n = answer(loop, stream, messages, ts_ns, R_ACCEPTED, o.id, o.sleeve, o.slot, 0)
    m = messages[n]
    m.side = o.side
    m.px_ticks = o.px_ticks
    m.qty_lots = o.left_lots
    m.left_lots = o.left_lots
    m.ahead = ahead if ahead < UNKNOWN_AHEAD else math.nan
    send_answer(loop, messages, n)
    return n


@kernel
def next_markout(stream, markouts):
    """Set the time of the stream's next due markout."""
    due = FOREVER
    for h in range(N_HORIZONS):
        if stream.mo_head[h] < stream.mo_tail[h]:
            row = markouts[stream.mo_head[h] & (MARKOUT_CAP - 1)]
            due = min(due, row.ts_fill_ns + HORIZONS_NS[h])
    stream.markout_due_ns = due


@kernel
def report_fill(loop, stream, book, messages, markouts, own, ts_ns, px_ticks, qty_lots, maker):
    """Queue the news of one execution and schedule its markouts."""
    ahead = own.ahead_start if maker == 1 else 0.0
    if ahead == UNKNOWN_AHEAD:
        ahead = math.nan
    tell_fill(
        loop,
        stream,
        book,
        messages,
        markouts,
        own,
        ts_ns,
        px_ticks,
        qty_lots,
        maker,
        ahead,
        math.nan,
        0,
    )


@kernel
def tell_fill(
    loop,
    stream,
    book,
    messages,
    markouts,
    own,
    ts_ns,
    px_ticks,
    qty_lots,
    maker,
    ahead,
    fee,
    kept_lots,
):
    """Queue the news of one execution of order `own`; `ahead` and `fee` are NaN when not known.

    `kept_lots`: how many lots of it the venue kept as its fee, which is part of `fee`.
    """
    loop.n_fills += 1
    loop.fill_seq[loop.n_fills & (FILL_RING - 1)] = 0  # not delivered yet
    n = answer(loop, stream, messages, ts_ns, R_FILL, own.id, own.sleeve, own.slot, kept_lots)
    m = messages[n]
    m.side = own.side
    m.px_ticks = px_ticks
    m.qty_lots = qty_lots
    m.left_lots = own.left_lots
    m.maker = maker
    m.fill_id = loop.n_fills
    m.fee = fee
    m.mid_ticks = mid_of(book)
    m.ahead = ahead
    m.fee = fee
    send_answer(loop, messages, n)
    if stream.mo_tail[0] - stream.mo_head[N_HORIZONS - 1] >= MARKOUT_CAP:
        loop.markout_truncated += 1
        return
    row = markouts[stream.mo_tail[0] & (MARKOUT_CAP - 1)]
    row.ts_fill_ns = ts_ns
    row.fill_id = loop.n_fills
    row.order_id = own.id
    row.sleeve = own.sleeve
    row.side = own.side
    row.px_ticks = px_ticks
    row.qty_lots = qty_lots
    for h in range(N_HORIZONS):
        stream.mo_tail[h] += 1
    stream.n_markouts += N_HORIZONS
    next_markout(stream, markouts)
