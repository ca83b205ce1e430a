"""Displayed size that own orders take: each lot once, until the feed reports its level anew."""

from __future__ import annotations

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.answers import report_fill
from kimera_cli.kernels.book import book_next, book_qty
from kimera_cli.kernels.own_orders import next_own, sweep_filled
from kimera_cli.layouts import ASK, BID, NO_ASK, NO_BID

TAKEN_CAP = 64


@kernel
def taken_at(stream, side, px_ticks):
    """Return the lots of a displayed level that our own orders have already taken."""
    for i in range(stream.n_taken):
        if stream.taken_side[i] == side and stream.taken_px[i] == px_ticks:
            return stream.taken_lots[i]
    return 0


@kernel
def take(stream, side, px_ticks, lots):
    """Remember that we took `lots` of a displayed level; return False when there is no room to
    remember.
    """
    for i in range(stream.n_taken):
        if stream.taken_side[i] == side and stream.taken_px[i] == px_ticks:
            stream.taken_lots[i] += lots
            return True
    n = stream.n_taken
    if n >= TAKEN_CAP:
        return False
    stream.taken_side[n] = side
    stream.taken_px[n] = px_ticks
    stream.taken_lots[n] = lots
    stream.n_taken = n + 1
    return True


@inner
def forget_taken(stream, side, px_ticks):
    """The feed reported the level anew: what it shows now is there."""
    for i in range(stream.n_taken):
        if stream.taken_side[i] == side and stream.taken_px[i] == px_ticks:
            n = stream.n_taken - 1
            stream.taken_side[i] = stream.taken_side[n]
            stream.taken_px[i] = stream.taken_px[n]
            stream.taken_lots[i] = stream.taken_lots[n]
            stream.n_taken = n
            return


@inner
def takeable(stream, book, side, px_ticks):
    """Return the lots that an own order may still take from a displayed level."""
    return max(0, book_qty(book, side, px_ticks) - taken_at(stream, side, px_ticks))


@inner
def crosses(side, px_ticks, other_px):
    """Return True when an order of `side` at px_ticks reaches the other side's price."""
    return px_ticks >= other_px if side == BID else px_ticks <= other_px


@inner
def available(stream, book, side, limit_ticks, wanted):
    """Return the displayed lots that an order of `side` limited at limit_ticks could take, up to
    `wanted`.
    """
    other = ASK if side == BID else BID
    px = book.best_ask_ticks if side == BID else book.best_bid_ticks
    total = 0
    room = TAKEN_CAP - stream.n_taken  # levels beyond it could not be remembered as taken
    while px != NO_ASK and px != NO_BID and crosses(side, limit_ticks, px) and total < wanted:
        if taken_at(stream, other, px) == 0:
            room -= 1
            if room < 0:
                break
        total += takeable(stream, book, other, px)
        px = book_next(book, other, px)
    return min(total, wanted)


@inner
def take_displayed(loop, stream, book, messages, markouts, o, limit_ticks, ts_ns):
    """Fill `o` as a taker out of displayed size, level by level; its left_lots shrinks."""
    other = ASK if o.side == BID else BID
    px = book.best_ask_ticks if o.side == BID else book.best_bid_ticks
    while o.left_lots > 0 and px != NO_ASK and px != NO_BID and crosses(o.side, limit_ticks, px):
        lots = min(o.left_lots, takeable(stream, book, other, px))
        if lots > 0:
            if not take(stream, other, px, lots):
                return
            o.left_lots -= lots
            report_fill(loop, stream, book, messages, markouts, o, ts_ns, px, lots, 0)
        px = book_next(book, other, px)


@inner
def book_crosses_own(loop, stream, book, messages, markouts, own, ts_ns):
    """After a message: displayed size now crosses resting own orders, which fill as makers out of
    it.
    """
    filled = False
    for side in range(2):
        other = 1 - side
        i = next_own(stream, own, side, -1)
        while i >= 0:
            o = own[i]
            px = book.best_ask_ticks if side == BID else book.best_bid_ticks
            if px == NO_ASK or px == NO_BID or not crosses(side, o.px_ticks, px):
                break
            o.ahead = 0.0  # nobody rests at a price that the other side has crossed
            while o.left_lots > 0 and px != NO_ASK and px != NO_BID:
                if not crosses(side, o.px_ticks, px):
                    break
                lots = takeable(stream, book, other, px)
                if loop.partial_fills == 0 and lots > 0:
                    lots = o.left_lots
                lots = min(o.left_lots, lots)
                if lots > 0:
                    if not take(stream, other, px, lots):
                        break
                    o.left_lots -= lots
                    filled = True
                    report_fill(
                        loop, stream, book, messages, markouts, o, ts_ns, o.px_ticks, lots, 1
                    )
                px = book_next(book, other, px)
            i = next_own(stream, own, side, i)
    if filled:
        sweep_filled(stream, own)
