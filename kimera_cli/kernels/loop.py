"""The loop: one kernel that replays any number of streams through strategies, gate and simulated venue.

Two clocks run in it. The venue's side applies events and own requests at venue time; our side learns
events and answers later, by the latency model. The venue's side is never ahead of our clock, so nothing
can be known, or decided, before its time. The kernel is a state machine over flat records: it returns when
it needs events, room for records or a Python strategy, and goes on where it stopped, so that its result
does not depend on how the events were cut.

One turn: find the next moment at which our side could act (an arrival when a strategy listens to events, a
timer, a sample, an answer); bring the venue up to it (an answer that arrives earlier moves the moment
forward); let the arrivals in; deliver answers; call strategies; pass their orders through the gate.
"""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_qty, book_set
from kimera_cli.kernels.call import call_strategy
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.kernels.gate import (
    DENY_BAD_ACTION,
    DENY_KILL,
    DENY_SELF_TRADE,
    DENY_TABLE_FULL,
    check_new,
    portfolio_value,
    valid_action,
    watch_losses,
)
from kimera_cli.kernels.heap import heap_drop, heap_up
from kimera_cli.kernels.latency import draw_latency
from kimera_cli.kernels.ledger import book_fill, book_funding, equity_at
from kimera_cli.kernels.state import (
    BOOK_OVERFLOW,
    CALL_PYTHON,
    DONE,
    FLUSH,
    FOREVER,
    HEAP_FULL,
    HORIZONS_NS,
    MARKOUT_CAP,
    N_HORIZONS,
    NEED_DATA,
    PAUSED,
    PHASE_ANSWER,
    PHASE_ARRIVE,
    PHASE_CHOOSE,
    PHASE_VENUE,
    PHASE_WAKE,
    REQ_AMEND,
    REQ_CANCEL,
    REQ_NEW,
    STRATEGY_FAILED,
    TIME_LIMIT,
)
from kimera_cli.kernels.venue import mid_of, next_markout, venue_event, venue_request
from kimera_cli.layouts import (
    ACT_AMEND,
    ACT_CANCEL,
    ACT_CANCEL_ALL,
    ACT_NEW,
    ADD,
    BID,
    CLEAR,
    DEPTH,
    EXECUTE,
    F_LAST,
    FUNDING,
    LIMIT,
    MARK,
    MAX_ORDERS,
    ORDER_AMENDING,
    ORDER_CANCELLING,
    ORDER_NONE,
    ORDER_OPEN,
    ORDER_PENDING,
    R_ACCEPTED,
    R_AMEND_INTENT,
    R_AMENDED,
    R_CANCEL_INTENT,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_FUNDING,
    R_HALT,
    R_INTENT,
    R_MARKOUT,
    R_REJECTED,
    R_SAMPLE,
    RECORD,
    TRADE,
    WAKE_EVENT,
    WAKE_FILL,
    WAKE_TIMER,
)

RECORD_MARGIN = 4096
"""Room that one turn may need in the record buffer."""

FUNDING_UNIT = 1e-9


# --- records -----------------------------------------------------------------------------------
@kernel
def record(loop, records, kind, sleeve, ts_exch_ns):
    """Start the next record of the audit stream and return its index."""
    i = loop.n_records
    loop.n_records = i + 1
    loop.seq += 1
    r = records[i]
    r.seq = loop.seq
    r.ts_ns = loop.now_ns
    r.ts_exch_ns = ts_exch_ns
    r.kind = kind
    r.strategy = sleeve.strategy
    r.instrument = sleeve.stream
    r.order_id = 0
    r.side = 0
    r.type = 0
    r.tif = 0
    r.px_ticks = 0
    r.qty_lots = 0
    r.left_lots = 0
    r.code = 0
    r.mid_ticks = math.nan
    r.fee = 0.0
    r.position_lots = 0
    r.equity = math.nan
    r.ahead_lots = math.nan
    r.tag = 0
    return i


