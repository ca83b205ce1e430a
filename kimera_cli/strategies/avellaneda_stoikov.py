"""Market maker after Avellaneda and Stoikov: quotes around a reservation price.

The reservation price moves away from the mid by q gamma sigma^2 tau with q units held, and the
spread around it is gamma sigma^2 tau + (2/gamma) ln(1 + gamma/k) (Avellaneda and Stoikov 2008, eqs.
29 and 30, kernels/quoting.py). tau is the time left: with a rolling horizon always horizon_s, else
what remains of the first horizon_s after the start, when the quotes are withdrawn. The paper's
intensity A does not enter the quotes. Distances are in basis points (bps) of the mid, and one unit
of inventory is one order, so that the same parameters mean the same on any instrument.

Parameters
----------
gamma : 1/(bps unit)
    Risk aversion. Larger: wider quotes and a faster return to flat.
k : 1/bps
    How fast fills thin out with distance from the mid.
horizon_s : s
    Time over which inventory is carried.
rolling : 0, 1
    1: the horizon moves along with the clock. 0: it ends horizon_s after the start.
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

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.quoting import (
    as_reservation,
    as_spread,
    basis_point,
    keep_quotes,
    volatility_bps,
)
from kimera_cli.kernels.strategy import cancel_all, has_market, lots_for_notional

PARAMS: dict[str, float] = {
    "gamma": 0.05,
    "k": 1.0,
    "horizon_s": 10.0,
    "rolling": 1.0,
    "order_notional": 1000.0,
    "max_units": 10.0,
    "tolerance_bps": 0.25,
    "vol_window": 1.0,
    "cover_fees": 1.0,
}

INTERVAL_NS = 100_000_000

ERRORS = {
    -1: "gamma, k and horizon_s must be above zero",
    -2: "order_notional is worth less than the smallest order: raise it",
}

STARTED, START_S = 0, 1  # indices into view.state


@kernel
def time_left_s(view, horizon_s, rolling):
    """Return tau in seconds; the first call starts the clock of a fixed horizon."""
    now_s = view.now_ns * 1e-9  # good to 0.3 us in float64
    if view.state[STARTED] == 0.0:
        view.state[STARTED] = 1.0
        view.state[START_S] = now_s
    if rolling > 0.5:
        return horizon_s
    return horizon_s - (now_s - view.state[START_S])


def decide(view):
    """Quote both sides around the reservation price."""
    gamma, k, horizon_s = view.params[0], view.params[1], view.params[2]
    if not (gamma > 0.0 and k > 0.0 and horizon_s > 0.0):
        return -1
    tau = time_left_s(view, horizon_s, view.params[3])
    if tau <= 0.0 or not has_market(view):
        if view.n_orders > 0:
            cancel_all(view)
        return 0
    sigma = volatility_bps(view, view.params[7])
    if not (np.isfinite(sigma) and sigma > 0.0):
        return 0  # no estimate yet: no quote
    lots = lots_for_notional(view, view.params[4])
    if lots == 0:
        return -2
    unit = basis_point(view)
    centre = as_reservation(0.0, view.position_lots / lots, gamma, sigma, tau)
    half = 0.5 * as_spread(gamma, sigma, k, tau) + view.maker_fee * 1e4 * view.params[8]
    bid = view.mid_ticks + unit * (centre - half)
    ask = view.mid_ticks + unit * (centre + half)
    keep_quotes(view, bid, ask, lots, np.floor(view.params[5] * lots), view.params[6] * unit)
    return 0
