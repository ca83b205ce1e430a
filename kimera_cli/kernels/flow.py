"""Synthetic order flow on the real matching engine: Poisson or Hawkes arrivals, a hidden value.

Eight kinds of arrival compete: market orders, limit orders and cancellations of either side (the
rates of Cont, Stoikov and Talreja 2010: constant for orders, per resting order for cancellations,
limit prices by distance), and quotes pulled because they have become stale. In the Hawkes model
each arrival excites others: intensity_k = base_k + x_k, where x_k jumps by BRANCHING[j, k] *
excitation * decay after an arrival of kind j and fades as exp(-decay t) (exponential kernel;
simulated by Ogata's 1981 thinning, which is exact because intensities only fall between arrivals).
The base rates are lowered so that the mean rates of both models agree.

A hidden value R (ticks) makes prices move: a random walk (a Brownian motion in the limit), plus a
permanent impact of every
market order in proportion to its surprise, sign - E[sign], so that R is a martingale however
clustered the flow is (Kyle 1985; surprise form of Bouchaud et al. 2004). Market orders tilt
towards R, limit orders stay on their side of it, and a touch on the wrong side of R is hunted by
both: takers who hit it and makers who pull it. So the flow is informed and a fill at the touch has
a cost. R is read as it stood at the previous arrival.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.latency import next_uniform
from kimera_cli.kernels.match import OK, STP_NONE, match_cancel, match_new
from kimera_cli.kernels.match_book import (
    CAPACITY,
    PLACE_MASK,
    cell_of,
    level_lots,
)
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    DEPTH,
    EXECUTE,
    F_LAST,
    F_SNAPSHOT,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NO_ASK,
    NO_BID,
    NO_SIDE,
    TRADE,
)

N_KINDS = 8
BUY, SELL, BID_LIMIT, ASK_LIMIT, BID_CANCEL, ASK_CANCEL, BID_PULL, ASK_PULL = range(N_KINDS)
N_EXCITED = 6
MAX_DEPTH = 512
TABLE = 4096
"""Entries of the tables that sizes and distances are drawn from."""
MAX_LEAN = 6.0
MAX_STALE = 8.0
TABLE_TOP = TABLE - 1e-6
LEAST_ORDERS = 10
"""A side with no more orders than this is not cancelled from."""

FLOW = np.dtype(
    [
        ("rng", "u8"),
        ("ts_ns", "i8"),
        ("feed_ns", "i8"),  # local minus exchange time
        ("l3", "i8"),  # 1: order events, 0: levels and trades
        ("trade_seq", "i8"),
        ("message_seq", "i8"),
        ("value_ticks", "f8"),  # R
        ("sigma", "f8"),  # of R without impact, ticks per square root of second
        ("impact_ticks", "f8"),  # of an entirely surprising market order of mean size
        ("tilt_ticks", "f8"),  # distance of R from mid that doubles a side's takers
        ("pull_rate", "f8"),  # per second and tick that a touch is stale
        ("cancel_rate", "f8"),  # per second and resting order
        ("decay", "f8"),
        ("n_live", "i8", (2,)),
        ("live_lots", "i8", (2,)),
        ("own", "f8", (N_EXCITED,)),  # intensities without excitement
        ("excited", "f8", (N_EXCITED,)),
        ("jump", "f8", (N_EXCITED * N_EXCITED,)),  # [parent, child]
        ("rates", "f8", (N_KINDS,)),
        ("lean", "f8"),  # factor of buying market orders, and one over that of selling ones
        ("sizes", "i8", (TABLE,)),  # equally likely sizes in lots
        ("distances", "i8", (TABLE,)),  # equally likely distances in ticks
        ("live", "i4", (2 * CAPACITY,)),  # pool places of the resting orders of a side
        ("where", "i4", (CAPACITY,)),  # index of a place in `live`
    ],
    align=True,
)
"""State of one instrument's flow; with its ENGINE record it is all that a run needs to go on."""

_SECOND = 1e9


# --- resting orders to choose from -------------------------------------------------------------
@kernel
def _remember(flow, side, place):
    n = flow.n_live[side]
    flow.live[side * CAPACITY + n] = place
    flow.where[place] = n
    flow.n_live[side] = n + 1


@kernel
def _forget(flow, side, place):
    at = np.int64(flow.where[place])
    last = flow.n_live[side] - 1
    moved = np.int64(flow.live[side * CAPACITY + last])
    flow.live[side * CAPACITY + at] = moved
    flow.where[moved] = at
    flow.n_live[side] = last


# --- draws -------------------------------------------------------------------------------------
@kernel
def _size(flow):
    return flow.sizes[np.uint64(next_uniform(flow) * TABLE_TOP)]


@kernel
def _distance(flow):
    return flow.distances[np.uint64(next_uniform(flow) * TABLE_TOP)]


