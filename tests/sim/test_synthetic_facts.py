"""Stylised facts of the synthetic market, on fixed seeds; docs/explanation lists them."""

from __future__ import annotations

import numpy as np
import pytest

from kimera_cli.layouts import BID, TRADE
from kimera_cli.market.features import FeatureStream
from kimera_cli.settings import Market
from kimera_cli.sim.synthetic import SECONDS_PER_YEAR, SyntheticMarket

N = 700_000
MODELS = ("poisson", "hawkes")


class Tape:
    """Events of one market with its mid and touch after every message."""

    def __init__(self, model, seed=1):
        parts, have = [], 0
        self.settings = Market(model=model)
        for chunk in SyntheticMarket(self.settings, seed).chunks(65_536):
            parts.append(chunk)
            have += len(chunk)
            if have >= N:
                break
        self.events = np.concatenate(parts)
        self.rows = FeatureStream().advance(self.events)
        self.ts = self.rows["ts_book_ns"]
        self.seconds = (self.ts[-1] - self.ts[0]) / 1e9
        trades = self.events[self.events["kind"] == TRADE]
        _, opening = np.unique(trades["ts_exch_ns"], return_index=True)
        self.takers = trades[opening]  # the first fill of each market order: at the touch
        self.signs = np.where(self.takers["side"] == BID, 1.0, -1.0)

    def column(self, name, ts):
        """The value in force at the times ts."""
        at = np.searchsorted(self.ts, ts, side="right") - 1
        return self.rows[name][np.maximum(at, 0)].astype(float)

    def annual_volatility(self, lag_s):
        grid = np.arange(self.ts[0] + 5e9, self.ts[-1], lag_s * 1e9)
        moves = np.diff(self.column("mid_ticks", grid))
        start = self.settings.start_px / self.settings.tick
        return np.sqrt(np.mean(moves**2) / lag_s * SECONDS_PER_YEAR) / start


@pytest.fixture(scope="module", params=MODELS)
def tape(request):
    return Tape(request.param)


def autocorrelation(x, lag):
    centred = x - x.mean()
    return np.mean(centred[lag:] * centred[:-lag]) / np.mean(centred**2)


def test_spread_is_never_crossed_and_has_a_tail(tape):
    spread = tape.rows["best_ask_ticks"] - tape.rows["best_bid_ticks"]
    assert spread.min() == 1
    assert not np.isnan(tape.rows["mid_ticks"]).any()
    assert np.quantile(spread, 0.5) <= 4
    assert 4 <= np.quantile(spread, 0.99) <= 25


def test_volatility_signature_is_flat_at_the_level_asked_for(tape):
    """No bounce and no momentum at long lags: returns per unit of time cost the same variance."""
    lags = (1.0, 2.0, 5.0, 10.0)
    found = [tape.annual_volatility(lag) for lag in lags]
    print(dict(zip(lags, np.round(found, 3).tolist(), strict=True)))
    assert found == pytest.approx([tape.settings.volatility] * len(lags), rel=0.2)


def test_order_flow_imbalance_explains_moves_of_the_mid(tape):
    grid = np.arange(tape.ts[0], tape.ts[-1], 1e10)
    flow = np.diff(tape.column("ofi_sum", grid))
    moves = np.diff(tape.column("mid_ticks", grid))
    slope = np.sum(flow * moves) / np.sum(flow**2)
    assert slope > 0
    assert np.corrcoef(flow, moves)[0, 1] ** 2 > 0.5  # Cont, Kukanov, Stoikov: 65 % for stocks


def test_queues_at_the_touch_are_small_and_skewed(tape):
    lots = tape.rows["best_bid_lots"]
    assert np.mean(lots) > 1.2 * np.median(lots)
    assert 0.3 < np.median(lots) / tape.settings.mean_lots < 4


def test_takers_come_at_the_rate_asked_for(tape):
    assert len(tape.takers) / tape.seconds == pytest.approx(2 * tape.settings.market_rate, rel=0.25)


def test_a_maker_at_the_touch_is_picked_off(tape):
    """Quoting both touches and being filled by every taker loses at zero fees: flow is informed."""
    later = tape.column("mid_ticks", tape.takers["ts_local_ns"] + 1_000_000_000)
    earned = tape.signs * (tape.takers["px_ticks"] - later)
    error = np.std(earned) / np.sqrt(len(earned))
    print(f"markout of the touch at 1 s: {np.mean(earned):.2f} +- {error:.2f} ticks")
    assert np.mean(earned) + 2 * error < 0


def test_signs_of_takers_persist_and_more_so_under_hawkes():
    """Positive, decaying autocorrelation; self-excitation makes it last."""
    signs = {model: Tape(model, seed=2).signs for model in MODELS}
    found = {m: [autocorrelation(s, k) for k in (1, 2, 3, 50)] for m, s in signs.items()}
    print({m: np.round(v, 3).tolist() for m, v in found.items()})
    error = 1 / np.sqrt(len(signs["hawkes"]))
    one, two, three, fifty = found["hawkes"]
    assert one > two > three > 4 * error
    assert abs(fifty) < 5 * error
    assert all(
        h > p + 4 * error for h, p in zip(found["hawkes"][:3], found["poisson"], strict=False)
    )
