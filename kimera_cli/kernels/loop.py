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

import numpy as np

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.arrive import (
    arrival_of,
    arrive_run,
    arrived,
    due_streams,
    is_special,
    next_arrival,
)
from kimera_cli.kernels.audit import RECORD_MARGIN, record, sample
from kimera_cli.kernels.bits import cttz
from kimera_cli.kernels.call import call_strategy
from kimera_cli.kernels.decide import act, halt
from kimera_cli.kernels.deliver import deliver
from kimera_cli.kernels.follow import follow
from kimera_cli.kernels.gate import DENY_KILL, DENY_OVERLOAD
from kimera_cli.kernels.group import group_news, group_reason, show_group
from kimera_cli.kernels.heap import heap_drop
from kimera_cli.kernels.ledger import equity_at
from kimera_cli.kernels.stages import (
    BOOK_TO_DECISION,
    DECISION_TO_GATE,
    EVENT_TO_BOOK,
    stage_drop,
    stage_mark,
    stage_start,
    stage_total,
)
from kimera_cli.kernels.state import (
    CALL_PYTHON,
    DONE,
    EXECUTOR_VENUE,
    FLUSH,
    FOREVER,
    NEED_DATA,
    PAUSED,
    PHASE_ANSWER,
    PHASE_ARRIVE,
    PHASE_CHOOSE,
    PHASE_VENUE,
    PHASE_WAKE,
    SEND,
    STRATEGY_FAILED,
    TIME_LIMIT,
)
from kimera_cli.layouts import R_BREAKER, WAKE_EVENT, WAKE_FILL, WAKE_TIMER

_ONE = np.uint64(1)
FINE = 4096
"""So many events before the last that a run asked for, the clock goes from arrival to arrival."""


@inner
def is_active(stream):
    """Return True while the venue's side of a stream can produce something that we would learn."""
    return stream.n_own > 0 or stream.n_requests > 0 or stream.n_markouts > 0


@inner
def mark_busy(loop, k, stream):
    """Note whether something of ours is at the venue of stream k."""
    bit = _ONE << np.uint64(k)
    if is_active(stream):
        loop.busy |= bit
    else:
        loop.busy &= ~bit


@inner
def look_over(loop, streams, buffers):
    """Look at every stream: what of ours is there, and when it brings something next.

    Only when the kernel is entered, because in between other things may have been done to streams.
    In a turn only those are looked at that have something: with many instruments few of them do.
    """
    for k in range(loop.n_streams):
        mark_busy(loop, k, streams[k])
        loop.next_at[k] = arrival_of(loop, streams[k], buffers[k])
    loop.due = due_streams(loop)


@inner
def venue_next(loop, stream, buffer, requests):
    """Return the time of the next thing at the venue; FOREVER when there is none in reach.

    On a live feed more events of the last stamp may come: a request waits until it is over.
    """
    due = FOREVER
    if stream.head_exch < stream.n:
        due = buffer[stream.head_exch].ts_exch_ns
    if stream.n_requests > 0:
        due = min(due, requests[0].due_ns + loop.live)
    return due


@inner
def known_ns(loop, stream):
    """Return up to which venue time all that happened is known here.

    Of a recording, everything. Of a live feed, what its last message tells of; and, when it is
    silent, what happened `hold_ns` ago.
    """
    if loop.live == 0:
        return loop.turn_ns
    return min(loop.turn_ns, max(stream.feed_exch_ns, loop.turn_ns - loop.hold_ns))


