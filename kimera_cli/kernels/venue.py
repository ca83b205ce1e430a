"""The simulated venue: own orders against recorded or synthetic flow, at the venue's own time.

What it assumes, and what it never does: our orders do not move the recorded flow (no market impact); a
resting order fills only out of volume that traded at or through its price, or out of displayed size that
crossed it, and no volume is used twice; a taking order fills only out of displayed size that it has not
taken before. Own orders share a trade by price, then arrival.
"""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_next, book_qty, book_set
from kimera_cli.kernels.heap import heap_drop, heap_up
from kimera_cli.kernels.latency import draw_latency
from kimera_cli.kernels.queue import queue_after_level
from kimera_cli.kernels.state import (
    FOREVER,
    HORIZONS_NS,
    MARKOUT_CAP,
    N_HORIZONS,
    OWN_CAP,
    QUEUE_L3,
    REQ_AMEND,
    REQ_CANCEL,
    REQ_NEW,
)
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DEPTH,
    EXECUTE,
    F_HIDDEN,
    F_LAST,
    F_SNAPSHOT,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    NO_ASK,
    NO_BID,
    POST_ONLY,
    R_ACCEPTED,
    R_AMENDED,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_FILL,
    R_REJECTED,
    TRADE,
)

REJ_POST_ONLY = 1
REJ_FOK = 2
REJ_IOC = 3
REJ_UNKNOWN = 4
REJ_SELF_TRADE = 5
REJ_NO_LIQUIDITY = 7
REJ_TOO_LATE = 8

TAKEN_CAP = 64


@kernel
def mid_of(book):
    """Return the mid in ticks; NaN while a side is empty."""
    if book.best_bid_ticks == NO_BID or book.best_ask_ticks == NO_ASK:
        return math.nan
    return 0.5 * (book.best_bid_ticks + book.best_ask_ticks)


# --- answers -----------------------------------------------------------------------------------
@kernel
def answer(loop, stream, messages, ts_ns, kind, order_id, sleeve, slot, code):
    """Queue an answer to our side and return its index before ordering (its body may still be filled)."""
    n = loop.n_messages
    if n >= messages.shape[0] - 2:
        loop.error = 1
        n = messages.shape[0] - 3
    delay = draw_latency(loop, loop.response_model, loop.response_ns, loop.sigma, stream.feed_ns)
    loop.message_seq += 1
    m = messages[n]
    m.due_ns = max(ts_ns + delay, loop.last_answer_ns)  # one connection keeps its order
    loop.last_answer_ns = m.due_ns
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
    m.fill = 0
    m.mid_ticks = math.nan
    m.ahead = math.nan
    return n


@kernel
def send_answer(loop, messages, n):
    """Put the answer written at index n into its place."""
    loop.n_messages = n + 1
    heap_up(messages, n + 1)


@kernel
def report_fill(loop, stream, book, messages, markouts, own, ts_ns, px_ticks, qty_lots, maker):
    """Queue the news of one execution and schedule its markouts."""
    loop.n_fills += 1
    n = answer(loop, stream, messages, ts_ns, R_FILL, own.id, own.sleeve, own.slot, 0)
    m = messages[n]
    m.side = own.side
    m.px_ticks = px_ticks
    m.qty_lots = qty_lots
    m.left_lots = own.left_lots
    m.maker = maker
    m.fill = loop.n_fills
    m.mid_ticks = mid_of(book)
    m.ahead = own.ahead_start if maker == 1 else 0.0
    send_answer(loop, messages, n)
    if stream.mo_tail[0] - stream.mo_head[N_HORIZONS - 1] >= MARKOUT_CAP:
        loop.markout_truncated += 1
        return
    row = markouts[stream.mo_tail[0] & (MARKOUT_CAP - 1)]
    row.ts_fill_ns = ts_ns
    row.fill = loop.n_fills
    row.order_id = own.id
    row.sleeve = own.sleeve
    row.side = own.side
    row.px_ticks = px_ticks
    row.qty_lots = qty_lots
    for h in range(N_HORIZONS):
        stream.mo_tail[h] += 1
    stream.n_markouts += N_HORIZONS
    next_markout(stream, markouts)