# --- the venue's side --------------------------------------------------------------------------
@kernel
def emit_markouts(loop, stream, book, markouts, sleeves, records, until_ns):
    """Write the markouts due at or before until_ns: the venue's mid in force at fill time + horizon."""
    while stream.markout_due_ns <= until_ns:
        due = stream.markout_due_ns
        for h in range(N_HORIZONS):
            while stream.mo_head[h] < stream.mo_tail[h]:
                row = markouts[stream.mo_head[h] & (MARKOUT_CAP - 1)]
                if row.ts_fill_ns + HORIZONS_NS[h] != due:
                    break
                i = record(loop, records, R_MARKOUT, sleeves[row.sleeve], row.ts_fill_ns)
                r = records[i]
                r.order_id = row.order_id
                r.side = row.side
                r.type = HORIZONS_NS[h]
                r.px_ticks = row.px_ticks
                r.qty_lots = row.qty_lots
                r.left_lots = loop.fill_seq[row.fill & 4095]
                r.code = row.fill
                r.mid_ticks = mid_of(book)
                stream.mo_head[h] += 1
                stream.n_markouts -= 1
        next_markout(stream, markouts)


@kernel
def is_active(stream):
    """Return True while the venue's side of a stream can produce something that we would learn."""
    return stream.n_own > 0 or stream.n_requests > 0 or stream.n_markouts > 0


@kernel
def venue_next(stream, buffer, requests):
    """Return the time of the next thing at the venue; FOREVER when there is none in reach."""
    due = FOREVER
    if stream.head_exch < stream.n:
        due = buffer[stream.head_exch].ts_exch_ns
    if stream.n_requests > 0 and requests[0].due_ns < due:
        due = requests[0].due_ns
    return due


@kernel
def venue_run(
    loop, k, streams, buffers, books, own, requests, messages, markouts, sleeves, records, bound
):
    """Process the venue's side of stream k up to `bound`, or until it has news, data or room runs out.

    Returns 0 when the bound is reached or there is news; NEED_DATA, FLUSH, BOOK_OVERFLOW or HEAP_FULL otherwise.
    """
    stream = streams[k]
    book = books[k]
    mine = own[k]
    asked = requests[k]
    pending = markouts[k]
    buffer = buffers[k]
    news = loop.message_seq
    n = stream.n
    i = stream.head_exch
    request_due = asked[0].due_ns if stream.n_requests > 0 else FOREVER
    while True:
        if i >= n and stream.eof == 0:
            stream.head_exch = i
            loop.stream = k
            return NEED_DATA
        ts = buffer[i].ts_exch_ns if i < n else FOREVER
        if ts <= request_due:
            if ts > bound or ts == FOREVER:
                break
            if ts >= stream.markout_due_ns:
                if loop.n_records > records.shape[0] - RECORD_MARGIN:
                    stream.head_exch = i
                    return FLUSH
                emit_markouts(loop, stream, book, pending, sleeves, records, ts - 1)
            stream.ts_exch_ns = ts
            e = buffer[i]
            if venue_event(loop, stream, book, messages, pending, mine, e) != 0:
                loop.stream = k
                return BOOK_OVERFLOW
            i += 1
        else:
            if request_due > bound:
                break
            venue_request(loop, stream, book, messages, pending, mine, asked)
            request_due = asked[0].due_ns if stream.n_requests > 0 else FOREVER
        if loop.message_seq != news:
            break
    stream.head_exch = i
    if loop.error != 0:
        return HEAP_FULL
    return 0


@kernel
def venue_advance(
    loop, streams, buffers, books, own, requests, messages, markouts, sleeves, records
):
    """Bring the venue's side of all active streams to loop.turn_ns, in time order.

    An answer that arrives before the turn moves the turn forward to its arrival. Streams in which we have
    nothing may lag: they catch up when we ask something of them or when their buffer must move.
    """
    while True:
        bound = loop.turn_ns
        if loop.n_messages > 0 and messages[0].due_ns < bound:
            bound = messages[0].due_ns
            loop.turn_ns = bound
        first = -1
        second = -1
        t_first = FOREVER
        t_second = FOREVER
        for k in range(loop.n_streams):
            stream = streams[k]
            if not is_active(stream):
                continue
            if stream.head_exch >= stream.n and stream.eof == 0:
                loop.stream = k
                return NEED_DATA
            t = venue_next(stream, buffers[k], requests[k])
            if t < t_first:
                second = first
                t_second = t_first
                first = k
                t_first = t
            elif t < t_second:
                second = k
                t_second = t
        if first < 0 or t_first > bound:
            return 0
        if second >= 0:
            bound = min(bound, t_second if first < second else t_second - 1)
        status = venue_run(
            loop,
            first,
            streams,
            buffers,
            books,
            own,
            requests,
            messages,
            markouts,
            sleeves,
            records,
            bound,
        )
        if status != 0:
            return status