@inner
def next_active(loop, streams, buffers, requests):
    """Return which active stream's venue side comes next, and until when it comes before others.

    (-1, bound): none has anything up to loop.turn_ns. (-2, 0): loop.stream needs data to tell.
    """
    bound = loop.turn_ns
    first = -1
    second = -1
    t_first = FOREVER
    t_second = FOREVER
    busy = loop.busy
    while busy != 0:
        k = np.int64(cttz(busy))
        busy &= busy - _ONE
        stream = streams[k]
        if stream.head_exch >= stream.n and stream.eof == 0 and loop.live == 0:
            loop.stream = k
            return -2, 0
        t = venue_next(loop, stream, buffers[k], requests[k])
        if t > known_ns(loop, stream):
            continue
        if t < t_first:
            second = first
            t_second = t_first
            first = k
            t_first = t
        elif t < t_second:
            second = k
            t_second = t
    if first < 0:
        return -1, bound
    bound = known_ns(loop, streams[first])
    if second >= 0:
        bound = min(bound, t_second if first < second else t_second - 1)
    return first, bound


@inner
def next_quiet(loop, streams, buffers):
    """Return a stream in which nothing of ours is at the venue and that lags what has arrived, and
    how far that is; (-1, 0) when there is none.
    """
    lagging = loop.due & ~loop.busy
    while lagging != 0:
        k = np.int64(cttz(lagging))
        lagging &= lagging - _ONE
        end = arrived(loop, streams[k], buffers[k])
        if end > streams[k].head_exch:
            return k, end
    return -1, 0


@part
def advance_all(
    loop,
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
):
    """Bring the venue's side of all streams to loop.turn_ns: active ones first, in time order.

    An answer that arrives before the turn moves the turn forward to its arrival; on a live feed,
    where it is learnt only now, it is overdue. Streams in which nothing of ours is follow what
    arrives here; no other stream can tell the difference.
    """
    while True:
        if loop.n_messages > 0 and messages[0].due_ns < loop.turn_ns and loop.live == 0:
            loop.turn_ns = messages[0].due_ns
        k, bound = next_active(loop, streams, buffers, requests)
        if k == -2:
            return NEED_DATA
        active = k >= 0
        if active:
            stop = streams[k].n
        else:
            k, stop = next_quiet(loop, streams, buffers)
            bound = FOREVER
            if k < 0:
                return 0
        status = follow(
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
            active or is_special(streams[k]),
        )
        mark_busy(loop, k, streams[k])
        if status != 0 and (active or status != NEED_DATA):
            return status


@inner
def show(loop, view, feature, instrument, reason):
    """Bring a view up to date before its strategy is called."""
    view.now_ns = loop.now_ns
    view.reason = reason
    view.n_actions = 0
    view.best_bid_ticks = feature.best_bid_ticks
    view.best_bid_lots = feature.best_bid_lots
    view.best_ask_ticks = feature.best_ask_ticks
    view.best_ask_lots = feature.best_ask_lots
    view.mid_ticks = feature.mid_ticks
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
def wake_reason(loop, streams, stream, strategy, sleeves, sleeve):
    """Return why a sleeve is called now, or -1 when it is not."""
    if stream.ready == 0 or loop.drained != 0 or loop.closing != 0:
        return -1
    if strategy.interval_ns > 0:
        return WAKE_TIMER if strategy.next_ns <= loop.now_ns else -1
    if sleeve.filled != 0:
        return WAKE_FILL
    if stream.touched != 0:
        return WAKE_EVENT
    return group_reason(loop, streams, sleeves, sleeve) if strategy.grouped != 0 else -1


@inner
def next_sleeve(loop, strategies, s):
    """Return the first sleeve from s on that may have to be called; n_sleeves when there is none.

    Sleeves stand by strategy, then by stream. A strategy by timer is called for all streams when
    its time has come, another one where something came in this turn.
    """
    n = loop.n_streams
    while s < loop.n_sleeves:
        j = s // n
        if strategies[j].interval_ns > 0:
            if strategies[j].next_ns <= loop.now_ns:
                return s
        else:
            left = loop.news >> np.uint64(s - j * n)
            if left != 0:
                return s + np.int64(cttz(left))
        s = (j + 1) * n
    return s


