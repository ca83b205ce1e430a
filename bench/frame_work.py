"""A frame's bytes to signed order bytes in one call, and the two calls that time it.

`frame_to_order` is what a listener's callback calls once the bytes lie in the buffer: parse kernel,
book and features, the strategy by its address, gate with order table, audit record and request, and
the request's bytes. The timer stands around the whole callback: `wait_until_due` before,
`note_done` behind it, so that the way from Python into the kernel and back is part of the figure.
"""

from __future__ import annotations

import numpy as np
from numba import types

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.audit import RECORD_MARGIN
from kimera_cli.kernels.book import BOOK
from kimera_cli.kernels.call import call_strategy
from kimera_cli.kernels.decide import act
from kimera_cli.kernels.direct import direct
from kimera_cli.kernels.histogram import HISTOGRAM, histogram_add
from kimera_cli.kernels.hmac_sha import KEY
from kimera_cli.kernels.loop import show
from kimera_cli.kernels.order_bytes import ORDER, PROGRAM, PROGRAMS, build_order, program_of
from kimera_cli.kernels.parse import read_frame
from kimera_cli.kernels.parse_layout import FEED
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.stages import (
    BOOK_TO_DECISION,
    DECISION_TO_GATE,
    EVENT_TO_BOOK,
    GATE_TO_BYTES,
    STAGES,
    WIRE_TO_EVENT,
    stage_drop,
    stage_end,
    stage_mark,
    stage_start_at,
)
from kimera_cli.kernels.state import GATE, LOOP, REQUEST, REQUEST_CAP, SLEEVE, STRATEGY, STREAM
from kimera_cli.kernels.text import put_number
from kimera_cli.kernels.tsc import CLOCK, ns_between, ticks, ticks_after
from kimera_cli.layouts import EVENT, FEATURES, INSTRUMENT, RECORD, VIEW, WAKE_EVENT

from .latency_work import take_out, take_up

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
    "stages",
    "timer",
    "feed",
    "frame",
    "parsed",
    "programs",
    "key",
    "order",
)
"""What the addresses handed to `frame_to_order` are of, in their order; behind them three lengths:
of records, frame and parsed."""

TIMER = np.dtype(
    [
        ("clock", "i8"),  # addresses of a CLOCK, and of HISTOGRAM[SERIES, 2]: response, service
        ("histograms", "i8"),
        ("gap", "i8"),  # ticks between two frames; 0: each is due when it is taken up
        ("due", "i8"),
        ("began", "i8"),  # when the callback was called
        ("late", "i8"),  # frames that were due before the one before them was done
    ],
    align=True,
)

_ONE = types.int64(types.int64)
_TWO = types.int64(types.int64, types.int64)
_THREE = types.int64(types.int64, types.int64, types.int64)

SERIES = 2
"""Kinds of frames that are counted apart."""
LETTER = ord("k")
NO_ORDER = -1
"""A frame after which nothing was to be sent."""


@kernel(_ONE, nogil=False, _nrt=False)
def _wait_until_due(address):
    """Wait for the next frame's time and stamp the call of its callback."""
    timer = array_at(address, 1, TIMER)[0]
    clock = array_at(timer.clock, 1, CLOCK)[0]
    began = ticks(clock)
    if timer.gap == 0 or timer.due == 0:
        timer.due = began
    timer.late += np.int64(began > timer.due)
    while began < timer.due:
        began = ticks(clock)
    timer.began = began
    return np.int64(0)


@kernel(_TWO, nogil=False, _nrt=False)
def _note_done(address, series):
    """Stamp the end of the callback; count it in a series (-1: in none) from its due time and from
    its call.
    """
    timer = array_at(address, 1, TIMER)[0]
    clock = array_at(timer.clock, 1, CLOCK)[0]
    done = ticks_after(clock)
    if series >= 0:
        histograms = array_at(timer.histograms, 2 * SERIES, HISTOGRAM)
        histogram_add(histograms[2 * series], ns_between(clock, timer.due, done))
        histogram_add(histograms[2 * series + 1], ns_between(clock, timer.began, done))
    timer.due += timer.gap
    return np.int64(0)


@kernel(_nrt=False)
def write_order(request, programs, key, order, ts_ns):
    """Write one new order into `order`, signed; return its length or why not (order_bytes)."""
    order.px_ticks = request.px_ticks
    order.qty_lots = request.qty_lots
    order.ts_ns = ts_ns
    order.request_id = request.id
    order.client_id[0] = LETTER
    order.client_id_len = put_number(order.client_id, 1, request.id)
    return build_order(programs[program_of(request.side, request.type, request.tif)], key, order)


@kernel(_THREE, nogil=False, _nrt=False)
def _frame_to_order(address, n, ts_local_ns):
    """Take the frame of n bytes in the buffer; return the order's length, NO_ORDER, or -reason.

    address: of the table of PLACES. A reason below NO_ORDER is the parse kernel's.
    """
    a = array_at(address, len(PLACES) + 3, np.int64)
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
    records = array_at(a[10], a[19], RECORD)
    stages = array_at(a[11], 1, STAGES)[0]
    timer = array_at(a[12], 1, TIMER)[0]
    feed = array_at(a[13], 1, FEED)[0]
    frame = array_at(a[14], a[20], np.uint8)
    parsed = array_at(a[15], a[21], EVENT)
    programs = array_at(a[16], PROGRAMS, PROGRAM)
    key = array_at(a[17], 1, KEY)[0]
    order = array_at(a[18], 1, ORDER)[0]
    stage_start_at(stages, timer.began)
    count = read_frame(feed, frame, n, ts_local_ns, parsed)
    if count < 0:
        stage_drop(stages)
        return count + NO_ORDER
    stage_mark(stages, WIRE_TO_EVENT)
    i = np.int64(0)
    while i < count:
        i = take_up(book, features[0], parsed, i)
    loop.now_ns = ts_local_ns
    streams[0].ts_local_ns = ts_local_ns
    stage_mark(stages, EVENT_TO_BOOK)
    show(loop, views[0], features[0], instruments[0], WAKE_EVENT)
    call_strategy(strategy, views[0])
    stage_mark(stages, BOOK_TO_DECISION)
    length = np.int64(NO_ORDER)
    if views[0].n_actions > 0:
        act(loop, gate, streams, requests, views, sleeves, instruments, features, records, 0)
        stage_mark(stages, DECISION_TO_GATE)
        for k in range(streams[0].n_requests):
            length = write_order(requests[0, k], programs, key, order, ts_local_ns)
            stage_mark(stages, GATE_TO_BYTES)
        stage_end(stages)
    else:
        stage_drop(stages)
    return length


@kernel(_ONE, nogil=False, _nrt=False)
def _forget_orders(address):
    """Take the frame's orders out again, as if the venue had cancelled them."""
    a = array_at(address, len(PLACES) + 3, np.int64)
    loop = array_at(a[0], 1, LOOP)[0]
    gate = array_at(a[1], 1, GATE)[0]
    streams = array_at(a[2], 1, STREAM)
    views = array_at(a[7], 1, VIEW)
    take_out(gate, streams[0], views[0])
    if loop.n_records > a[19] - RECORD_MARGIN:
        loop.n_records = 0
    return np.int64(0)


wait_until_due = direct(_wait_until_due, _ONE)
note_done = direct(_note_done, _TWO)
frame_to_order = direct(_frame_to_order, _THREE)
forget_orders = direct(_forget_orders, _ONE)