@kernel
def _limit_price(flow, engine, side):
    """A distance from R on the order's own side, never through the touch."""
    if side == BID:
        px = np.int64(math.ceil(flow.value_ticks)) - _distance(flow)
        return min(px, engine.best_ask_ticks - 1)
    px = np.int64(math.floor(flow.value_ticks)) + _distance(flow)
    return max(px, engine.best_bid_ticks + 1)


# --- intensities -------------------------------------------------------------------------------
@kernel
def _lean(flow, engine):
    """Return the factor by which buyers are more (and sellers fewer) than without knowing R."""
    if engine.best_bid_ticks == NO_BID or engine.best_ask_ticks == NO_ASK:
        return 1.0
    mid = 0.5 * (engine.best_bid_ticks + engine.best_ask_ticks)
    away = (flow.value_ticks - mid) / flow.tilt_ticks
    return 1.0 + min(away, MAX_LEAN) if away > 0.0 else 1.0 / (1.0 - max(away, -MAX_LEAN))


@kernel
def _excited_rates(flow):
    """Set the six intensities that excitement moves, as it is now. Returns the sum of all eight."""
    rates = flow.rates
    own = flow.own
    excited = flow.excited
    rates[BUY] = (own[BUY] + excited[BUY]) * flow.lean
    rates[SELL] = (own[SELL] + excited[SELL]) / flow.lean
    rates[BID_LIMIT] = own[BID_LIMIT] + excited[BID_LIMIT]
    rates[ASK_LIMIT] = own[ASK_LIMIT] + excited[ASK_LIMIT]
    rates[BID_CANCEL] = flow.cancel_rate * flow.n_live[BID] + excited[BID_CANCEL]
    rates[ASK_CANCEL] = flow.cancel_rate * flow.n_live[ASK] + excited[ASK_CANCEL]
    total = 0.0
    for k in range(N_KINDS):
        total += rates[k]
    return total


@kernel
def _set_rates(flow, engine):
    """Set all intensities from book, value and excitement as they are now. Returns their sum."""
    bid = engine.best_bid_ticks
    ask = engine.best_ask_ticks
    stale_bid = 0.0 if bid == NO_BID else bid - flow.value_ticks
    stale_ask = 0.0 if ask == NO_ASK else flow.value_ticks - ask
    flow.rates[BID_PULL] = flow.pull_rate * min(max(stale_bid, 0.0), MAX_STALE)
    flow.rates[ASK_PULL] = flow.pull_rate * min(max(stale_ask, 0.0), MAX_STALE)
    flow.lean = _lean(flow, engine)
    return _excited_rates(flow)


@kernel
def _advance(flow, dt_s):
    """Let time pass: excitement fades, the value moves by a step of random sign."""
    flow.ts_ns += max(np.int64(1), np.int64(dt_s * _SECOND))
    fade = math.exp(-flow.decay * dt_s)
    for k in range(N_EXCITED):
        flow.excited[k] *= fade
    step = flow.sigma * math.sqrt(dt_s)
    flow.value_ticks += step if next_uniform(flow) < 0.5 else -step


@kernel
def pick_arrival(flow, engine):
    """Go to the next arrival by thinning and return its kind; flow.rates hold the intensities."""
    while True:
        bound = _set_rates(flow, engine)
        _advance(flow, -math.log(next_uniform(flow)) / bound)
        u = next_uniform(flow) * bound
        if u < _excited_rates(flow):
            for k in range(N_KINDS):
                u -= flow.rates[k]
                if u < 0.0:
                    return k
            return N_KINDS - 1


@kernel
def excite(flow, kind):
    """Let an arrival raise the intensities of its children."""
    if kind < N_EXCITED:
        for k in range(N_EXCITED):
            flow.excited[k] += flow.jump[kind * N_EXCITED + k]


# --- telling -----------------------------------------------------------------------------------
@kernel
def _event(flow, out, n, kind, side, px_ticks, qty_lots, seq, ref):
    event = out[n]
    event.ts_exch_ns = flow.ts_ns
    event.ts_local_ns = flow.ts_ns + flow.feed_ns
    event.px_ticks = px_ticks
    event.qty_lots = qty_lots
    event.seq = seq
    event.ref = ref
    event.kind = kind
    event.side = side
    event.flags = 0
    return n + 1


@kernel
def _level(flow, engine, out, n, side, px_ticks):
    lots = level_lots(engine, side, px_ticks)
    ref = flow.message_seq - 1
    return _event(flow, out, n, DEPTH, side, px_ticks, lots, flow.message_seq, ref)


