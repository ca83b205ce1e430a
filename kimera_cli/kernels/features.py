"""Features of one instrument in O(1) per event; state and results are one FEATURES record.

Call `features_book` when the book is consistent (after F_LAST) and `features_trade` per trade.
Both read only the past: the features after k events do not depend on event k + 1 (prefix property,
tested).

mid_ticks         (bid + ask) / 2.
microprice_ticks  imbalance-weighted mid (bid_lots * ask + ask_lots * bid) / (bid_lots + ask_lots).
                  Stoikov's (2018) own microprice adds a fitted G*(imbalance, spread) to the mid:
                  that needs data and is estimated offline (market/microprice.py).
queue_imbalance   (bid_lots - ask_lots) / (bid_lots + ask_lots) at the touch, -1 to 1 (Gould and
                  Bonart 2016 use the share I = bid_lots / (bid_lots + ask_lots): this is 2 I - 1).
depth_imbalance   the same over the best DEPTH_LEVELS levels within NEAR ticks of the touch.
ofi               order-flow imbalance (Cont, Kukanov and Stoikov 2014, eq. 4) in lots, each
                  contribution fading as exp(-age / FLOW_TAU_S); ofi_sum is the plain sum.
signed_flow       traded lots, bought minus sold by the aggressor, fading the same way. A trade
                  whose aggressor is unknown counts as the last trade and not as flow.
vol_*             volatility of the mid in ticks per square root of second, at VOL_TAU_S.

Volatility: the mid is sampled at the first book change at least VOL_SAMPLE_NS after the last
sample; each sample's rate r^2 / dt enters an exponential average with weight 1 - exp(-dt / tau),
or dt / (time since the start) while that is larger, so that the start is a plain average and not a
guess. For a diffusion its mean is sigma^2 however irregular the times are. Trades do not enter, so
there is no bid-ask bounce; what is left is the flicker of the mid itself (variance s^2 per sample
adds 2 s^2 / dt), which the sampling bounds.

NaN: mid, microprice, imbalances while a side is empty; vol_* until the second sample. ofi counts an
empty side as zero lots at the worst price.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import BOOK_OK, book_clear, book_depth, book_qty, book_set
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, F_LAST, NO_ASK, NO_BID, TRADE

FLOW_TAU_S = 5.0
VOL_TAU_S = (10.0, 60.0, 300.0)
VOL_SAMPLE_NS = 100_000_000
DEPTH_LEVELS = 5

_SECONDS = 1e-9
_FLOW_RATE = _SECONDS / FLOW_TAU_S
_FAST, _MID, _SLOW = VOL_TAU_S


@kernel
def fade(x):
    """Return exp(-x) for x >= 0; four terms where x is small, as it mostly is (error < 1e-13)."""
    if x < 0.001:
        return 1.0 - x * (1.0 - x * (0.5 - x * (1.0 / 6.0)))
    return math.exp(-x)


@kernel
def _fade_flow(f, ts_ns):
    elapsed = ts_ns - f.ts_flow_ns
    if elapsed > 0:
        if f.ofi != 0.0 or f.signed_flow != 0.0:
            weight = fade(elapsed * _FLOW_RATE)
            f.ofi *= weight
            f.signed_flow *= weight
        f.ts_flow_ns = ts_ns


@kernel
def ofi_step(old_bid, old_bid_lots, old_ask, old_ask_lots, bid, bid_lots, ask, ask_lots):
    """Return one event's contribution e_n to the order-flow imbalance, in lots."""
    e = np.int64(0)
    if bid >= old_bid:
        e += bid_lots
    if bid <= old_bid:
        e -= old_bid_lots
    if ask <= old_ask:
        e -= ask_lots
    if ask >= old_ask:
        e += old_ask_lots
    return e


@kernel
def _average(var, rate, dt_s, elapsed_s, tau_s):
    weight = max(1.0 - fade(dt_s / tau_s), dt_s / elapsed_s)
    return var + weight * (rate - var)