@inner
def next_request(loop, streams, requests):
    """Return when the next request can be answered: as much later as the venue is known here."""
    due = FOREVER
    for k in range(loop.n_streams):
        if streams[k].n_requests > 0:
            due = min(due, requests[k][0].due_ns + loop.hold_ns + 1)
    return due


@inner
def has_requests(loop, streams):
    """Return True when a request waits for the executor outside."""
    for k in range(loop.n_streams):
        if streams[k].n_requests > 0:
            return True
    return False


@inner
def tell_breaker(loop, gate, sleeves, records):
    """Record that the overload breaker has opened or closed."""
    loop.overload = gate.overload
    i = record(loop, records, R_BREAKER, sleeves[0], loop.now_ns)
    records[i].code = DENY_OVERLOAD if gate.overload != 0 else 0
    records[i].qty_lots = gate.queue_age_ns
    records[i].left_lots = gate.queue_limit_ns


@inner
def choose(loop, streams, requests, messages, strategies):
    """Set loop.turn_ns to the next moment at which our side can act; return 0 or why there is
    none.
    """
    arrival = next_arrival(loop)
    if arrival < 0:
        return NEED_DATA
    if loop.started == 0:
        if arrival == FOREVER:
            loop.wake_ns = FOREVER
            return DONE if loop.live == 0 else PAUSED
        loop.started = 1
        loop.now_ns = arrival
        loop.next_sample_ns = arrival
        loop.end_ns = arrival + loop.duration_ns if loop.duration_ns > 0 else FOREVER
        for j in range(loop.n_strategies):
            strategies[j].next_ns = arrival + strategies[j].interval_ns
    turn = messages[0].due_ns if loop.n_messages > 0 else FOREVER
    if arrival == FOREVER and loop.live == 0:
        loop.drained = 1
        if turn == FOREVER:
            return DONE
    else:
        if loop.event_driven != 0 or loop.live != 0 or 0 < loop.max_events - loop.n_events <= FINE:
            turn = min(turn, arrival)
        turn = min(turn, loop.next_sample_ns)
        for j in range(loop.n_strategies):
            if strategies[j].interval_ns > 0:
                turn = min(turn, strategies[j].next_ns)
        if loop.live != 0:
            turn = min(turn, next_request(loop, streams, requests))
            if turn > loop.end_ns > loop.pause_ns:
                loop.wake_ns = loop.end_ns
                return PAUSED
    if turn > loop.end_ns or (loop.max_events > 0 and loop.n_events >= loop.max_events):
        return TIME_LIMIT
    if turn > loop.pause_ns:
        loop.wake_ns = turn
        return PAUSED
    loop.turn_ns = max(turn, loop.now_ns)
    loop.due = due_streams(loop)
    loop.phase = PHASE_VENUE
    return 0


