"""Smart order routing: a taker order split over the books of several venues at the least cost.

Units are common to all venues (routing/split.py makes them): prices in the greatest common divisor
of their ticks, quantities in that of their lots. What a unit costs at a level is one integer,

    key = price * (sign * 1e6 + fee_ppm) + premium,    sign = 1 for a buy, -1 for a sell,

so that fees and the latency premium are compared exactly with prices and less is always better. A
venue's key never falls from one level to the next, so taking the best level left, again and again,
costs least where all venues have one lot and no minimum is missed.

Minimum quantity and notional, and lots that differ, are not convex. If the greedy split misses no
minimum and never had to pass a better venue by because the rest was below its lot, it is the answer
with them too. Otherwise every set of venues is tried: each gets its least allowed quantity first
and the rest goes where it is cheapest. The set that fills most, and of those the cheapest, wins.
With one lot that is the optimum (a separable convex allocation with lower bounds). With several it
is never worse than the best single venue; tests/routing/test_lots.py states how far from the
optimum it is.

Reference: with minimums and lots this is a mixed-integer program, which the tests compare it with.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.layouts import BID

MAX_VENUES = 8
MILLION = 1_000_000
NEVER = (1 << 63) - 1

ROUTE_VENUE = np.dtype(
    [
        ("fee_ppm", "i8"),  # taker fee in millionths of the traded value; negative is a rebate
        ("premium", "i8"),  # added to the key: what waiting for this venue costs per unit
        ("step", "i8"),  # its lot in units
        ("min_qty", "i8"),  # units; 0: none
        ("min_notional", "i8"),  # price units times quantity units; 0: none
        ("max_qty", "i8"),  # units that may be sent there; 0: the venue is not used
        ("levels", "i8"),  # of its book, best first
        # result
        ("qty", "i8"),  # units to send there; 0: nothing
        ("notional", "i8"),  # value at the book's prices
        ("worst", "i8"),  # price of the last level that is taken: the limit of the order
        # while it works
        ("at", "i8"),
        ("gone", "i8"),  # of the level `at`
        ("head", "i8"),  # key of the level `at`
        ("least", "i8"),
    ],
    align=True,
)
"""One venue's terms, and what it is sent."""


@inner
def _key(venue, px, sign):
    return px * (sign * MILLION + venue.fee_ppm) + venue.premium


@inner
def _reset(venue):
    venue.qty = 0
    venue.notional = 0
    venue.worst = 0
    venue.at = 0
    venue.gone = 0


@inner
def _take(venue, px, lots, most):
    """Take up to `most` units from the venue's current level; return how many."""
    room = min(most, venue.max_qty - venue.qty, lots[venue.at] - venue.gone)
    units = room // venue.step * venue.step
    if units <= 0:
        return np.int64(0)
    venue.qty += units
    venue.notional += units * px[venue.at]
    venue.worst = px[venue.at]
    venue.gone += units
    if venue.gone >= lots[venue.at]:
        venue.at += 1
        venue.gone = 0
    return units


@inner
def _fill(venues, px, lots, n, chosen, sign, rest):
    """Give the rest to the chosen venues (a bit each) level by level.

    Returns what is left, and whether a venue was passed by because the rest was below its lot.
    """
    passed = False
    for v in range(n):
        venue = venues[v]
        venue.head = NEVER
        if (chosen >> v) & 1 and venue.at < venue.levels:
            venue.head = _key(venue, px[v, venue.at], sign)
    while rest > 0:
        best = 0
        for v in range(1, n):
            if venues[v].head < venues[best].head:
                best = v
        venue = venues[best]
        if venue.head == NEVER:
            break
        at = venue.at
        units = _take(venue, px[best], lots[best], rest)
        rest -= units
        if units == 0 or venue.at >= venue.levels:
            passed = passed or (units == 0 and rest < venue.step <= venue.max_qty - venue.qty)
            venue.head = NEVER
        elif venue.at != at:
            venue.head = _key(venue, px[best, venue.at], sign)
    return rest, passed


@inner
def _kept(venues, n):
    """Return True when every venue that is sent something is sent enough."""
    for v in range(n):
        venue = venues[v]
        if venue.qty > 0 and (venue.qty < venue.min_qty or venue.notional < venue.min_notional):
            return False
    return True


@inner
def _least(venue, px, lots):
    """Return the smallest quantity that the venue takes, NEVER when its book cannot give it."""
    units = np.int64(0)
    notional = np.int64(0)
    for at in range(venue.levels):
        if units >= venue.min_qty and notional >= venue.min_notional and units > 0:
            break
        missing = venue.min_qty - units
        if px[at] > 0:
            missing = max(missing, -((notional - venue.min_notional) // px[at]))
        missing = max(-(-missing // venue.step) * venue.step, venue.step)
        part = min(missing, lots[at] // venue.step * venue.step)
        units += part
        notional += part * px[at]
    enough = units > 0 and units >= venue.min_qty and notional >= venue.min_notional
    return units if enough and units <= venue.max_qty else np.int64(NEVER)


@inner
def _try(venues, px, lots, n, chosen, sign, qty):
    """Split over exactly these venues; return what is left, NEVER when they cannot all be used."""
    rest = qty
    for v in range(n):
        venue = venues[v]
        _reset(venue)
        if (chosen >> v) & 1:
            if venue.least > rest:
                return np.int64(NEVER)
            missing = venue.least
            while missing > 0:
                missing -= _take(venue, px[v], lots[v], missing)
            rest -= venue.least
    return _fill(venues, px, lots, n, chosen, sign, rest)[0]


@inner
def _cost(venues, n, sign):
    """Return the sum of key times quantity: money, and only for comparing splits."""
    total = 0.0
    for v in range(n):
        venue = venues[v]
        total += float(venue.notional) * (sign * MILLION + venue.fee_ppm)
        total += float(venue.qty) * venue.premium
    return total


@inner
def _search(venues, px, lots, n, sign, qty):
    """Try every set of venues; leave the best split in `venues` and return what is left."""
    for v in range(n):
        venues[v].least = _least(venues[v], px[v], lots[v])
    best = np.int64(0)
    least_left = qty
    least_cost = np.inf
    for chosen in range(1, 1 << n):
        left = _try(venues, px, lots, n, chosen, sign, qty)
        if left > least_left or left == qty:
            continue
        cost = _cost(venues, n, sign)
        if left < least_left or cost < least_cost:
            best, least_left, least_cost = np.int64(chosen), left, cost
    return _try(venues, px, lots, n, best, sign, qty)


@kernel
def route(venues, px, lots, side, qty):
    """Split `qty` units over the venues and write each one's part; return what nobody takes.

    venues: ROUTE_VENUE, shape (n,), n <= MAX_VENUES. px, lots: int64, shape (n, levels): prices and
    quantities that can be traded against (asks for a buy), best first, quantities in whole lots of
    their venue. side: BID buys, ASK sells.
    """
    n = venues.shape[0]
    sign = 1 if side == BID else -1
    everyone = (1 << n) - 1
    for v in range(n):
        _reset(venues[v])
    left, passed = _fill(venues, px, lots, n, everyone, sign, qty)
    if not passed and _kept(venues, n):
        return left
    return _search(venues, px, lots, n, sign, qty)