@kernel
def _sample_volatility(f, ts_ns):
    if f.ts_start_ns == 0:
        f.ts_start_ns = ts_ns
        f.ts_vol_ns = ts_ns
        f.vol_mid_ticks = f.mid_ticks
        return
    dt_ns = ts_ns - f.ts_vol_ns
    if dt_ns < VOL_SAMPLE_NS:
        return
    move = f.mid_ticks - f.vol_mid_ticks
    dt_s = dt_ns * _SECONDS
    elapsed_s = (ts_ns - f.ts_start_ns) * _SECONDS
    rate = move * move / dt_s
    f.var_fast = _average(f.var_fast, rate, dt_s, elapsed_s, _FAST)
    f.var_mid = _average(f.var_mid, rate, dt_s, elapsed_s, _MID)
    f.var_slow = _average(f.var_slow, rate, dt_s, elapsed_s, _SLOW)
    f.vol_fast = math.sqrt(f.var_fast)
    f.vol_mid = math.sqrt(f.var_mid)
    f.vol_slow = math.sqrt(f.var_slow)
    f.ts_vol_ns = ts_ns
    f.vol_mid_ticks = f.mid_ticks


@kernel
def _imbalance(bid_lots, ask_lots):
    total = bid_lots + ask_lots
    if total <= 0:
        return math.nan
    return (bid_lots - ask_lots) / total


@kernel
def features_book(f, book, ts_ns):
    """Bring the features up to a consistent book at ts_ns. Time that goes back fades nothing."""
    bid = book.best_bid_ticks
    ask = book.best_ask_ticks
    bid_lots = book_qty(book, BID, bid) if bid != NO_BID else np.int64(0)
    ask_lots = book_qty(book, ASK, ask) if ask != NO_ASK else np.int64(0)
    _fade_flow(f, ts_ns)
    if f.n_updates > 0:
        e = ofi_step(
            f.best_bid_ticks, f.best_bid_lots, f.best_ask_ticks, f.best_ask_lots,
            bid, bid_lots, ask, ask_lots,
        )  # fmt: skip
        f.ofi += e
        f.ofi_sum += e
    else:
        f.vol_fast = math.nan
        f.vol_mid = math.nan
        f.vol_slow = math.nan
    f.n_updates += 1
    f.ts_book_ns = ts_ns
    f.best_bid_ticks = bid
    f.best_bid_lots = bid_lots
    f.best_ask_ticks = ask
    f.best_ask_lots = ask_lots
    if bid == NO_BID or ask == NO_ASK:
        f.mid_ticks = math.nan
        f.microprice_ticks = math.nan
        f.queue_imbalance = math.nan
        f.depth_imbalance = math.nan
        return
    f.mid_ticks = 0.5 * (bid + ask)
    f.queue_imbalance = _imbalance(bid_lots, ask_lots)
    f.microprice_ticks = f.mid_ticks + 0.5 * (ask - bid) * f.queue_imbalance
    f.depth_imbalance = _imbalance(
        book_depth(book, BID, DEPTH_LEVELS), book_depth(book, ASK, DEPTH_LEVELS)
    )
    _sample_volatility(f, ts_ns)


@kernel
def features_trade(f, side, px_ticks, qty_lots, ts_ns):
    """Take in one trade; side is the aggressor's (NO_SIDE: unknown)."""
    _fade_flow(f, ts_ns)
    if side == BID:
        f.signed_flow += qty_lots
    elif side == ASK:
        f.signed_flow -= qty_lots
    f.last_trade_ticks = px_ticks
    f.last_trade_lots = qty_lots
    f.last_trade_side = side


@kernel
def features_run(book, f, events, rows):
    """Run DEPTH, CLEAR and TRADE events through book and features.

    Writes f to `rows` after each F_LAST. Returns how many rows, or minus the book's status when a
    level could not be set.
    """
    n = 0
    for i in range(events.shape[0]):
        event = events[i]
        if event.kind == DEPTH:
            status = book_set(book, event.side, event.px_ticks, event.qty_lots)
            if status != BOOK_OK:
                return -status
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        elif event.kind == TRADE:
            features_trade(f, event.side, event.px_ticks, event.qty_lots, event.ts_local_ns)
        if event["flags"] & F_LAST != 0:
            features_book(f, book, event.ts_local_ns)
            rows[n] = f
            n += 1
    return n