# --- our side: arrivals ------------------------------------------------------------------------
@kernel
def next_arrival(loop, streams, buffers):
    """Return the time of the next arrival: FOREVER when all streams ended, -1 when one needs data."""
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


@kernel
def pay_funding(loop, stream, feature, instrument, views, sleeves, records, e):
    """Pay funding on every sleeve's position in this instrument, at the mark (the mid without one)."""
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


@kernel
def arrive_run(loop, k, streams, buffers, books, features, instruments, views, sleeves, records):
    """Let in every event of stream k that has arrived by loop.turn_ns; NEED_DATA when more may have."""
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
    while i < n:
        e = buffer[i]
        if e.ts_local_ns > turn:
            break
        kind = e.kind
        if kind == DEPTH or (ADD <= kind <= EXECUTE):
            if kind == EXECUTE and features_on:
                lots = book_qty(book, e.side, e.px_ticks) - e.qty_lots
                features_trade(feature, 1 - e.side, e.px_ticks, lots, e.ts_local_ns)
            status = book_set(book, e.side, e.px_ticks, e.qty_lots)
            if status != 0:
                loop.stream = k
                status = BOOK_OVERFLOW
                break
        elif kind == TRADE:
            if features_on:
                features_trade(feature, e.side, e.px_ticks, e.qty_lots, e.ts_local_ns)
        elif kind == CLEAR:
            book_clear(book, e.side)
        elif kind == MARK:
            stream.mark_ticks = e.px_ticks
        elif kind == FUNDING:
            loop.stream = k
            pay_funding(loop, stream, feature, instruments[k], views, sleeves, records, e)
        if (e.flags & F_LAST) != 0:
            if features_on:
                features_book(feature, book, e.ts_local_ns)
            stream.ready = 1
        i += 1
    if i > start:
        last = buffer[i - 1]
        stream.ts_local_ns = last.ts_local_ns
        stream.feed_ns = last.ts_local_ns - last.ts_exch_ns
        stream.touched = 1
        loop.n_events += i - start
        if not features_on:
            touch_only(feature, book)
    stream.head_local = i
    if status == 0 and i >= n and stream.eof == 0:
        loop.stream = k
        return NEED_DATA
    return status


@kernel
def touch_only(feature, book):
    """Keep best prices and mid when the full features are switched off."""
    feature.best_bid_ticks = book.best_bid_ticks
    feature.best_ask_ticks = book.best_ask_ticks
    feature.mid_ticks = mid_of(book)


@kernel
def catch_up(loop, k, streams, buffers, books, own, requests, messages, markouts, sleeves, records):
    """Let the venue's side of a stream in which we have nothing follow to what has arrived."""
    stream = streams[k]
    if is_active(stream) or stream.head_exch >= stream.head_local:
        return 0
    bound = buffers[k][stream.head_local - 1].ts_exch_ns
    status = venue_run(
        loop, k, streams, buffers, books, own, requests, messages, markouts, sleeves, records, bound
    )
    return 0 if status == NEED_DATA else status


# --- our side: answers -------------------------------------------------------------------------
@kernel
def free_order(gate, view, order):
    """Close an own order in our table and take it out of the open sizes."""
    open_lots = order.left_lots + order.reserved
    if order.side == BID:
        view.open_bid_lots -= open_lots
    else:
        view.open_ask_lots -= open_lots
    order.state = ORDER_NONE
    order.left_lots = 0
    order.reserved = 0
    view.n_orders -= 1
    gate.open_orders -= 1


