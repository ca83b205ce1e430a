"""One side of several venues' books as one: a merge, level by level, with nothing copied or sorted.

Units are common to all venues (market/common_units.py). What a level is compared by is one integer,

    net = price * (1e6 + sign * fee_ppm),    sign = 1 for asks (buying), -1 for bids (selling),

what a unit costs or brings with the taker fee, in millionths of a price unit; or the same without
the fee. Each venue's side is in order already, so the best level left is one of the venues' heads:
a level costs one step in one book and one comparison per venue. Equal levels keep the order of the
venues.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.book import BOOK, book_next, book_qty
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.route import MILLION
from kimera_cli.layouts import ASK, BID, NO_ASK, NO_BID

MOST = 1 << 40
"""Prices and sizes in common units stay below this."""
TOO_LARGE = -1
"""A price or size in common units is beyond MOST, so that a net price could not be exact."""

VENUE_BOOK = np.dtype(
    [
        ("book", "i8"),  # address of its BOOK
        ("good", "i8"),  # 0: its book is left out
        ("px_step", "i8"),  # its tick and lot in common units
        ("qty_step", "i8"),
        ("fee_ppm", "i8"),  # taker fee in millionths of the traded value; negative is a rebate
        # while it works
        ("px_ticks", "i8"),  # its best level that is not taken yet; NO_BID, NO_ASK: none
        ("key", "i8"),
    ],
    align=True,
)
"""One venue of a consolidated book."""

LEVEL = np.dtype(
    [
        ("venue", "i8"),
        ("px_ticks", "i8"),  # its own ticks and lots
        ("qty_lots", "i8"),
        ("px", "i8"),  # common units
        ("qty", "i8"),
        ("net", "i8"),  # millionths of a price unit
    ],
    align=True,
)
"""One level of a consolidated book."""


@inner
def _head(venue, px_ticks, side, fees):
    """Let a venue's head be the level at px_ticks; return False when it cannot be counted."""
    venue.px_ticks = px_ticks
    if px_ticks == NO_BID or px_ticks == NO_ASK:
        return True
    if px_ticks >= MOST // venue.px_step:
        return False
    fee = venue.fee_ppm if fees != 0 else np.int64(0)
    price = px_ticks * venue.px_step
    venue.key = price * (MILLION + fee) if side == ASK else -price * (MILLION - fee)
    return True


@inner
def _best(venues):
    """Return the venue whose head is best, -1 when no level is left."""
    best = np.int64(-1)
    for v in range(venues.shape[0]):
        venue = venues[v]
        if venue.px_ticks == NO_BID or venue.px_ticks == NO_ASK:
            continue
        if best < 0 or venue.key < venues[best].key:
            best = np.int64(v)
    return best


@kernel
def consolidate(venues, side, fees, levels):
    """Write the best levels of all good venues, best first, until `levels` is full; count them.

    venues: VENUE_BOOK, shape (n,). side: BID or ASK of the books. fees: 1 orders by what is left
    after the taker fee, 0 by price. levels: LEVEL, shape (depth,). TOO_LARGE: see there.
    """
    for v in range(venues.shape[0]):
        venue = venues[v]
        px_ticks = np.int64(NO_BID)
        if venue.good != 0:
            book = array_at(venue.book, 1, BOOK)[0]
            px_ticks = book.best_bid_ticks if side == BID else book.best_ask_ticks
        if not _head(venue, px_ticks, side, fees):
            return np.int64(TOO_LARGE)
    n = 0
    while n < levels.shape[0]:
        v = _best(venues)
        if v < 0:
            break
        venue = venues[v]
        book = array_at(venue.book, 1, BOOK)[0]
        lots = book_qty(book, side, venue.px_ticks)
        if lots >= MOST // venue.qty_step:
            return np.int64(TOO_LARGE)
        level = levels[n]
        level.venue = v
        level.px_ticks = venue.px_ticks
        level.qty_lots = lots
        level.px = venue.px_ticks * venue.px_step
        level.qty = lots * venue.qty_step
        fee = venue.fee_ppm if side == ASK else -venue.fee_ppm
        level.net = level.px * (MILLION + fee)
        n += 1
        if not _head(venue, book_next(book, side, venue.px_ticks), side, fees):
            return np.int64(TOO_LARGE)
    return np.int64(n)