@part
def turn_loop(
    loops,
    gates,
    streams,
    buffers,
    books,
    states,
    wire_ats,
    wires,
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
    stages,
):
    """Advance until something is needed; return the status that says what (kernels/state.py).

    A turn that lets events in is one chain of `stages`; one that waits for events is not measured.
    Called through kernels/entry.py, which hands over arrays that carry no reference count.
    """
    loop = loops[0]
    gate = gates[0]
    stage = stages[0]
    room = records.shape[0] - RECORD_MARGIN
    known = loop.n_events
    look_over(loop, streams, buffers)
    while True:
        if loop.n_records > room:
            return FLUSH
        if loop.phase == PHASE_CHOOSE:
            if loop.executor == EXECUTOR_VENUE and has_requests(loop, streams):
                return SEND
            if gate.kill != 0 and loop.killed == 0 and loop.started != 0:
                loop.killed = 1
                halt(loop, gate, streams, requests, views, sleeves, records, DENY_KILL)
                look_over(loop, streams, buffers)
            if gate.overload != loop.overload:
                tell_breaker(loop, gate, sleeves, records)
            status = choose(loop, streams, requests, messages, strategies)
            if loop.phase == PHASE_CHOOSE:
                if (
                    loop.finished == 0
                    and (status == DONE or status == TIME_LIMIT)
                    and loop.started != 0
                ):
                    loop.finished = 1
                    sample(loop, gate, views, sleeves, streams, instruments, features, records)
                return status
            known = loop.n_events
            stage_start(stage)
        if loop.phase == PHASE_VENUE:
            status = advance_all(
                loop,
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
            )
            if status != 0:
                stage_drop(stage)
                return status
            loop.phase = PHASE_ARRIVE
        if loop.phase == PHASE_ARRIVE:
            loop.now_ns = loop.turn_ns
            due = loop.due
            while due != 0:
                k = np.int64(cttz(due))
                due &= due - _ONE
                if loop.next_at[k] > loop.turn_ns:
                    continue
                loop.news |= _ONE << np.uint64(k)
                status = arrive_run(
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
                )
                if status != 0:
                    stage_drop(stage)
                    loop.phase = PHASE_VENUE
                    return status
            if loop.n_events > known:
                stage_mark(stage, EVENT_TO_BOOK)
            else:
                stage_drop(stage)
            loop.phase = PHASE_ANSWER
        if loop.phase == PHASE_ANSWER:
            while loop.n_messages > 0 and messages[0].due_ns <= loop.now_ns:
                if loop.n_records > room:
                    return FLUSH
                loop.news |= _ONE << np.uint64(sleeves[messages[0].sleeve].stream)
                deliver(loop, gate, views, sleeves, instruments, records, messages[0])
                loop.n_messages = heap_drop(messages, loop.n_messages)
            if loop.next_sample_ns <= loop.now_ns and loop.drained == 0:
                code = sample(loop, gate, views, sleeves, streams, instruments, features, records)
                if code != 0:
                    halt(loop, gate, streams, requests, views, sleeves, records, code)
                    look_over(loop, streams, buffers)
            if loop.grouped != 0:
                loop.news = group_news(loop.news, streams)
            loop.phase = PHASE_WAKE
            loop.wake_sleeve = 0
            loop.answered = 0
        while True:
            if loop.answered == 0:
                loop.wake_sleeve = next_sleeve(loop, strategies, loop.wake_sleeve)
            s = loop.wake_sleeve
            if s >= loop.n_sleeves:
                break
            sleeve = sleeves[s]
            k = sleeve.stream
            if loop.answered == 0:
                strategy = strategies[sleeve.strategy]
                reason = wake_reason(loop, streams, streams[k], strategy, sleeves, sleeve)
                if reason < 0:
                    loop.wake_sleeve += 1
                    continue
                if loop.n_records > room:
                    return FLUSH
                show(loop, views[s], features[k], instruments[k], reason)
                if views[s].group_size > 1:
                    show_group(loop, gate, views[s], streams, instruments, features, views)
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
            stage_mark(stage, BOOK_TO_DECISION)
            if views[s].n_actions > 0:
                act(
                    loop, gate, streams, requests, views, sleeves, instruments, features, records, s
                )
                mark_busy(loop, k, streams[k])
                stage_mark(stage, DECISION_TO_GATE)
                stage_total(stage)
            loop.wake_sleeve += 1
        for j in range(loop.n_strategies):
            strategy = strategies[j]
            if strategy.interval_ns > 0 and strategy.next_ns <= loop.now_ns:
                strategy.next_ns += strategy.interval_ns
                if strategy.next_ns <= loop.now_ns:
                    strategy.next_ns += (
                        (loop.now_ns - strategy.next_ns) // strategy.interval_ns + 1
                    ) * strategy.interval_ns
        news, loop.news = loop.news, np.uint64(0)
        while news != 0:
            k = np.int64(cttz(news))
            news &= news - _ONE
            streams[k].touched = 0
            for s in range(k, loop.n_sleeves, loop.n_streams):
                sleeves[s].filled = 0
        loop.phase = PHASE_CHOOSE