@kernel
def add_open(view, order, lots):
    """Change the open size of an own order's side."""
    if order.side == BID:
        view.open_bid_lots += lots
    else:
        view.open_ask_lots += lots


@kernel
def answer_amended(view, order, m):
    """Our order now stands as the venue says."""
    add_open(view, order, m.left_lots - order.left_lots - order.reserved)
    order.left_lots = m.left_lots
    order.px_ticks = m.px_ticks
    order.reserved = 0
    if order.state == ORDER_AMENDING:
        order.state = ORDER_OPEN


@kernel
def answer_fill(loop, gate, view, sleeve, instrument, order, known, m, r):
    """Book one execution of ours."""
    r.fee = book_fill(view, sleeve, instrument, m.side, m.px_ticks, m.qty_lots, m.maker)
    r.type = m.maker
    r.code = m.fill
    loop.fill_seq[m.fill & 4095] = r.seq
    loop.n_maker += m.maker
    sleeve.filled = 1
    if known:
        order.left_lots -= m.qty_lots
        add_open(view, order, -m.qty_lots)
        if m.left_lots == 0:
            free_order(gate, view, order)


@kernel
def deliver(loop, gate, views, sleeves, instruments, records, m):
    """Let one answer in: our table, the ledger and the audit stream learn it."""
    sleeve = sleeves[m.sleeve]
    view = views[m.sleeve]
    order = view.orders[m.slot]
    known = order.state != ORDER_NONE and order.id == m.id
    i = record(loop, records, m.kind, sleeve, m.ts_exch_ns)
    r = records[i]
    r.order_id = m.id
    r.side = m.side
    r.px_ticks = m.px_ticks
    r.qty_lots = m.qty_lots
    r.left_lots = m.left_lots
    r.code = m.code
    r.mid_ticks = m.mid_ticks
    r.ahead_lots = m.ahead
    if known:
        r.tag = order.tag
    if m.kind == R_FILL:
        answer_fill(loop, gate, view, sleeve, instruments[sleeve.stream], order, known, m, r)
    elif m.kind == R_ACCEPTED:
        if known and order.state == ORDER_PENDING:
            order.state = ORDER_OPEN
    elif m.kind == R_REJECTED or m.kind == R_CANCELLED:
        if m.kind == R_REJECTED:
            loop.n_rejects += 1
        if known:
            free_order(gate, view, order)
    elif m.kind == R_AMENDED:
        if known:
            answer_amended(view, order, m)
    elif m.kind == R_CANCEL_REJECTED and known:
        add_open(view, order, -order.reserved)
        order.reserved = 0
        order.state = ORDER_OPEN
    r.position_lots = view.position_lots


# --- our side: decisions -----------------------------------------------------------------------
@kernel
def ask(loop, stream, requests, kind, s, slot, order):
    """Send a request about an own order on its way to the venue."""
    n = stream.n_requests
    delay = draw_latency(loop, loop.entry_model, loop.entry_ns, loop.sigma, stream.feed_ns)
    stream.request_seq += 1
    r = requests[n]
    r.due_ns = max(loop.now_ns + delay, stream.last_request_ns)  # one connection keeps its order
    r.seq = stream.request_seq
    stream.last_request_ns = r.due_ns
    r.kind = kind
    r.id = order.id
    r.sleeve = s
    r.slot = slot
    r.side = order.side
    r.type = LIMIT
    r.tif = 0
    r.px_ticks = order.px_ticks
    r.qty_lots = order.left_lots
    return n


@kernel
def sent(stream, requests, n):
    """Put the request written at index n into its place."""
    stream.n_requests = n + 1
    heap_up(requests, n + 1)


@kernel
def own_cross(views, sleeves, n_sleeves, k, side, px_ticks, market):
    """Return True when a new order would meet an own order of the other side in instrument k."""
    for s in range(n_sleeves):
        if sleeves[s].stream != k:
            continue
        view = views[s]
        if (view.open_ask_lots if side == BID else view.open_bid_lots) == 0:
            continue
        for j in range(MAX_ORDERS):
            o = view.orders[j]
            if o.state != ORDER_NONE and o.side != side:
                if market or (px_ticks >= o.px_ticks if side == BID else px_ticks <= o.px_ticks):
                    return True
    return False


