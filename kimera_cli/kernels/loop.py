"""The loop: one kernel that replays any number of streams through strategies, gate and simulated
venue.

Two clocks run in it. The venue's side applies events and own requests at venue time; our side
learns
events and answers later, by the latency model. The venue's side is never ahead of our clock, so
nothing
can be known, or decided, before its time. The kernel is a state machine over flat records: it
returns when
it needs events, room for records or a Python strategy, and goes on where it stopped, so that its
result
does not depend on how the events were cut.

One turn: find the next moment at which our side could act (an arrival when a strategy listens to
events, a
timer, a sample, an answer); bring the venue up to it (an answer that arrives earlier moves the
moment
forward); let the arrivals in; deliver answers; call strategies; pass their orders through the gate.
"""

from __future__ import annotations

from kimera_cli.kernels._jit import inner, kernel, part
from kimera_cli.kernels.answers import mid_of
from kimera_cli.kernels.arrive import arrive_run, next_arrival
from kimera_cli.kernels.audit import RECORD_MARGIN, emit_markouts, sample
from kimera_cli.kernels.book import book_qty
from kimera_cli.kernels.call import call_strategy
from kimera_cli.kernels.decide import act, halt
from kimera_cli.kernels.deliver import deliver
from kimera_cli.kernels.gate import DENY_KILL
from kimera_cli.kernels.heap import heap_drop
from kimera_cli.kernels.ledger import equity_at
from kimera_cli.kernels.state import (
    BOOK_OVERFLOW,
    CALL_PYTHON,
    DONE,
    FLUSH,
    FOREVER,
    HEAP_FULL,
    NEED_DATA,
    PAUSED,
    PHASE_ANSWER,
    PHASE_ARRIVE,
    PHASE_CHOOSE,
    PHASE_VENUE,
    PHASE_WAKE,
    STRATEGY_FAILED,
    TIME_LIMIT,
)
from kimera_cli.kernels.venue import venue_event, venue_request
from kimera_cli.layouts import WAKE_EVENT, WAKE_FILL, WAKE_TIMER


@inner
def is_active(stream):
    """Return True while the venue's side of a stream can produce something that we would learn."""
    return stream.n_own > 0 or stream.n_requests > 0 or stream.n_markouts > 0


@inner
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
    """Process the venue's side of stream k up to `bound`, or until it has news, data or room runs
    out.

    Returns 0 when the bound is reached or there is news; NEED_DATA, FLUSH, BOOK_OVERFLOW or
    HEAP_FULL otherwise.
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
            if ts > stream.markout_due_ns:
                emit_markouts(loop, stream, book, pending, sleeves, records, ts - 1)
                if ts > stream.markout_due_ns:
                    stream.head_exch = i
                    return FLUSH
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


@part
def venue_advance(
    loop, streams, buffers, books, own, requests, messages, markouts, sleeves, records
):
    """Bring the venue's side of all active streams to loop.turn_ns, in time order.

    An answer that arrives before the turn moves the turn forward to its arrival. Streams in which
    we have
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


@part
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


@inner
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


@inner
def wake_reason(loop, stream, strategy, sleeve):
    """Return why a sleeve is called now, or -1 when it is not."""
    if stream.ready == 0 or loop.drained != 0:
        return -1
    if strategy.interval_ns > 0:
        return WAKE_TIMER if strategy.next_ns <= loop.now_ns else -1
    if sleeve.filled != 0:
        return WAKE_FILL
    return WAKE_EVENT if stream.touched != 0 else -1


@inner
def choose(loop, streams, buffers, messages, strategies):
    """Set loop.turn_ns to the next moment at which our side can act; return 0 or why there is
    none.
    """
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


@part
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
            loop.now_ns = loop.turn_ns
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
