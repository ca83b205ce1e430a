"""Stoikov's microprice: a chain solved by hand, its symmetry, the martingale, and a recording."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from kimera_cli.errors import DataError
from kimera_cli.market.microprice import fit_microprice


def two_state_quotes(n, move=0.1, swap=0.05, seed=0):
    """Spread 1, imbalance low or high.

    Each step the heavy side wins a tick with probability `move`, the imbalance then being a coin
    toss, or else the imbalance swaps with probability `swap`.
    """
    rng = np.random.default_rng(seed)
    u, coin = rng.random(n), rng.integers(0, 2, n)
    high, bid = np.zeros(n, np.int64), np.zeros(n, np.int64)
    state, px = 1, 1_000_000
    for k in range(n):
        high[k], bid[k] = state, px
        if u[k] < move:
            px += 1 if state else -1
            state = coin[k]
        elif u[k] < move + swap:
            state = 1 - state
    bid_lots, ask_lots = np.where(high, 9, 1), np.where(high, 1, 9)
    return bid, bid_lots, bid + 1, ask_lots


def test_chain_solved_by_hand():
    """G1(high) = p / (p + 2 q); a move forgets the state, so B G1 = 0 and G* = G1."""
    quotes = two_state_quotes(400_000)
    fitted = fit_microprice(*quotes, bins=2, max_spread=1)
    assert fitted.adjustment[0] == pytest.approx([-0.5, 0.5], abs=0.015)


def test_antisymmetry_and_martingale():
    quotes = two_state_quotes(400_000, seed=1)
    fitted = fit_microprice(*quotes, bins=10, max_spread=2)
    table = np.nan_to_num(fitted.adjustment)
    assert np.array_equal(table, -table[:, ::-1])
    assert np.isnan(fitted.adjustment[1]).all()  # a spread that never occurred
    micro = fitted.value(*quotes)
    mid = (quotes[0] + quotes[2]) / 2
    step = 60
    for low, high in ((0, 5), (5, 10)):
        share = quotes[1] / (quotes[1] + quotes[3])
        here = np.arange(0, len(mid) - step, step)
        here = here[(share[here] >= low / 10) & (share[here] < high / 10)]
        error = mid[here + step] - micro[here]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))
        gap = mid[here + step] - mid[here]
        assert abs(gap.mean()) > 4 * gap.std() / np.sqrt(len(gap))  # the mid is no martingale


def book_ticker(path, px_decimals, qty_decimals):
    scale = [10**px_decimals, 10**qty_decimals] * 2
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(x.split(" ", 1)[1])["data"] for x in lines if "bookTicker" in x]
    quotes = [[float(row[key]) for key in "bBaA"] for row in rows]
    return np.rint(np.array(quotes) * scale).astype(np.int64).T


@pytest.mark.parametrize(("name", "decimals"), [("spot_btcusdt", (2, 5)), ("usdm_btcusdt", (1, 3))])
def test_fitted_on_one_half_of_a_recording_it_predicts_the_other(shared_data, name, decimals):
    quotes = book_ticker(shared_data / "hftbacktest" / f"{name}_20240808.gz", *decimals)
    half, ahead = quotes.shape[1] // 2, 100
    fitted = fit_microprice(*quotes[:, :half], max_spread=1)
    assert (np.diff(fitted.adjustment[0]) > 0).all()  # more bids, higher price
    rest = quotes[:, half:]
    mid, micro = (rest[0] + rest[2]) / 2, fitted.value(*rest)
    signal, move = (micro - mid)[:-ahead], mid[ahead:] - mid[:-ahead]
    usual = ~np.isnan(signal) & (np.abs(move) <= 5)
    assert np.corrcoef(signal[usual], move[usual])[0, 1] > 0.2
    error = np.mean((move - signal)[usual] ** 2)
    assert error < 0.97 * np.mean(move[usual] ** 2)


def test_refuses_what_cannot_be_fitted():
    still = [np.full(50, value) for value in (100, 5, 101, 6)]
    with pytest.raises(DataError, match="moves of the mid"):
        fit_microprice(*still)
    with pytest.raises(DataError, match="one length"):
        fit_microprice(still[0], still[1], still[2], still[3][:9])


def test_unknown_spreads_are_nan():
    fitted = fit_microprice(*two_state_quotes(20_000), bins=2, max_spread=1)
    value = fitted.value(*[np.array([v]) for v in (100, 5, 105, 6)])
    assert np.isnan(value).all()