@kernel
def next_markout(stream, markouts):
    """Set the time of the stream's next due markout."""
    due = FOREVER
    for h in range(N_HORIZONS):
        if stream.mo_head[h] < stream.mo_tail[h]:
            row = markouts[stream.mo_head[h] & (MARKOUT_CAP - 1)]
            due = min(due, row.ts_fill_ns + HORIZONS_NS[h])
    stream.markout_due_ns = due


# --- own resting orders ------------------------------------------------------------------------
@kernel
def refresh_own(stream, own):
    """Recompute best own prices and the price filter after an own order came or went."""
    best_bid = NO_BID
    best_ask = NO_ASK
    bids = 0
    asks = 0
    for i in range(stream.n_own):
        px = own[i].px_ticks
        if own[i].side == BID:
            best_bid = max(best_bid, px)
            bids |= 1 << (px & 63)
        else:
            best_ask = min(best_ask, px)
            asks |= 1 << (px & 63)
    stream.own_best_bid = best_bid
    stream.own_best_ask = best_ask
    stream.own_bids = bids
    stream.own_asks = asks


@kernel
def find_own(stream, own, order_id):
    """Return the index of a resting own order, or -1."""
    for i in range(stream.n_own):
        if own[i].id == order_id:
            return i
    return -1


@kernel
def remove_own(stream, own, i):
    """Take resting order i off the venue; order of arrival of the others is kept."""
    for j in range(i, stream.n_own - 1):
        own[j] = own[j + 1]
    stream.n_own -= 1
    refresh_own(stream, own)


@kernel
def level_changed(loop, stream, own, side, px_ticks, before, after):
    """Move the queue position of own orders at a level whose total changed (L2 feeds)."""
    for i in range(stream.n_own):
        o = own[i]
        if o.px_ticks == px_ticks and o.side == side:
            o.ahead = queue_after_level(
                loop.queue_model, loop.queue_exponent, o.ahead, o.traded, before, after
            )
            o.traded = 0.0


@kernel
def level_changed_l3(stream, own, side, px_ticks, change, priority):
    """Exact FIFO: a quantity that left before our place shortens the queue ahead."""
    for i in range(stream.n_own):
        o = own[i]
        if o.px_ticks == px_ticks and o.side == side and priority <= o.priority:
            o.ahead = max(0.0, o.ahead - change)


@kernel
def fill_size(loop, o, reach):
    """Return the lots of own order `o` that `reach` lots of volume fill."""
    if loop.partial_fills == 0:
        return o.left_lots
    return min(o.left_lots, int(reach))


@kernel
def trade_hits(loop, stream, book, messages, markouts, own, side, px_ticks, qty_lots, ts_ns, until):
    """Let one trade (at px_ticks, against resting orders of `side`) fill own orders.

    Better-priced own orders come first and take out of the whole volume; at the trade's own price the
    queue ahead takes first. `until`: L3 priority of the order that was executed (only own orders that
    stand before it fill); -1 on L2 feeds.
    """
    volume = float(qty_lots)
    filled = False
    sign = 1 if side == BID else -1
    while volume > 0.0:
        best = -1
        for i in range(stream.n_own):
            o = own[i]
            if o.side == side and o.left_lots > 0 and sign * (o.px_ticks - px_ticks) > 0:
                if best < 0 or sign * (o.px_ticks - own[best].px_ticks) > 0:
                    best = i
        if best < 0:
            break
        o = own[best]
        lots = fill_size(loop, o, volume)
        if lots <= 0:
            break
        o.left_lots -= lots
        if loop.partial_fills != 0:
            volume -= lots
        filled = True
        report_fill(loop, stream, book, messages, markouts, o, ts_ns, o.px_ticks, lots, 1)
    own_taken = 0.0
    for i in range(stream.n_own):
        o = own[i]
        if o.side != side or o.px_ticks != px_ticks or o.left_lots <= 0:
            continue
        if until >= 0:
            if o.priority >= until or volume <= 0.0:
                continue
            lots = fill_size(loop, o, volume)
            if loop.partial_fills != 0:
                volume -= lots
        else:
            reach = volume - own_taken - o.ahead
            o.traded += min(o.ahead, max(0.0, volume - own_taken))
            o.ahead = max(0.0, o.ahead - max(0.0, volume - own_taken))
            if reach <= 0.0:
                continue
            lots = fill_size(loop, o, reach)
            if lots <= 0:
                continue
            if loop.partial_fills != 0:
                own_taken += lots
        o.left_lots -= lots
        filled = True
        report_fill(loop, stream, book, messages, markouts, o, ts_ns, px_ticks, lots, 1)
    if filled:
        sweep_filled(stream, own)


