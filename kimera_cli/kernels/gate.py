"""The risk gate: every order passes it, in every setting, before it becomes a request.

Limits are judged at the worst case: all open orders of the same side fill and none of the other
side. An
order that reduces the account's position in its instrument, counting the orders that already reduce
it,
passes every limit; a cancel is never asked. What can never be sent (wrong numbers, off the
instrument's
filters, no book to judge it by, a venue that has not joined the run) is refused also when it
reduces.

`check_new` is compiled into its caller: handing five arrays on costs a third of a decision.

Property (tests/kernels/test_gate.py): after any sequence of accepted orders and fills, at the
prices of
acceptance, worst-case position and exposure are within their limits.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.ledger import equity_at, quote_value, to_portfolio
from kimera_cli.kernels.state import KILL_ALL
from kimera_cli.layouts import ASK, BID, FOK, LIMIT, MARKET, SPOT

DENY_KILL = 1
DENY_NOT_TRADING = 2
DENY_FILTER = 3
DENY_MAX_ORDER = 4
DENY_POSITION = 5
DENY_ASSET = 6
DENY_OPEN_ORDERS = 7
DENY_RATE = 8
DENY_COLLAR = 9
DENY_DRAWDOWN = 10
DENY_DAILY_LOSS = 11
DENY_STALE = 12
DENY_NO_BOOK = 13
DENY_SELF_TRADE = 14
DENY_TABLE_FULL = 15
DENY_BAD_ACTION = 16
DENY_OVERLOAD = 17
DENY_AWAY = 18

_NS_PER_DAY = 86_400_000_000_000


@kernel
def mark_of(feature, stream):
    """Return the mid, in ticks; while there is none, the last one; NaN when there never was any.

    A venue that is out of reach leaves what is held there worth what it was worth last. Else the
    value of the whole account would be unknown, and every other venue out of business with it.
    """
    mid = feature.mid_ticks
    if math.isnan(mid) and stream.last_mid > 0.0:
        return stream.last_mid
    return mid


@kernel
def portfolio_value(gate, views, sleeves, streams, instruments, features, n_sleeves):
    """Return cash plus all sleeves' equity in portfolio currency; NaN when one has no mark."""
    total = gate.cash
    for s in range(n_sleeves):
        k = sleeves[s].stream
        mid = mark_of(features[k], streams[k])
        view = views[s]
        if view.position_lots == 0 and view.cash == 0.0:
            continue
        total += to_portfolio(instruments[k], equity_at(view, instruments[k], mid), mid)
    return total


@kernel
def watch_losses(gate, value, ts_ns):
    """Follow peak and day start; latch a halt when drawdown or the day's loss passes its limit.

    Returns the code of a limit that was passed just now, else 0. A NaN value changes nothing.
    """
    if math.isnan(value):
        return 0
    if value > gate.peak:
        gate.peak = value
    day = ts_ns // _NS_PER_DAY
    if day != gate.day:
        gate.day = day
        gate.day_start = value
    drawdown = 1.0 - value / gate.peak
    if drawdown > gate.worst_drawdown:
        gate.worst_drawdown = drawdown
    if gate.halted != 0:
        return 0
    if drawdown >= gate.max_drawdown:
        gate.halted = DENY_DRAWDOWN
    elif value <= gate.day_start * (1.0 - gate.max_daily_loss):
        gate.halted = DENY_DAILY_LOSS
    return gate.halted


@kernel(forceinline=True)
def holdings(gate, views, sleeves, streams, instruments, features, n_sleeves, k, side):
    """Return what an order of `side` in instrument k is judged by, in one pass over the account.

    (position in k, open lots of that side in k, portfolio value, worst-case signed value of k's
    asset if that side's orders all fill); money in portfolio currency, NaN when one has no mark.
    """
    position = 0
    opened = 0
    value = gate.cash
    exposure = 0.0
    asset = streams[k].asset
    for i in range(n_sleeves):
        s = np.uint64(i)
        at = np.uint64(sleeves[s].stream)
        view = views[s]
        inst = instruments[at]
        mid = mark_of(features[at], streams[at])
        held = view.position_lots
        bids = view.open_bid_lots
        asks = view.open_ask_lots
        mine = bids if side == BID else asks
        if at == k:
            position += held
            opened += mine
        if held != 0 or view.cash != 0.0:
            value += to_portfolio(inst, equity_at(view, inst, mid), mid)
        lots = held + mine if side == BID else held - mine
        if lots != 0 and streams[at].asset == asset:
            exposure += quote_value(inst, mid, lots) * inst.settle_rate
    return position, opened, value, exposure


@kernel
def valid_action(action):
    """Return True when the numbers of a new order mean something."""
    if action.side != BID and action.side != ASK:
        return False
    if action.type != LIMIT and action.type != MARKET:
        return False
    if action.tif < 0 or action.tif > 3 or action.qty_lots <= 0 or action.qty_lots > (1 << 52):
        return False
    if action.type == LIMIT and (action.px_ticks <= 0 or action.px_ticks > (1 << 52)):
        return False
    return not (
        action.type == MARKET and (action.tif == 3 or (action.tif == FOK and action.px_ticks < 0))
    )