@kernel
def deny(loop, gate, records, sleeve, a, code):
    """Write a refusal of the gate."""
    loop.n_denied += 1
    gate.counts[code] += 1
    i = record(loop, records, R_DENIED, sleeve, loop.now_ns)
    r = records[i]
    r.side = a.side
    r.type = a.type
    r.tif = a.tif
    r.px_ticks = a.px_ticks
    r.qty_lots = a.qty_lots
    r.code = code
    r.tag = a.tag


@kernel
def free_slot(view):
    """Return the first free row of the strategy's order table, or -1."""
    for j in range(MAX_ORDERS):
        if view.orders[j].state == ORDER_NONE:
            return j
    return -1


@kernel
def act_new(loop, gate, streams, requests, views, sleeves, instruments, features, records, s, a):
    """Pass one new order through the gate and send it."""
    sleeve = sleeves[s]
    k = sleeve.stream
    stream = streams[k]
    view = views[s]
    if not valid_action(a):
        deny(loop, gate, records, sleeve, a, DENY_BAD_ACTION)
        return
    slot = free_slot(view)
    if slot < 0 or stream.n_requests >= requests.shape[1] - 3:
        deny(loop, gate, records, sleeve, a, DENY_TABLE_FULL)
        return
    if loop.stp_cancel_resting == 0 and own_cross(
        views, sleeves, loop.n_sleeves, k, a.side, a.px_ticks, a.type != LIMIT
    ):
        deny(loop, gate, records, sleeve, a, DENY_SELF_TRADE)
        return
    code = check_new(
        gate,
        views,
        sleeves,
        streams,
        instruments,
        features,
        loop.n_sleeves,
        s,
        a.side,
        a.type,
        a.px_ticks,
        a.qty_lots,
        loop.now_ns,
    )
    gate.counts[code] += 1
    if code != 0:
        gate.counts[code] -= 1
        deny(loop, gate, records, sleeve, a, code)
        return
    loop.next_order += 1
    loop.n_intents += 1
    order = view.orders[slot]
    order.state = ORDER_PENDING
    order.id = loop.next_order
    order.side = a.side
    order.px_ticks = a.px_ticks
    order.left_lots = a.qty_lots
    order.tag = a.tag
    order.ts_sent_ns = loop.now_ns
    order.reserved = 0
    view.n_orders += 1
    gate.open_orders += 1
    add_open(view, order, a.qty_lots)
    i = record(loop, records, R_INTENT, sleeve, loop.now_ns)
    r = records[i]
    r.order_id = order.id
    r.side = a.side
    r.type = a.type
    r.tif = a.tif
    r.px_ticks = a.px_ticks
    r.qty_lots = a.qty_lots
    r.left_lots = a.qty_lots
    r.mid_ticks = features[k].mid_ticks
    r.position_lots = view.position_lots
    r.tag = a.tag
    n = ask(loop, stream, requests[k], REQ_NEW, s, slot, order)
    requests[k][n].type = a.type
    requests[k][n].tif = a.tif
    sent(stream, requests[k], n)


@kernel
def act_cancel(loop, streams, requests, views, sleeves, records, s, slot):
    """Ask the venue to cancel an own order; no limit ever stops this."""
    view = views[s]
    order = view.orders[slot]
    k = sleeves[s].stream
    if order.state == ORDER_NONE or order.state == ORDER_CANCELLING:
        return
    if streams[k].n_requests >= requests.shape[1] - 2:
        return
    order.state = ORDER_CANCELLING
    loop.n_cancels += 1
    i = record(loop, records, R_CANCEL_INTENT, sleeves[s], loop.now_ns)
    r = records[i]
    r.order_id = order.id
    r.side = order.side
    r.px_ticks = order.px_ticks
    r.qty_lots = order.left_lots
    r.left_lots = order.left_lots
    r.tag = order.tag
    n = ask(loop, streams[k], requests[k], REQ_CANCEL, s, slot, order)
    sent(streams[k], requests[k], n)