@kernel
def sweep_filled(stream, own):
    """Take completely filled orders off the venue."""
    kept = 0
    for i in range(stream.n_own):
        if own[i].left_lots > 0:
            if kept != i:
                own[kept] = own[i]
            kept += 1
    stream.n_own = kept
    refresh_own(stream, own)


# --- displayed size that we have taken ---------------------------------------------------------
@kernel
def taken_at(stream, side, px_ticks):
    """Return the lots of a displayed level that our own orders have already taken."""
    for i in range(stream.n_taken):
        if stream.taken_side[i] == side and stream.taken_px[i] == px_ticks:
            return stream.taken_lots[i]
    return 0


@kernel
def take(stream, side, px_ticks, lots):
    """Remember that we took `lots` of a displayed level; return False when there is no room to remember."""
    for i in range(stream.n_taken):
        if stream.taken_side[i] == side and stream.taken_px[i] == px_ticks:
            stream.taken_lots[i] += lots
            return True
    n = stream.n_taken
    if n >= TAKEN_CAP:
        return False
    stream.taken_side[n] = side
    stream.taken_px[n] = px_ticks
    stream.taken_lots[n] = lots
    stream.n_taken = n + 1
    return True


@kernel
def forget_taken(stream, side, px_ticks):
    """The feed reported the level anew: what it shows now is there."""
    for i in range(stream.n_taken):
        if stream.taken_side[i] == side and stream.taken_px[i] == px_ticks:
            n = stream.n_taken - 1
            stream.taken_side[i] = stream.taken_side[n]
            stream.taken_px[i] = stream.taken_px[n]
            stream.taken_lots[i] = stream.taken_lots[n]
            stream.n_taken = n
            return


@kernel
def takeable(stream, book, side, px_ticks):
    """Return the lots that an own order may still take from a displayed level."""
    return max(0, book_qty(book, side, px_ticks) - taken_at(stream, side, px_ticks))


@kernel
def crosses(side, px_ticks, other_px):
    """Return True when an order of `side` at px_ticks reaches the other side's price."""
    return px_ticks >= other_px if side == BID else px_ticks <= other_px


@kernel
def available(stream, book, side, limit_ticks, wanted):
    """Return the displayed lots that an order of `side` limited at limit_ticks could take, up to `wanted`."""
    other = ASK if side == BID else BID
    px = book.best_ask_ticks if side == BID else book.best_bid_ticks
    total = 0
    while px != NO_ASK and px != NO_BID and crosses(side, limit_ticks, px) and total < wanted:
        total += takeable(stream, book, other, px)
        px = book_next(book, other, px)
    return min(total, wanted)


@kernel
def take_displayed(loop, stream, book, messages, markouts, o, limit_ticks, ts_ns):
    """Fill `o` as a taker out of displayed size, level by level; its left_lots shrinks."""
    other = ASK if o.side == BID else BID
    px = book.best_ask_ticks if o.side == BID else book.best_bid_ticks
    while o.left_lots > 0 and px != NO_ASK and px != NO_BID and crosses(o.side, limit_ticks, px):
        lots = min(o.left_lots, takeable(stream, book, other, px))
        if lots > 0:
            if not take(stream, other, px, lots):
                return
            o.left_lots -= lots
            report_fill(loop, stream, book, messages, markouts, o, ts_ns, px, lots, 0)
        px = book_next(book, other, px)


