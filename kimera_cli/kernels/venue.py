"""The simulated venue: own orders against recorded or synthetic flow, at the venue's own time.

What it assumes, and what it never does: our orders do not move the recorded flow (no market
impact); a
resting order fills only out of volume that traded at or through its price, or out of displayed size
that
crossed it, and no volume is used twice; a taking order fills only out of displayed size that it has
not
taken before. Own orders share a trade by price, then arrival.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import inner, kernel, part
from kimera_cli.kernels.answers import (
    REJ_BOOK_FULL,
    REJ_FOK,
    REJ_IOC,
    REJ_NO_LIQUIDITY,
    REJ_POST_ONLY,
    REJ_SELF_TRADE,
    REJ_TOO_LATE,
    UNKNOWN_AHEAD,
    accept_answer,
    answer,
    close_answer,
    send_answer,
)
from kimera_cli.kernels.book import book_clear, book_qty, book_set
from kimera_cli.kernels.displayed import (
    available,
    book_crosses_own,
    crosses,
    forget_taken,
    take_displayed,
)
from kimera_cli.kernels.features import features_trade
from kimera_cli.kernels.heap import heap_drop
from kimera_cli.kernels.own_orders import (
    after_snapshot,
    find_own,
    level_changed,
    level_changed_l3,
    refresh_own,
    remove_own,
    trade_hits,
)
from kimera_cli.kernels.state import OWN_CAP, QUEUE_L3, REQ_AMEND, REQ_CANCEL, REQ_NEW
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
    F_STALE,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    NO_ASK,
    NO_BID,
    POST_ONLY,
    R_AMENDED,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_REJECTED,
    TRADE,
)

_ONE = np.uint64(1)


@part
def venue_level(loop, stream, book, own, e):
    """Set one level; own orders there move in the queue. Return the book's status."""
    if stream.n_taken > 0:
        forget_taken(stream, e.side, e.px_ticks)
    if stream.n_own > 0:
        mask = stream.own_bids if e.side == BID else stream.own_asks
        if (mask >> np.uint64(e.px_ticks & 63)) & _ONE != 0:
            return own_level(loop, stream, book, own, e)
    return book_set(book, e.side, e.px_ticks, e.qty_lots)


@inner
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


@inner
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


@inner
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


@inner
def venue_event(loop, stream, book, state, messages, markouts, own, e):
    """Apply one event at the venue, up to the end of its message; return the book's status (0 ok).

    `state`: the features as of this event; trades enter them here.
    """
    kind = e.kind
    flags = e["flags"]
    status = 0
    if kind == DEPTH:
        if (flags & F_STALE) == 0:
            status = venue_level(loop, stream, book, own, e)
    elif kind == TRADE:
        if stream.n_own > 0 and (flags & (F_HIDDEN | F_SNAPSHOT)) == 0:  # retold: past
            venue_trade(loop, stream, book, messages, markouts, own, e)
        if loop.features_on != 0 and (flags & F_SNAPSHOT) == 0:
            features_trade(state, e.side, e.px_ticks, e.qty_lots, e.ts_local_ns)
    elif ADD <= kind <= EXECUTE:
        if kind == EXECUTE:
            if stream.n_own > 0:
                venue_execute(loop, stream, book, messages, markouts, own, e)
            if loop.features_on != 0:
                lots = book_qty(book, e.side, e.px_ticks) - e.qty_lots
                features_trade(state, 1 - e.side, e.px_ticks, lots, e.ts_local_ns)
        if e.seq > stream.priority:
            stream.priority = e.seq
        status = venue_level(loop, stream, book, own, e)
    elif kind == CLEAR:
        book_clear(book, e.side)
        stream.n_taken = 0
        stream.in_snapshot = 1
    if (flags & F_LAST) != 0 and stream.in_snapshot == 1 and kind != CLEAR:
        stream.in_snapshot = 0
        after_snapshot(stream, book, own)
    return status


@inner
def venue_message(loop, stream, book, messages, markouts, own, ts_ns):
    """A message is complete: displayed size that now crosses own orders fills them."""
    if stream.n_own > 0 and stream.in_snapshot == 0:
        low = book.best_ask_ticks <= stream.own_best_bid
        if low or book.best_bid_ticks >= stream.own_best_ask:
            book_crosses_own(loop, stream, book, messages, markouts, own, ts_ns)


@inner
def own_conflict(loop, stream, messages, own, side, limit_ticks, ts_ns):
    """Self-trade prevention: return True when the newcomer must be refused; else resting ones
    left.
    """
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
def rest(loop, stream, book, own, n):
    """Let own[n], already written, join the queue of its level."""
    o = own[n]
    touch = book.best_ask_ticks if o.side == BID else book.best_bid_ticks
    crossed = touch != NO_ASK and touch != NO_BID and crosses(o.side, o.px_ticks, touch)
    o.ahead = 0.0 if crossed else float(book_qty(book, o.side, o.px_ticks))
    if stream.in_snapshot == 1:
        o.ahead = UNKNOWN_AHEAD
    o.ahead_start = o.ahead
    o.traded = 0.0
    o.priority = stream.priority
    stream.n_own = n + 1
    refresh_own(stream, own)


@inner
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
        close_answer(loop, stream, messages, ts_ns, R_REJECTED, o, REJ_BOOK_FULL)
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


@inner
def venue_amend(loop, stream, book, messages, markouts, own, i, r, ts_ns):
    """Amend resting order i by a change of size and a new price.

    A smaller size at the same price keeps its place, all else joins anew. Fills that happened on
    the way
    count against the new size, as at real venues, so the total filled never exceeds what was asked
    for.
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
    m.ahead = o.ahead if o.ahead < UNKNOWN_AHEAD else math.nan
    send_answer(loop, messages, n)


@inner
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