@kernel
def act_amend(loop, gate, streams, requests, views, sleeves, instruments, features, records, s, a):
    """Pass a change of an own order through the gate, as if it were replaced, and send it."""
    view = views[s]
    sleeve = sleeves[s]
    k = sleeve.stream
    if a.order < 0 or a.order >= MAX_ORDERS or a.px_ticks <= 0 or a.qty_lots <= 0:
        deny(loop, gate, records, sleeve, a, DENY_BAD_ACTION)
        return
    order = view.orders[a.order]
    if order.state != ORDER_OPEN:
        deny(loop, gate, records, sleeve, a, DENY_BAD_ACTION)
        return
    a.side = order.side
    if streams[k].n_requests >= requests.shape[1] - 3:
        deny(loop, gate, records, sleeve, a, DENY_TABLE_FULL)
        return
    change = a.qty_lots - order.left_lots
    if change > 0 or a.px_ticks != order.px_ticks:
        add_open(view, order, -order.left_lots)
        gate.open_orders -= 1
        code = check_new(
            gate,
            views,
            sleeves,
            streams,
            instruments,
            features,
            loop.n_sleeves,
            s,
            order.side,
            LIMIT,
            a.px_ticks,
            a.qty_lots,
            loop.now_ns,
        )
        gate.open_orders += 1
        add_open(view, order, order.left_lots)
        if code != 0:
            deny(loop, gate, records, sleeve, a, code)
            return
    order.state = ORDER_AMENDING
    order.reserved = max(0, change)
    add_open(view, order, order.reserved)
    i = record(loop, records, R_AMEND_INTENT, sleeve, loop.now_ns)
    r = records[i]
    r.order_id = order.id
    r.side = order.side
    r.px_ticks = a.px_ticks
    r.qty_lots = a.qty_lots
    r.left_lots = order.left_lots
    r.tag = order.tag
    n = ask(loop, streams[k], requests[k], REQ_AMEND, s, a.order, order)
    requests[k][n].px_ticks = a.px_ticks
    requests[k][n].qty_lots = change
    sent(streams[k], requests[k], n)


@kernel
def act(loop, gate, streams, requests, views, sleeves, instruments, features, records, s):
    """Do what a strategy asked for, in its order."""
    view = views[s]
    for j in range(min(view.n_actions, view.actions.shape[0])):
        a = view.actions[j]
        if a.kind == ACT_NEW:
            act_new(
                loop, gate, streams, requests, views, sleeves, instruments, features, records, s, a
            )
        elif a.kind == ACT_CANCEL:
            if 0 <= a.order < MAX_ORDERS:
                act_cancel(loop, streams, requests, views, sleeves, records, s, a.order)
            else:
                deny(loop, gate, records, sleeves[s], a, DENY_BAD_ACTION)
        elif a.kind == ACT_AMEND:
            act_amend(
                loop, gate, streams, requests, views, sleeves, instruments, features, records, s, a
            )
        elif a.kind == ACT_CANCEL_ALL:
            for slot in range(MAX_ORDERS):
                act_cancel(loop, streams, requests, views, sleeves, records, s, slot)
        else:
            deny(loop, gate, records, sleeves[s], a, DENY_BAD_ACTION)
    view.n_actions = 0


@kernel
def show(loop, view, feature, book, instrument, reason):
    """Bring a view up to date before its strategy is called."""
    view.now_ns = loop.now_ns
    view.reason = reason
    view.n_actions = 0
    view.best_bid_ticks = book.best_bid_ticks
    view.best_ask_ticks = book.best_ask_ticks
    view.best_bid_lots = book_qty(book, 0, book.best_bid_ticks)
    view.best_ask_lots = book_qty(book, 1, book.best_ask_ticks)
    view.mid_ticks = mid_of(book)
    view.microprice_ticks = feature.microprice_ticks
    view.queue_imbalance = feature.queue_imbalance
    view.depth_imbalance = feature.depth_imbalance
    view.ofi = feature.ofi
    view.signed_flow = feature.signed_flow
    view.vol_fast = feature.vol_fast
    view.vol_mid = feature.vol_mid
    view.vol_slow = feature.vol_slow
    view.last_trade_ticks = feature.last_trade_ticks
    view.last_trade_lots = feature.last_trade_lots
    view.last_trade_side = feature.last_trade_side
    view.equity = equity_at(view, instrument, view.mid_ticks)