@kernel
def book_crosses_own(loop, stream, book, messages, markouts, own, ts_ns):
    """After a message: displayed size now crosses resting own orders, which fill as makers out of it."""
    filled = False
    for i in range(stream.n_own):
        o = own[i]
        other = ASK if o.side == BID else BID
        px = book.best_ask_ticks if o.side == BID else book.best_bid_ticks
        while o.left_lots > 0 and px != NO_ASK and px != NO_BID and crosses(o.side, o.px_ticks, px):
            lots = takeable(stream, book, other, px)
            if loop.partial_fills == 0 and lots > 0:
                lots = o.left_lots
            lots = min(o.left_lots, lots)
            if lots > 0:
                if not take(stream, other, px, lots):
                    break
                o.left_lots -= lots
                filled = True
                report_fill(loop, stream, book, messages, markouts, o, ts_ns, o.px_ticks, lots, 1)
            px = book_next(book, other, px)
        o.ahead = 0.0
    if filled:
        sweep_filled(stream, own)


@kernel
def after_snapshot(stream, book, own):
    """A snapshot replaced the book: nobody stands ahead who is no longer displayed."""
    for i in range(stream.n_own):
        o = own[i]
        o.ahead = min(o.ahead, float(book_qty(book, o.side, o.px_ticks)))
        o.traded = 0.0


# --- one market event at the venue -------------------------------------------------------------
@kernel(forceinline=True)
def venue_level(loop, stream, book, own, e):
    """Set one level; own orders there move in the queue. Return the book's status."""
    if stream.n_taken > 0:
        forget_taken(stream, e.side, e.px_ticks)
    if stream.n_own > 0:
        mask = stream.own_bids if e.side == BID else stream.own_asks
        if (mask >> (e.px_ticks & 63)) & 1 != 0:
            return own_level(loop, stream, book, own, e)
    return book_set(book, e.side, e.px_ticks, e.qty_lots)


@kernel
def own_level(loop, stream, book, own, e):
    """Set a level at which own orders may stand, and move them in its queue."""
    before = book_qty(book, e.side, e.px_ticks)
    status = book_set(book, e.side, e.px_ticks, e.qty_lots)
    if stream.in_snapshot == 0:
        if loop.queue_model == QUEUE_L3 and e.kind != DEPTH:
            change = float(before - e.qty_lots)
            if change > 0.0:
                level_changed_l3(stream, own, e.side, e.px_ticks, change, e.seq)
        else:
            level_changed(loop, stream, own, e.side, e.px_ticks, float(before), float(e.qty_lots))
    return status


@kernel
def venue_trade(loop, stream, book, messages, markouts, own, e):
    """Let a public trade reach own resting orders."""
    px = e.px_ticks
    buys = e.side == BID
    sells = e.side == ASK
    if not buys and not sells:
        buys = px >= book.best_ask_ticks
        sells = px <= book.best_bid_ticks
    ts_ns = e.ts_exch_ns
    if buys and px >= stream.own_best_ask:
        trade_hits(loop, stream, book, messages, markouts, own, ASK, px, e.qty_lots, ts_ns, -1)
    if sells and px <= stream.own_best_bid:
        trade_hits(loop, stream, book, messages, markouts, own, BID, px, e.qty_lots, ts_ns, -1)


@kernel
def venue_execute(loop, stream, book, messages, markouts, own, e):
    """L3: a resting order was executed; own orders before it in price or time fill first."""
    lots = book_qty(book, e.side, e.px_ticks) - e.qty_lots
    if e.side == BID:
        reached = e.px_ticks <= stream.own_best_bid
    else:
        reached = e.px_ticks >= stream.own_best_ask
    if lots > 0 and reached:
        until = e.seq if loop.queue_model == QUEUE_L3 else -1
        ts_ns = e.ts_exch_ns
        trade_hits(
            loop, stream, book, messages, markouts, own, e.side, e.px_ticks, lots, ts_ns, until
        )