@kernel
def has_token(pace, ts_ns):
    """Tell whether a rate budget (of the run: GATE, of a venue: PACE) has an order left."""
    passed = ts_ns - pace.token_ts_ns
    if passed > 0:
        pace.tokens = min(pace.token_burst, pace.tokens + passed * 1e-9 * pace.token_rate)
        pace.token_ts_ns = ts_ns
    return pace.tokens >= 1.0


@inner
def cancel_units(gate, of_venue, sent_ns, ts_ns):
    """Return what a venue counts when an order sent at `sent_ns` is canceled; 0.0: nothing."""
    if of_venue > 0:
        pace = gate.paces[of_venue - 1]
        for i in range(pace.n_ages):
            if ts_ns - sent_ns < pace.ages_ns[i]:
                return pace.age_units[i]
    return 0.0


@inner
def count_units(gate, of_venue, units, ts_ns):
    """Count what no rate stops, at a venue that counts all that goes there (PACE.n_ages)."""
    if of_venue > 0:
        pace = gate.paces[of_venue - 1]
        if pace.n_ages > 0:
            has_token(pace, ts_ns)  # brings it up to now
            pace.tokens -= units


@inner
def take_unit(gate, of_venue, ts_ns):
    """Take one order from a venue that counts all that goes there; False: it has none left."""
    if of_venue > 0:
        pace = gate.paces[of_venue - 1]
        if pace.n_ages > 0:
            if not has_token(pace, ts_ns):
                return False
            pace.tokens -= 1.0
    return True


@kernel
def take_token(gate, of_venue, ts_ns):
    """Take one order from the run's budget and, above 0, from that of a venue; False: one is empty.

    What is denied takes nothing: a slow venue leaves the others their share.
    """
    if not has_token(gate, ts_ns):
        return False
    if of_venue > 0:
        pace = gate.paces[of_venue - 1]
        if not has_token(pace, ts_ns):
            return False
        pace.tokens -= 1.0
    gate.tokens -= 1.0
    return True


@kernel(forceinline=True)
def check_new(
    gate,
    views,
    sleeves,
    streams,
    instruments,
    features,
    n_sleeves,
    s,
    side,
    order_type,
    px_ticks,
    qty_lots,
    ts_ns,
):
    """Judge one new order (or the larger part of an amend); return 0 or the code of the limit it
    meets.
    """
    k = np.uint64(sleeves[s].stream)
    inst = instruments[k]
    f = features[k]
    mid = f.mid_ticks
    if not mid > 0.0:
        return DENY_NO_BOOK
    px = (
        px_ticks if order_type == LIMIT else (f.best_ask_ticks if side == BID else f.best_bid_ticks)
    )
    if streams[k].away != 0:
        return DENY_AWAY
    if qty_lots < inst.min_lots or (inst.max_lots > 0 and qty_lots > inst.max_lots):
        return DENY_FILTER
    notional = quote_value(inst, px, qty_lots)
    position, opened, value, exposure = holdings(
        gate, views, sleeves, streams, instruments, features, n_sleeves, k, side
    )
    held = -position if side == BID else position  # what an order of this side may reduce
    reduces = held > 0 and opened + qty_lots <= held
    if notional < inst.min_notional and not reduces:
        return DENY_FILTER
    if gate.kill == KILL_ALL:
        return DENY_KILL
    if reduces:
        count_units(gate, streams[k].pace, 1.0, ts_ns)
        return 0
    if gate.kill != 0:
        return DENY_KILL
    if gate.trading == 0:
        return DENY_NOT_TRADING
    if gate.halted != 0:
        return gate.halted
    if gate.overload != 0:
        return DENY_OVERLOAD
    if streams[k].gap != 0 or ts_ns - streams[k].ts_local_ns > gate.stale_ns:
        return DENY_STALE
    if abs(px - mid) > gate.collar * mid:
        return DENY_COLLAR
    if gate.open_orders >= gate.max_open_orders:
        return DENY_OPEN_ORDERS
    if inst.kind == SPOT and side == ASK and gate.spot_short == 0 and opened + qty_lots > position:
        return DENY_POSITION
    if not value > 0.0:
        return DENY_NO_BOOK
    worth = max(notional, quote_value(inst, mid, qty_lots)) * inst.settle_rate
    if worth > gate.max_order * value:
        return DENY_MAX_ORDER
    worst = opened + qty_lots - held  # lots in the order's own direction if all of that side fill
    if quote_value(inst, max(px, mid), worst) * inst.settle_rate > gate.max_position * value:
        return DENY_POSITION
    if side == ASK:
        exposure = -exposure
    if not exposure + worth <= gate.max_asset * value:  # NaN: one has no mid
        return DENY_ASSET
    if not take_token(gate, streams[k].pace, ts_ns):
        return DENY_RATE
    return 0
