"""Our side of the wire, inwards: the venue's answers reach our order table and ledger."""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.audit import record
from kimera_cli.kernels.ledger import book_fill, book_fill_at, book_kept
from kimera_cli.kernels.state import FILL_RING
from kimera_cli.layouts import (
    BID,
    ORDER_AMENDING,
    ORDER_NONE,
    ORDER_OPEN,
    ORDER_PENDING,
    R_ACCEPTED,
    R_AMENDED,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_FILL,
    R_REJECTED,
)


@inner
def add_open(view, order, lots):
    """Change the open size of an own order's side."""
    if order.side == BID:
        view.open_bid_lots += lots
    else:
        view.open_ask_lots += lots


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


@inner
def answer_amended(view, order, m):
    """Our order now stands as the venue says."""
    add_open(view, order, m.left_lots - order.left_lots - order.reserved)
    order.left_lots = m.left_lots
    order.px_ticks = m.px_ticks
    order.reserved = 0
    if order.state == ORDER_AMENDING:
        order.state = ORDER_OPEN


@inner
def answer_fill(loop, gate, view, sleeve, instrument, order, known, m, r):
    """Book one execution of ours."""
    if math.isnan(m.fee):
        r.fee = book_fill(view, sleeve, instrument, m.side, m.px_ticks, m.qty_lots, m.maker)
    else:
        r.fee = m.fee
        book_fill_at(view, sleeve, instrument, m.side, m.px_ticks, m.qty_lots, m.fee)
        book_kept(view, instrument, m.px_ticks, m.code)
    r.type = m.maker
    r.code = m.fill_id
    loop.fill_seq[m.fill_id & (FILL_RING - 1)] = r.seq
    loop.n_maker += m.maker
    sleeve.filled = 1
    if known:
        order.left_lots -= m.qty_lots
        add_open(view, order, -m.qty_lots)
        if m.left_lots == 0:
            free_order(gate, view, order)


@inner
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
        if order.state == ORDER_AMENDING:
            order.state = ORDER_OPEN
    r.position_lots = view.position_lots