@kernel(forceinline=True)
def venue_event(loop, stream, book, messages, markouts, own, e):
    """Apply one event at the venue; return the book's status (0 ok).

    Inlined: a call with arrays costs more than the event (their reference counts are atomic), so arrays
    are handed on only where an own order is concerned.
    """
    kind = e.kind
    status = 0
    if kind == DEPTH:
        status = venue_level(loop, stream, book, own, e)
    elif kind == TRADE:
        if stream.n_own > 0 and (e.flags & F_HIDDEN) == 0:
            venue_trade(loop, stream, book, messages, markouts, own, e)
    elif ADD <= kind <= EXECUTE:
        if kind == EXECUTE and stream.n_own > 0:
            venue_execute(loop, stream, book, messages, markouts, own, e)
        if e.seq > stream.priority:
            stream.priority = e.seq
        status = venue_level(loop, stream, book, own, e)
    elif kind == CLEAR:
        book_clear(book, e.side)
        stream.n_taken = 0
        stream.in_snapshot = 1
    if (e.flags & F_LAST) != 0:
        if stream.in_snapshot == 1 and (e.flags & F_SNAPSHOT) != 0:
            stream.in_snapshot = 0
            after_snapshot(stream, book, own)
        if stream.n_own > 0 and stream.in_snapshot == 0:
            low = book.best_ask_ticks <= stream.own_best_bid
            if low or book.best_bid_ticks >= stream.own_best_ask:
                book_crosses_own(loop, stream, book, messages, markouts, own, e.ts_exch_ns)
    return status


# --- one own request at the venue --------------------------------------------------------------
@kernel
def own_conflict(loop, stream, messages, own, side, limit_ticks, ts_ns):
    """Self-trade prevention: return True when the newcomer must be refused; else resting ones left."""
    i = 0
    while i < stream.n_own:
        o = own[i]
        if o.side != side and crosses(side, limit_ticks, o.px_ticks):
            if loop.stp_cancel_resting == 0:
                return True
            n = answer(
                loop, stream, messages, ts_ns, R_CANCELLED, o.id, o.sleeve, o.slot, REJ_SELF_TRADE
            )
            messages[n].side = o.side
            messages[n].px_ticks = o.px_ticks
            messages[n].qty_lots = o.left_lots
            send_answer(loop, messages, n)
            remove_own(stream, own, i)
            continue
        i += 1
    return False


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
def rest(loop, stream, book, own, n):
    """Let own[n], already written, join the queue of its level."""
    o = own[n]
    touch = book.best_ask_ticks if o.side == BID else book.best_bid_ticks
    crossed = touch != NO_ASK and touch != NO_BID and crosses(o.side, o.px_ticks, touch)
    o.ahead = 0.0 if crossed else float(book_qty(book, o.side, o.px_ticks))
    o.ahead_start = o.ahead
    o.traded = 0.0
    o.priority = stream.priority
    stream.n_own = n + 1
    refresh_own(stream, own)


@kernel
def venue_new(loop, stream, book, messages, markouts, own, r, ts_ns):
    """A new own order reaches the venue."""
    n = stream.n_own
    o = own[n]
    o.id = r.id
    o.sleeve = r.sleeve
    o.slot = r.slot
    o.side = r.side
    o.px_ticks = r.px_ticks
    o.left_lots = r.qty_lots
    o.tif = r.tif
    o.arrival = r.seq
    o.ahead = 0.0
    o.ahead_start = 0.0
    limit = r.px_ticks
    if r.type == MARKET:
        limit = NO_ASK - 1 if r.side == BID else 0
    if own_conflict(loop, stream, messages, own, r.side, limit, ts_ns):
        close_answer(loop, stream, messages, ts_ns, R_REJECTED, o, REJ_SELF_TRADE)
        return
    if stream.n_own < n:  # resting ones left: the newcomer moves up with them
        own[stream.n_own] = own[n]
        n = stream.n_own
        o = own[n]
    touch = book.best_ask_ticks if r.side == BID else book.best_bid_ticks
    reachable = touch != NO_ASK and touch != NO_BID and crosses(r.side, limit, touch)
    if r.tif == POST_ONLY and r.type == LIMIT and reachable:
        close_answer(loop, stream, messages, ts_ns, R_REJECTED, o, REJ_POST_ONLY)
        return
    if r.tif == FOK and available(stream, book, r.side, limit, r.qty_lots) < r.qty_lots:
        close_answer(loop, stream, messages, ts_ns, R_REJECTED, o, REJ_FOK)
        return
    if n >= OWN_CAP - 1:
        close_answer(loop, stream, messages, ts_ns, R_REJECTED, o, REJ_NO_LIQUIDITY)
        return
    if reachable:
        accept_answer(loop, stream, messages, ts_ns, o, 0.0)
        take_displayed(loop, stream, book, messages, markouts, o, limit, ts_ns)
        if o.left_lots == 0:
            return
        if r.type == MARKET or r.tif == IOC or r.tif == FOK:
            close_answer(loop, stream, messages, ts_ns, R_CANCELLED, o, REJ_IOC)
            return
    elif r.type == MARKET or r.tif == IOC:
        code = REJ_NO_LIQUIDITY if r.type == MARKET else REJ_IOC
        accept_answer(loop, stream, messages, ts_ns, o, 0.0)
        close_answer(loop, stream, messages, ts_ns, R_CANCELLED, o, code)
        return
    rest(loop, stream, book, own, n)
    if not reachable:
        accept_answer(loop, stream, messages, ts_ns, own[n], own[n].ahead)


