"""Money of one sleeve (one strategy in one instrument), in the instrument's settlement currency.

Spot and linear: cash falls by price * size on a buy; equity = cash + position at the mid.
Inverse: a contract is worth contract_size / price coins; cash rises by that on a buy (the short
coin leg),
equity = cash - position at the mid; so pnl = contracts * contract_size * (1/entry - 1/exit).
"""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import kernel
from kimera_cli.layouts import BID, INVERSE


@kernel
def trade_value(instrument, px_ticks, qty_lots):
    """Return the value of a trade in settlement currency (positive)."""
    size = qty_lots * instrument.lot * instrument.contract_size
    if instrument.kind == INVERSE:
        return size / (px_ticks * instrument.tick)
    return size * px_ticks * instrument.tick


@kernel
def quote_value(instrument, px_ticks, qty_lots):
    """Return the value of a trade in quote currency, whatever it settles in."""
    size = qty_lots * instrument.lot * instrument.contract_size
    if instrument.kind == INVERSE:
        return size
    return size * px_ticks * instrument.tick


@kernel
def to_portfolio(instrument, amount, mid_ticks):
    """Return a settlement amount in portfolio currency; NaN when inverse and no mid is known."""
    if instrument.kind == INVERSE:
        return amount * mid_ticks * instrument.tick * instrument.settle_rate
    return amount * instrument.settle_rate


@kernel
def book_fill(view, sleeve, instrument, side, px_ticks, qty_lots, maker):
    """Move cash and position by one fill; return the fee paid (negative: rebate)."""
    rate = instrument.maker_fee if maker == 1 else instrument.taker_fee
    fee = trade_value(instrument, px_ticks, qty_lots) * rate
    book_fill_at(view, sleeve, instrument, side, px_ticks, qty_lots, fee)
    return fee


@kernel
def book_fill_at(view, sleeve, instrument, side, px_ticks, qty_lots, fee):
    """Move cash and position by one fill that costs `fee`, in settlement currency."""
    value = trade_value(instrument, px_ticks, qty_lots)
    buy = side == BID
    if instrument.kind == INVERSE:
        view.cash += value if buy else -value
    else:
        view.cash -= value if buy else -value
    view.cash -= fee
    view.position_lots += qty_lots if buy else -qty_lots
    sleeve.fees += fee
    sleeve.volume += value
    sleeve.n_fills += 1


@kernel
def book_kept(view, instrument, px_ticks, kept_lots):
    """Let a venue keep lots of a spot buy as its fee, which book_fill_at took from cash.

    The position is what is there to be sold; equity at the fill's price stays as it was.
    """
    view.position_lots -= kept_lots
    view.cash += trade_value(instrument, px_ticks, kept_lots)


@kernel
def equity_at(view, instrument, mid_ticks):
    """Return the sleeve's equity at a mid; its cash when it holds nothing, NaN when it does and
    mid is.
    """
    if view.position_lots == 0:
        return view.cash
    if math.isnan(mid_ticks):
        return math.nan
    value = view.position_lots * instrument.lot * instrument.contract_size
    if instrument.kind == INVERSE:
        return view.cash - value / (mid_ticks * instrument.tick)
    return view.cash + value * mid_ticks * instrument.tick


@kernel
def book_funding(view, instrument, mark_ticks, rate):
    """Pay (or receive) funding on the position at the mark; return what was paid."""
    if view.position_lots == 0:
        return 0.0
    size = view.position_lots * instrument.lot * instrument.contract_size
    if instrument.kind == INVERSE:
        paid = rate * size / (mark_ticks * instrument.tick)
    else:
        paid = rate * size * mark_ticks * instrument.tick
    view.cash -= paid
    return paid
