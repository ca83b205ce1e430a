"""Our side of the wire, outwards: what strategies ask for passes the gate and becomes requests."""

from __future__ import annotations

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.audit import deny, record
from kimera_cli.kernels.deliver import add_open
from kimera_cli.kernels.gate import (
    DENY_BAD_ACTION,
    DENY_RATE,
    DENY_SELF_TRADE,
    DENY_TABLE_FULL,
    cancel_units,
    check_new,
    count_units,
    take_unit,
    valid_action,
)
from kimera_cli.kernels.heap import heap_up
from kimera_cli.kernels.latency import draw_latency
from kimera_cli.kernels.state import REQ_AMEND, REQ_CANCEL, REQ_NEW
from kimera_cli.layouts import (
    ACT_AMEND,
    ACT_CANCEL,
    ACT_CANCEL_ALL,
    ACT_NEW,
    BID,
    LIMIT,
    MAX_ORDERS,
    ORDER_AMENDING,
    ORDER_CANCELLING,
    ORDER_NONE,
    ORDER_OPEN,
    ORDER_PENDING,
    R_AMEND_INTENT,
    R_CANCEL_INTENT,
    R_HALT,
    R_INTENT,
)

WITHIN = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
"""The way of every order stands in its caller's machine code (with audit.record): measured, a third
less time from decision to gate, for one second more of compiling."""


@kernel(**WITHIN)
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


@kernel(**WITHIN)
def sent(stream, requests, n):
    """Put the request written at index n into its place."""
    stream.n_requests = n + 1
    heap_up(requests, n + 1)


@inner
def own_cross(views, sleeves, n_sleeves, k, side, px_ticks, market):
    """Return True when a new order would meet an own order of the other side in instrument k.

    One whose cancel is under way is not met: the connection keeps its order.
    """
    for s in range(n_sleeves):
        if sleeves[s].stream != k:
            continue
        view = views[s]
        if (view.open_ask_lots if side == BID else view.open_bid_lots) == 0:
            continue
        for j in range(MAX_ORDERS):
            o = view.orders[j]
            if o.state != ORDER_NONE and o.state != ORDER_CANCELLING and o.side != side:
                if market or (px_ticks >= o.px_ticks if side == BID else px_ticks <= o.px_ticks):
                    return True
    return False


@inner
def free_slot(view):
    """Return the first free row of the strategy's order table, or -1."""
    for j in range(MAX_ORDERS):
        if view.orders[j].state == ORDER_NONE:
            return j
    return -1


@kernel(**WITHIN)
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
def act_cancel(loop, gate, streams, requests, views, sleeves, records, s, slot):
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
    units = cancel_units(gate, streams[k].pace, order.ts_sent_ns, loop.now_ns)
    count_units(gate, streams[k].pace, units, loop.now_ns)
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


@inner
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
    pace = streams[k].pace
    units = cancel_units(gate, pace, order.ts_sent_ns, loop.now_ns)
    count_units(gate, pace, units, loop.now_ns)  # what is left is sent anew: both are counted
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
            count_units(gate, pace, -units, loop.now_ns)
            deny(loop, gate, records, sleeve, a, code)
            return
    elif not take_unit(gate, pace, loop.now_ns):
        count_units(gate, pace, -units, loop.now_ns)
        deny(loop, gate, records, sleeve, a, DENY_RATE)
        return
    order.ts_sent_ns = loop.now_ns
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


@kernel(**WITHIN)
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
                act_cancel(loop, gate, streams, requests, views, sleeves, records, s, a.order)
            else:
                deny(loop, gate, records, sleeves[s], a, DENY_BAD_ACTION)
        elif a.kind == ACT_AMEND:
            act_amend(
                loop, gate, streams, requests, views, sleeves, instruments, features, records, s, a
            )
        elif a.kind == ACT_CANCEL_ALL:
            for slot in range(MAX_ORDERS):
                act_cancel(loop, gate, streams, requests, views, sleeves, records, s, slot)
        else:
            deny(loop, gate, records, sleeves[s], a, DENY_BAD_ACTION)
    view.n_actions = 0


@kernel
def halt(loop, gate, streams, requests, views, sleeves, records, code):
    """A loss limit was passed: say so once and cancel everything."""
    i = record(loop, records, R_HALT, sleeves[0], loop.now_ns)
    records[i].code = code
    for s in range(loop.n_sleeves):
        for slot in range(MAX_ORDERS):
            act_cancel(loop, gate, streams, requests, views, sleeves, records, s, slot)
