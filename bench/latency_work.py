"""What `kimera bench latency` times: the loop's own kernels on one message after another.

A message is its events up to F_LAST. It is taken up when it is due (open loop: the schedule does
not wait for us), goes through book and features, the strategy by its address, and the gate into the
order table, an audit record and a request. Then the clock is read. What follows is not timed: the
order is taken out again, as if the venue had cancelled it, so that the next one finds room.
"""

from __future__ import annotations

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.audit import RECORD_MARGIN
from kimera_cli.kernels.book import BOOK, book_clear, book_set
from kimera_cli.kernels.call import call_strategy
from kimera_cli.kernels.decide import act
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.kernels.histogram import HISTOGRAM, histogram_add
from kimera_cli.kernels.loop import show
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.stages import (
    BOOK_TO_DECISION,
    DECISION_TO_GATE,
    EVENT_TO_BOOK,
    STAGES,
    stage_end,
    stage_mark,
    stage_start,
    stage_start_at,
)
from kimera_cli.kernels.state import GATE, LOOP, REQUEST, REQUEST_CAP, SLEEVE, STRATEGY, STREAM
from kimera_cli.kernels.tsc import CLOCK, ns_between, ticks, ticks_after
from kimera_cli.layouts import (
    CLEAR,
    DEPTH,
    EVENT,
    F_LAST,
    FEATURES,
    INSTRUMENT,
    MAX_ORDERS,
    ORDER_NONE,
    RECORD,
    TRADE,
    VIEW,
    WAKE_EVENT,
)

PLACES = (
    "loop",
    "gate",
    "streams",
    "books",
    "features",
    "instruments",
    "requests",
    "views",
    "sleeves",
    "strategies",
    "records",
    "events",
    "clock",
    "stages",
    "response",
    "service",
)
"""What the addresses handed to `run_messages` are of, in their order."""


@kernel(_nrt=False)
def take_up(book, feature, events, i):
    """Apply one message from event i on, as arrive_run does; return the index after it."""
    while True:
        e = events[i]
        i += 1
        kind = e.kind
        if kind == DEPTH:
            book_set(book, e.side, e.px_ticks, e.qty_lots)
        elif kind == TRADE:
            features_trade(feature, e.side, e.px_ticks, e.qty_lots, e.ts_local_ns)
        elif kind == CLEAR:
            book_clear(book, e.side)
        if (e["flags"] & F_LAST) != 0:
            features_book(feature, book, e.ts_local_ns)
            return i


@kernel(_nrt=False)
def take_out(gate, stream, view):
    """Forget the orders and requests of this message."""
    for slot in range(MAX_ORDERS):
        if view.n_orders == 0:
            break
        if view.orders[slot].state != ORDER_NONE:
            view.orders[slot].state = ORDER_NONE
            view.n_orders -= 1
    view.open_bid_lots = 0
    view.open_ask_lots = 0
    gate.open_orders = 0
    gate.tokens = gate.token_burst
    stream.n_requests = 0


@kernel(_nrt=False)
def run_messages(a, n_records, begin, end, gap_ticks, measured):
    """Run events[begin:end]; return how many messages began after their time.

    a: addresses of PLACES. gap_ticks: clock ticks between the times at which messages are due; 0:
    each is due when the last one is done (closed loop), and nothing is waited for. measured: 0
    leaves the histograms alone.
    """
    loop = array_at(a[0], 1, LOOP)[0]
    gate = array_at(a[1], 1, GATE)[0]
    streams = array_at(a[2], 1, STREAM)
    book = array_at(a[3], 1, BOOK)[0]
    features = array_at(a[4], 1, FEATURES)
    instruments = array_at(a[5], 1, INSTRUMENT)
    requests = array_at(a[6], REQUEST_CAP, REQUEST).reshape((1, REQUEST_CAP))
    views = array_at(a[7], 1, VIEW)
    sleeves = array_at(a[8], 1, SLEEVE)
    strategy = array_at(a[9], 1, STRATEGY)[0].address
    records = array_at(a[10], n_records, RECORD)
    events = array_at(a[11], end, EVENT)
    clock = array_at(a[12], 1, CLOCK)[0]
    stages = array_at(a[13], 1, STAGES)[0]
    response = array_at(a[14], 1, HISTOGRAM)[0]
    service = array_at(a[15], 1, HISTOGRAM)[0]
    late = 0
    i = begin
    due = ticks(clock) + gap_ticks
    while i < end:
        began = due
        if gap_ticks > 0:
            began = ticks(clock)
            if began > due:
                late += 1
            while began < due:
                began = ticks(clock)
            stage_start_at(stages, began)
        else:
            stage_start(stages)
        i = take_up(book, features[0], events, i)
        loop.now_ns = events[i - 1].ts_local_ns
        streams[0].ts_local_ns = loop.now_ns
        stage_mark(stages, EVENT_TO_BOOK)
        show(loop, views[0], features[0], instruments[0], WAKE_EVENT)
        call_strategy(strategy, views[0])
        stage_mark(stages, BOOK_TO_DECISION)
        if views[0].n_actions > 0:
            act(loop, gate, streams, requests, views, sleeves, instruments, features, records, 0)
            stage_mark(stages, DECISION_TO_GATE)
            stage_end(stages)
        if measured != 0:
            done = ticks_after(clock)
            histogram_add(response, ns_between(clock, due, done))
            histogram_add(service, ns_between(clock, began, done))
        take_out(gate, streams[0], views[0])
        if loop.n_records > n_records - RECORD_MARGIN:
            loop.n_records = 0
        due += gap_ticks
    return late


@kernel(_nrt=False)
def run_stamps(a, n, gap_ticks):
    """Do what `run_messages` does around a message, and no message: the cost of measuring."""
    clock = array_at(a[12], 1, CLOCK)[0]
    response = array_at(a[14], 1, HISTOGRAM)[0]
    service = array_at(a[15], 1, HISTOGRAM)[0]
    due = ticks(clock) + gap_ticks
    for _ in range(n):
        began = ticks(clock)
        while began < due:
            began = ticks(clock)
        done = ticks_after(clock)
        histogram_add(response, ns_between(clock, due, done))
        histogram_add(service, ns_between(clock, began, done))
        due += gap_ticks
