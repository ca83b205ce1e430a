"""Quoting formulas of market making, and the one way a quote is kept in the book.

Sources: Avellaneda and Stoikov 2008 (Quant. Finance 8:217), equations 29 and 30 with intensity
A exp(-k delta); Gueant, Lehalle and Fernandez-Tapia 2013 (Math. Finan. Econ. 7:477), the stationary
closed form. Any units serve as long as they agree: sigma in price per square root of time, k in one
per price, A in one per time, gamma in one per (price * unit of inventory), q in units of inventory.
No kernel checks its inputs: gamma, k and A above zero, sigma and tau at or above zero are the
caller's to see to; NaN goes in and comes out.
"""

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import amend, cancel, find_order, is_open, place, sellable_lots
from kimera_cli.layouts import ASK, BID, LIMIT, POST_ONLY

QUOTE_TAG = 1
"""Tag of the one order per side that `keep_quote` owns."""


@kernel
def risk_term(gamma, k):
    """Return (1/gamma) ln(1 + gamma/k): half of the spread that remains when time has run out."""
    return np.log1p(gamma / k) / gamma


@kernel
def as_reservation(price, q, gamma, sigma, tau):
    """Return the reservation price s - q gamma sigma^2 tau (Avellaneda-Stoikov eq. 29)."""
    return price - q * gamma * sigma * sigma * tau


@kernel
def as_spread(gamma, sigma, k, tau):
    """Return the total spread gamma sigma^2 tau + (2/gamma) ln(1 + gamma/k) (eq. 30)."""
    return gamma * sigma * sigma * tau + 2.0 * risk_term(gamma, k)


@kernel
def glft_slope(gamma, sigma, k, intensity):
    """Return C = sqrt(sigma^2 gamma / (2 k A) (1 + gamma/k)^(1 + k/gamma)): skew per unit held."""
    growth = np.exp((1.0 + k / gamma) * np.log1p(gamma / k))
    return np.sqrt(sigma * sigma * gamma / (2.0 * k * intensity) * growth)


@kernel
def glft_bid_delta(q, gamma, sigma, k, intensity):
    """Return the distance of the bid below the mid with q units held."""
    slope = glft_slope(gamma, sigma, k, intensity)
    return risk_term(gamma, k) + 0.5 * (2.0 * q + 1.0) * slope


@kernel
def glft_ask_delta(q, gamma, sigma, k, intensity):
    """Return the distance of the ask above the mid with q units held."""
    slope = glft_slope(gamma, sigma, k, intensity)
    return risk_term(gamma, k) - 0.5 * (2.0 * q - 1.0) * slope


@kernel
def passive_bid(view, price):
    """Return the highest whole tick at or below `price` that does not meet the best ask."""
    return min(np.int64(np.floor(price)), view.best_ask_ticks - 1)


@kernel
def passive_ask(view, price):
    """Return the lowest whole tick at or above `price` that does not meet the best bid."""
    return max(np.int64(np.ceil(price)), view.best_bid_ticks + 1)


@kernel
def keep_quote(view, side, px_ticks, qty_lots, tolerance_ticks):
    """Keep one post-only order on `side` at `px_ticks`; qty_lots or px_ticks below 1 withdraws it.

    An order whose price is within tolerance_ticks of the target stays where it is (it keeps its
    place in the queue); one with a request under way is left alone until the venue has answered.
    """
    index = find_order(view, side, QUOTE_TAG)
    wanted = qty_lots > 0 and px_ticks > 0
    if index < 0:
        if wanted:
            place(view, side, px_ticks, qty_lots, LIMIT, POST_ONLY, QUOTE_TAG)
        return
    if not is_open(view, index):
        return
    if not wanted:
        cancel(view, index)
    elif abs(view.orders[index].px_ticks - px_ticks) > tolerance_ticks:
        amend(view, index, px_ticks, qty_lots)


@kernel
def keep_quotes(view, bid_price, ask_price, lots, max_lots, tolerance_ticks):
    """Keep a bid and an ask (prices in ticks, rounded away from the mid) within +-max_lots held.

    On spot nothing is sold short: the ask offers what is held, at most `lots`.
    """
    bid_lots = lots if view.position_lots + lots <= max_lots else np.int64(0)
    ask_lots = sellable_lots(view, lots) if view.position_lots - lots >= -max_lots else np.int64(0)
    keep_quote(view, BID, passive_bid(view, bid_price), bid_lots, tolerance_ticks)
    keep_quote(view, ASK, passive_ask(view, ask_price), ask_lots, tolerance_ticks)


@kernel
def basis_point(view):
    """Return one basis point of the mid in ticks."""
    return view.mid_ticks * 1e-4


@kernel
def volatility_bps(view, window):
    """Return vol_fast (0), vol_mid (1) or vol_slow (2) in bps per square root of second."""
    sigma = view.vol_mid
    if window < 0.5:
        sigma = view.vol_fast
    elif window > 1.5:
        sigma = view.vol_slow
    return sigma / basis_point(view)
