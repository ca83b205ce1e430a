"""Market maker after Gueant, Lehalle and Fernandez-Tapia: stationary quotes around the mid.

Each side rests one post-only order at the distance that maximises exponential utility when fills at
distance d arrive at rate A exp(-k d) and the mid diffuses with volatility sigma; holding q units
moves both quotes by q times C against the position (Gueant, Lehalle and Fernandez-Tapia 2013,
kernels/quoting.py). sigma is measured by the loop; A and k come from `calibrate_intensity`.
Distances are in basis points (bps) of the mid, and one unit of inventory is one order, so that the
same parameters mean the same on any instrument.

Parameters
----------
gamma : 1/(bps unit)
    Risk aversion. Larger: wider quotes and a faster return to flat.
k : 1/bps
    How fast fills thin out with distance from the mid.
intensity : 1/s
    Fills per second of an order at the mid (A).
order_notional : portfolio currency
    Value of one order, and of one unit of inventory.
max_units : units
    Position limit of the strategy itself; at the limit only the reducing side quotes.
tolerance_bps : bps
    A resting order stays, and keeps its place in the queue, until its target moved by more.
vol_window : 0, 1, 2
    Volatility used: fast, mid or slow.
cover_fees : 0, 1
    1 adds the maker fee to the distance of each side.
"""

import numpy as np

from kimera_cli.kernels.quoting import (
    basis_point,
    glft_ask_delta,
    glft_bid_delta,
    keep_quotes,
    volatility_bps,
)
from kimera_cli.kernels.strategy import cancel_all, has_market, lots_for_notional

PARAMS: dict[str, float] = {
    "gamma": 0.05,
    "k": 1.0,
    "intensity": 1.0,
    "order_notional": 1000.0,
    "max_units": 10.0,
    "tolerance_bps": 0.25,
    "vol_window": 1.0,
    "cover_fees": 1.0,
}

INTERVAL_NS = 100_000_000

ERRORS = {
    -1: "gamma, k and intensity must be above zero",
    -2: "order_notional is worth less than the smallest order: raise it",
}


def decide(view):
    """Quote both sides at the stationary distances."""
    gamma, k, intensity = view.params[0], view.params[1], view.params[2]
    if not (gamma > 0.0 and k > 0.0 and intensity > 0.0):
        return -1
    if not has_market(view):
        if view.n_orders > 0:
            cancel_all(view)
        return 0
    sigma = volatility_bps(view, view.params[6])
    if not (np.isfinite(sigma) and sigma > 0.0):
        return 0  # no estimate yet: no quote
    lots = lots_for_notional(view, view.params[3])
    if lots == 0:
        return -2
    unit = basis_point(view)
    q = view.position_lots / lots
    fee = view.maker_fee * 1e4 * view.params[7]
    bid = view.mid_ticks - unit * (glft_bid_delta(q, gamma, sigma, k, intensity) + fee)
    ask = view.mid_ticks + unit * (glft_ask_delta(q, gamma, sigma, k, intensity) + fee)
    keep_quotes(view, bid, ask, lots, np.floor(view.params[4] * lots), view.params[5] * unit)
    return 0