@kernel
def wake_reason(loop, stream, strategy, sleeve):
    """Return why a sleeve is called now, or -1 when it is not."""
    if stream.ready == 0 or loop.drained != 0:
        return -1
    if strategy.interval_ns > 0:
        return WAKE_TIMER if strategy.next_ns <= loop.now_ns else -1
    if sleeve.filled != 0:
        return WAKE_FILL
    return WAKE_EVENT if stream.touched != 0 else -1


@kernel
def sample(loop, gate, views, sleeves, instruments, features, records):
    """Write one sample of every sleeve, and watch the portfolio's losses."""
    loop.next_sample_ns += loop.sample_ns
    if loop.next_sample_ns <= loop.now_ns:
        loop.next_sample_ns += (
            loop.now_ns - loop.next_sample_ns
        ) // loop.sample_ns * loop.sample_ns + loop.sample_ns
    for s in range(loop.n_sleeves):
        k = sleeves[s].stream
        i = record(loop, records, R_SAMPLE, sleeves[s], loop.now_ns)
        r = records[i]
        r.mid_ticks = features[k].mid_ticks
        r.position_lots = views[s].position_lots
        r.equity = equity_at(views[s], instruments[k], features[k].mid_ticks)
        r.fee = sleeves[s].fees
    return watch_losses(
        gate,
        portfolio_value(gate, views, sleeves, instruments, features, loop.n_sleeves),
        loop.now_ns,
    )


@kernel
def halt(loop, streams, requests, views, sleeves, records, code):
    """A loss limit was passed: say so once and cancel everything."""
    i = record(loop, records, R_HALT, sleeves[0], loop.now_ns)
    records[i].code = code
    for s in range(loop.n_sleeves):
        for slot in range(MAX_ORDERS):
            act_cancel(loop, streams, requests, views, sleeves, records, s, slot)


@kernel
def choose(loop, streams, buffers, messages, strategies):
    """Set loop.turn_ns to the next moment at which our side can act; return 0 or why there is none."""
    arrival = next_arrival(loop, streams, buffers)
    if arrival < 0:
        return NEED_DATA
    if loop.started == 0:
        if arrival == FOREVER:
            return DONE
        loop.started = 1
        loop.now_ns = arrival
        loop.next_sample_ns = arrival
        loop.end_ns = arrival + loop.duration_ns if loop.duration_ns > 0 else FOREVER
        for j in range(loop.n_strategies):
            strategies[j].next_ns = arrival + strategies[j].interval_ns
    turn = messages[0].due_ns if loop.n_messages > 0 else FOREVER
    if arrival == FOREVER:
        loop.drained = 1
        if turn == FOREVER:
            return DONE
    else:
        if loop.event_driven != 0:
            turn = min(turn, arrival)
        turn = min(turn, loop.next_sample_ns)
        for j in range(loop.n_strategies):
            if strategies[j].interval_ns > 0:
                turn = min(turn, strategies[j].next_ns)
    if turn > loop.end_ns or (loop.max_events > 0 and loop.n_events >= loop.max_events):
        return TIME_LIMIT
    if turn > loop.pause_ns:
        return PAUSED
    loop.turn_ns = max(turn, loop.now_ns)
    loop.phase = PHASE_VENUE
    return 0


