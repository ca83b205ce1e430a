"""From an event to an order slot, as one kernel: bench/tick.py times it beside limit/loop.cpp.

An event changes the book; the last one of a message brings the features up, the table is asked for
the state, and an action passes the gate into a slot of 64 bytes. An accepted order counts as filled
at once (outside of the timing), so that positions move and the limits come into play.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import book_clear, book_set
from kimera_cli.kernels.borrow import borrowed
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.kernels.gate import check_new
from kimera_cli.kernels.ledger import book_fill
from kimera_cli.kernels.table import OK, table_look, table_use
from kimera_cli.kernels.tsc import ticks
from kimera_cli.layouts import ASK, BID, BUY, CLEAR, DEPTH, F_LAST, HOLD, LIMIT, TRADE

SLOT = np.dtype(
    [
        ("seq", "i8"),
        ("ts_ns", "i8"),
        ("side", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("cell", "i8"),
        ("sleeve", "i8"),
        ("event", "i8"),
    ]
)
"""An order on its way out: 64 bytes."""
SLOTS = 4_096

WORK = np.dtype(
    [
        ("messages", "i8"),
        ("asked", "i8"),  # decisions that went to the gate
        ("orders", "i8"),
        ("qty_lots", "i8"),  # of every order
        ("hash", "u8"),  # over all that was decided
    ]
)

NOTHING = 0
DENIED = 1
ORDERED = 2

_MIX = np.uint64(0x9E3779B97F4A7C15)


@kernel(forceinline=True)
def tick(
    work, book, gate, reader, views, sleeves, streams, instruments, features, slots, event, at
):
    """Take in one event; return NOTHING, or DENIED or ORDERED where the table wanted an order."""
    f = features[0]
    ts_ns = event.ts_local_ns
    if event.kind == DEPTH:
        book_set(book, event.side, event.px_ticks, event.qty_lots)
    elif event.kind == CLEAR:
        book_clear(book, event.side)
    elif event.kind == TRADE:
        features_trade(f, event.side, event.px_ticks, event.qty_lots, ts_ns)
    if event["flags"] & F_LAST == 0:
        return NOTHING
    features_book(f, book, ts_ns)
    streams[0].ts_local_ns = ts_ns
    work.messages += 1
    if table_look(reader, f, ts_ns) != OK:
        return NOTHING
    use = table_use(reader)
    if use.entry.action == HOLD:
        return NOTHING
    side = np.int64(BID) if use.entry.action == BUY else np.int64(ASK)
    px = f.best_bid_ticks if side == BID else f.best_ask_ticks
    s = work.asked % views.shape[0]
    work.asked += 1
    code = check_new(
        gate, views, sleeves, streams, instruments, features, views.shape[0], s, side, LIMIT, px,
        work.qty_lots, ts_ns,
    )  # fmt: skip
    work.hash = (work.hash ^ np.uint64(code * 4 + side) ^ np.uint64(px)) * _MIX
    if code != 0:
        return DENIED
    slot = slots[np.uint64(work.orders) & np.uint64(SLOTS - 1)]
    slot.seq = work.orders
    slot.ts_ns = ts_ns
    slot.side = side
    slot.px_ticks = px
    slot.qty_lots = work.qty_lots
    slot.cell = use.cell
    slot.sleeve = s
    slot.event = at
    work.orders += 1
    return ORDERED


@kernel(forceinline=True)
def settle(work, views, sleeves, instruments, slots):
    """Book the last order as filled at its price."""
    slot = slots[np.uint64(work.orders - 1) & np.uint64(SLOTS - 1)]
    s = np.uint64(slot.sleeve)
    book_fill(views[s], sleeves[s], instruments[0], slot.side, slot.px_ticks, slot.qty_lots, 1)


@kernel
def tick_all(
    work, book, gate, reader, views, sleeves, streams, instruments, features, slots, events
):
    """Take in every event."""
    views, sleeves, streams = borrowed(views), borrowed(sleeves), borrowed(streams)
    instruments, features, slots = borrowed(instruments), borrowed(features), borrowed(slots)
    for i in range(events.shape[0]):
        made = tick(
            work, book, gate, reader, views, sleeves, streams, instruments, features, slots,
            events[i], i,
        )  # fmt: skip
        if made == ORDERED:
            settle(work, views, sleeves, instruments, slots)


@kernel
def tick_timed(
    work, book, gate, reader, views, sleeves, streams, instruments, features, slots, events,
    clock, took,
):  # fmt: skip
    """Take in every event, and write what each whole chain took (clock ticks) to `took`.

    A chain is whole when the gate was asked. Returns how many there were.
    """
    views, sleeves, streams = borrowed(views), borrowed(sleeves), borrowed(streams)
    instruments, features, slots = borrowed(instruments), borrowed(features), borrowed(slots)
    n = 0
    for i in range(events.shape[0]):
        before = ticks(clock)
        made = tick(
            work, book, gate, reader, views, sleeves, streams, instruments, features, slots,
            events[i], i,
        )  # fmt: skip
        after = ticks(clock)
        if made != NOTHING:
            took[n] = after - before
            n += 1
        if made == ORDERED:
            settle(work, views, sleeves, instruments, slots)
    return n
