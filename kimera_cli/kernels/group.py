"""Instruments of one asset on several venues, as a strategy sees them together.

A group is what can be bought on one venue and sold on another as the same thing: one base asset and
one kind (spot with spot, linear with linear; inverse contracts stand alone). What a unit costs
where, fees and the quote currency's rate included, is compared when a strategy is called, on what
is known of each book then; so a group costs nothing per event, and nothing at all where it has one
member. A book that the gate would take no new risk on (in a gap, silent for too long) is left out.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.bits import cttz
from kimera_cli.layouts import NO_ASK, NO_BID, WAKE_GROUP

_ONE = np.uint64(1)


@inner
def group_news(news, streams):
    """Return the streams of all groups in which something came."""
    left = news
    while left != 0:
        k = np.int64(cttz(left))
        left &= left - _ONE
        news |= streams[k].group
    return news


@inner
def group_reason(loop, streams, sleeves, sleeve):
    """Return WAKE_GROUP when something came of another instrument of a sleeve's group, else -1."""
    first = sleeve.strategy * loop.n_streams
    members = streams[sleeve.stream].group
    while members != 0:
        k = np.int64(cttz(members))
        members &= members - _ONE
        if streams[k].touched != 0 or sleeves[first + k].filled != 0:
            return WAKE_GROUP
    return -1


@inner
def show_group(loop, gate, view, streams, instruments, features, views):
    """Bring the group's fields of a view up to date; money is portfolio currency per base unit."""
    bid = math.nan
    ask = math.nan
    bid_at = np.int64(-1)
    ask_at = np.int64(-1)
    bid_size = 0.0
    ask_size = 0.0
    position = 0.0
    orders = np.int64(0)
    first = view.strategy * loop.n_streams
    members = streams[view.instrument].group
    while members != 0:
        k = np.int64(cttz(members))
        members &= members - _ONE
        own = views[first + k]
        stream = streams[k]
        instrument = instruments[k]
        size = instrument.lot * instrument.contract_size
        position += own.position_lots * size
        orders += own.n_orders
        if stream.ready == 0 or stream.gap != 0:
            continue
        if loop.now_ns - stream.ts_local_ns > gate.stale_ns:
            continue
        feature = features[k]
        price = instrument.tick * instrument.settle_rate
        if feature.best_bid_ticks != NO_BID:
            net = feature.best_bid_ticks * price * (1.0 - instrument.taker_fee)
            if bid_at < 0 or net > bid:
                bid, bid_at, bid_size = net, k, feature.best_bid_lots * size
        if feature.best_ask_ticks != NO_ASK:
            net = feature.best_ask_ticks * price * (1.0 + instrument.taker_fee)
            if ask_at < 0 or net < ask:
                ask, ask_at, ask_size = net, k, feature.best_ask_lots * size
    view.group_bid = bid
    view.group_bid_instrument = bid_at
    view.group_bid_size = bid_size
    view.group_ask = ask
    view.group_ask_instrument = ask_at
    view.group_ask_size = ask_size
    view.group_position = position
    view.group_orders = orders
