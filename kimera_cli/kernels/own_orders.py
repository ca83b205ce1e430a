"""Own orders that rest at the venue: their place in the queue, and the trades that reach them.

Own orders share a trade by price, then arrival; no volume is used twice.
"""

from __future__ import annotations

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.answers import UNKNOWN_AHEAD, report_fill
from kimera_cli.kernels.book import book_qty
from kimera_cli.kernels.queue import queue_after_level
from kimera_cli.layouts import BID, NO_ASK, NO_BID


@kernel
def refresh_own(stream, own):
    """Recompute own prices and the price filter after an own order came or went."""
    best_bid = NO_BID
    worst_bid = NO_ASK
    best_ask = NO_ASK
    worst_ask = NO_BID
    bids = 0
    asks = 0
    for i in range(stream.n_own):
        px = own[i].px_ticks
        if own[i].side == BID:
            best_bid = max(best_bid, px)
            worst_bid = min(worst_bid, px)
            bids |= 1 << (px & 63)
        else:
            best_ask = min(best_ask, px)
            worst_ask = max(worst_ask, px)
            asks |= 1 << (px & 63)
    stream.own_best_bid = best_bid
    stream.own_worst_bid = worst_bid
    stream.own_best_ask = best_ask
    stream.own_worst_ask = worst_ask
    stream.own_bids = bids
    stream.own_asks = asks


@kernel
def find_own(stream, own, order_id):
    """Return the index of a resting own order, or -1."""
    for i in range(stream.n_own):
        if own[i].id == order_id:
            return i
    return -1


@kernel
def remove_own(stream, own, i):
    """Take resting order i off the venue; order of arrival of the others is kept."""
    for j in range(i, stream.n_own - 1):
        own[j] = own[j + 1]
    stream.n_own -= 1
    refresh_own(stream, own)


@kernel
def sweep_filled(stream, own):
    """Take completely filled orders off the venue."""
    kept = 0
    for i in range(stream.n_own):
        if own[i].left_lots > 0:
            if kept != i:
                own[kept] = own[i]
            kept += 1
    stream.n_own = kept
    refresh_own(stream, own)


@kernel
def next_own(stream, own, side, after):
    """Return the own order of `side` that follows own[after] in price, then arrival; -1: none.

    `after` -1 asks for the first.
    """
    sign = 1 if side == BID else -1
    best = -1
    for i in range(stream.n_own):
        o = own[i]
        if o.side != side or o.left_lots <= 0:
            continue
        if after >= 0:
            worse = sign * (own[after].px_ticks - o.px_ticks)
            if worse < 0 or (worse == 0 and i <= after):
                continue
        if best < 0 or sign * (o.px_ticks - own[best].px_ticks) > 0:
            best = i
    return best


@inner
def level_changed(loop, stream, own, side, px_ticks, before, after):
    """Move the queue position of own orders at a level whose total changed (L2 feeds).

    Whoever stands before an own order stands before our later ones too, whatever the model guesses.
    """
    least = 0.0
    for i in range(stream.n_own):
        o = own[i]
        if o.px_ticks == px_ticks and o.side == side:
            moved = queue_after_level(
                loop.queue_model, loop.queue_exponent, o.ahead, o.traded, before, after
            )
            o.ahead = min(o.ahead, max(least, moved))
            o.traded = 0.0
            least = o.ahead


@inner
def level_changed_l3(stream, own, side, px_ticks, change, priority):
    """Exact FIFO: a quantity that left before our place shortens the queue ahead."""
    for i in range(stream.n_own):
        o = own[i]
        if o.px_ticks == px_ticks and o.side == side and priority <= o.priority:
            o.ahead = max(0.0, o.ahead - change)


@inner
def after_snapshot(stream, book, own):
    """A snapshot replaced the book: nobody stands ahead who is no longer displayed.

    L3: its orders are told anew, so which of them came before us is not known: all count as such.
    """
    for i in range(stream.n_own):
        o = own[i]
        o.ahead = min(o.ahead, float(book_qty(book, o.side, o.px_ticks)))
        if o.ahead_start == UNKNOWN_AHEAD:
            o.ahead_start = o.ahead
        o.traded = 0.0
        o.priority = stream.priority


@inner
def fill_size(loop, o, reach):
    """Return the lots of own order `o` that `reach` lots of volume fill."""
    lots = int(reach)
    if loop.partial_fills == 0 and lots > 0:
        return o.left_lots
    return min(o.left_lots, lots)


@kernel
def trade_hits(loop, stream, book, messages, markouts, own, side, px_ticks, qty_lots, ts_ns, until):
    """Let one trade (at px_ticks, against resting orders of `side`) fill own orders.

    Better-priced own orders come first and take out of the whole volume; at the trade's own price
    the
    queue ahead takes first. `until`: L3 priority of the order that was executed (only own orders
    that
    stand before it fill); -1 on L2 feeds.
    """
    volume = float(qty_lots)
    filled = False
    sign = 1 if side == BID else -1
    while volume > 0.0:
        best = -1
        for i in range(stream.n_own):
            o = own[i]
            if o.side == side and o.left_lots > 0 and sign * (o.px_ticks - px_ticks) > 0:
                if best < 0 or sign * (o.px_ticks - own[best].px_ticks) > 0:
                    best = i
        if best < 0:
            break
        o = own[best]
        lots = fill_size(loop, o, volume)
        if lots <= 0:
            break
        o.left_lots -= lots
        if loop.partial_fills != 0:
            volume -= lots
        filled = True
        report_fill(loop, stream, book, messages, markouts, o, ts_ns, o.px_ticks, lots, 1)
    own_taken = 0.0
    for i in range(stream.n_own):
        o = own[i]
        if o.side != side or o.px_ticks != px_ticks or o.left_lots <= 0:
            continue
        if until >= 0:
            if o.priority >= until or volume <= 0.0:
                continue
            lots = fill_size(loop, o, volume)
            if loop.partial_fills != 0:
                volume -= lots
        else:
            reach = volume - own_taken - o.ahead
            o.traded += min(o.ahead, max(0.0, volume - own_taken))
            o.ahead = max(0.0, o.ahead - max(0.0, volume - own_taken))
            if reach <= 0.0:
                continue
            lots = fill_size(loop, o, reach)
            if lots <= 0:
                continue
            if loop.partial_fills != 0:
                own_taken += lots
        o.left_lots -= lots
        filled = True
        report_fill(loop, stream, book, messages, markouts, o, ts_ns, px_ticks, lots, 1)
    if filled:
        sweep_filled(stream, own)