@kernel
def _tell_trades(flow, engine, out, n, taker):
    """Executions of the last request: L3 one EXECUTE each; L2 one TRADE each, then the levels."""
    maker = ASK if taker == BID else BID
    for i in range(engine.n_reports):
        r = engine.reports[i]
        flow.live_lots[maker] -= r.qty_lots
        if r.maker_left_lots == 0:
            _forget(flow, maker, r.maker_id & PLACE_MASK)
        flow.trade_seq += 1
        if flow.l3 == 1:
            n = _event(
                flow, out, n, EXECUTE, maker, r.px_ticks, r.qty_lots, flow.trade_seq, r.maker_id
            )
        else:
            n = _event(flow, out, n, TRADE, taker, r.px_ticks, r.qty_lots, flow.trade_seq, 0)
    if flow.l3 == 0:
        for i in range(engine.n_reports):
            px = engine.reports[i].px_ticks
            if i + 1 == engine.n_reports or engine.reports[i + 1].px_ticks != px:
                n = _level(flow, engine, out, n, maker, px)
    return n


# --- arrivals ----------------------------------------------------------------------------------
@kernel
def _market(flow, engine, out, n, side):
    buys = flow.rates[BUY]
    sells = flow.rates[SELL]
    expected = (buys - sells) / (buys + sells)
    other = 1 - side
    lots = min(_size(flow), flow.live_lots[other] // 2)  # nobody takes a whole side
    match_new(engine, 0, side, 0, lots, MARKET, IOC, STP_NONE)
    sign = 1.0 if side == BID else -1.0
    flow.value_ticks += flow.impact_ticks * (sign - expected)
    return _tell_trades(flow, engine, out, n, side)


@kernel
def _limit(flow, engine, out, n, side):
    px = _limit_price(flow, engine, side)
    lots = _size(flow)
    code = match_new(engine, 0, side, px, lots, LIMIT, GTC, STP_NONE)
    if code != OK:
        return n  # the engine is full, or the value left its band of prices
    _remember(flow, side, engine.order_id & PLACE_MASK)
    flow.live_lots[side] += lots
    if flow.l3 == 1:
        return _event(flow, out, n, ADD, side, px, lots, flow.message_seq, engine.order_id)
    return _level(flow, engine, out, n, side, px)


@kernel
def _remove(flow, engine, out, n, side, place):
    order = engine.orders[place]
    order_id = order.id
    px = order.px_ticks
    lots = order.left_lots
    _forget(flow, side, place)
    flow.live_lots[side] -= lots
    match_cancel(engine, order_id, 0)
    if flow.l3 == 1:
        return _event(flow, out, n, DELETE, side, px, lots, flow.message_seq, order_id)
    return _level(flow, engine, out, n, side, px)


@kernel
def _cancel(flow, engine, out, n, side):
    count = flow.n_live[side]
    if count <= LEAST_ORDERS:
        return n
    at = min(np.int64(next_uniform(flow) * count), count - 1)
    return _remove(flow, engine, out, n, side, np.int64(flow.live[side * CAPACITY + at]))


@kernel
def _pull(flow, engine, out, n, side):
    """The newest order at the touch leaves."""
    if flow.n_live[side] <= LEAST_ORDERS:
        return n
    px = engine.best_bid_ticks if side == BID else engine.best_ask_ticks
    place = np.int64(engine.levels[cell_of(engine, side, px)].tail)
    return _remove(flow, engine, out, n, side, place)


@kernel
def flow_step(flow, engine, out, n):
    """One arrival; writes its events from out[n] on (F_LAST on the last). Returns the new n."""
    kind = pick_arrival(flow, engine)
    flow.message_seq += 1
    side = kind & 1
    start = n
    if kind <= SELL:
        n = _market(flow, engine, out, n, side)
    elif kind <= ASK_LIMIT:
        n = _limit(flow, engine, out, n, side)
    elif kind <= ASK_CANCEL:
        n = _cancel(flow, engine, out, n, side)
    else:
        n = _pull(flow, engine, out, n, side)
    excite(flow, kind)
    if n > start:
        out[n - 1].flags = F_LAST
    return n


@kernel
def flow_run(flow, engine, out, n, wanted):
    """Write arrivals to `out` behind its first n events until it holds `wanted`. Returns how many.

    The last arrival may go beyond: `out` needs 2 CAPACITY + 2 more rows than `wanted`.
    """
    while n < wanted:
        n = flow_step(flow, engine, out, n)
    return n


@kernel
def flow_open(flow, engine, orders, out):
    """Fill the empty book with `orders` limit orders per side, and tell it as a snapshot.

    `out` needs 2 orders + 1 rows. Returns the number of events.
    """
    n = _event(flow, out, 0, CLEAR, NO_SIDE, 0, 0, flow.message_seq, 0)
    for _ in range(orders):
        n = _limit(flow, engine, out, n, BID)
        n = _limit(flow, engine, out, n, ASK)
    if flow.l3 == 0:
        n = 1
        for side in (BID, ASK):
            for i in range(flow.n_live[side]):
                place = np.int64(flow.live[side * CAPACITY + i])
                order = engine.orders[place]
                if order.prev == 0:  # the front of a queue stands for its level
                    n = _level(flow, engine, out, n, side, order.px_ticks)
    for i in range(n):
        out[i].flags = F_SNAPSHOT
    out[n - 1].flags = F_SNAPSHOT | F_LAST
    return n