@kernel
def accept_answer(loop, stream, messages, ts_ns, o, ahead):
    """Queue the confirmation of a new order."""
    n = answer(loop, stream, messages, ts_ns, R_ACCEPTED, o.id, o.sleeve, o.slot, 0)
    m = messages[n]
    m.side = o.side
    m.px_ticks = o.px_ticks
    m.qty_lots = o.left_lots
    m.left_lots = o.left_lots
    m.ahead = ahead
    send_answer(loop, messages, n)
    return n


@kernel
def venue_amend(loop, stream, book, messages, markouts, own, i, r, ts_ns):
    """Amend resting order i by a change of size and a new price.

    A smaller size at the same price keeps its place, all else joins anew. Fills that happened on the way
    count against the new size, as at real venues, so the total filled never exceeds what was asked for.
    """
    o = own[i]
    left = o.left_lots + r.qty_lots
    if left <= 0:
        close_answer(loop, stream, messages, ts_ns, R_CANCELLED, o, 0)
        remove_own(stream, own, i)
        return
    if r.px_ticks == o.px_ticks and left <= o.left_lots:
        o.left_lots = left
    else:
        touch = book.best_ask_ticks if o.side == BID else book.best_bid_ticks
        reachable = touch != NO_ASK and touch != NO_BID and crosses(o.side, r.px_ticks, touch)
        if reachable or crosses(
            o.side, r.px_ticks, stream.own_best_ask if o.side == BID else stream.own_best_bid
        ):
            code = REJ_POST_ONLY if reachable else REJ_SELF_TRADE
            n = answer(
                loop, stream, messages, ts_ns, R_CANCEL_REJECTED, r.id, r.sleeve, r.slot, code
            )
            send_answer(loop, messages, n)
            return
        last = stream.n_own - 1
        own[OWN_CAP - 1] = own[i]
        remove_own(stream, own, i)
        own[last] = own[OWN_CAP - 1]
        own[last].px_ticks = r.px_ticks
        own[last].left_lots = left
        rest(loop, stream, book, own, last)
        o = own[last]
    n = answer(loop, stream, messages, ts_ns, R_AMENDED, o.id, o.sleeve, o.slot, 0)
    m = messages[n]
    m.side = o.side
    m.px_ticks = o.px_ticks
    m.qty_lots = o.left_lots
    m.left_lots = o.left_lots
    m.ahead = o.ahead
    send_answer(loop, messages, n)


@kernel
def venue_request(loop, stream, book, messages, markouts, own, requests):
    """Process the earliest request that reached the venue."""
    r = requests[0]
    ts_ns = max(r.due_ns, stream.ts_exch_ns)
    stream.ts_exch_ns = ts_ns
    if r.kind == REQ_NEW:
        venue_new(loop, stream, book, messages, markouts, own, r, ts_ns)
    else:
        i = find_own(stream, own, r.id)
        if i < 0:
            n = answer(
                loop,
                stream,
                messages,
                ts_ns,
                R_CANCEL_REJECTED,
                r.id,
                r.sleeve,
                r.slot,
                REJ_TOO_LATE,
            )
            send_answer(loop, messages, n)
        elif r.kind == REQ_CANCEL:
            close_answer(loop, stream, messages, ts_ns, R_CANCELLED, own[i], 0)
            remove_own(stream, own, i)
        elif r.kind == REQ_AMEND:
            venue_amend(loop, stream, book, messages, markouts, own, i, r, ts_ns)
    stream.n_requests = heap_drop(requests, stream.n_requests)