@kernel
def turn_loop(
    loops,
    gates,
    streams,
    buffers,
    venue_books,
    books,
    features,
    instruments,
    own,
    requests,
    messages,
    markouts,
    views,
    sleeves,
    strategies,
    records,
):
    """Advance until something is needed; return the status that says what (kernels/state.py).

    Called through kernels/entry.py, which hands over arrays that carry no reference count.
    """
    loop = loops[0]
    gate = gates[0]
    room = records.shape[0] - RECORD_MARGIN
    while True:
        if loop.n_records > room:
            return FLUSH
        if loop.phase == PHASE_CHOOSE:
            if gate.kill != 0 and loop.killed == 0 and loop.started != 0:
                loop.killed = 1
                halt(loop, streams, requests, views, sleeves, records, DENY_KILL)
            status = choose(loop, streams, buffers, messages, strategies)
            if loop.phase == PHASE_CHOOSE:
                if status == NEED_DATA:
                    catch_up(
                        loop,
                        loop.stream,
                        streams,
                        buffers,
                        venue_books,
                        own,
                        requests,
                        messages,
                        markouts,
                        sleeves,
                        records,
                    )
                elif (
                    loop.finished == 0
                    and (status == DONE or status == TIME_LIMIT)
                    and loop.started != 0
                ):
                    loop.finished = 1
                    sample(loop, gate, views, sleeves, instruments, features, records)
                return status
        if loop.phase == PHASE_VENUE:
            status = venue_advance(
                loop,
                streams,
                buffers,
                venue_books,
                own,
                requests,
                messages,
                markouts,
                sleeves,
                records,
            )
            if status != 0:
                return status
            loop.phase = PHASE_ARRIVE
        if loop.phase == PHASE_ARRIVE:
            for k in range(loop.n_streams):
                status = arrive_run(
                    loop, k, streams, buffers, books, features, instruments, views, sleeves, records
                )
                if status == NEED_DATA:
                    status = catch_up(
                        loop,
                        k,
                        streams,
                        buffers,
                        venue_books,
                        own,
                        requests,
                        messages,
                        markouts,
                        sleeves,
                        records,
                    )
                    return NEED_DATA if status == 0 else status
                if status != 0:
                    return status
            loop.now_ns = loop.turn_ns
            loop.phase = PHASE_ANSWER
        if loop.phase == PHASE_ANSWER:
            while loop.n_messages > 0 and messages[0].due_ns <= loop.now_ns:
                if loop.n_records > room:
                    return FLUSH
                deliver(loop, gate, views, sleeves, instruments, records, messages[0])
                loop.n_messages = heap_drop(messages, loop.n_messages)
            if loop.next_sample_ns <= loop.now_ns and loop.drained == 0:
                code = sample(loop, gate, views, sleeves, instruments, features, records)
                if code != 0:
                    halt(loop, streams, requests, views, sleeves, records, code)
            loop.phase = PHASE_WAKE
            loop.wake_sleeve = 0
            loop.answered = 0
        while loop.wake_sleeve < loop.n_sleeves:
            s = loop.wake_sleeve
            sleeve = sleeves[s]
            k = sleeve.stream
            if loop.answered == 0:
                reason = wake_reason(loop, streams[k], strategies[sleeve.strategy], sleeve)
                if reason < 0:
                    loop.wake_sleeve += 1
                    continue
                if loop.n_records > room:
                    return FLUSH
                show(loop, views[s], features[k], books[k], instruments[k], reason)
                strategies[sleeve.strategy].calls += 1
                loop.sleeve = s
                if strategies[sleeve.strategy].python != 0:
                    loop.answered = 1
                    return CALL_PYTHON
                code = call_strategy(strategies[sleeve.strategy].address, views[s])
                if code < 0:
                    loop.error = code
                    return STRATEGY_FAILED
            loop.answered = 0
            if views[s].n_actions > 0:
                act(
                    loop, gate, streams, requests, views, sleeves, instruments, features, records, s
                )
            loop.wake_sleeve += 1
        for j in range(loop.n_strategies):
            strategy = strategies[j]
            if strategy.interval_ns > 0 and strategy.next_ns <= loop.now_ns:
                strategy.next_ns += strategy.interval_ns
                if strategy.next_ns <= loop.now_ns:
                    strategy.next_ns += (
                        (loop.now_ns - strategy.next_ns) // strategy.interval_ns + 1
                    ) * strategy.interval_ns
        for k in range(loop.n_streams):
            streams[k].touched = 0
        for s in range(loop.n_sleeves):
            sleeves[s].filled = 0
        loop.phase = PHASE_CHOOSE
