"""Price-time priority matching in integers: limit, market, IOC, FOK, post-only, cancel, amend.

Every request returns a code of layouts.REJECTS (0: ok) and leaves its result in the ENGINE record:
order_id, filled_lots, left_lots (resting now), gone_lots (cancelled or expired), and one REPORT
per resting order that it touched, in order of execution. Always: filled + left + gone = the size
asked for (a refused request fills nothing and its whole size is gone). Trades happen at the
resting order's price.

Codes: post_only_would_cross, fok_not_filled, price_band, book_full, bad_order, unknown_order
refuse the request and change nothing. ioc_expired, no_liquidity (rest of a market order) and
self_trade tell why a rest is gone; what was filled before stays filled.

Self-trade prevention acts when both orders have the same account, not 0, by the newcomer's mode:
CANCEL_NEWEST (the newcomer's rest goes), CANCEL_OLDEST (the resting order goes), CANCEL_BOTH,
DECREMENT (both lose the smaller size without a trade). A FOK counts only what prevention would let
it fill.

An amend to a smaller size at the same price keeps its place in the queue; any other goes to the
back, may trade at once, and keeps its id. A post-only order cannot be amended into a trade.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.match_book import (
    BAND,
    REPORT_CANCEL,
    REPORT_DECREMENT,
    REPORT_TRADE,
    best_price,
    cell_of,
    enter,
    free_place,
    has_place,
    in_band,
    leave,
    new_id,
    next_price,
    place_of,
    take_place,
)
from kimera_cli.layouts import ASK, BID, FOK, GTC, LIMIT, MARKET, NO_ASK, NO_BID, POST_ONLY

OK = 0
REJ_POST_ONLY = 1
REJ_FOK = 2
REJ_IOC = 3
REJ_UNKNOWN = 4
REJ_SELF_TRADE = 5
REJ_NO_LIQUIDITY = 7
REJ_BAND = 9
REJ_FULL = 10
REJ_BAD = 11

STP_NONE = 0
STP_CANCEL_NEWEST = 1
STP_CANCEL_OLDEST = 2
STP_CANCEL_BOTH = 3
STP_DECREMENT = 4

MATCH_NEW = 1
MATCH_CANCEL = 2
MATCH_AMEND = 3

MATCH_REQUEST = np.dtype(
    [
        ("kind", "i8"),  # MATCH_*
        ("order_id", "i8"),  # MATCH_CANCEL, MATCH_AMEND
        ("account", "i8"),
        ("side", "i8"),
        ("type", "i8"),
        ("tif", "i8"),
        ("stp", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
    ],
    align=True,
)


@kernel
def _reaches(side, limit_ticks, px_ticks):
    """Return True when an order of `side` limited at limit_ticks may trade at px_ticks."""
    if px_ticks == NO_BID or px_ticks == NO_ASK:
        return False
    return px_ticks <= limit_ticks if side == BID else px_ticks >= limit_ticks


@kernel
def _report(engine, kind, place, lots):
    """Write what happens to the resting order at `place`, before it happens."""
    order = engine.orders[np.uint64(place)]
    level = engine.levels[cell_of(engine, np.int64(order.side), order.px_ticks)]
    report = engine.reports[np.uint64(engine.n_reports)]
    report.kind = kind
    report.maker_id = order.id
    report.maker_account = order.account
    report.maker_left_lots = order.left_lots - lots
    report.maker_priority = order.priority
    report.px_ticks = order.px_ticks
    report.qty_lots = lots
    report.level_lots = level.qty_lots - lots
    engine.n_reports += 1


@kernel
def _reduce(engine, place, lots):
    """Take lots from a resting order; it leaves when nothing is left."""
    order = engine.orders[np.uint64(place)]
    if lots >= order.left_lots:
        leave(engine, place)
        free_place(engine, place)
    else:
        order.left_lots -= lots
        engine.levels[cell_of(engine, np.int64(order.side), order.px_ticks)].qty_lots -= lots


@kernel
def _fillable(engine, account, side, limit_ticks, qty_lots, stp):
    """Return how much of qty_lots would trade at once; changes nothing."""
    other = ASK if side == BID else BID
    found = np.int64(0)
    px = best_price(engine, other)
    while found < qty_lots and _reaches(side, limit_ticks, px):
        level = engine.levels[cell_of(engine, other, px)]
        if account == 0 or stp == STP_NONE:
            found += level.qty_lots
        else:
            at = level.head
            while at != 0 and found < qty_lots:
                order = engine.orders[np.uint64(at)]
                if order.account != account:
                    found += order.left_lots
                elif stp != STP_CANCEL_OLDEST:
                    return found
                at = order.next
        worse = px - 1 if other == BID else px + 1
        if not in_band(engine, worse):
            break
        px = next_price(engine, other, worse)
    return min(found, qty_lots)


@kernel
def _prevent(engine, place, left, stp):
    """The front order is the newcomer's own: act by its mode. Returns the newcomer's new size."""
    resting = engine.orders[np.uint64(place)].left_lots
    if stp == STP_DECREMENT:
        lots = min(left, resting)
        _report(engine, REPORT_DECREMENT, place, lots)
        _reduce(engine, place, lots)
        engine.gone_lots += lots
        return left - lots
    if stp != STP_CANCEL_NEWEST:
        _report(engine, REPORT_CANCEL, place, resting)
        _reduce(engine, place, resting)
    if stp == STP_CANCEL_OLDEST:
        return left
    engine.gone_lots += left
    return np.int64(0)


@kernel
def _match(engine, account, side, limit_ticks, qty_lots, stp):
    """Trade against the other side as far as limit and size allow. Returns what is left."""
    other = ASK if side == BID else BID
    left = qty_lots
    while left > 0:
        px = best_price(engine, other)
        if not _reaches(side, limit_ticks, px):
            break
        place = np.int64(engine.levels[cell_of(engine, other, px)].head)
        order = engine.orders[np.uint64(place)]
        if stp != STP_NONE and account != 0 and order.account == account:
            left = _prevent(engine, place, left, stp)
            continue
        lots = min(left, order.left_lots)
        _report(engine, REPORT_TRADE, place, lots)
        _reduce(engine, place, lots)
        left -= lots
        engine.filled_lots += lots
        engine.traded_lots += lots
        engine.n_trades += 1
    return left


@kernel
def _begin(engine, order_id):
    engine.order_id = order_id
    engine.filled_lots = 0
    engine.left_lots = 0
    engine.gone_lots = 0
    engine.n_reports = 0


@kernel
def _refuse(engine, qty_lots, code):
    engine.gone_lots = max(qty_lots, 0)
    return code


@kernel
def _valid(side, qty_lots, order_type, tif, stp):
    sides = side == BID or side == ASK
    types = order_type == LIMIT or (order_type == MARKET and tif != POST_ONLY)
    return (
        sides and types and qty_lots > 0 and GTC <= tif <= POST_ONLY and 0 <= stp <= STP_DECREMENT
    )


@kernel
def _limit_of(engine, side, px_ticks, order_type):
    if order_type == LIMIT:
        return px_ticks
    return engine.base_ticks + BAND if side == BID else engine.base_ticks


@kernel
def match_new(engine, account, side, px_ticks, qty_lots, order_type, tif, stp):
    """Submit an order. px_ticks is not read for MARKET. Returns a code of layouts.REJECTS."""
    _begin(engine, 0)
    if not _valid(side, qty_lots, order_type, tif, stp):
        return _refuse(engine, qty_lots, REJ_BAD)
    if order_type == LIMIT and not in_band(engine, px_ticks):
        return _refuse(engine, qty_lots, REJ_BAND)
    rests = order_type == LIMIT and (tif == GTC or tif == POST_ONLY)
    if rests and not has_place(engine):
        return _refuse(engine, qty_lots, REJ_FULL)
    limit = _limit_of(engine, side, px_ticks, order_type)
    if tif == POST_ONLY and _reaches(side, limit, best_price(engine, 1 - side)):
        return _refuse(engine, qty_lots, REJ_POST_ONLY)
    if tif == FOK and _fillable(engine, account, side, limit, qty_lots, stp) < qty_lots:
        return _refuse(engine, qty_lots, REJ_FOK)
    place = take_place(engine) if rests else np.int64(0)
    engine.order_id = new_id(engine, place)
    left = _match(engine, account, side, limit, qty_lots, stp)
    if rests:
        if left > 0:
            order = engine.orders[np.uint64(place)]
            order.account = account
            order.side = side
            order.px_ticks = px_ticks
            order.left_lots = left
            order.tif = tif
            order.stp = stp
            enter(engine, place)
            engine.left_lots = left
            return OK
        free_place(engine, place)
    prevented = engine.gone_lots > 0
    engine.gone_lots += left
    if left > 0:
        return REJ_NO_LIQUIDITY if order_type == MARKET else REJ_IOC
    return REJ_SELF_TRADE if prevented else OK


@kernel
def match_cancel(engine, order_id, account):
    """Cancel a resting order; account 0 may cancel any. Returns OK or REJ_UNKNOWN."""
    _begin(engine, order_id)
    place = place_of(engine, order_id)
    if place == 0 or (account != 0 and engine.orders[np.uint64(place)].account != account):
        return REJ_UNKNOWN
    engine.gone_lots = engine.orders[np.uint64(place)].left_lots
    _reduce(engine, place, engine.gone_lots)
    return OK


@kernel
def match_amend(engine, order_id, account, px_ticks, qty_lots):
    """Change price and open size of a resting order; account 0 may amend any.

    filled + left + gone is then the new size, except where it shrank in place.
    """
    _begin(engine, order_id)
    place = place_of(engine, order_id)
    if place == 0 or (account != 0 and engine.orders[np.uint64(place)].account != account):
        return REJ_UNKNOWN
    order = engine.orders[np.uint64(place)]
    side = np.int64(order.side)
    engine.left_lots = order.left_lots
    if qty_lots <= 0:
        return REJ_BAD
    if not in_band(engine, px_ticks):
        return REJ_BAND
    if px_ticks == order.px_ticks and qty_lots <= order.left_lots:
        _reduce(engine, place, order.left_lots - qty_lots)
        engine.left_lots = qty_lots
        return OK
    if order.tif == POST_ONLY and _reaches(side, px_ticks, best_price(engine, 1 - side)):
        return REJ_POST_ONLY
    leave(engine, place)
    left = _match(engine, order.account, side, px_ticks, qty_lots, np.int64(order.stp))
    engine.left_lots = left
    if left > 0:
        order.px_ticks = px_ticks
        order.left_lots = left
        enter(engine, place)
        return OK
    free_place(engine, place)
    return REJ_SELF_TRADE if engine.gone_lots > 0 else OK


@kernel
def match_run(engine, requests, codes, ids):
    """Run requests in order, writing each one's code and order id. Returns the trades of all."""
    before = engine.n_trades
    for i in range(requests.shape[0]):
        r = requests[i]
        if r.kind == MATCH_NEW:
            codes[i] = match_new(
                engine, r.account, r.side, r.px_ticks, r.qty_lots, r.type, r.tif, r.stp
            )
        elif r.kind == MATCH_CANCEL:
            codes[i] = match_cancel(engine, r.order_id, r.account)
        else:
            codes[i] = match_amend(engine, r.order_id, r.account, r.px_ticks, r.qty_lots)
        ids[i] = engine.order_id
    return engine.n_trades - before
